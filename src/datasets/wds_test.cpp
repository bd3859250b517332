#include "datasets/wds.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/test_folder.h"
#include "data/tar_writer.h"
#include "datasets/python_text.h"
#include "datasets/wds_root.h"
#include "net/test_server.h"
#include "weights/npy_header.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

using Members = std::vector<std::pair<std::string, std::string>>;
using Lines = std::vector<std::string>;

const std::string kPicture(3000, 'p');  // large enough to stay in the tar

std::string npy(const std::vector<float>& values) {
  std::string bytes =
      weights::npy_header({weights::DType::kF32, false, {static_cast<int64_t>(values.size())}});
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  return bytes;
}

class Wds : public testing::Test {
 protected:
  void file(const std::string& name, const std::string& text) const {
    fs::create_directories((root_ / name).parent_path());
    write_file(root_ / name, text);
  }
  void shard(int64_t number, const Members& members, const std::string& split = "test") const {
    fs::create_directories(root_ / split);
    data::TarWriter writer(root_ / split / (std::to_string(number) + ".tar"));
    for (const auto& [name, content] : members) writer.add(name, content);
    writer.commit();
  }
  /// Three classes and two pictures in one shard.
  void small_set() const {
    file("classnames.txt", "cat\ndog\nbird\n");
    file("zeroshot_classification_templates.txt", "a {c}\n");
    file("test/nshards.txt", "1\n");
    shard(0, {{"s0000000.cls", "2"},
              {"s0000000.png", kPicture},
              {"s0000001.cls", "0\n"},
              {"s0000001.webp", "w"}});
  }
  Dataset read() const { return read_wds_folder(root_); }
  /// That reading fails, and says these things.
  void expect_error(const Lines& parts) const {
    try {
      read();
      ADD_FAILURE() << "no error: " << parts[0];
    } catch (const Error& error) {
      for (const std::string& part : parts) {
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
      }
    }
  }

  const TestFolder temporary_;
  const fs::path root_ = temporary_ / "set";
};

TEST(PythonLines, EndWhereSplitlinesEndsThem) {
  const auto lines = [](const std::string& text) { return python_lines(text, "here"); };
  EXPECT_EQ(lines(""), Lines{});
  EXPECT_EQ(lines("\n"), Lines{""});
  EXPECT_EQ(lines("a\nb\r\nc\rd\n\ne"), (Lines{"a", "b", "c", "d", "", "e"}));
  EXPECT_EQ(lines("a\vb\fc\x1c"
                  "d\x1d"
                  "e\x1e"
                  "f\x1fg"),
            (Lines{"a", "b", "c", "d", "e", "f\x1fg"}));
  EXPECT_EQ(lines("a\xc2\x85"
                  "b\xe2\x80\xa8"
                  "c\xe2\x80\xa9"
                  "d\xe2\x80\xaa"),
            (Lines{"a", "b", "c", "d\xe2\x80\xaa"}));
  EXPECT_EQ(lines("\xef\xbb\xbf"
                  "a\\nb"),
            Lines{"a\\nb"});
  EXPECT_THROW(lines("a\xff"), Error);
  EXPECT_THROW(lines("\xed\xa0\x80"), Error);
  EXPECT_EQ(python_strip(" \t\xc2\xa0"
                         "a b\xe3\x80\x80\x1f\n"),
            "a b");
  EXPECT_EQ(python_strip(" \xe2\x80\x89 "), "");
}

TEST_F(Wds, ReadsLabelledPicturesWhereTheyLie) {
  small_set();
  const Dataset set = read();
  EXPECT_EQ(set.kind, Kind::kClassification);
  EXPECT_EQ(set.classes, (Lines{"cat", "dog", "bird"}));
  EXPECT_EQ(set.prompts.templates, Lines{"a {c}"});
  EXPECT_EQ(set.labels, (std::vector<int64_t>{2, 0}));
  ASSERT_EQ(set.images.size(), 2U);
  EXPECT_EQ(set.images[0].name, (root_ / "test/0.tar").string() + ":s0000000.png");
  EXPECT_TRUE(set.images[0].range);
  EXPECT_EQ(pipeline::read_bytes(set.images[0]), kPicture);
  EXPECT_EQ(pipeline::read_bytes(set.images[1]), "w");
  EXPECT_TRUE(set.warnings.empty());
}

TEST_F(Wds, ReadsTheExampleSet) {
  const Dataset set = read_wds_folder(std::string(CLIPNEXT_SOURCE_DIR) + "/examples/emoji/unseen");
  EXPECT_EQ(set.classes.size(), 162U);
  EXPECT_EQ(set.prompts.templates, (Lines{"{c}", "an emoji of {c}", "a drawing of {c}"}));
  ASSERT_EQ(set.images.size(), 109U);
  EXPECT_EQ(set.classes[static_cast<size_t>(set.labels.at(0))], "AB button (blood type)");
}

TEST_F(Wds, TakesTheFirstKindOfImageAndShardsByNumber) {
  small_set();
  file("test/nshards.txt", "11");
  for (int i = 0; i < 11; ++i) {
    shard(i, {{"a.jpeg", "jpeg" + std::to_string(i)}, {"a.cls", "1"}});
  }
  shard(1, {{"x.jpeg", "4"},
            {"x.JPG", "3"},
            {"x.png", "2"},
            {"x.webp", "1"},
            {"x.cls", "0"},
            {"y.jpeg", "4"},
            {"y.jpg", "3"},
            {"y.png", "2"},
            {"y.cls", "0"},
            {"y.npy", "groups"},
            {"z.jpeg", "4"},
            {"z.jpg", "3"},
            {"z.cls", "0"}});
  const Dataset set = read();
  ASSERT_EQ(set.images.size(), 13U);
  EXPECT_EQ(pipeline::read_bytes(set.images[0]), "jpeg0");
  EXPECT_EQ(pipeline::read_bytes(set.images[1]), "1");
  EXPECT_EQ(pipeline::read_bytes(set.images[2]), "2");
  EXPECT_EQ(pipeline::read_bytes(set.images[3]), "3");
  EXPECT_EQ(pipeline::read_bytes(set.images[4]), "jpeg2");
  EXPECT_EQ(pipeline::read_bytes(set.images[12]), "jpeg10");
}

TEST_F(Wds, TrimsListsAndCountsEmptyLinesInBetween) {
  small_set();
  file("classnames.txt", "\xef\xbb\xbf cat \r\n\r\n\tbird\r\n\r\n \r\n");
  file("zeroshot_classification_templates.txt", "a {c}.\r\n\r\n  the {c} \r\n");
  file("test/nshards.txt", " 1 \r\n");
  file("dataset_type.txt", "Classification\r\n");
  const Dataset set = read();
  EXPECT_EQ(set.classes, (Lines{"cat", "", "bird"}));
  EXPECT_EQ(set.prompts.templates, (Lines{"a {c}.", "the {c}"}));
}

TEST_F(Wds, ReadsLabelVectors) {
  small_set();
  file("dataset_type.txt", " MultiLabel \n");
  shard(0, {{"a.npy", npy({0, 1, 1})}, {"a.png", "1"}, {"b.npy", npy({1, 0, 0})}, {"b.png", "2"}});
  const Dataset set = read();
  EXPECT_EQ(set.kind, Kind::kMultilabel);
  EXPECT_EQ(set.positives, (std::vector<uint8_t>{0, 1, 1, 1, 0, 0}));
  EXPECT_TRUE(set.labels.empty());
  for (const std::string& wrong : {npy({0, 1}), npy({0, 1, 1, 0}), npy({0, 2, 0}),
                                   npy({0, 1, 1}).substr(0, 130), std::string("no array")}) {
    shard(0, {{"a.npy", wrong}, {"a.png", "1"}});
    expect_error({"0.tar: sample a.npy: "});
  }
}

TEST_F(Wds, ReadsCaptionsAndWarnsOfUnusualLineEnds) {
  file("dataset_type.txt", "RETRIEVAL\n");
  file("test/nshards.txt", "2");
  shard(0, {{"a.txt", "one\r\ntwo \\n still two\n"}, {"a.jpg", "1"}});
  shard(1, {{"b.txt", "three"}, {"b.jpg", "2"}});
  Dataset set = read();
  EXPECT_EQ(set.kind, Kind::kRetrieval);
  EXPECT_EQ(set.captions, (Lines{"one", "two \\n still two", "three"}));
  EXPECT_EQ(set.caption_image, (std::vector<int64_t>{0, 0, 1}));
  EXPECT_TRUE(set.classes.empty());
  EXPECT_TRUE(set.warnings.empty());

  shard(1, {{"b.txt", "three\ffour"}, {"b.jpg", "2"}, {"c.txt", ""}, {"c.jpg", "3"}});
  set = read();
  EXPECT_EQ(set.captions, (Lines{"one", "two \\n still two", "three", "four"}));
  ASSERT_EQ(set.warnings.size(), 2U);
  EXPECT_NE(set.warnings[0].find("1.tar: sample b"), std::string::npos);
  EXPECT_NE(set.warnings[1].find("1.tar: sample c"), std::string::npos);

  shard(1, {{"b.txt", "\xff"}, {"b.jpg", "2"}});
  expect_error({"1.tar: sample b.txt: is not UTF-8"});
}

TEST_F(Wds, NamesTheFileThatIsMissing) {
  expect_error({root_.string() + ": there is no such folder"});
  small_set();
  for (const char* name :
       {"test/nshards.txt", "classnames.txt", "zeroshot_classification_templates.txt"}) {
    const std::string text = read_file(root_ / name);
    fs::remove(root_ / name);
    expect_error({(root_ / name).string() + ": there is no such file"});
    for (const char* empty : {"", "\n \n"}) {
      file(name, empty);
      expect_error({(root_ / name).string() + ": "});
    }
    file(name, text);
  }
  file("test/nshards.txt", "2");
  expect_error({"1.tar: there is no such shard"});
  for (const char* wrong : {"0", "-1", "one", "1.5", "100001", "99999999999999999999"}) {
    file("test/nshards.txt", wrong);
    expect_error({"nshards.txt: "});
  }
  file("test/nshards.txt", "1");
  file("dataset_type.txt", "captions");
  expect_error({"dataset_type.txt: \"captions\""});
}

TEST_F(Wds, NamesTheSampleThatIsWrong) {
  small_set();
  const std::vector<std::pair<Members, Lines>> wrong = {
      {{{"a.png", "1"}}, {"0.tar: sample a has no .cls"}},
      {{{"a.cls", "1"}}, {"0.tar: sample a has no image"}},
      {{{"a.cls", ""}, {"a.png", "1"}}, {"0.tar: sample a.cls: \"\" is not a whole number"}},
      {{{"a.cls", "3"}, {"a.png", "1"}}, {"0.tar: sample a.cls: \"3\" is not", "below 3"}},
      {{{"a.cls", "-1"}, {"a.png", "1"}}, {"0.tar: sample a.cls: "}},
      {{{"a.cls", "1 2"}, {"a.png", "1"}}, {"0.tar: sample a.cls: "}},
      {{{"a.cls", "1"}, {"a.cls", "1"}}, {"0.tar: sample a has two parts named cls"}},
      {{{"README", "1"}}, {"0.tar: holds no samples"}},
      {{}, {"0.tar: holds no samples"}}};
  for (const auto& [members, parts] : wrong) {
    shard(0, members);
    expect_error(parts);
  }
}

TEST_F(Wds, ATruncatedShardIsAnError) {
  small_set();
  const std::string whole = read_file(root_ / "test/0.tar");
  for (size_t size = 0; size < 512 * 12; size += 256) {
    file("test/0.tar", whole.substr(0, size));
    expect_error({(root_ / "test/0.tar").string()});
  }
}

TEST_F(Wds, AnEmptyImageIsLeftToWhoDecodesIt) {
  small_set();
  shard(0, {{"a.cls", "1"}, {"a.png", ""}});
  EXPECT_EQ(pipeline::read_bytes(read().images.at(0)), "");
}

TEST_F(Wds, OwnNamesNeedNoneInTheFolder) {
  small_set();
  fs::remove(root_ / "classnames.txt");
  fs::remove(root_ / "zeroshot_classification_templates.txt");
  Request request;
  request.root = root_.string();
  request.custom_classname_file = "names.json";
  request.custom_template_file = "templates.json";
  const Dataset set = read_wds(request);
  EXPECT_TRUE(set.classes.empty());
  EXPECT_EQ(set.labels, (std::vector<int64_t>{2, 0}));
}

TEST(RemoteBases, KeepToTheHubsTwoAddresses) {
  unsetenv("HF_ENDPOINT");
  EXPECT_EQ(remote_bases("http://host/sets/a/").texts, "http://host/sets/a");
  EXPECT_EQ(remote_bases("http://host/sets/a/").shards, "http://host/sets/a");
  const std::string set = "https://huggingface.co/datasets/clip-benchmark/wds_vtab-pets";
  EXPECT_EQ(remote_bases(set + "/tree/main").texts, set + "/raw/main");
  EXPECT_EQ(remote_bases(set + "/tree/main/").shards, set + "/resolve/main");
  EXPECT_EQ(remote_bases(set + "/tree/v1/sub").shards, set + "/resolve/v1/sub");
  for (const char* wrong : {"", "/", "/blob/main", "/tree", "/tree/"}) {
    EXPECT_THROW(remote_bases(set + wrong), Error) << wrong;
  }
  EXPECT_THROW(remote_bases("https://huggingface.co/datasets//a/tree/main"), Error);
  EXPECT_THROW(remote_bases("https://huggingface.co/datasets/a//tree/main"), Error);
}

class RemoteWds : public Wds {
 protected:
  Request request(const std::string& url) const {
    Request request;
    request.root = url;
    request.cache = temporary_ / "cache";
    return request;
  }
  /// Files of the set under that address.
  net::TestAnswer serve(const net::TestRequest& request, const std::string& base) const {
    std::error_code ignored;
    const fs::path path = root_ / request.path.substr(std::min(base.size(), request.path.size()));
    if (!request.path.starts_with(base) || !fs::is_regular_file(path, ignored)) {
      return {.status = 404, .body = "none"};
    }
    return net::serve_file(request, read_file(path), "\"1\"");
  }
};

TEST_F(RemoteWds, LoadsShardsOnceAlthoughConnectionsBreak) {
  small_set();
  const net::TestServer server([&](const net::TestRequest& request) {
    net::TestAnswer answer = serve(request, "/sets/a/");
    if (request.path.ends_with(".tar")) answer.cut_after = 4000;
    return answer;
  });
  Request asked = request(server.url("/sets/a/"));
  int64_t last = 0;
  asked.progress = [&](const std::string& file, int64_t done, int64_t total) {
    EXPECT_EQ(file, "test/0.tar");
    EXPECT_EQ(total, 10240);
    last = done;
  };
  const Dataset set = read_wds(asked);
  EXPECT_EQ(last, 10240);
  EXPECT_EQ(set.labels, (std::vector<int64_t>{2, 0}));
  EXPECT_EQ(pipeline::read_bytes(set.images.at(0)), kPicture);
  EXPECT_EQ(server.requests_for("/sets/a/test/0.tar"), 3U);
  read_wds(asked);
  EXPECT_EQ(server.requests_for("/sets/a/test/0.tar"), 3U);
  // Another address is another set.
  EXPECT_THROW(read_wds(request(server.url("/sets/b"))), Error);
}

TEST_F(RemoteWds, ReadsTheHubsForm) {
  small_set();
  const net::TestServer server([&](const net::TestRequest& request) {
    const std::string base = "/datasets/u/r/";
    return request.path.ends_with(".txt")      ? serve(request, base + "raw/main/")
           : request.path.starts_with("/cdn/") ? serve(request, "/cdn/")
           : request.path == base + "resolve/main/test/0.tar"
               ? net::TestAnswer{.status = 302, .headers = {"Location: /cdn/test/0.tar"}}
               : net::TestAnswer{.status = 404};
  });
  setenv("HF_ENDPOINT", server.url("/").c_str(), 1);
  const Dataset set = read_wds(request("https://huggingface.co/datasets/u/r/tree/main"));
  unsetenv("HF_ENDPOINT");
  EXPECT_EQ(set.images.size(), 2U);
}

TEST_F(RemoteWds, WhatIsAbsentIsToldFromWhatFails) {
  small_set();
  const net::TestServer server(
      [&](const net::TestRequest& request) { return serve(request, "/"); });
  EXPECT_EQ(read_wds(request(server.url())).kind, Kind::kClassification);  // no dataset_type.txt
  fs::remove(root_ / "test/nshards.txt");
  try {
    read_wds(request(server.url()));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with(server.url("/test/nshards.txt: ")));
  }
  file("test/nshards.txt", "2");
  try {
    read_wds(request(server.url()));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with(server.url("/test/1.tar: ")));
  }
  Request without = request(server.url());
  without.cache.clear();
  EXPECT_THROW(read_wds(without), Error);
}

}  // namespace
}  // namespace clipnext::datasets
