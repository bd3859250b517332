#include "data/shard_reader.h"

#include <bzlib.h>
#include <gtest/gtest.h>
#include <lzma.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <random>
#include <thread>

#include "base/file.h"
#include "base/json.h"
#include "base/test_folder.h"
#include "data/shard_test.h"

namespace clipnext::data {
namespace {

using Strings = std::vector<std::string>;

class Shard : public testing::Test {
 protected:
  std::vector<RawSample> read(const std::string& url,
                              RepeatedPart repeated = RepeatedPart::kNextSample) {
    faults_.all.clear();
    const OnFault listener = faults_.listener();
    ShardReader reader(url, keys_, repeated, 1, listener);
    std::vector<RawSample> samples;
    while (auto sample = reader.next()) samples.push_back(std::move(*sample));
    EXPECT_FALSE(reader.next()) << "after the end";
    return samples;
  }
  std::vector<RawSample> read(const Members& members,
                              RepeatedPart repeated = RepeatedPart::kNextSample) {
    write_tar(path_, members);
    return read(path_.string(), repeated);
  }
  // "key=image,caption" of each.
  Strings list(const std::vector<RawSample>& samples) const {
    Strings lines;
    for (const RawSample& sample : samples) {
      const size_t key = sample.name.find(": sample ") + 9;
      lines.push_back(sample.name.substr(key) + "=" + sample.image + "," + sample.caption);
    }
    return lines;
  }
  // Reasons without the shard's name.
  Strings faults() const {
    Strings reasons;
    for (const std::string& fault : faults_.all) {
      const bool named = fault.starts_with(path_.string() + ": ");
      reasons.push_back(named ? fault.substr(path_.string().size() + 2) : fault);
    }
    return reasons;
  }
  static Members two_samples() {
    return {{"a.jpg", "A"}, {"a.txt", "one"}, {"b.jpg", "B"}, {"b.txt", "two"}};
  }

  const TestFolder temporary_;
  const std::filesystem::path path_ = temporary_ / "0.tar";
  MemberKeys keys_;
  Faults faults_;
};

const Strings kTwoSamples = {"a=A,one", "b=B,two"};

// Spec: training.md section 10, item 7: names, extensions and keys.
// What the reference said is in tests/data/data/webdataset.json (open_clip 3.3.0, webdataset
// 0.2.86).
TEST_F(Shard, GroupsMembersAsTheReferenceDoes) {
  const std::string file = CLIPNEXT_SOURCE_DIR "/tests/data/data/webdataset.json";
  const Json fixture = parse_json(read_file(file), file);
  ASSERT_GT(fixture.at("corpora").size(), 60U);
  for (const Json& corpus : fixture.at("corpora")) {
    Strings train, validate;
    size_t member = 0;
    for (const Json& shard : corpus.at("shards")) {
      Members members;
      for (const std::string name : shard)
        members.emplace_back(name, "m" + std::to_string(member++));
      for (const std::string& line : list(read(members))) train.push_back(line);
      for (const std::string& line : list(read(members, RepeatedPart::kFault))) {
        validate.push_back(line);
      }
    }
    for (const auto& [kind, found] :
         {std::pair("train", &train), std::pair("validate", &validate)}) {
      Strings expected;
      for (const Json& sample : corpus.at(kind)) {
        expected.push_back(std::string(sample[0]) + "=" + std::string(sample[1]) + "," +
                           std::string(sample[2]));
      }
      EXPECT_EQ(*found, expected) << kind << " " << corpus.at("shards").dump();
    }
  }
}

// Spec: training.md section 10, item 7: empty captions and pictures.
TEST_F(Shard, WhatCannotBeUsedIsToldAndLeftOut) {
  const Members members = {
      {"a.jpg", "A"},    {"a.txt", ""},         {"b.jpg", "B"},       {"b.txt", " \n\xE3\x80\x80"},
      {"c.jpg", "C"},    {"c.txt", "\xFFx"},    {"d.jpg", ""},        {"d.txt", "four"},
      {"e.txt", "five"}, {"f.jpg", "F"},        {"f.json", "{}"},     {"__meta__/x.jpg", "M"},
      {"g.jpg", "G"},    {"g.txt", " seven\n"}, {"README", "nobody"},
  };
  EXPECT_EQ(list(read(members)), Strings{"g=G, seven\n"});
  EXPECT_EQ(faults(), (Strings{"sample a: its caption is empty", "sample b: its caption is empty",
                               "sample c: its caption is not UTF-8", "sample d: its image is empty",
                               "sample e: it has no image (jpg, png, jpeg, webp)",
                               "sample f: it has no caption (txt)"}));
}

TEST_F(Shard, RepeatedPartBeginsASampleInTrainingAndIsAFaultInValidation) {
  const Members members = {{"a.jpg", "A"}, {"a.txt", "1"}, {"a.JPG", "B"}, {"a.txt", "2"}};
  EXPECT_EQ(list(read(members)), (Strings{"a=A,1", "a=B,2"}));
  EXPECT_EQ(faults(), Strings{});
  EXPECT_EQ(list(read(members, RepeatedPart::kFault)), Strings{"a=A,1"});
  EXPECT_EQ(faults(), (Strings{"sample a: it has two parts named jpg",
                               "sample a: it has two parts named txt"}));
}

TEST_F(Shard, ImageAndCaptionAreTheFirstOfTheirKeys) {
  const Members members = {
      {"a.webp", "W"}, {"a.png", "P"}, {"a.txt", "t"}, {"a.cap", "c"}, {"a.jpg", "J"}};
  EXPECT_EQ(list(read(members)), Strings{"a=J,t"});
  keys_.image = {"tiff", "webp", "png"};
  keys_.text = {"cap", "txt"};
  EXPECT_EQ(list(read(members)), Strings{"a=W,c"});
}

// Spec: training.md section 10, item 7: pictures.
// Decoding is not the reader's: a PNG named .jpg, CMYK and 16 bits pass as they are.
TEST_F(Shard, ImagesPassUntouched) {
  const std::filesystem::path images = CLIPNEXT_SOURCE_DIR "/tests/data/image";
  const std::string png = read_file(images / "p2.png"), cmyk = read_file(images / "cmyk.jpg"),
                    deep = read_file(images / "16bit_colour2.png");
  const auto samples = read({{"a.jpg", png},
                             {"a.txt", "1"},
                             {"b.jpg", cmyk},
                             {"b.txt", "2"},
                             {"c.png", deep},
                             {"c.txt", "3"}});
  ASSERT_EQ(samples.size(), 3U);
  EXPECT_EQ(samples[0].image, png);
  EXPECT_EQ(samples[1].image, cmyk);
  EXPECT_EQ(samples[2].image, deep);
}

TEST_F(Shard, CaptionsMayComeFromJson) {
  keys_.json.fields = {"long", "short"};
  const Members members = {{"a.jpg", "A"},
                           {"a.txt", "txt"},
                           {"a.json", R"({"short": "s"})"},
                           {"b.jpg", "B"},
                           {"b.json", R"({"long": " ", "short": "s", "x": 1})"},
                           {"c.jpg", "C"},
                           {"c.json", R"({"long": "l", "short": "s"})"},
                           {"d.jpg", "D"},
                           {"d.json", R"({"long": 3})"},
                           {"e.jpg", "E"},
                           {"e.json", "{"},
                           {"f.jpg", "F"},
                           {"f.json", "[]"},
                           {"g.jpg", "G"},
                           {"g.txt", "txt"}};
  EXPECT_EQ(list(read(members)), (Strings{"a=A,s", "b=B,s", "c=C,l"}));
  EXPECT_EQ(faults(), (Strings{"sample d: its json member holds no caption",
                               "sample e: its json member: not valid JSON at line 1, column 2",
                               "sample f: its json member is not an object",
                               "sample g: it has no json part"}));
}

TEST_F(Shard, JsonCaptionsAreDrawnByWeight) {
  keys_.json = {.fields = {"a", "b", "c", "d"}, .weights = {1, 3, 0, 0}};
  Members members;
  constexpr int kSamples = 4000;
  for (int i = 0; i < kSamples; ++i) {
    const std::string key = std::to_string(i);
    members.emplace_back(key + ".jpg", "I");
    // Every fourth has only those of weight 0, in whose order they count.
    members.emplace_back(key + ".json", i % 4 == 0 ? R"({"d": "d", "c": "c"})"
                                                   : R"({"a": "a", "b": "b", "c": "c"})");
  }
  int a = 0, b = 0, c = 0;
  for (const RawSample& sample : read(members)) {
    a += sample.caption == "a";
    b += sample.caption == "b";
    c += sample.caption == "c";
  }
  EXPECT_EQ(c, kSamples / 4);
  EXPECT_EQ(a + b, kSamples * 3 / 4);
  EXPECT_NEAR(a, 750, 5 * std::sqrt(3000 * 0.25 * 0.75));
}

TEST(JsonCaption, WeightsMustFitTheFields) {
  EXPECT_THROW(check(JsonCaption{.fields = {"a", "b"}, .weights = {1}}), Error);
  EXPECT_THROW(check(JsonCaption{.fields = {"a"}, .weights = {-1}}), Error);
  check(JsonCaption{.fields = {"a"}, .weights = {0}});
}

TEST(CaptionFault, KnowsUtf8AndWhiteSpace) {
  for (const char* good : {"a", " \xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xEF\xBB\xBF"}) {
    EXPECT_EQ(caption_fault(good), "") << good;
  }
  for (const char* blank : {"", " \t\r\n\x0B\x0C\x1C\x1F", "\xC2\x85\xC2\xA0", "\xE1\x9A\x80",
                            "\xE2\x80\x80\xE2\x80\x8A\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAF",
                            "\xE2\x81\x9F\xE3\x80\x80"}) {
    EXPECT_EQ(caption_fault(blank), "its caption is empty") << blank;
  }
  for (const char* bad : {"\x80", "a\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80",
                          "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xE2\x82", "\xFF"}) {
    EXPECT_EQ(caption_fault(bad), "its caption is not UTF-8") << bad;
  }
}

// Spec: training.md section 10, item 7: truncated tars.
TEST_F(Shard, CutShortGivesWhatIsWholeAndOneFault) {
  Members members = two_samples();
  members[2].second = std::string(5000, 'B');
  write_tar(path_, members);
  const std::string whole = read_file(path_);
  // Inside of the first content; inside of b.jpg; before b.txt; after it, without empty blocks.
  for (const auto& [size, count] :
       {std::pair<size_t, size_t>(513, 0), {4000, 1}, {2048 + 5632, 1}, {2048 + 5632 + 1024, 2}}) {
    write_file(path_, whole.substr(0, size));
    const auto samples = read(path_.string());
    EXPECT_EQ(samples.size(), count) << size;
    // Where a sample is left without its caption, that is told, too.
    ASSERT_GE(faults().size(), 1U) << size;
    EXPECT_TRUE(faults()[0].find("cut short") != std::string::npos ||
                faults()[0].find("Truncated") != std::string::npos)
        << faults()[0];
  }
}

TEST_F(Shard, DamagedHeaderEndsTheShard) {
  write_tar(path_, two_samples());
  std::string tar = read_file(path_);
  tar[2048 + 3] = '?';  // of b.jpg
  write_file(path_, tar);
  EXPECT_EQ(list(read(path_.string())), Strings{"a=A,one"});
  ASSERT_EQ(faults().size(), 1U);
  EXPECT_NE(faults()[0].find("Damaged"), std::string::npos) << faults()[0];
}

TEST_F(Shard, MemberAboveTheLimitIsPassedOver) {
  keys_.max_member_bytes = 100;
  Members members = two_samples();
  members[0].second = std::string(101, 'A');
  EXPECT_EQ(list(read(members)), Strings{"b=B,two"});
  EXPECT_EQ(faults(), (Strings{"member a.jpg: has 101 bytes, the limit is 100",
                               "sample a: it has no image (jpg, png, jpeg, webp)"}));
}

TEST_F(Shard, EmptyMissingAndForeignFilesAreFaults) {
  EXPECT_TRUE(read((temporary_ / "none.tar").string()).empty());
  EXPECT_EQ(faults_.all, Strings{(temporary_ / "none.tar").string() +
                                 ": cannot be opened: No such file or directory"});
  for (const std::string& content : {std::string(), "no tar, " + std::string(3000, 'x')}) {
    write_file(path_, content);
    EXPECT_TRUE(read(path_.string()).empty());
    EXPECT_EQ(faults().size(), 1U);
  }
  EXPECT_TRUE(read(temporary_.path().string()).empty());
  ASSERT_EQ(faults_.all.size(), 1U);
  EXPECT_NE(faults_.all[0].find("Is a directory"), std::string::npos) << faults_.all[0];
}

TEST_F(Shard, ReadsEveryCompressionByContent) {
  write_tar(path_, two_samples());
  const std::string tar = read_file(path_);
  const auto try_it = [&](const char* what, const std::string& bytes) {
    write_file(path_, bytes);
    EXPECT_EQ(list(read(path_.string())), kTwoSamples) << what;
    EXPECT_EQ(faults(), Strings{}) << what;
    write_file(path_, bytes.substr(0, bytes.size() / 5));
    read(path_.string());
    EXPECT_FALSE(faults().empty()) << what << ", the begin of it";
  };
  try_it("plain", tar);

  const auto file = temporary_ / "z";
  gzFile gz = gzopen(file.c_str(), "wb");
  gzwrite(gz, tar.data(), static_cast<unsigned>(tar.size()));
  ASSERT_EQ(gzclose(gz), Z_OK);
  try_it("gzip", read_file(file));

  std::string out(1 << 16, '\0');
  auto size = static_cast<unsigned>(out.size());
  std::string in = tar;
  ASSERT_EQ(BZ2_bzBuffToBuffCompress(out.data(), &size, in.data(), static_cast<unsigned>(in.size()),
                                     9, 0, 0),
            BZ_OK);
  try_it("bzip2", out.substr(0, size));

  size_t end = 0;
  ASSERT_EQ(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, nullptr,
                                    reinterpret_cast<const uint8_t*>(tar.data()), tar.size(),
                                    reinterpret_cast<uint8_t*>(out.data()), &end, out.size()),
            LZMA_OK);
  try_it("xz", out.substr(0, end));

  end = ZSTD_compress(out.data(), out.size(), tar.data(), tar.size(), 3);
  ASSERT_FALSE(ZSTD_isError(end));
  try_it("zstd", out.substr(0, end));
}

TEST_F(Shard, ReadsConcatenatedTars) {
  write_tar(path_, {{"a.jpg", "A"}, {"a.txt", "one"}});
  const std::string first = read_file(path_);
  write_tar(path_, {{"b.jpg", "B"}, {"b.txt", "two"}});
  write_file(path_, first + read_file(path_));
  EXPECT_EQ(list(read(path_.string())), kTwoSamples);
  EXPECT_EQ(faults(), Strings{});
}

TEST_F(Shard, NamesBeyondAsciiAndAHundredBytesPass) {
  const std::string name = std::string(150, 'n') + "\xC3\xA9\xE4\xB8\xAD";
  write_file(temporary_ / (name + ".jpg"), "A");
  write_file(temporary_ / (name + ".txt"), "one");
  for (const char* format : {"gnu", "pax"}) {
    const std::string command = "cd '" + temporary_.path().string() +
                                "' && tar --format=" + format + " -cf 0.tar n*.jpg n*.txt";
    ASSERT_EQ(std::system(command.c_str()), 0);
    EXPECT_EQ(list(read(path_.string())), Strings{name + "=A,one"}) << format;
    EXPECT_EQ(faults(), Strings{}) << format;
  }
}

TEST_F(Shard, FileUrlsArePaths) {
  write_tar(path_, two_samples());
  for (const char* begin : {"file:", "file://", "file://localhost", "FILE:"}) {
    EXPECT_EQ(list(read(begin + path_.string())), kTwoSamples) << begin;
  }
}

// Spec: training.md section 10, item 7: pipes that fail, or end by SIGPIPE.
TEST_F(Shard, PipesAreCommandsWhoseFailureIsToldAfterWhatTheyPrinted) {
  write_tar(path_, two_samples());
  const std::string cat = "pipe:cat '" + path_.string() + "'";
  EXPECT_EQ(list(read(cat)), kTwoSamples);
  EXPECT_EQ(faults_.all, Strings{});
  EXPECT_EQ(list(read(cat + "; exit 141")), kTwoSamples);
  EXPECT_EQ(faults_.all, Strings{});
  EXPECT_EQ(list(read(cat + "; kill -PIPE $$")), kTwoSamples);
  EXPECT_EQ(faults_.all, Strings{});
  EXPECT_EQ(list(read(cat + "; exit 1")), kTwoSamples);
  EXPECT_EQ(faults_.all, Strings{cat + "; exit 1: its command failed with exit status 1"});
  EXPECT_EQ(list(read(cat + "; kill -9 $$")), kTwoSamples);
  EXPECT_EQ(faults_.all.size(), 1U);
}

TEST_F(Shard, CommandThatPrintsNothingIsAFault) {
  EXPECT_TRUE(read(std::string("pipe:exit 1")).empty());
  EXPECT_EQ(faults_.all, Strings{"pipe:exit 1: its command failed with exit status 1"});
  EXPECT_TRUE(read(std::string("pipe:true")).empty());
  EXPECT_EQ(faults_.all, Strings{"pipe:true: it is empty, or ends within its first block"});
  EXPECT_TRUE(read(std::string("pipe:/nowhere/program 2>/dev/null")).empty());
  ASSERT_EQ(faults_.all.size(), 1U);
  EXPECT_NE(faults_.all[0].find("127 (program not found)"), std::string::npos);
}

TEST_F(Shard, CommandThatGoesOnAfterACompressedTarIsNotWaitedFor) {
  const auto file = temporary_ / "a.tar.gz";
  write_tar(path_, two_samples());
  const std::string tar = read_file(path_);
  gzFile gz = gzopen(file.c_str(), "wb");
  gzwrite(gz, tar.data(), static_cast<unsigned>(tar.size()));
  ASSERT_EQ(gzclose(gz), Z_OK);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(list(read("pipe:cat '" + file.string() + "'; exec yes")), kTwoSamples);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8));
}

bool runs(pid_t pid) { return kill(pid, 0) == 0; }

TEST_F(Shard, LeavingAPipeEarlyKillsAllOfIt) {
  write_tar(path_, two_samples());
  const std::string pids = (temporary_ / "pids").string();
  const std::string url =
      "pipe:sleep 1000 & echo $$ $! > '" + pids + "'; cat '" + path_.string() + "'; sleep 1000";
  pid_t shell = 0, sleeper = 0;
  {
    const OnFault listener = faults_.listener();
    // Small tars are read whole before the first sample: only where more is to come does it stop.
    ShardReader reader(url, keys_, RepeatedPart::kNextSample, 1, listener);
    ASSERT_TRUE(reader.next());
    std::ifstream(pids) >> shell >> sleeper;
    ASSERT_GT(sleeper, 0);
    EXPECT_TRUE(runs(shell));
    EXPECT_TRUE(runs(sleeper));
  }
  EXPECT_FALSE(runs(shell));
  // Not our child: whoever takes it up needs a moment to bury it.
  for (int i = 0; i < 200 && runs(sleeper); ++i) {
    std::ifstream stat("/proc/" + std::to_string(sleeper) + "/stat");
    std::string pid, name, state;
    stat >> pid >> name >> state;
    if (state == "Z") break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_LT(i, 199) << "still runs";
  }
  EXPECT_EQ(faults_.all, Strings{});
}

// Programs of these names that say what they were asked, and end as they are told.
class Transfer : public Shard {
 protected:
  void SetUp() override {
    write_tar(path_, two_samples());
    for (const char* name : {"curl", "gsutil"}) {
      const auto program = temporary_ / name;
      write_file(program, "#!/bin/sh\necho \"$0 $*\" > '" + asked_.string() + "'\ncat '" +
                              path_.string() + "'\nexit ${CLIPNEXT_TEST_STATUS:-0}\n");
      ASSERT_EQ(chmod(program.c_str(), 0755), 0);
    }
    const char* path = std::getenv("PATH");
    old_path_ = path != nullptr ? path : "";
    setenv("PATH", (temporary_.path().string() + ":" + old_path_).c_str(), 1);
  }
  void TearDown() override {
    setenv("PATH", old_path_.c_str(), 1);
    unsetenv("CLIPNEXT_TEST_STATUS");
  }
  const std::filesystem::path asked_ = temporary_ / "asked";
  std::string old_path_;
};

TEST_F(Transfer, UrlsGoThroughTheirPrograms) {
  const std::string bin = temporary_.path().string() + "/";
  for (const std::string url : {"http://h/a b'$(x).tar", "https://h/a.tar", "ftps://h/a.tar",
                                "sftp://h/a.tar", "scp://h/a.tar"}) {
    EXPECT_EQ(list(read(url)), kTwoSamples) << url;
    EXPECT_EQ(faults_.all, Strings{});
    EXPECT_EQ(read_file(asked_), bin +
                                     "curl -f -s -L --connect-timeout 30 --retry 30 "
                                     "--retry-delay 2 -- " +
                                     url + "\n");
  }
  EXPECT_EQ(list(read(std::string("gs://b/a.tar"))), kTwoSamples);
  EXPECT_EQ(read_file(asked_), bin + "gsutil cat gs://b/a.tar\n");
}

TEST_F(Transfer, ExitStatusDecidesWhetherItFailed) {
  for (const char* fine : {"0", "23", "141"}) {
    setenv("CLIPNEXT_TEST_STATUS", fine, 1);
    EXPECT_EQ(list(read(std::string("https://h/a.tar"))), kTwoSamples);
    EXPECT_EQ(faults_.all, Strings{}) << fine;
  }
  setenv("CLIPNEXT_TEST_STATUS", "22", 1);
  EXPECT_EQ(list(read(std::string("https://h/a.tar"))), kTwoSamples);
  EXPECT_EQ(faults_.all, Strings{"https://h/a.tar: its command failed with exit status 22"});
}

TEST_F(Transfer, MissingProgramIsNamed) {
  setenv("PATH", "/nowhere", 1);
  EXPECT_TRUE(read(std::string("gs://b/a.tar")).empty());
  ASSERT_EQ(faults_.all.size(), 1U);
  EXPECT_NE(faults_.all[0].find("gsutil cannot be started"), std::string::npos) << faults_.all[0];
}

TEST_F(Shard, OtherSchemesAreFaultsThatSayWhatToDo) {
  EXPECT_TRUE(read(std::string("s3://b/a.tar")).empty());
  ASSERT_EQ(faults_.all.size(), 1U);
  EXPECT_NE(faults_.all[0].find("\"pipe:aws s3 cp s3://b/a.tar -\""), std::string::npos)
      << faults_.all[0];
}

TEST_F(Shard, StandardInputIsReadOnce) {
  write_tar(path_, two_samples());
  const int saved = dup(STDIN_FILENO);
  ASSERT_NE(std::freopen(path_.c_str(), "rb", stdin), nullptr);
  EXPECT_EQ(list(read(std::string("-"))), kTwoSamples);
  EXPECT_EQ(faults_.all, Strings{});
  EXPECT_TRUE(read(std::string("-")).empty());
  EXPECT_EQ(faults_.all, Strings{"-: standard input can be read only once"});
  if (saved >= 0) {
    dup2(saved, STDIN_FILENO);
    close(saved);
  }
}

TEST_F(Shard, DamagedTarsAreNeverAnError) {
  Members members = two_samples();
  members.push_back({"c.json", R"({"caption": "three"})"});
  members.push_back({"c.png", std::string(1500, 'C')});
  write_tar(path_, members);
  const std::string whole = read_file(path_);
  std::mt19937 random(1);
  for (int i = 0; i < 500; ++i) {
    std::string damaged = whole.substr(0, i % 3 == 0 ? random() % whole.size() : whole.size());
    for (int flips = 1 + i % 4; flips > 0 && !damaged.empty(); --flips) {
      damaged[random() % damaged.size()] ^= static_cast<char>(1U << (random() % 8));
    }
    std::ofstream(path_, std::ios::binary) << damaged;
    read(path_.string());
  }
}

}  // namespace
}  // namespace clipnext::data
