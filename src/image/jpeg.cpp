// JPEG by libjpeg-turbo, set up as Pillow does: accurate integer IDCT, fancy upsampling (both the
// library's defaults), CMYK inverted; scaled only where the caller allows it.
#include <algorithm>
#include <csetjmp>
// jpeglib.h uses FILE and size_t without including them.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
// clang-format on

#include "image/formats.h"

namespace clipnext::image {

namespace {

enum class Outcome { kDone, kTruncated, kBroken };

/// libjpeg's state. Its errors leave by longjmp, so the functions that call it hold nothing with a
/// destructor; what must be freed is freed here.
struct Decoder {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr input{};
  jpeg_progress_mgr progress{};
  std::jmp_buf escape{};
  int64_t max_scans = 0;
  bool too_many_scans = false;
  char message[JMSG_LENGTH_MAX] = "";

  explicit Decoder(std::span<const uint8_t> bytes) {
    info.err = jpeg_std_error(&errors);
    info.client_data = this;
    errors.error_exit = [](j_common_ptr common) {
      auto* self = static_cast<Decoder*>(common->client_data);
      common->err->format_message(common, self->message);
      std::longjmp(self->escape, 1);
    };
    errors.output_message = [](j_common_ptr) {};
    input.next_input_byte = bytes.data();
    input.bytes_in_buffer = bytes.size();
    input.init_source = [](j_decompress_ptr) {};
    input.term_source = [](j_decompress_ptr) {};
    input.resync_to_restart = jpeg_resync_to_restart;
    // All bytes are there from the start: wanting more means that the file is truncated.
    input.fill_input_buffer = [](j_decompress_ptr) -> boolean { return FALSE; };
    input.skip_input_data = [](j_decompress_ptr in, long count) {
      const size_t skipped =
          std::min(in->src->bytes_in_buffer, static_cast<size_t>(std::max(count, 0L)));
      in->src->next_input_byte += skipped;
      in->src->bytes_in_buffer -= skipped;
    };
    progress.progress_monitor = [](j_common_ptr common) {
      auto* self = static_cast<Decoder*>(common->client_data);
      self->too_many_scans = self->info.input_scan_number > self->max_scans;
      if (self->too_many_scans) std::longjmp(self->escape, 1);
    };
  }
  ~Decoder() { jpeg_destroy_decompress(&info); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
};

Outcome read_header(Decoder& decoder) {
  if (setjmp(decoder.escape) != 0) return Outcome::kBroken;
  jpeg_create_decompress(&decoder.info);
  decoder.info.src = &decoder.input;
  int status = JPEG_HEADER_TABLES_ONLY;
  while (status == JPEG_HEADER_TABLES_ONLY) status = jpeg_read_header(&decoder.info, FALSE);
  return status == JPEG_SUSPENDED ? Outcome::kTruncated : Outcome::kDone;
}

/// Sets the scale and with it output_width and output_height. Of the library's sixteen scales only
/// powers of two are fast.
Outcome choose_scale(Decoder& decoder, int64_t enough_side) {
  if (setjmp(decoder.escape) != 0) return Outcome::kBroken;
  jpeg_decompress_struct& info = decoder.info;
  const int64_t side = std::min(info.image_width, info.image_height);
  info.scale_num = info.scale_denom = 8;
  while (enough_side > 0 && info.scale_num > 1 && side * info.scale_num / 16 >= enough_side) {
    info.scale_num /= 2;
  }
  jpeg_calc_output_dimensions(&info);
  return Outcome::kDone;
}

Outcome read_rows(Decoder& decoder, uint8_t* out, size_t row_bytes) {
  if (setjmp(decoder.escape) != 0) return Outcome::kBroken;
  decoder.info.progress = &decoder.progress;
  if (jpeg_start_decompress(&decoder.info) == FALSE) return Outcome::kTruncated;
  while (decoder.info.output_scanline < decoder.info.output_height) {
    JSAMPROW row = out + decoder.info.output_scanline * row_bytes;
    if (jpeg_read_scanlines(&decoder.info, &row, 1) != 1) return Outcome::kTruncated;
  }
  // What follows the last row does not matter to Pillow unless the library calls it an error.
  jpeg_finish_decompress(&decoder.info);
  return Outcome::kDone;
}

void check(const Source& source, const Decoder& decoder, Outcome outcome) {
  if (outcome == Outcome::kTruncated) source.truncated();
  if (decoder.too_many_scans) source.refuse("more than ", decoder.max_scans, " JPEG scans");
  if (outcome == Outcome::kBroken) source.refuse("broken JPEG: ", decoder.message);
}

/// The mode Pillow opens a file of that many components in; sets what the library converts to.
Mode choose_mode(const Source& source, jpeg_decompress_struct& info) {
  switch (info.num_components) {
    case 1:
      info.out_color_space = JCS_GRAYSCALE;
      return Mode::kL;
    case 3:
      info.out_color_space = JCS_RGB;
      return Mode::kRgb;
    case 4:
      info.out_color_space = JCS_CMYK;
      return Mode::kCmyk;
    default:
      source.refuse("JPEG with ", info.num_components, " components; 1, 3 and 4 are read");
  }
}

}  // namespace

Image decode_jpeg(const Source& source) {
  Decoder decoder(source.bytes);
  check(source, decoder, read_header(decoder));
  source.check_size(decoder.info.image_width, decoder.info.image_height);
  const Mode mode = choose_mode(source, decoder.info);
  check(source, decoder, choose_scale(decoder, source.limits.enough_side));
  Image image = make_image(mode, decoder.info.output_width, decoder.info.output_height);
  // A few bytes can make a scan over every pixel of a progressive file; real ones have about ten.
  constexpr int64_t kScannedPixels = 4'000'000'000;
  const int64_t pixels = int64_t{decoder.info.image_width} * decoder.info.image_height;
  decoder.max_scans = std::clamp<int64_t>(kScannedPixels / pixels, 16, 1000);
  const size_t row_bytes = image.data.size() / static_cast<size_t>(image.height);
  check(source, decoder, read_rows(decoder, image.data.data(), row_bytes));
  if (image.mode == Mode::kCmyk) {
    for (uint8_t& value : image.data) value = static_cast<uint8_t>(255 - value);
  }
  return image;
}

}  // namespace clipnext::image
