#include "datasets/unpack.h"

#include <zlib.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "base/test_error.h"
#include "datasets/form_test.h"
#include "weights/zip.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

using Members = std::vector<std::pair<std::string, std::string>>;

// A ustar header; content "->X" makes a symbolic link to X.
std::string header(const std::string& name, const std::string& content) {
  const bool link = content.starts_with("->");
  std::string h(512, '\0');
  h.replace(0, name.size(), name);
  h.replace(100, 7, "0000644");
  char text[12];
  std::snprintf(text, sizeof text, "%011zo", link ? 0 : content.size());
  h.replace(124, 11, text);
  h.replace(148, 8, "        ");
  h[156] = link ? '2' : '0';
  if (link) h.replace(157, content.size() - 2, content.substr(2));
  h.replace(257, 5, "ustar");
  h.replace(263, 2, "00");
  unsigned sum = 0;
  for (const char c : h) sum += static_cast<unsigned char>(c);
  std::snprintf(text, sizeof text, "%06o", sum);
  return h.replace(148, 7, std::string(text, 6) + '\0');
}

void write_tar(const fs::path& path, const Members& members, bool gzip) {
  std::string tar;
  for (const auto& [name, content] : members) {
    tar += header(name, content);
    if (!content.starts_with("->")) tar += content;
    tar.append((512 - tar.size() % 512) % 512, '\0');
  }
  tar.append(1024, '\0');
  gzFile out = gzopen(path.c_str(), gzip ? "wb" : "wbT");  // T: as it is
  ASSERT_EQ(gzwrite(out, tar.data(), static_cast<unsigned>(tar.size())),
            static_cast<int>(tar.size()));
  ASSERT_EQ(gzclose(out), Z_OK);
}

void write_zip(const fs::path& path, const Members& members) {
  FileWriter file(path);
  weights::ZipWriter zip(file);
  for (const auto& [name, content] : members) zip.add(name, content);
  zip.finish();
  file.commit();
}

class Unpack : public FormTest {
 protected:
  fs::path archive(const std::string& name) const { return fs::path(request_.root) / name; }
  std::string refusal(const fs::path& path, const UnpackLimits& limits = {}) const {
    return message_of([&] { unpack_archive(path, request_.cache, limits); });
  }
  // Nothing is left half done.
  void expect_empty_cache() const {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(request_.cache / "unpacked", ignored)) {
      ADD_FAILURE() << entry.path();
    }
  }
};

TEST_F(Unpack, TarsAndZipsOnceUntilTheyChange) {
  const Members members = {{"a/b.txt", "one"}, {"./c.txt", "two"}, {"empty", ""}};
  write_tar(archive("x.tar"), members, false);
  write_tar(archive("x.tar.gz"), members, true);
  write_zip(archive("x.zip"), {{"a/b.txt", "one"}, {"c.txt", "two"}, {"d/", ""}});
  for (const char* name : {"x.tar", "x.tar.gz", "x.zip"}) {
    const fs::path folder = unpack_archive(archive(name), request_.cache);
    EXPECT_EQ(read_file(folder / "a/b.txt"), "one") << name;
    EXPECT_EQ(read_file(folder / "c.txt"), "two") << name;
    EXPECT_EQ(unpack_archive(archive(name), request_.cache), folder);
    write_file(folder / "mark", "");
    EXPECT_TRUE(fs::exists(unpack_archive(archive(name), request_.cache) / "mark"));
  }
  const fs::path before = unpack_archive(archive("x.tar"), request_.cache);
  write_tar(archive("x.tar"), {{"a", "now another, longer content"}}, false);
  fs::last_write_time(archive("x.tar"), fs::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_NE(unpack_archive(archive("x.tar"), request_.cache), before);
}

TEST_F(Unpack, NothingOutsideTheFolder) {
  write_tar(archive("up.tar"), {{"ok", "1"}, {"../up", "2"}}, false);
  expect_has(refusal(archive("up.tar")), "\"../up\" is no path inside");
  write_tar(archive("root.tar"), {{"/tmp/clipnext-must-not-be", "2"}}, false);
  expect_has(refusal(archive("root.tar")), "no path inside");
  write_zip(archive("up.zip"), {{"a/../../up", "2"}});
  expect_has(refusal(archive("up.zip")), "no path inside");
  expect_empty_cache();
  // A link is left out, so the file "behind" it stays inside.
  write_tar(archive("link.tar"), {{"out", "->/tmp"}, {"out/clipnext-must-not-be", "x"}}, false);
  const fs::path folder = unpack_archive(archive("link.tar"), request_.cache);
  EXPECT_FALSE(fs::is_symlink(folder / "out"));
  EXPECT_TRUE(fs::exists(folder / "out/clipnext-must-not-be"));
  EXPECT_FALSE(fs::exists("/tmp/clipnext-must-not-be"));
}

TEST_F(Unpack, DamageAndLimitsLeaveNothing) {
  write_tar(archive("x.tar"), {{"a", std::string(5000, 'x')}, {"b", "y"}}, false);
  const std::string whole = read_file(archive("x.tar"));
  write_file(archive("cut.tar"), whole.substr(0, 3000));
  expect_has(refusal(archive("cut.tar")), "cut.tar");
  EXPECT_NE(refusal(archive("cut.tar")), "no error");
  write_file(archive("text.tar"), "this is no archive");
  EXPECT_NE(refusal(archive("text.tar")), "no error");
  write_file(archive("text.zip"), "this is no archive");
  EXPECT_NE(refusal(archive("text.zip")), "no error");
  EXPECT_NE(refusal(archive("none.tar")), "no error");
  expect_has(refusal(archive("x.tar"), {.files = 1}), "more than 1 files");
  expect_has(refusal(archive("x.tar"), {.bytes = 4000}), "more than 4000 bytes");
  expect_empty_cache();
  request_.cache.clear();
  expect_has(refusal(archive("x.tar")), "no cache folder");
}

TEST_F(Unpack, DataSetsAreFoundInTheirArchives) {
  write_tar(archive("fgvc-aircraft-2013b.tar.gz"),
            {{"fgvc-aircraft-2013b/data/variants.txt", "707-320\n"},
             {"fgvc-aircraft-2013b/data/images_variant_test.txt", "1 707-320\n"}},
            true);
  const Dataset set = open("fgvc_aircraft");
  EXPECT_EQ(set.labels, Labels{0});
  EXPECT_TRUE(set.images[0].name.starts_with(request_.cache.string())) << set.images[0].name;
  // The archive may be named as the root itself.
  request_.root += "/fgvc-aircraft-2013b.tar.gz";
  EXPECT_EQ(open("fgvc_aircraft").labels, Labels{0});
}

TEST_F(Unpack, MissingFilesNameTheArchivesToo) {
  const std::string message = error("stl10");
  expect_has(message, "stl10_binary/test_X.bin");
  expect_has(message, "stl10_binary.tar.gz");
}

}  // namespace
}  // namespace clipnext::datasets
