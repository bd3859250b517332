// CLIP_benchmark's webdataset layout (spec: evaluation, data set files).
#include <charconv>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/text_lines.h"
#include "data/tar.h"
#include "eval/zero_shot.h"

namespace clipnext::eval {
namespace {

namespace fs = std::filesystem;

// A whole number from outside, between 0 and limit - 1.
int64_t parse_index(std::string_view text, int64_t limit, const std::string& where) {
  text = trim(text);
  int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size() && value >= 0 && value < limit,
          where, ": \"", text.substr(0, 40), "\" is not a whole number below ", limit);
  return value;
}

constexpr int64_t kMaxListBytes = int64_t{1} << 26;

// The line's number is the label, so an empty line in between counts.
std::vector<std::string> read_class_names(const fs::path& path) {
  std::vector<std::string> names = split_lines(read_file(path, kMaxListBytes));
  for (std::string& name : names) name = trim(name);
  while (!names.empty() && names.back().empty()) names.pop_back();
  require(!names.empty(), path.string(), ": no class names");
  return names;
}

std::vector<std::string> read_templates(const fs::path& path) {
  std::vector<std::string> templates = split_items(read_file(path, kMaxListBytes));
  require(!templates.empty(), path.string(), ": no templates");
  return templates;
}

// The first of CLIP_benchmark's image kinds, in its order.
auto find_image(data::Sample& sample) {
  for (const char* part : {"webp", "png", "jpg", "jpeg"}) {
    if (const auto found = sample.parts.find(part); found != sample.parts.end()) return found;
  }
  return sample.parts.end();
}

void read_shard(const fs::path& path, LabelledImages& set) {
  data::SampleReader reader(path);
  const auto classes = static_cast<int64_t>(set.class_names.size());
  while (auto sample = reader.next()) {
    const std::string where = path.string() + ": sample " + sample->key;
    const auto label = sample->parts.find("cls");
    require(label != sample->parts.end(), where, " has no .cls");
    set.labels.push_back(parse_index(label->second, classes, where + ".cls"));
    const auto image = find_image(*sample);
    require(image != sample->parts.end(), where, " has no image");
    set.images.push_back({.name = path.string() + ":" + sample->key + "." + image->first,
                          .bytes = std::make_shared<const std::string>(std::move(image->second))});
  }
}

}  // namespace

LabelledImages read_labelled_images(const fs::path& folder) {
  constexpr int64_t kMaxShards = 100'000;
  LabelledImages set;
  set.class_names = read_class_names(folder / "classnames.txt");
  set.templates = read_templates(folder / "zeroshot_classification_templates.txt");
  const fs::path count = folder / "test" / "nshards.txt";
  const int64_t shards = parse_index(read_file(count, 64), kMaxShards, count.string());
  for (int64_t i = 0; i < shards; ++i) {
    read_shard(folder / "test" / (std::to_string(i) + ".tar"), set);
  }
  require(!set.images.empty(), folder.string(), ": no images in its shards");
  return set;
}

}  // namespace clipnext::eval
