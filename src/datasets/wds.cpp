#include "datasets/wds.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/text_lines.h"
#include "data/tar.h"
#include "datasets/python_text.h"
#include "datasets/wds_root.h"
#include "weights/npy.h"

namespace clipnext::datasets {
namespace {

constexpr int64_t kMaxListBytes = int64_t{1} << 26;
constexpr int64_t kMaxShards = 100'000;

// A whole number from outside, between 0 and limit - 1.
int64_t parse_index(std::string_view text, int64_t limit, const std::string& where) {
  text = trim(text);
  int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size() && value >= 0 && value < limit,
          where, ": \"", text.substr(0, 40), "\" is not a whole number below ", limit);
  return value;
}

std::string required_text(const WdsRoot& root, const std::string& name, const std::string& use) {
  auto text = root.text(name, kMaxListBytes);
  require(text.has_value(), root.where(name), ": there is no such file; ", use);
  return *std::move(text);
}

Kind read_kind(const WdsRoot& root) {
  const auto text = root.text(kTypeFile, 1024);
  if (!text) return Kind::kClassification;
  std::string type(trim(*text));
  for (char& c : type) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (type == "retrieval") return Kind::kRetrieval;
  if (type == "multilabel") return Kind::kMultilabel;
  require(type == "classification", root.where(kTypeFile), ": \"", type.substr(0, 40),
          "\" is neither retrieval, multilabel nor classification");
  return Kind::kClassification;
}

/// A sample that is being read, with what to call it in messages.
struct Reading {
  const std::string& shard;
  const data::Sample& sample;

  std::string where(const std::string& part = "") const {
    return shard + ": sample " + sample.key + (part.empty() ? "" : "." + part);
  }
  /// The part's bytes; Error if there is none.
  std::string read(const std::string& part) const {
    const auto found = sample.parts.find(part);
    require(found != sample.parts.end(), where(), " has no .", part);
    return data::read_part(found->second);
  }
};

pipeline::ImageSource image_of(const Reading& reading) {
  constexpr std::array kExtensions = {"webp", "png", "jpg", "jpeg"};  // the first that there is
  for (const char* extension : kExtensions) {
    const auto found = reading.sample.parts.find(extension);
    if (found == reading.sample.parts.end()) continue;
    pipeline::ImageSource source;
    source.name = reading.shard + ":" + reading.sample.key + "." + extension;
    source.bytes = found->second.bytes;
    source.range = found->second.range;
    return source;
  }
  fail(reading.where(), " has no image (.webp, .png, .jpg or .jpeg)");
}

void add_label(const Reading& reading, Dataset& set) {
  // Without names yet, the one who brings them checks the labels.
  const auto classes = set.classes.empty() ? INT64_MAX : static_cast<int64_t>(set.classes.size());
  set.labels.push_back(parse_index(reading.read("cls"), classes, reading.where("cls")));
}

void add_positives(const Reading& reading, Dataset& set) {
  const std::string where = reading.where("npy");
  const auto bytes = std::make_shared<const std::string>(reading.read("npy"));
  const weights::Source source = {
      .bytes = weights::as_bytes(*bytes), .owner = bytes, .name = where};
  const weights::Tensor tensor = weights::read_npy(source).tensors.begin()->second;
  const size_t before = set.positives.size();
  const size_t others = set.images.size() - 1;
  const size_t classes = !set.classes.empty() ? set.classes.size()
                         : others > 0         ? before / others
                                              : static_cast<size_t>(tensor.numel());
  require(tensor.shape == weights::Shape{static_cast<int64_t>(classes)}, where, ": has shape ",
          weights::format_shape(tensor.shape), ", ", classes, " classes need [", classes, "]");
  for (const float value : weights::to_f32(tensor)) {
    require(value == 0 || value == 1, where, ": holds ", value, ", which is neither 0 nor 1");
    set.positives.push_back(value == 1 ? 1 : 0);
  }
}

/// Where captions were cut, or left out.
struct CaptionNotes {
  int64_t cut = 0;
  int64_t none = 0;
  std::string first_cut, first_none;
};

void add_captions(const Reading& reading, Dataset& set, CaptionNotes& notes) {
  const std::string text = reading.read("txt");
  std::vector<std::string> captions = python_lines(text, reading.where("txt"));
  if (captions.size() != split_lines(text).size() && notes.cut++ == 0) {
    notes.first_cut = reading.where();
  }
  if (captions.empty() && notes.none++ == 0) notes.first_none = reading.where();
  const auto image = static_cast<int64_t>(set.images.size()) - 1;
  for (std::string& caption : captions) {
    set.captions.push_back(std::move(caption));
    set.caption_image.push_back(image);
  }
}

void read_shard(const std::filesystem::path& path, Dataset& set, CaptionNotes& notes) {
  const std::string shard = path.string();
  const std::vector<data::Sample> samples = data::index_samples(path);
  require(!samples.empty(), shard, ": holds no samples");
  for (const data::Sample& sample : samples) {
    const Reading reading = {.shard = shard, .sample = sample};
    set.images.push_back(image_of(reading));
    if (set.kind == Kind::kClassification) {
      add_label(reading, set);
    } else if (set.kind == Kind::kMultilabel) {
      add_positives(reading, set);
    } else {
      add_captions(reading, set, notes);
    }
  }
}

void read_names(const WdsRoot& root, const Request& request, Dataset& set) {
  if (request.custom_classname_file.empty()) {
    set.classes = parse_class_names(
        required_text(root, kClassesFile, "it names the classes, one a line, in label order"),
        root.where(kClassesFile));
  }
  if (request.custom_template_file.empty()) {
    set.prompts.templates =
        parse_templates(required_text(root, kTemplatesFile,
                                      "it holds the prompts, one a line, with {c} for the "
                                      "class's name"),
                        root.where(kTemplatesFile));
  }
}

void add_warnings(const CaptionNotes& notes, Dataset& set) {
  if (notes.cut > 0) {
    set.warnings.push_back(notes.first_cut + ": holds a character that CLIP_benchmark takes for " +
                           "the end of a caption, as form feed or U+2028 (" +
                           std::to_string(notes.cut) + " such samples); its captions are counted " +
                           "as there");
  }
  if (notes.none > 0) {
    set.warnings.push_back(notes.first_none + ": has no caption (" + std::to_string(notes.none) +
                           " such samples)");
  }
}

}  // namespace

std::vector<std::string> parse_class_names(std::string_view text, const std::string& where) {
  std::vector<std::string> names = python_lines(text, where);
  for (std::string& name : names) name = python_strip(name);
  while (!names.empty() && names.back().empty()) names.pop_back();
  require(!names.empty(), where, ": no class names");
  return names;
}

std::vector<std::string> parse_templates(std::string_view text, const std::string& where) {
  std::vector<std::string> templates = python_lines(text, where);
  for (std::string& line : templates) line = python_strip(line);
  std::erase(templates, "");
  require(!templates.empty(), where, ": no templates");
  return templates;
}

Dataset read_wds(const Request& request) {
  const WdsRoot root(request);
  const std::string folder = request.split + "/";
  const int64_t shards = parse_index(
      required_text(root, folder + kCountFile, "it says how many shards there are (N.tar)"),
      kMaxShards, root.where(folder + kCountFile));
  require(shards > 0, root.where(folder + kCountFile), ": says that there are no shards");
  Dataset set;
  set.kind = read_kind(root);
  if (set.kind != Kind::kRetrieval) read_names(root, request, set);
  CaptionNotes notes;
  for (int64_t i = 0; i < shards; ++i) {
    throw_if_interrupted();
    read_shard(root.shard(folder + std::to_string(i) + ".tar"), set, notes);
  }
  add_warnings(notes, set);
  return set;
}

Dataset read_wds_folder(const std::filesystem::path& folder) {
  Request request;
  request.name = "wds/" + folder.filename().string();
  request.root = folder.string();
  return read_wds(request);
}

}  // namespace clipnext::datasets
