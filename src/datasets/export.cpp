#include "datasets/export.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "data/tar_writer.h"
#include "datasets/python_text.h"
#include "datasets/wds.h"
#include "image/convert.h"
#include "pipeline/embed_images.h"
#include "weights/npy_header.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

std::string join_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

/// A picture as it will lie in the tar.
struct Picture {
  std::string extension;
  std::string bytes;
  bool encoded = false;
};

/// By what the file holds, not by what it is called; empty if the layout has no such format.
std::string own_extension(std::string_view bytes) {
  if (bytes.starts_with("\xff\xd8\xff")) return "jpg";
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return "png";
  if (bytes.starts_with("RIFF") && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP")
    return "webp";
  return "";
}

const char* extension_of(image::Encoding encoding) {
  switch (encoding) {
    case image::Encoding::kWebp:
      return "webp";
    case image::Encoding::kPng:
      return "png";
    case image::Encoding::kJpeg:
      return "jpg";
  }
  return "";
}

Picture load(const pipeline::ImageSource& source, image::Encoding encoding) {
  Picture picture;
  picture.bytes = pipeline::read_bytes(source);
  picture.extension = own_extension(picture.bytes);
  picture.encoded = picture.extension.empty() || source.crop.has_value();
  if (!picture.encoded) return picture;
  // To RGB here as every reader of the layout would: what lies under transparent pixels stays.
  const image::Image image = image::to_rgb(pipeline::load_image(source));
  picture.bytes = image::encode(image, encoding, source.name);
  picture.extension = extension_of(encoding);
  return picture;
}

/// What is known of the pictures, one part a sample.
class Answers {
 public:
  explicit Answers(const Dataset& set) : set_(set) {}

  std::string extension() const {
    if (set_.kind == Kind::kRetrieval) return "txt";
    return set_.kind == Kind::kMultilabel ? "npy" : "cls";
  }

  std::string of(size_t image) {
    if (set_.kind == Kind::kRetrieval) return captions(image);
    if (set_.kind == Kind::kClassification) return std::to_string(set_.labels.at(image));
    const size_t classes = set_.classes.size();
    std::string bytes =
        weights::npy_header({weights::DType::kI64, false, {static_cast<int64_t>(classes)}});
    for (size_t i = 0; i < classes; ++i) {
      bytes += static_cast<char>(set_.positives.at(image * classes + i));
      bytes.append(sizeof(int64_t) - 1, '\0');
    }
    return bytes;
  }

  /// Samples whose captions will not be read back as they are.
  int64_t changed() const { return changed_; }

 private:
  /// The image's captions, joined as the reference joins them. To be called in order.
  std::string captions(size_t image) {
    std::vector<std::string> originals;
    for (; next_ < set_.captions.size() &&
           set_.caption_image.at(next_) == static_cast<int64_t>(image);
         ++next_) {
      originals.push_back(set_.captions[next_]);
    }
    std::string text;
    for (size_t i = 0; i < originals.size(); ++i) {
      if (i > 0) text += '\n';
      for (const char c : originals[i]) {
        if (c == '\n') {
          text += "\\n";
        } else {
          text += c;
        }
      }
    }
    if (python_lines(text, "caption of picture " + std::to_string(image)) != originals) ++changed_;
    return text;
  }

  const Dataset& set_;
  size_t next_ = 0;
  int64_t changed_ = 0;
};

/// The shards of a split, one after another; the same rule for when a shard is full as webdataset's
/// ShardWriter.
class Shards {
 public:
  explicit Shards(const ExportOptions& options)
      : options_(options), folder_(options.output / options.split) {}

  /// Parts in alphabetical order, as webdataset writes them.
  void add(int64_t index, std::pair<std::string, std::string_view> first,
           std::pair<std::string, std::string_view> second) {
    if (writer_ == nullptr || samples_ >= options_.max_count || size_ >= options_.max_size) next();
    char key[32];
    std::snprintf(key, sizeof key, "s%07lld.", static_cast<long long>(index));
    if (second.first < first.first) std::swap(first, second);
    for (const auto& [extension, bytes] : {first, second}) {
      writer_->add(key + extension, bytes);
      size_ += static_cast<int64_t>(bytes.size());
    }
    ++samples_;
  }

  /// How many there are.
  int64_t finish() {
    if (writer_ != nullptr) writer_->commit();
    writer_ = nullptr;
    return count_;
  }

 private:
  void next() {
    if (writer_ != nullptr) writer_->commit();
    writer_ = std::make_unique<data::TarWriter>(folder_ / (std::to_string(count_++) + ".tar"));
    samples_ = 0;
    size_ = 0;
  }

  const ExportOptions& options_;
  fs::path folder_;
  std::unique_ptr<data::TarWriter> writer_;
  int64_t count_ = 0;
  int64_t samples_ = 0;
  int64_t size_ = 0;
};

void check(const Dataset& set, const ExportOptions& options) {
  require(set.kind != Kind::kCaptionSelection,
          "a caption selection set has no form as a webdataset folder");
  require(!set.images.empty(), "there are no pictures to export");
  require(options.max_count > 0 && options.max_size > 0,
          "a shard must hold at least one sample and one byte");
  require(set.prompts.by_class.empty(),
          "prompts of each class have no place in a webdataset folder; give templates");
  const size_t images = set.images.size();
  require(set.kind != Kind::kClassification || set.labels.size() == images,
          "there are not as many labels as pictures");
  require(set.kind != Kind::kMultilabel || set.positives.size() == images * set.classes.size(),
          "there are not as many label vectors as pictures");
}

/// A list of the root; another split may have brought it already.
void write_list(const fs::path& path, const std::string& text) {
  std::error_code ignored;
  if (fs::exists(path, ignored)) {
    require(read_file(path) == text, path.string(),
            ": is there already and differs from this set's; choose another folder, or remove it");
    return;
  }
  write_file(path, text);
}

void write_lists(const Dataset& set, const fs::path& root) {
  if (set.kind != Kind::kClassification) {
    write_list(root / kTypeFile, set.kind == Kind::kRetrieval ? "retrieval\n" : "multilabel\n");
  } else {
    std::error_code ignored;
    require(!fs::exists(root / kTypeFile, ignored), (root / kTypeFile).string(),
            ": is there already, and this is a classification set; choose another folder");
  }
  if (!set.classes.empty()) {
    const std::string text = join_lines(set.classes);
    require(parse_class_names(text, kClassesFile) == set.classes, kClassesFile,
            ": a class name has white space around it, a line end in it, or is the last and empty");
    write_list(root / kClassesFile, text);
  }
  if (!set.prompts.templates.empty()) {
    const std::string text = join_lines(set.prompts.templates);
    require(parse_templates(text, kTemplatesFile) == set.prompts.templates, kTemplatesFile,
            ": a template is empty, has white space around it or a line end in it");
    write_list(root / kTemplatesFile, text);
  }
}

/// What an interrupted run with smaller shards left.
void remove_shards_from(const fs::path& folder, int64_t first) {
  std::error_code ignored;
  for (int64_t i = first; fs::remove(folder / (std::to_string(i) + ".tar"), ignored); ++i) {
  }
}

}  // namespace

Exported export_wds(const Dataset& set, const ExportOptions& options, ThreadPool& pool) {
  check(set, options);
  const fs::path folder = options.output / options.split;
  const fs::path count_file = folder / kCountFile;
  require(!fs::exists(count_file), count_file.string(),
          ": this split is there already; choose another folder, or remove it");
  fs::create_directories(folder);
  write_lists(set, options.output);
  Exported exported;
  Answers answers(set);
  Shards shards(options);
  constexpr int64_t kAtOnce = 64;  // pictures in memory
  const auto count = static_cast<int64_t>(set.images.size());
  for (int64_t begin = 0; begin < count; begin += kAtOnce) {
    throw_if_interrupted();
    std::vector<Picture> pictures(static_cast<size_t>(std::min(kAtOnce, count - begin)));
    pool.parallel_for(static_cast<int64_t>(pictures.size()), [&](int64_t i) {
      pictures[static_cast<size_t>(i)] =
          load(set.images[static_cast<size_t>(begin + i)], options.encoding);
    });
    for (const Picture& picture : pictures) {
      const std::string answer = answers.of(static_cast<size_t>(exported.samples));
      shards.add(exported.samples++, {picture.extension, picture.bytes},
                 {answers.extension(), answer});
      exported.encoded += picture.encoded ? 1 : 0;
    }
    if (options.done) options.done(static_cast<int64_t>(pictures.size()));
  }
  exported.shards = shards.finish();
  remove_shards_from(folder, exported.shards);
  write_file(count_file, std::to_string(exported.shards) + "\n");
  if (answers.changed() > 0) {
    exported.warnings.push_back(
        std::to_string(answers.changed()) +
        " pictures have a caption with a line end in it, or an empty one at the end: they will be "
        "read back as CLIP_benchmark reads them, with other captions");
  }
  return exported;
}

}  // namespace clipnext::datasets
