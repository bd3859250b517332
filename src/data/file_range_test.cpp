#include "data/file_range.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/test_folder.h"

namespace clipnext::data {
namespace {

TEST(FileRange, ReadsItsBytesAndNoFewer) {
  const TestFolder folder;
  const auto file = std::make_shared<const std::filesystem::path>(folder / "a");
  write_file(*file, "0123456789");
  EXPECT_EQ(read_range({.file = file, .offset = 3, .size = 4}), "3456");
  EXPECT_EQ(read_range({.file = file, .offset = 10, .size = 0}), "");
  try {
    read_range({.file = file, .offset = 8, .size = 4});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("ends after 2 of them"), std::string::npos);
  }
  const auto none = std::make_shared<const std::filesystem::path>(folder / "none");
  EXPECT_THROW(read_range({.file = none, .offset = 0, .size = 1}), Error);
}

}  // namespace
}  // namespace clipnext::data
