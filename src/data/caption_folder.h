// A folder of images, each with its caption in a text file beside it.
#pragma once

#include <filesystem>
#include <vector>

#include "data/table_source.h"

namespace clipnext::data {

/// The images of a folder and its sub-folders in the order of list_images, NAME.txt beside NAME.jpg
/// (or another image extension) holding its caption, white space around it dropped.
class CaptionFolder : public SampleTable {
 public:
  /// Images without a text file are told to `on_fault` and left out. Throws Error as list_images,
  /// and if no image has a caption.
  CaptionFolder(const std::filesystem::path& folder, const OnFault& on_fault);

  int64_t size() const override { return static_cast<int64_t>(images_.size()); }
  /// Also nothing for a caption that is blank or not UTF-8.
  std::optional<RawSample> read(int64_t i, const OnFault& on_fault) const override;

 private:
  std::vector<std::filesystem::path> images_;
};

}  // namespace clipnext::data
