#include "net/http.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>

#include "base/error.h"
#include "base/file.h"
#include "base/test_error.h"
#include "base/test_folder.h"
#include "net/test_server.h"
#include "net/transfer.h"

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

TEST(FetchText, WhatWillNotChangeIsNotTriedAgain) {
  const TestServer server([](const TestRequest& request) -> TestAnswer {
    return {.status = request.path == "/secret" ? 401 : 410};
  });
  HttpOptions options = kQuick;
  options.explain = [](const Answer& answer) {
    return answer.status == 401 ? "say who you are" : std::string();
  };
  EXPECT_EQ(message_of([&] { fetch_text(server.url("/secret"), options); }),
            server.url("/secret") + ": HTTP status 401: say who you are");
  EXPECT_EQ(message_of([&] { fetch_text(server.url("/gone"), options); }),
            server.url("/gone") + ": HTTP status 410");
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST(FetchText, WaitsAsLongAsTheServerAsks) {
  int count = 0;
  const TestServer server([&](const TestRequest& request) -> TestAnswer {
    if (request.path == "/long") return {.status = 429, .headers = {"Retry-After: 4000"}};
    return ++count == 1 ? TestAnswer{.status = 429, .headers = {"Retry-After: 1"}}
                        : TestAnswer{.body = "now"};
  });
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(fetch_text(server.url("/a"), kQuick), "now");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(950));
  EXPECT_EQ(message_of([&] { fetch_text(server.url("/long"), kQuick); }),
            server.url("/long") + ": HTTP status 429; the server asks to wait for 1h06m");
  EXPECT_EQ(server.requests_for("/long"), 1U);
}

TEST(FetchText, ATokenIsNotToldToAnotherServer) {
  const TestServer other([](const TestRequest&) -> TestAnswer { return {.body = "there"}; });
  const TestServer server([&](const TestRequest&) -> TestAnswer {
    return {.status = 302, .headers = {"Location: " + other.url("/a")}};
  });
  EXPECT_EQ(fetch_text(server.url("/a"), {.headers = {"Authorization: Bearer secret"}}), "there");
  EXPECT_EQ(server.requests().at(0).headers.at("authorization"), "Bearer secret");
  EXPECT_FALSE(other.requests().at(0).headers.contains("authorization"));
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
              download(server.url(), path_, kQuick, {}, {.max_bytes = 299'999});
            }).find("limit of 299999 bytes"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(path_));
}

// Small enough for several ranges of kContent.
const DownloadOptions kDivided = {.connections = 4, .least_range = 50'000};

TEST_F(Download, ALargeFileComesInSeveralRanges) {
  const TestServer server(
      [&](const TestRequest& request) { return serve_file(request, content_, "\"1\""); }, true);
  int64_t last = 0;
  download(
      server.url("/a"), path_, kQuick,
      [&](int64_t done, int64_t total) {
        EXPECT_GT(done, last);
        EXPECT_EQ(total, 300'000);
        last = done;
      },
      kDivided);
  EXPECT_EQ(last, 300'000);
  expect_only(content_);
  std::vector<std::string> ranges;
  for (const TestRequest& request : server.requests()) {
    ranges.push_back(request.headers.at("range"));
  }
  std::sort(ranges.begin(), ranges.end());
  EXPECT_EQ(ranges, (std::vector<std::string>{"bytes=0-0", "bytes=0-74999", "bytes=150000-224999",
                                              "bytes=225000-299999", "bytes=75000-149999"}));
  EXPECT_EQ(server.bytes_served(), 300'001);
}

TEST_F(Download, RangesGoOnWhereEachWasCutOff) {
  int count = 0;
  const TestServer server(
      [&](const TestRequest& request) {
        TestAnswer answer = serve_file(request, content_, "\"1\"");
        if (answer.body.size() > 1 && ++count <= 4) answer.cut_after = 10'000 * count;
        return answer;
      },
      true);
  download(server.url("/a"), path_, kQuick, {}, kDivided);
  expect_only(content_);
  EXPECT_EQ(server.bytes_served(), 300'001);
}

TEST_F(Download, RangesGoOnInALaterProcess) {
  bool broken = true;
  const TestServer server(
      [&](const TestRequest& request) {
        TestAnswer answer = serve_file(request, content_, "\"1\"");
        if (broken && answer.body.size() > 1) answer.cut_after = 20'000;
        return answer;
      },
      true);
  EXPECT_NE(message_of([&] {
              download(server.url("/a"), path_, {.tries = 1}, {}, kDivided);
            }).find("(tried 1 times)"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(path_));
  const int64_t before = server.bytes_served();
  EXPECT_GE(before, 20'001);
  broken = false;
  download(server.url("/a"), path_, kQuick, {}, kDivided);
  expect_only(content_);
  // A range that was stopped because another failed may have been sent more than it kept.
  EXPECT_LE(server.bytes_served(), 300'001 + 3 * 20'000);
}

TEST_F(Download, WhatLiesThereOfRangesIsCheckedBeforeItIsUsed) {
  fs::create_directories(path_.parent_path());
  fs::path part = path_;
  part += ".part";
  const TestServer server(
      [&](const TestRequest& request) { return serve_file(request, content_, "\"1\""); }, true);
  const auto origin = [&](const std::string& size, const std::string& ranges) {
    return R"({"url": ")" + server.url("/a") + R"(", "etag": "\"1\"", "size": )" + size +
           R"(, "ranges": )" + ranges + "}";
  };
  const std::string far(8, '\x7f');
  for (const auto& [json, bytes] : std::vector<std::pair<std::string, std::string>>{
           {origin("300000", "2"), std::string(300'000, 'x') + far + far},
           {origin("300000", "2"), std::string(300'000, 'x') + std::string(16, '\xff')},
           {origin("300000", "2"), "short"},
           {origin("300000", "0"), std::string(300'000, 'x')},
           {origin("300000", "1000000000"), "short"},
           {origin("-5", "1"), ""},
           {origin("9223372036854775807", "2"), "short"},
           {origin("\"many\"", "2"), "short"}}) {
    write_file(part, bytes);
    write_file(part.string() + ".json", json);
    download(server.url("/a"), path_, kQuick, {}, kDivided);
    expect_only(content_);
    fs::remove(path_);
  }
}

TEST_F(Download, AKillBetweenTheLastStepsLosesNothing) {
  fs::create_directories(path_.parent_path());
  const TestServer server(
      [&](const TestRequest& request) { return serve_file(request, content_, "\"1\""); }, true);
  fs::path part = path_;
  part += ".part";
  write_file(part, content_);
  write_file(part.string() + ".json", R"({"url": ")" + server.url("/a") +
                                          R"(", "etag": "\"1\"", "size": 300000, "ranges": 4})");
  download(server.url("/a"), path_, kQuick, {}, kDivided);
  expect_only(content_);
  EXPECT_EQ(server.bytes_served(), 0);
}

TEST_F(Download, RangesBeginAgainIfTheFileChanges) {
  const std::string changed = make_content(2, 250'000);
  int count = 0;
  const TestServer server(
      [&](const TestRequest& request) {
        return ++count > 3 ? serve_file(request, changed, "\"2\"")
                           : serve_file(request, content_, "\"1\"");
      },
      true);
  download(server.url("/a"), path_, kQuick, {}, kDivided);
  expect_only(changed);
}

TEST_F(Download, RangesOfAFileThatAlwaysChangesAreGivenUp) {
  int count = 0;
  const TestServer server(
      [&](const TestRequest& request) {
        return serve_file(request, content_, "\"" + std::to_string(++count) + "\"");
      },
      true);
  EXPECT_NE(message_of([&] {
              download(server.url("/a"), path_, kQuick, {}, kDivided);
            }).find("changes while it is loaded"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(Download, WrongRangesAreNotBelieved) {
  const TestServer server(
      [&](const TestRequest& request) {
        TestAnswer answer = serve_file(request, content_, "\"1\"");
        if (answer.body.size() > 1) {
          answer.headers[1] = "Content-Range: bytes 5-74999/300000";
        }
        return answer;
      },
      true);
  EXPECT_NE(message_of([&] {
              download(server.url("/a"), path_, kQuick, {}, kDivided);
            }).find("another range, than it was asked for"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(Download, AServerWithoutRangesOrTagsSendsAllInOne) {
  for (const char* tag : {"ETag: \"1\"", "ETag: W/\"1\"", "X-None: 1"}) {
    const TestServer server(
        [&](const TestRequest&) -> TestAnswer { return {.headers = {tag}, .body = content_}; });
    download(server.url("/a"), path_, kQuick, {}, kDivided);
    expect_only(content_);
    fs::remove(path_);
  }
}

TEST_F(Download, AWrongSizeOrCheckThrowsTheFileAway) {
  const TestServer server(
      [&](const TestRequest& request) { return serve_file(request, content_, "\"1\""); }, true);
  for (const int connections : {1, 4}) {
    DownloadOptions how = {.connections = connections, .least_range = 50'000, .size = 300'001};
    EXPECT_NE(message_of([&] {
                download(server.url("/a"), path_, kQuick, {}, how);
              }).find("sent 300000 bytes, not the 300001"),
              std::string::npos);
    how.size = 299'999;
    EXPECT_NE(message_of([&] {
                download(server.url("/a"), path_, kQuick, {}, how);
              }).find("larger than the 299999 bytes"),
              std::string::npos);
    how.size = 300'000;
    how.check = [&](const fs::path& file) {
      EXPECT_TRUE(read_file(file) == content_);
      fail("not this one");
    };
    EXPECT_EQ(message_of([&] { download(server.url("/a"), path_, kQuick, {}, how); }),
              "not this one");
    EXPECT_EQ(fs::exists(path_.string() + ".part"), false);
    EXPECT_FALSE(fs::exists(path_));
  }
}

TEST_F(Download, AFullDiskIsSaidAndWhatArrivedIsKept) {
  const TestServer server(
      [&](const TestRequest& request) { return serve_file(request, content_, "\"1\""); });
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = before;
  small.rlim_cur = 100'000;
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = message_of([&] { download(server.url("/a"), path_, kQuick); });
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(message, path_.string() +
                         ".part: cannot write: File too large; what has arrived is "
                         "kept for the next try");
  download(server.url("/a"), path_, kQuick);
  expect_only(content_);
  EXPECT_EQ(server.requests().back().headers.at("range"), "bytes=100000-");
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
