#include "base/folder_writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"
#include "base/test_error.h"
#include "base/test_folder.h"

namespace clipnext {
namespace {

namespace fs = std::filesystem;

int64_t entries(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

TEST(FolderWriter, AppearsAtCommitAndLeavesNothingElse) {
  const TestFolder folder;
  const fs::path out = folder / "a/b/out";
  FolderWriter writer(out);
  write_file(writer.folder() / "x", "1");
  EXPECT_FALSE(fs::exists(out));
  writer.commit();
  EXPECT_EQ(read_file(out / "x"), "1");
  EXPECT_EQ(entries(folder / "a/b"), 1);
}

TEST(FolderWriter, TakesANameWithoutAFolder) {
  const std::string name = "folder_writer_test." + std::to_string(getpid());
  FolderWriter writer(name);
  write_file(writer.folder() / "x", "1");
  writer.commit();
  EXPECT_EQ(read_file(name + "/x"), "1");
  fs::remove_all(name);
}

TEST(FolderWriter, WithoutCommitLeavesNothing) {
  const TestFolder folder;
  {
    const FolderWriter writer(folder / "out");
    write_file(writer.folder() / "x", "1");
  }
  EXPECT_EQ(entries(folder.path()), 0);
}

TEST(FolderWriter, KeepsWhatTheOldFolderHasBesides) {
  const TestFolder folder;
  fs::create_directories(folder / "out/.git");
  write_file(folder / "out/.git/HEAD", "ref");
  write_file(folder / "out/notes", "mine");
  write_file(folder / "out/x", "old");
  write_file(folder / "out/stale", "old");
  fs::create_directory_symlink("out", folder / "link");
  FolderWriter writer(folder / "link/");
  write_file(writer.folder() / "x", "new");
  EXPECT_EQ(read_file(folder / "out/x"), "old");
  writer.commit({"stale"});
  EXPECT_EQ(read_file(folder / "out/x"), "new");
  EXPECT_FALSE(fs::exists(folder / "out/stale"));
  EXPECT_EQ(read_file(folder / "out/notes"), "mine");
  EXPECT_EQ(read_file(folder / "out/.git/HEAD"), "ref");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(entries(folder.path()), 2);
}

TEST(FolderWriter, RefusesAFile) {
  const TestFolder folder;
  write_file(folder / "out", "x");
  EXPECT_NE(message_of([&] { const FolderWriter writer(folder / "out"); }).find("is a file"),
            std::string::npos);
}

}  // namespace
}  // namespace clipnext
