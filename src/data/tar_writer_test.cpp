#include "data/tar_writer.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/test_folder.h"
#include "data/tar.h"

namespace clipnext::data {
namespace {

TEST(TarWriter, WritesWhatTheReaderReads) {
  const TestFolder folder;
  const std::string large(3'000'000, 'x');
  for (const char* name : {"a.tar", "b.tar"}) {
    TarWriter writer(folder / name);
    writer.add("s0.cls", "3");
    writer.add("s0.png", large);
    writer.add("s1.cls", "");
    EXPECT_FALSE(std::filesystem::exists(folder / name));
    writer.commit();
  }
  TarReader reader(folder / "a.tar");
  EXPECT_EQ(reader.next()->content, "3");
  const auto member = reader.next();
  EXPECT_EQ(member->name, "s0.png");
  EXPECT_TRUE(member->content == large);
  EXPECT_EQ(reader.next()->content, "");
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(read_file(folder / "a.tar") == read_file(folder / "b.tar"));
}

TEST(TarWriter, LeavesNothingWithoutCommit) {
  const TestFolder folder;
  {
    TarWriter writer(folder / "a.tar");
    writer.add("a", "b");
    EXPECT_THROW(writer.add(std::string(400, 'n'), "b"), Error);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  EXPECT_THROW(TarWriter(folder / "none" / "a.tar"), Error);
}

}  // namespace
}  // namespace clipnext::data
