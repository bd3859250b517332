// For tests of the forms of data sets: miniatures in a temporary folder.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/test_error.h"
#include "base/test_folder.h"
#include "datasets/dataset.h"

namespace clipnext::datasets {

class FormTest : public ::testing::Test {
 protected:
  FormTest() {
    request_.root = folder_ / "root";
    request_.cache = folder_ / "cache";
    std::filesystem::create_directories(request_.root);
  }

  /// Writes a file below the root, its folders included.
  void put(const std::string& name, const std::string& content = "P5 1 1 255 x") const {
    const std::filesystem::path path = std::filesystem::path(request_.root) / name;
    std::filesystem::create_directories(path.parent_path());
    // Not write_file: waiting for the disk a thousand times takes longer than the tests.
    std::ofstream(path, std::ios::binary) << content;
  }

  Dataset open(const std::string& name, const std::string& split = "test") {
    request_.name = name;
    request_.split = split;
    return open_dataset(request_);
  }

  std::string error(const std::string& name, const std::string& split = "test") {
    return message_of([&] { open(name, split); });
  }

  /// Names of the images below the root.
  std::vector<std::string> names(const Dataset& dataset) const {
    std::vector<std::string> all;
    all.reserve(dataset.images.size());
    for (const auto& image : dataset.images) {
      all.push_back(std::filesystem::path(image.name).lexically_relative(request_.root).string());
    }
    return all;
  }

  TestFolder folder_;
  Request request_;
};

using Labels = std::vector<int64_t>;
using Names = std::vector<std::string>;

/// EXPECT that `text` contains `part`.
inline void expect_has(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

}  // namespace clipnext::datasets
