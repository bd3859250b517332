#include "data/folder.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "base/test_folder.h"

namespace clipnext::data {
namespace {

namespace fs = std::filesystem;

class Folder : public testing::Test {
 protected:
  void touch(const std::string& name) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << "x";
  }
  std::vector<std::string> list() const {
    std::vector<std::string> names;
    for (const fs::path& path : list_images(root_)) {
      names.push_back(path.lexically_relative(root_).string());
    }
    return names;
  }

  const TestFolder temporary_;
  const fs::path root_ = temporary_.path();
};

TEST_F(Folder, ListsImagesInNaturalOrderFilesFirst) {
  for (const char* name : {"img10.png", "img2.JPG", "img1.webp", "b/x2.tif", "b/x1.gif",
                           "a10/y.bmp", "a9/y.bmp", "notes.txt", "z.jpeg"}) {
    touch(name);
  }
  EXPECT_EQ(list(), (std::vector<std::string>{"img1.webp", "img2.JPG", "img10.png", "z.jpeg",
                                              "a9/y.bmp", "a10/y.bmp", "b/x1.gif", "b/x2.tif"}));
}

TEST_F(Folder, LeavesOutHiddenNamesAndLinkedFolders) {
  touch("a.png");
  touch(".hidden.png");
  touch(".cache/b.png");
  fs::create_directory_symlink(root_, root_ / "loop");
  fs::create_symlink(root_ / "a.png", root_ / "b.png");
  EXPECT_EQ(list(), (std::vector<std::string>{"a.png", "b.png"}));
}

TEST_F(Folder, WithoutImagesIsAnErrorThatNamesIt) {
  touch("notes.txt");
  try {
    list_images(root_);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(root_.string()), std::string::npos);
  }
  EXPECT_THROW(list_images(root_ / "missing"), Error);
}

TEST_F(Folder, ExpandKeepsTheOrderGivenAndNamedFiles) {
  touch("a.png");
  touch("inner/b.png");
  const std::string inner = (root_ / "inner").string();
  const std::vector<fs::path> paths = expand_paths({"missing.dat", inner, "also.missing"});
  EXPECT_EQ(paths,
            (std::vector<fs::path>{"missing.dat", root_ / "inner" / "b.png", "also.missing"}));
}

}  // namespace
}  // namespace clipnext::data
