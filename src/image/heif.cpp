// HEIC and AVIF by libheif, loaded when the first such file comes: a system without it lacks these
// two formats only.
#include <dlfcn.h>

#include <cstring>
#include <memory>

#include "image/formats.h"

namespace clipnext::image {

namespace {

// What is used of libheif's C interface (libheif/heif.h, stable since 1.1).
struct HeifError {
  int code;
  int subcode;
  const char* message;
};
struct HeifContext;
struct HeifHandle;
struct HeifPicture;

constexpr int kColorspaceRgb = 1;
constexpr int kInterleavedRgb = 10;
constexpr int kInterleavedRgba = 11;
constexpr int kChannelInterleaved = 10;

struct Library {
  HeifContext* (*context_alloc)() = nullptr;
  void (*context_free)(HeifContext*) = nullptr;
  HeifError (*read)(HeifContext*, const void*, size_t, const void*) = nullptr;
  HeifError (*primary)(HeifContext*, HeifHandle**) = nullptr;
  void (*handle_release)(const HeifHandle*) = nullptr;
  int (*width)(const HeifHandle*) = nullptr;
  int (*height)(const HeifHandle*) = nullptr;
  int (*has_alpha)(const HeifHandle*) = nullptr;
  HeifError (*decode)(const HeifHandle*, HeifPicture**, int, int, const void*) = nullptr;
  void (*picture_release)(const HeifPicture*) = nullptr;
  int (*picture_width)(const HeifPicture*, int) = nullptr;
  int (*picture_height)(const HeifPicture*, int) = nullptr;
  const uint8_t* (*plane)(const HeifPicture*, int, int*) = nullptr;
  bool complete = false;

  Library() {
    void* library = dlopen("libheif.so.1", RTLD_NOW | RTLD_LOCAL);  // kept until the process ends
    if (library == nullptr) return;
    complete = true;
    const auto find = [&](auto& function, const char* name) {
      void* symbol = dlsym(library, name);
      complete = complete && symbol != nullptr;
      std::memcpy(&function, &symbol, sizeof(function));
    };
    find(context_alloc, "heif_context_alloc");
    find(context_free, "heif_context_free");
    find(read, "heif_context_read_from_memory_without_copy");
    find(primary, "heif_context_get_primary_image_handle");
    find(handle_release, "heif_image_handle_release");
    find(width, "heif_image_handle_get_width");
    find(height, "heif_image_handle_get_height");
    find(has_alpha, "heif_image_handle_has_alpha_channel");
    find(decode, "heif_decode_image");
    find(picture_release, "heif_image_release");
    find(picture_width, "heif_image_get_width");
    find(picture_height, "heif_image_get_height");
    find(plane, "heif_image_get_plane_readonly");
  }
};

const Library& library() {
  static const Library loaded;
  return loaded;
}

void check(const Source& source, const HeifError& error) {
  if (error.code != 0) source.refuse("libheif: ", error.message);
}

}  // namespace

Image decode_heif(const Source& source) {
  const Library& heif = library();
  if (!heif.complete) {
    source.refuse("reading HEIC and AVIF needs libheif; on Debian: apt install libheif1");
  }
  const std::unique_ptr<HeifContext, void (*)(HeifContext*)> context(heif.context_alloc(),
                                                                     heif.context_free);
  check(source, heif.read(context.get(), source.bytes.data(), source.bytes.size(), nullptr));
  HeifHandle* raw_handle = nullptr;
  check(source, heif.primary(context.get(), &raw_handle));
  const std::unique_ptr<const HeifHandle, void (*)(const HeifHandle*)> handle(raw_handle,
                                                                              heif.handle_release);
  source.check_size(heif.width(raw_handle), heif.height(raw_handle));
  const bool alpha = heif.has_alpha(raw_handle) != 0;

  HeifPicture* raw_picture = nullptr;
  check(source, heif.decode(raw_handle, &raw_picture, kColorspaceRgb,
                            alpha ? kInterleavedRgba : kInterleavedRgb, nullptr));
  const std::unique_ptr<const HeifPicture, void (*)(const HeifPicture*)> picture(
      raw_picture, heif.picture_release);
  int stride = 0;
  const uint8_t* plane = heif.plane(raw_picture, kChannelInterleaved, &stride);
  if (plane == nullptr) source.refuse("libheif: no pixels");
  const int64_t width = heif.picture_width(raw_picture, kChannelInterleaved);
  const int64_t height = heif.picture_height(raw_picture, kChannelInterleaved);
  source.check_size(width, height);
  Image image = make_image(alpha ? Mode::kRgba : Mode::kRgb, width, height);
  const size_t row = image.data.size() / static_cast<size_t>(height);
  for (int64_t y = 0; y < height; ++y) {
    std::memcpy(&image.data[static_cast<size_t>(y) * row], plane + y * stride, row);
  }
  return image;
}

}  // namespace clipnext::image
