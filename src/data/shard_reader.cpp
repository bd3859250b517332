#include "data/shard_reader.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "data/archive.h"
#include "data/byte_stream.h"
#include "data/fault.h"
#include "data/member_name.h"

namespace clipnext::data {
namespace {

// A sample of so many parts is damage or malice: each is kept until the sample ends.
constexpr size_t kMaxParts = 1000;

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

ShardReader::ShardReader(const std::string& url, const MemberKeys& keys, RepeatedPart repeated,
                         uint64_t caption_key, const OnFault& on_fault, StopFlag stop)
    : url_(url),
      keys_(keys),
      repeated_(repeated),
      caption_random_(caption_key),
      on_fault_(on_fault) {
  try {
    const auto skip = [this](const std::string& member, const std::string& reason) {
      on_fault_(url_ + ": member " + member, reason);
    };
    archive_ =
        std::make_unique<Archive>(url_, open_shard(url_, stop), keys_.max_member_bytes, skip);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    break_off(error);
  }
}

ShardReader::~ShardReader() = default;

ShardReader::Part* ShardReader::Group::find(std::string_view name) {
  const auto found =
      std::find_if(parts.begin(), parts.end(), [&](const Part& part) { return part.name == name; });
  return found == parts.end() ? nullptr : &*found;
}

void ShardReader::break_off(const Error& error) {
  archive_.reset();
  on_fault_(url_, reason_of(error, url_));
}

bool ShardReader::wanted(const std::string& part) const {
  if (contains(keys_.image, part)) return true;
  return keys_.json.fields.empty() ? contains(keys_.text, part) : part == "json";
}

// Makes the member the last part of the open sample, beginning one if need be; `complete` is then
// the sample that was open before. False if it is left out.
bool ShardReader::place(const MemberName& name, std::optional<Group>& complete) {
  const bool same = open_ && open_->key == name.key;
  const bool repeats = same && open_->find(name.part) != nullptr;
  if (repeats && repeated_ == RepeatedPart::kFault) {
    on_fault_(url_ + ": sample " + name.key, "it has two parts named " + name.part);
    return false;
  }
  if (open_ && (!same || repeats)) complete = std::exchange(open_, std::nullopt);
  if (!open_) open_ = Group{.key = name.key, .parts = {}};
  require(open_->parts.size() < kMaxParts, "sample ", name.key, " has more than ", kMaxParts,
          " parts");
  open_->parts.push_back({.name = name.part, .bytes = {}});
  return true;
}

std::optional<ShardReader::Group> ShardReader::next_group() {
  std::optional<Group> complete;
  try {
    while (!complete && archive_ != nullptr) {
      if (!archive_->next()) {
        archive_.reset();
        break;
      }
      const auto name = split_member_name(archive_->name());
      if (!name || !place(*name, complete) || !wanted(name->part)) continue;
      try {
        open_->parts.back().bytes = archive_->read();
      } catch (const Error&) {
        open_->parts.pop_back();
        throw;
      }
    }
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    break_off(error);
  }
  return complete ? std::move(complete) : std::exchange(open_, std::nullopt);
}

std::optional<RawSample> ShardReader::next() {
  while (archive_ != nullptr || open_) {
    std::optional<Group> group = next_group();
    if (!group) break;
    if (auto sample = to_sample(std::move(*group))) return sample;
  }
  return std::nullopt;
}

Caption ShardReader::caption_of(Group& group) {
  if (!keys_.json.fields.empty()) {
    const Part* json = group.find("json");
    if (json == nullptr) return {.text = {}, .fault = "it has no json part"};
    return json_caption(json->bytes, keys_.json, caption_random_);
  }
  for (const std::string& name : keys_.text) {
    Part* part = group.find(name);
    if (part == nullptr) continue;
    Caption caption = {.text = {}, .fault = caption_fault(part->bytes)};
    caption.text = std::move(part->bytes);
    return caption;
  }
  return {.text = {}, .fault = "it has no caption (" + joined(keys_.text) + ")"};
}

std::optional<RawSample> ShardReader::to_sample(Group group) {
  RawSample sample;
  sample.name = url_ + ": sample " + group.key;
  const auto leave_out = [&](const std::string& reason) {
    on_fault_(sample.name, reason);
    return std::nullopt;
  };
  Part* image = nullptr;
  for (size_t i = 0; i < keys_.image.size() && image == nullptr; ++i) {
    image = group.find(keys_.image[i]);
  }
  if (image == nullptr) return leave_out("it has no image (" + joined(keys_.image) + ")");
  // An image of no bytes would be taken for a black one (RawSample).
  if (image->bytes.empty()) return leave_out("its image is empty");
  sample.image = std::move(image->bytes);
  Caption caption = caption_of(group);
  if (!caption.fault.empty()) return leave_out(caption.fault);
  sample.caption = std::move(caption.text);
  return sample;
}

}  // namespace clipnext::data
