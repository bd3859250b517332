#include "base/file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/test_folder.h"

namespace clipnext {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  size_t entries() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }

  const TestFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

TEST_F(FileTest, CommitReplacesTheOldContentWhole) {
  write_file(folder_ / "a", "old");
  {
    FileWriter writer(folder_ / "a");
    writer.write("new ");
    writer.write(std::string(3 << 20, 'x'));
    EXPECT_EQ(read_file(folder_ / "a"), "old");
    writer.commit();
  }
  EXPECT_EQ(read_file(folder_ / "a"), "new " + std::string(3 << 20, 'x'));
  EXPECT_EQ(entries(), 1U);
}

TEST_F(FileTest, WithoutCommitNothingIsLeftBehind) {
  write_file(folder_ / "a", "old");
  {
    FileWriter writer(folder_ / "a");
    writer.write("half of a fi");
  }
  EXPECT_EQ(read_file(folder_ / "a"), "old");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(FileTest, WhatAKilledProcessOfTheSameNumberLeftIsInNobodysWay) {
  for (int i = 0; i < 100; ++i) {
    const std::string ending = ".tmp." + std::to_string(getpid()) + "." + std::to_string(i);
    std::ofstream(folder_ / ("a" + ending)) << "left";
  }
  write_file(folder_ / "a", "new");
  EXPECT_EQ(read_file(folder_ / "a"), "new");
}

TEST_F(FileTest, ErrorsNameTheFile) {
  const auto message = [](auto&& f) -> std::string {
    try {
      f();
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_NE(message([&] { read_file(folder_ / "none"); }).find("none: No such file"),
            std::string::npos);
  EXPECT_NE(message([&] { MappedFile map(folder_); }).find("is a folder"), std::string::npos);
  EXPECT_NE(message([&] { FileWriter w(folder_ / "no" / "b"); }).find("cannot create"),
            std::string::npos);
  write_file(folder_ / "big", std::string(100, 'x'));
  EXPECT_NE(message([&] { read_file(folder_ / "big", 99); }).find("limit of 99"),
            std::string::npos);
}

TEST_F(FileTest, MapsWhatWasWrittenAndEmptyFilesToo) {
  write_file(folder_ / "a", "bytes");
  const MappedFile map(folder_ / "a");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(map.bytes().data()), map.bytes().size()),
            "bytes");
  write_file(folder_ / "empty", "");
  EXPECT_TRUE(MappedFile(folder_ / "empty").bytes().empty());
}

}  // namespace
}  // namespace clipnext
