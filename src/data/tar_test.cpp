#include "data/tar.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdio>
#include <cstdlib>
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
    const auto read_or_refuse = [](const auto& parse) {
      try {
        parse();
      } catch (const Error&) {  // refused: as good as read
      }
    };
    read_or_refuse([&] { read(); });
    read_or_refuse([&] {
      for (const IndexedMember& member : index_tar(path_, 0)) read_part(member.part);
    });
  }
}

TEST_F(Tar, EndingBetweenMembersWithoutItsEmptyBlocksIsAnError) {
  write({{"a", "one"}, {"b", std::string(5000, 'x')}, {"c/", ""}});
  const std::string whole = read_file(path_);
  for (const size_t size : {512U * 2, 512U * 13, 512U * 14}) {
    write_file(path_, whole.substr(0, size));
    EXPECT_THROW(read(), Error) << size;
    EXPECT_THROW(index_tar(path_), Error) << size;
  }
  write_file(path_, whole.substr(0, 512 * 15));  // one of the two is enough
  EXPECT_EQ(read().size(), 2U);
}

// Names and contents of an index, and which of them are held.
std::vector<std::string> list(const std::vector<IndexedMember>& members) {
  std::vector<std::string> lines;
  for (const IndexedMember& member : members) {
    lines.push_back(member.name + (member.part.bytes == nullptr ? " in the file: " : " held: ") +
                    read_part(member.part).substr(0, 3));
  }
  return lines;
}

TEST_F(Tar, IndexSaysWhereMembersLie) {
  write({{"b/", ""}, {"b/1.txt", "one"}, {"a.png", std::string(200'000, 'x')}, {"empty", ""}});
  EXPECT_EQ(
      list(index_tar(path_)),
      (std::vector<std::string>{"b/1.txt held: one", "a.png in the file: xxx", "empty held: "}));
  EXPECT_EQ(list(index_tar(path_, 0)),
            (std::vector<std::string>{"b/1.txt in the file: one", "a.png in the file: xxx",
                                      "empty held: "}));
  EXPECT_EQ(read_part(index_tar(path_)[1].part), std::string(200'000, 'x'));
  for (const IndexedMember& member : index_tar(path_)) {
    ASSERT_TRUE(member.part.range) << member.name;
    EXPECT_EQ(read_range(*member.part.range), read_part(member.part)) << member.name;
  }
  EXPECT_THROW(index_tar(path_, 1024, 199'999), Error);
}

TEST_F(Tar, IndexHoldsWhatIsCompressed) {
  write({{"a.png", std::string(5000, 'x')}}, true);
  EXPECT_EQ(list(index_tar(path_)), (std::vector<std::string>{"a.png held: xxx"}));
  const std::string whole = read_file(path_);
  write_file(path_, whole.substr(0, whole.size() - 9));
  EXPECT_THROW(index_tar(path_), Error);
}

TEST_F(Tar, IndexReadsConcatenatedArchives) {
  write({{"a", std::string(2000, 'a')}});
  const std::string first = read_file(path_);
  write({{"b", std::string(3000, 'b')}});
  write_file(path_, first + read_file(path_));
  EXPECT_EQ(list(index_tar(path_)),
            (std::vector<std::string>{"a in the file: aaa", "b in the file: bbb"}));
}

TEST_F(Tar, IndexSeesThatMembersAreCutShort) {
  write({{"a", std::string(50'000, 'x')}, {"b", std::string(50'000, 'x')}});
  const std::string whole = read_file(path_);
  for (const size_t size : {100U, 600U, 20'000U, 50'176U, 50'688U, 50'900U, 80'000U, 100'900U}) {
    write_file(path_, whole.substr(0, size));
    EXPECT_THROW(index_tar(path_), Error) << size;
  }
}

// Names beyond 100 bytes, by both ways of writing them; links; a hole.
TEST_F(Tar, IndexUnderstandsWhatGnuTarWrites) {
  const std::string name = std::string(150, 'n') + ".png";
  const std::string in = "cd '" + temporary_.path().string() + "' && ";
  write_file(temporary_ / name, std::string(3000, 'x'));
  fs::create_hard_link(temporary_ / name, temporary_ / "y.png");
  fs::create_symlink(name, temporary_ / "z.png");
  for (const char* format : {"gnu", "pax"}) {
    ASSERT_EQ(
        std::system((in + "tar --format=" + format + " -cf a.tar n*.png y.png z.png").c_str()), 0);
    EXPECT_EQ(list(index_tar(path_)), (std::vector<std::string>{name + " in the file: xxx"}));
    ASSERT_EQ(std::system((in + "truncate -s 1M hole && echo x >> hole && tar --sparse --format=" +
                           format + " -cf a.tar hole n*.png")
                              .c_str()),
              0);
    EXPECT_THROW(index_tar(path_), Error) << format;
  }
}

TEST_F(Tar, SamplesAreMembersThatShareAKey) {
  write({{"README", "no sample"},
         {"s1.png", std::string(5000, 'p')},
         {"._s1.png", "no sample"},
         {"s1.cls", "1"},
         {"__meta__/a.txt", "no sample"},
         {"d.x/s2.seg.PNG", "p2"},
         {"d.x/s2.cls", "2"}});
  const std::vector<Sample> samples = index_samples(path_);
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_EQ(samples[0].key, "s1");
  ASSERT_EQ(samples[0].parts.size(), 2U);
  EXPECT_TRUE(samples[0].parts.at("png").range);
  EXPECT_EQ(*samples[0].parts.at("cls").bytes, "1");
  EXPECT_EQ(samples[1].key, "d.x/s2");
  EXPECT_EQ(read_part(samples[1].parts.at("seg.png")), "p2");
}

TEST_F(Tar, SampleWithAPartTwiceIsAnError) {
  write({{"s1.png", "p1"}, {"s1.PNG", "p2"}});
  EXPECT_THROW(index_samples(path_), Error);
}

}  // namespace
}  // namespace clipnext::data
