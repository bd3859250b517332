#include "data/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace clipnext::data {
namespace {

namespace fs = std::filesystem;

class Tar : public testing::Test {
 protected:
  Tar() : path_(fs::temp_directory_path() / ("clipnext-tar-" + std::to_string(getpid()))) {}
  ~Tar() override { fs::remove(path_); }
  Tar(const Tar&) = delete;
  Tar& operator=(const Tar&) = delete;

  // Writes members with libarchive; gzip as asked. A name ending in '/' is a folder.
  void write(const std::vector<std::pair<std::string, std::string>>& members,
             bool gzip = false) const {
    struct archive* out = archive_write_new();
    archive_write_set_format_ustar(out);
    if (gzip) archive_write_add_filter_gzip(out);
    ASSERT_EQ(archive_write_open_filename(out, path_.c_str()), ARCHIVE_OK);
    for (const auto& [name, content] : members) {
      archive_entry* entry = archive_entry_new();
      archive_entry_set_pathname(entry, name.c_str());
      archive_entry_set_filetype(entry, name.ends_with('/') ? AE_IFDIR : AE_IFREG);
      archive_entry_set_perm(entry, 0644);
      archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
      archive_write_header(out, entry);
      archive_write_data(out, content.data(), content.size());
      archive_entry_free(entry);
    }
    archive_write_free(out);
  }

  // Every member to the end; throws what reading throws.
  std::vector<TarMember> read() const {
    TarReader reader(path_);
    std::vector<TarMember> members;
    while (auto member = reader.next()) members.push_back(std::move(*member));
    return members;
  }

  fs::path path_;
};

TEST_F(Tar, GivesRegularFilesInOrder) {
  write({{"b/", ""}, {"b/1.txt", "one"}, {"a.txt", std::string(200'000, 'x')}, {"empty", ""}});
  const std::vector<TarMember> members = read();
  ASSERT_EQ(members.size(), 3U);
  EXPECT_EQ(members[0].name, "b/1.txt");
  EXPECT_EQ(members[0].content, "one");
  EXPECT_EQ(members[1].content, std::string(200'000, 'x'));
  EXPECT_EQ(members[2].content, "");
}

TEST_F(Tar, ReadsGzip) {
  write({{"a", "one"}}, true);
  ASSERT_EQ(read().size(), 1U);
}

TEST_F(Tar, ReadsConcatenatedArchives) {
  write({{"a", "one"}});
  const std::string first = read_file(path_);
  write({{"b", "two"}});
  const std::string both = first + read_file(path_);
  write_file(path_, both);
  EXPECT_EQ(read().size(), 2U);
}

TEST_F(Tar, MissingAndForeignFilesAreErrorsThatNameThem) {
  EXPECT_THROW(TarReader("missing.tar"), Error);
  write_file(path_, "this is no archive, " + std::string(2000, 'x'));
  try {
    read();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(path_.string()), std::string::npos) << error.what();
  }
}

TEST_F(Tar, MemberAboveTheLimitIsRefused) {
  write({{"a", std::string(1000, 'x')}});
  TarReader reader(path_, 999);
  EXPECT_THROW(reader.next(), Error);
}

TEST_F(Tar, TruncatedInsideAMemberIsAnError) {
  write({{"a", std::string(5000, 'x')}});
  const std::string whole = read_file(path_);
  for (size_t size : {600U, 1024U, 3000U, 5400U}) {
    write_file(path_, whole.substr(0, size));
    EXPECT_THROW(read(), Error) << size;
  }
}

TEST_F(Tar, DamagedArchivesAreReadOrRefused) {
  write({{"a.png", std::string(700, 'x')}, {"a.cls", "3"}});
  const std::string whole = read_file(path_).substr(0, 3072);
  std::mt19937 random(1);
  for (int i = 0; i < 500; ++i) {
    std::string damaged = whole;
    damaged[random() % damaged.size()] ^= static_cast<char>(1U << (random() % 8));
    std::ofstream(path_, std::ios::binary) << damaged;
    try {
      read();
    } catch (const Error&) {
      continue;  // refused: as good as read
    }
  }
}

TEST_F(Tar, SamplesAreMembersThatShareAKey) {
  write({{"s1.png", "p1"}, {"s1.cls", "1"}, {"d.x/s2.seg.PNG", "p2"}, {"d.x/s2.cls", "2"}});
  SampleReader reader(path_);
  auto sample = reader.next();
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->key, "s1");
  EXPECT_EQ(sample->parts, (std::map<std::string, std::string>{{"png", "p1"}, {"cls", "1"}}));
  sample = reader.next();
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->key, "d.x/s2");
  EXPECT_EQ(sample->parts.at("seg.png"), "p2");
  EXPECT_FALSE(reader.next());
}

TEST_F(Tar, SampleWithAPartTwiceIsAnError) {
  write({{"s1.png", "p1"}, {"s1.PNG", "p2"}});
  SampleReader reader(path_);
  EXPECT_THROW(reader.next(), Error);
}

}  // namespace
}  // namespace clipnext::data
