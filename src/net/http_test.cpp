#include "net/http.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/test_error.h"
#include "base/test_folder.h"
#include "net/test_server.h"

namespace clipnext::net {
namespace {

namespace fs = std::filesystem;

constexpr double kSoon = 0.001;
const HttpOptions kQuick = {.tries = 5, .first_wait_s = kSoon};

TEST(IsUrl, IsTheWebOnly) {
  EXPECT_TRUE(is_url("https://a/b"));
  EXPECT_TRUE(is_url("http://a"));
  EXPECT_FALSE(is_url("file:///etc/passwd"));
  EXPECT_FALSE(is_url("folder/http://"));
}

TEST(FetchText, GivesTheBodyFollowsRedirectsAndSendsHeaders) {
  const TestServer server([](const TestRequest& request) -> TestAnswer {
    if (request.path == "/old") return {.status = 302, .headers = {"Location: /new"}, .body = "x"};
    return {.body = request.path + " " + request.headers.at("x-own")};
  });
  EXPECT_EQ(fetch_text(server.url("/old"), {.headers = {"X-Own: 7"}}), "/new 7");
}

TEST(FetchText, AbsentIsNoError) {
  const TestServer server([](const TestRequest&) -> TestAnswer { return {.status = 404}; });
  EXPECT_EQ(fetch_text(server.url("/a"), kQuick), std::nullopt);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST(FetchText, TriesAgainAndThenSaysWhatFailed) {
  int count = 0;
  const TestServer server([&](const TestRequest& request) -> TestAnswer {
    if (request.path == "/never") return {.status = 500};
    return ++count < 4 ? TestAnswer{.status = count % 2 == 0 ? 503 : 429}
                       : TestAnswer{.body = "at last"};
  });
  EXPECT_EQ(fetch_text(server.url("/a"), kQuick), "at last");
  EXPECT_EQ(message_of([&] { fetch_text(server.url("/never"), kQuick); }),
            server.url("/never") + ": HTTP status 500 (tried 5 times)");
  EXPECT_EQ(server.requests_for("/never"), 5U);
}

TEST(FetchText, ABodyCutOffIsAFailure) {
  const TestServer server(
      [](const TestRequest&) -> TestAnswer { return {.body = "whole", .cut_after = 3}; });
  EXPECT_NE(message_of([&] { fetch_text(server.url(), kQuick); }).find("tried 5 times"),
            std::string::npos);
}

TEST(FetchText, WhatNobodyAnswersIsAnErrorThatNamesIt) {
  std::string url;
  {
    const TestServer gone([](const TestRequest&) -> TestAnswer { return {}; });
    url = gone.url("/a");
  }
  EXPECT_TRUE(message_of([&] { fetch_text(url, kQuick); }).starts_with(url + ": "));
  EXPECT_NE(message_of([&] { fetch_text("http:// /", kQuick); }), "no error");
  EXPECT_NE(message_of([&] { fetch_text("file:///etc/passwd", kQuick); }), "no error");
}

TEST(FetchText, IsNotLedAwayFromTheWebNorBeyondTheLimit) {
  const TestServer server([](const TestRequest& request) -> TestAnswer {
    if (request.path == "/large") return {.body = std::string(1000, 'x')};
    if (request.path == "/loop") return {.status = 302, .headers = {"Location: /loop"}};
    return {.status = 302, .headers = {"Location: file:///etc/passwd"}};
  });
  EXPECT_NE(message_of([&] { fetch_text(server.url("/a"), kQuick); }), "no error");
  EXPECT_NE(message_of([&] { fetch_text(server.url("/loop"), kQuick); }), "no error");
  EXPECT_NE(
      message_of([&] { fetch_text(server.url("/large"), kQuick, 999); }).find("limit of 999 bytes"),
      std::string::npos);
  EXPECT_EQ(server.requests_for("/large"), 1U);
}

class Download : public testing::Test {
 protected:
  // Differs in every place, so that parts put together wrongly show.
  static std::string make_content(int seed, size_t size = 300'000) {
    std::string content(size, '\0');
    auto state = static_cast<uint32_t>(seed);
    for (char& c : content) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    return content;
  }
  // The part is gone too.
  void expect_only(const std::string& content) const {
    EXPECT_TRUE(read_file(path_) == content);
    EXPECT_EQ(std::distance(fs::directory_iterator(path_.parent_path()), {}), 1);
  }

  const TestFolder folder_;
  const fs::path path_ = folder_ / "made" / "a.tar";
  const std::string content_ = make_content(1);
};

TEST_F(Download, MakesTheFileOnce) {
  const TestServer server(
      [&](const TestRequest& request) { return serve_file(request, content_, "\"1\""); });
  int64_t last = 0;
  int64_t all = 0;
  download(server.url("/a"), path_, kQuick, [&](int64_t done, int64_t total) {
    EXPECT_GT(done, last);
    last = done;
    all = total;
  });
  EXPECT_EQ(last, 300'000);
  EXPECT_EQ(all, 300'000);
  expect_only(content_);
  download(server.url("/a"), path_, kQuick);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(Download, AnEmptyFileIsAFile) {
  const TestServer server([](const TestRequest&) -> TestAnswer { return {}; });
  download(server.url(), path_, kQuick);
  expect_only("");
}

TEST_F(Download, GoesOnWhereItWasCutOff) {
  const TestServer server([&](const TestRequest& request) {
    TestAnswer answer = serve_file(request, content_, "\"1\"");
    answer.cut_after = 100'000;
    return answer;
  });
  download(server.url("/a"), path_, kQuick);
  expect_only(content_);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[2].headers.at("range"), "bytes=200000-");
  EXPECT_EQ(requests[2].headers.at("if-range"), "\"1\"");
}

TEST_F(Download, GoesOnAfterItWasGivenUp) {
  bool broken = true;
  const TestServer server([&](const TestRequest& request) {
    if (broken && request.headers.contains("range")) return TestAnswer{.status = 500};
    TestAnswer answer = serve_file(request, content_, "\"1\"");
    if (broken) answer.cut_after = 100'000;
    return answer;
  });
  EXPECT_EQ(message_of([&] { download(server.url("/a"), path_, kQuick); }),
            server.url("/a") + ": HTTP status 500 (tried 5 times)");
  EXPECT_FALSE(fs::exists(path_));
  broken = false;
  download(server.url("/a"), path_, kQuick);
  expect_only(content_);
  EXPECT_EQ(server.requests().back().headers.at("range"), "bytes=100000-");
}

TEST_F(Download, AllThatWasMissingMayBeTheName) {
  const TestServer server([&](const TestRequest& request) {
    TestAnswer answer = serve_file(request, content_, "\"1\"");
    if (answer.status == 200) answer.cut_after = 299'999;
    return answer;
  });
  EXPECT_THROW(download(server.url(), path_, {.tries = 1}), Error);
  fs::path part = path_;
  part += ".part";
  write_file(part, content_);  // killed just before the last step
  download(server.url(), path_, kQuick);
  expect_only(content_);
}

TEST_F(Download, BeginsAgainIfTheFileHasChanged) {
  const std::string changed = make_content(2, 250'000);
  int count = 0;
  const TestServer server([&](const TestRequest& request) {
    if (++count > 1) return serve_file(request, changed, "\"2\"");
    TestAnswer answer = serve_file(request, content_, "\"1\"");
    answer.cut_after = 100'000;
    return answer;
  });
  download(server.url(), path_, kQuick);
  expect_only(changed);
}

TEST_F(Download, ASpliceByTheServerIsSeen) {
  const std::string changed = make_content(2);
  int count = 0;
  const TestServer server([&](TestRequest request) {
    TestAnswer answer;
    if (++count == 1) {
      answer = serve_file(request, content_, "\"1\"");
      answer.cut_after = 100'000;
    } else {
      request.headers.erase("if-range");  // takes no notice of it
      answer = serve_file(request, changed, "\"2\"");
    }
    return answer;
  });
  download(server.url(), path_, kQuick);
  expect_only(changed);
  EXPECT_EQ(count, 3);
}

TEST_F(Download, WithoutAStrongTagOrRangesItBeginsAgain) {
  for (const char* tag : {"ETag: W/\"1\"", "X-None: 1", "ETag: \"1\""}) {
    int count = 0;
    const TestServer server([&](const TestRequest&) -> TestAnswer {
      return {.headers = {tag}, .body = content_, .cut_after = ++count < 3 ? 100'000 : -1};
    });
    download(server.url(), path_, kQuick);
    expect_only(content_);
    fs::remove(path_);
  }
}

TEST_F(Download, WhatLiesThereFromElsewhereIsNotUsed) {
  fs::create_directories(path_.parent_path());
  for (const char* origin : {"", "{", "[1]", R"({"url": "http://other/", "etag": "\"1\""})"}) {
    fs::path part = path_;
    part += ".part";
    write_file(part, "other bytes");
    write_file(part += ".json", origin);
    const TestServer server(
        [&](const TestRequest& request) { return serve_file(request, content_, "\"1\""); });
    download(server.url(), path_, kQuick);
    expect_only(content_);
    fs::remove(path_);
  }
}

TEST_F(Download, AbsentAndTooLargeFilesAreErrors) {
  const TestServer server([&](const TestRequest& request) -> TestAnswer {
    if (request.path == "/none") return {.status = 404, .headers = {}, .body = "page"};
    return {.body = content_};
  });
  EXPECT_NE(message_of([&] {
              download(server.url("/none"), path_, kQuick);
            }).find(server.url("/none") + ": there is no such file"),
            std::string::npos);
  EXPECT_EQ(server.requests().size(), 1U);
  EXPECT_NE(message_of([&] {
              download(server.url(), path_, kQuick, {}, 299'999);
            }).find("limit of 299999 bytes"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(Download, SeveralAtOnceLoadItOnce) {
  const TestServer server(
      [&](const TestRequest& request) { return serve_file(request, content_, "\"1\""); });
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { download(server.url(), path_, kQuick); });
  }
  for (std::thread& thread : threads) thread.join();
  expect_only(content_);
  EXPECT_EQ(server.requests().size(), 1U);
}

}  // namespace
}  // namespace clipnext::net
