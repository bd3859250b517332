// The shards that --train-data and --val-data name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "data/brace_pattern.h"

namespace clipnext::data {

/// Shards of one or more sources, held as patterns: a million of them takes no more room than ten.
class ShardList {
 public:
  /// Sources are joined by "::". In each, ${NAME} becomes the environment variable WDS_NAME (what
  /// that holds is looked through too, ten times at most), then braces are expanded (BracePattern).
  /// `factors`, if not empty, gives each source how often its shards are drawn: numbers joined by
  /// "::"; then ${NAME} stays, as in the reference. Throws Error for a missing variable, an empty
  /// source, factors that are no numbers, negative, all 0, or not as many as sources, and as
  /// BracePattern.
  explicit ShardList(const std::string& spec, const std::string& factors = "");

  int64_t size() const { return parts_.back().end; }
  /// Shard i of 0 .. size() - 1.
  std::string url(int64_t i) const;
  /// A shard at random, each as likely as its factor says (no factors: all alike).
  int64_t draw(RandomStream& random) const;

 private:
  struct Part {
    BracePattern pattern;
    int64_t end;        // shards up to and with this part
    double weight_end;  // the same of weights
  };
  std::vector<Part> parts_;
  bool weighted_;
};

}  // namespace clipnext::data
