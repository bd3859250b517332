#include "data/tar.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdio>
#include <fstream>
#include <random>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/test_folder.h"

namespace clipnext::data {
namespace {

namespace fs = std::filesystem;

class Tar : public testing::Test {
 protected:
  // Writes a ustar archive (POSIX.1-1988), in gzip if asked. A name ending in '/' is a folder.
  void write(const std::vector<std::pair<std::string, std::string>>& members,
             bool gzip = false) const {
    std::string tar;
    for (const auto& [name, content] : members) {
      tar += header(name, content.size()) + content;
      tar.append((512 - tar.size() % 512) % 512, '\0');
    }
    tar.append(1024, '\0');
    gzFile out = gzopen(path_.c_str(), gzip ? "wb" : "wbT");  // T: as it is
    ASSERT_EQ(gzwrite(out, tar.data(), static_cast<unsigned>(tar.size())),
              static_cast<int>(tar.size()));
    ASSERT_EQ(gzclose(out), Z_OK);
  }

  static std::string header(const std::string& name, size_t size) {
    std::string h(512, '\0');
    h.replace(0, name.size(), name);
    h.replace(100, 7, "0000644");
    char text[12];
    std::snprintf(text, sizeof text, "%011zo", size);
    h.replace(124, 11, text);
    h.replace(148, 8, "        ");
    h[156] = name.ends_with('/') ? '5' : '0';
    h.replace(257, 5, "ustar");
    h.replace(263, 2, "00");
    unsigned sum = 0;
    for (const char c : h) sum += static_cast<unsigned char>(c);
    std::snprintf(text, sizeof text, "%06o", sum);
    return h.replace(148, 7, std::string(text, 6) + '\0');
  }

  // Every member to the end; throws what reading throws.
  std::vector<TarMember> read() const {
    TarReader reader(path_);
    std::vector<TarMember> members;
    while (auto member = reader.next()) members.push_back(std::move(*member));
    return members;
  }

  const TestFolder temporary_;
  const fs::path path_ = temporary_ / "a.tar";
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
