// Where one picture comes from.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "data/file_range.h"

namespace clipnext::pipeline {

/// The file `name`; or, where one of the others is set, bytes already in memory (standard input) or
/// a part of a file (a member of an archive), which `name` stands for in messages.
struct ImageSource {
  std::string name;
  std::shared_ptr<const std::string> bytes = nullptr;
  std::optional<data::FileRange> range = std::nullopt;
};

/// The whole encoded picture. Throws Error if it cannot be read.
std::string read_bytes(const ImageSource& source);

}  // namespace clipnext::pipeline
