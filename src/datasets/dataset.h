// A data set to evaluate on, before any model has seen it: its pictures, and what is known of them.
// Everything is a list in memory but the pictures themselves, which stay where they are until they
// are wanted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/image_source.h"

namespace clipnext::datasets {

enum class Kind : uint8_t { kClassification, kMultilabel, kRetrieval, kCaptionSelection };

/// What a class vector is the mean of: `templates`, each with the class's name at {c}; or, where
/// `by_class` is not empty, finished prompts by class name (CuPL's form), in the file's order.
struct Prompts {
  std::vector<std::string> templates = {};
  std::vector<std::pair<std::string, std::vector<std::string>>> by_class = {};
};

struct Dataset {
  Kind kind = Kind::kClassification;
  std::vector<std::string> classes;  // names, by label; empty without labels
  Prompts prompts;                   // empty without labels
  std::vector<pipeline::ImageSource> images;

  std::vector<int64_t> labels;         // kClassification: of each image, an index into classes
  std::vector<uint8_t> positives;      // kMultilabel: [images, classes], 1 where the class is there
  std::vector<std::string> captions;   // kRetrieval, kCaptionSelection
  std::vector<int64_t> caption_image;  // kRetrieval: of each caption, its image; ascending
  /// kCaptionSelection: instance i has the images i * images_per_instance onwards and the captions
  /// i * captions_per_instance onwards; the first belongs to the first, the second to the second.
  int64_t images_per_instance = 0;
  int64_t captions_per_instance = 0;

  std::vector<std::string> warnings;  // what a user should know of, such as an unexpected count
};

/// What `clipnext eval` knows of a data set when it opens it.
struct Request {
  std::string name;  // as given, such as "wds/vtab/cifar10"
  std::string root;  // folder or URL; {dataset} and the like already replaced
  std::string split = "test";
  std::string language = "en";
  std::string annotation_file;  // of captions; empty: where the reference looks
  std::string custom_classname_file;
  std::string custom_template_file;
  std::filesystem::path cache;  // where archives are unpacked and shards downloaded to
  /// Hears of a file that is being downloaded: bytes so far, and of all (0 if that is not known).
  std::function<void(const std::string& file, int64_t done, int64_t total)> progress;
};

/// Finds, reads and checks a data set. Throws Error that names the file or folder that is wrong or
/// missing and says what was expected there.
Dataset open_dataset(const Request& request);

/// `name` without a leading "wds/".
std::string short_name(const std::string& name);

}  // namespace clipnext::datasets
