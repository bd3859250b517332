// One shard in webdataset's convention, from its URL to pairs of image and caption.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "data/caption.h"
#include "data/sample_source.h"
#include "data/tar.h"

namespace clipnext::data {

class Archive;
struct MemberName;

/// Which parts of a sample are read.
struct MemberKeys {
  std::vector<std::string> image = {"jpg", "png", "jpeg", "webp"};  // the first that is there
  std::vector<std::string> text = {"txt"};                          // likewise
  JsonCaption json = {};  // if it has fields, captions come from the json part, not from `text`
  int64_t max_member_bytes = kMaxMemberBytes;
};

/// What a part that its sample has already means: where the reference trains, the begin of another
/// sample with the same key; where it validates, an error, and the part is left out.
enum class RepeatedPart : uint8_t { kNextSample, kFault };

/// The samples of a shard in its order: members that follow one another and share a key. What
/// cannot be used is told to `on_fault`, never thrown: a shard that cannot be opened or breaks off
/// (what is whole before that is given), a member too large or sparse, a sample without an image or
/// caption, with an empty image, or with a caption that is blank or not UTF-8. A sample never goes
/// on in the next shard. Throws Interrupted only.
class ShardReader {
 public:
  /// `caption_key`: of the random numbers that choose among JSON captions. `keys`, `on_fault` and
  /// `stop` must outlive the reader.
  ShardReader(const std::string& url, const MemberKeys& keys, RepeatedPart repeated,
              uint64_t caption_key, const OnFault& on_fault, StopFlag stop = nullptr);
  ~ShardReader();
  ShardReader(const ShardReader&) = delete;
  ShardReader& operator=(const ShardReader&) = delete;

  std::optional<RawSample> next();

 private:
  struct Part {
    std::string name;
    std::string bytes;  // empty where nobody wants them
  };
  struct Group {
    std::string key;
    std::vector<Part> parts;
    Part* find(std::string_view name);
  };

  std::optional<Group> next_group();
  bool place(const MemberName& name, std::optional<Group>& complete);
  std::optional<RawSample> to_sample(Group group);
  Caption caption_of(Group& group);
  bool wanted(const std::string& part) const;
  void break_off(const Error& error);

  std::string url_;
  const MemberKeys& keys_;
  RepeatedPart repeated_;
  RandomStream caption_random_;
  const OnFault& on_fault_;
  std::unique_ptr<Archive> archive_;  // null once it ended
  std::optional<Group> open_;
};

}  // namespace clipnext::data
