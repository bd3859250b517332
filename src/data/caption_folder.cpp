#include "data/caption_folder.h"

#include <string>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/text_lines.h"
#include "data/caption.h"
#include "data/fault.h"
#include "data/folder.h"

namespace clipnext::data {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxCaptionBytes = int64_t{1} << 20;

fs::path caption_file(fs::path image) { return image.replace_extension(".txt"); }

}  // namespace

CaptionFolder::CaptionFolder(const fs::path& folder, const OnFault& on_fault) {
  for (fs::path& image : list_images(folder)) {
    std::error_code ignored;
    if (fs::exists(caption_file(image), ignored)) {
      images_.push_back(std::move(image));
    } else {
      on_fault(image.string(), "no caption: " + caption_file(image).string() + " is missing");
    }
  }
  require(!images_.empty(), folder.string(),
          ": no image has a caption: NAME.txt is expected beside NAME.jpg");
}

std::optional<RawSample> CaptionFolder::read(int64_t i, const OnFault& on_fault) const {
  const fs::path& image = images_[static_cast<size_t>(i)];
  std::string caption;
  try {
    caption = trim(read_file(caption_file(image), kMaxCaptionBytes));
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    on_fault(caption_file(image).string(), reason_of(error, caption_file(image).string()));
    return std::nullopt;
  }
  if (const std::string fault = caption_fault(caption); !fault.empty()) {
    on_fault(image.string(), fault);
    return std::nullopt;
  }
  return read_image_file(image.string(), std::move(caption), on_fault);
}

}  // namespace clipnext::data
