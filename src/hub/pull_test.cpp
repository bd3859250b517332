#include "hub/pull.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/test_error.h"
#include "base/test_folder.h"
#include "hub/cache.h"
#include "hub/model_files.h"
#include "hub/remote.h"
#include "hub/test_hub.h"

namespace clipnext::hub {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCommit = TestHub::kCommit;
constexpr const char* kConfig = R"({"model_cfg": {"text_cfg": {}}})";
constexpr const char* kWeights = "open_clip_model.safetensors";

std::string make_content(size_t size) {
  std::string content(size, '\0');
  uint32_t state = 7;
  for (char& c : content) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return content;
}

std::map<std::string, TestHub::File> model_files() {
  return {{kConfigFile, {kConfig}},
          {kWeights, {make_content(200'000), true}},
          {"open_clip_pytorch_model.bin", {"other weights", true}},
          {"tokenizer.json", {"{}"}},
          {"README.md", {"read"}},
          {"figures/a b.png", {"picture", true}}};
}

#define EXPECT_ERROR(error, part) \
  EXPECT_NE((error).find(part), std::string::npos) << "\"" << (error) << "\" lacks " << (part)

class Pull : public testing::Test {
 protected:
  Settings settings() const { return {.endpoint = hub_.url(), .cache = folder_.path()}; }

  Plan pull(const Selection& selection = {}) const { return pull(settings(), selection); }
  static Plan pull(const Settings& settings, const Selection& selection = {}) {
    const Plan plan = make_plan(settings, {.id = "org/model"}, selection);
    fetch(settings, plan, kOptions);
    return plan;
  }
  std::string error_of(const Settings& settings, const Selection& selection = {}) const {
    return message_of([&] { pull(settings, selection); });
  }
  std::string error() const { return error_of(settings()); }

  fs::path repository() const { return folder_ / "models--org--model"; }
  fs::path snapshot(const std::string& name) const {
    return repository() / "snapshots" / kCommit / name;
  }
  fs::path blob(const std::string& name) const {
    return repository() / "blobs" / hub_.files.at(name).etag();
  }
  std::vector<std::string> blobs() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(repository() / "blobs")) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  inline static const PullOptions kOptions = {.connections = 4, .least_range = 20'000};

  TestFolder folder_;
  TestHub hub_{model_files()};
};

TEST_F(Pull, LaysAModelOutAsTheHubsLibraryDoes) {
  const Plan plan = pull();
  ASSERT_EQ(plan.files.size(), 2U);
  EXPECT_EQ(plan.commit, kCommit);
  EXPECT_EQ(read_file(repository() / "refs" / "main"), kCommit);
  for (const char* name : {kConfigFile, kWeights}) {
    EXPECT_EQ(fs::read_symlink(snapshot(name)),
              fs::path("../../blobs") / hub_.files.at(name).etag());
    EXPECT_TRUE(read_file(snapshot(name)) == hub_.files.at(name).content);
  }
  EXPECT_EQ(blobs().size(), 2U);
  EXPECT_TRUE(read_file(folder_ / "CACHEDIR.TAG").starts_with("Signature: 8a477f597d28d172789f"));
}

TEST_F(Pull, FetchesWhatIsMissingOnce) {
  pull();
  const int64_t before = hub_.bytes_served();
  EXPECT_EQ(before, 200'000 + 1 + static_cast<int64_t>(std::string(kConfig).size()));
  const Plan again = pull();
  EXPECT_TRUE(again.whole());
  EXPECT_EQ(again.missing_bytes(), 0);
  EXPECT_EQ(hub_.bytes_served(), before);
  fs::remove(snapshot(kWeights));  // the blob is still there
  pull();
  EXPECT_EQ(hub_.bytes_served(), before);
  EXPECT_TRUE(fs::is_symlink(snapshot(kWeights)));
  fs::remove(blob(kConfigFile));
  pull();
  EXPECT_EQ(read_file(snapshot(kConfigFile)), kConfig);
}

TEST_F(Pull, OtherSelectionsFetchOtherFiles) {
  pull({.kind = Selection::Kind::kGlobs, .globs = {"*.png", "READ*"}});
  EXPECT_EQ(fs::read_symlink(snapshot("figures/a b.png")),
            fs::path("../../../blobs") / hub_.files.at("figures/a b.png").etag());
  EXPECT_EQ(read_file(snapshot("figures/a b.png")), "picture");
  EXPECT_FALSE(fs::exists(snapshot(kConfigFile)));
  EXPECT_EQ(pull({.kind = Selection::Kind::kAll}).files.size(), 6U);
  EXPECT_ERROR(error_of(settings(), {.kind = Selection::Kind::kGlobs, .globs = {"x*", "y"}}),
               "hf-hub:org/model: none of its 6 files fits x*, y");
}

TEST_F(Pull, TakesTheWeightsAndTokenizerThatOpenClipWould) {
  hub_.files.erase(kWeights);
  hub_.files[kConfigFile].content = R"({"model_cfg": {"text_cfg": {"hf_tokenizer_name": "a/b"}}})";
  std::vector<std::string> names;
  for (const PulledFile& file : pull().files) names.push_back(file.name);
  EXPECT_EQ(names, (std::vector<std::string>{kConfigFile, "open_clip_pytorch_model.bin",
                                             "tokenizer.json"}));
  EXPECT_EQ(fs::file_size(repository() / ".no_exist" / kCommit / kWeights), 0U);
}

TEST_F(Pull, RepositoriesThatAreNoModelsSayWhatToDo) {
  hub_.files.erase(kConfigFile);
  EXPECT_ERROR(error(), "it has no open_clip_config.json (`clipnext pull --list`");
  hub_.files = {{kConfigFile, {kConfig}}};
  EXPECT_ERROR(error(), "has open_clip_config.json but no weights");
}

TEST_F(Pull, GoesOnWithWhatArrived) {
  bool broken = true;
  hub_.cdn_hook = [&](const net::TestRequest& request) -> std::optional<net::TestAnswer> {
    if (!broken) return std::nullopt;
    if (request.headers.at("range").ends_with("-0")) return std::nullopt;
    return net::TestAnswer{.status = 403};
  };
  EXPECT_ERROR(error(), "HTTP status 403");
  EXPECT_FALSE(fs::exists(snapshot(kWeights)));
  EXPECT_FALSE(fs::exists(blob(kWeights)));
  EXPECT_TRUE(fs::exists(blob(kWeights).string() + ".clipnext.incomplete"));
  broken = false;
  pull();
  EXPECT_TRUE(read_file(snapshot(kWeights)) == hub_.files.at(kWeights).content);
  EXPECT_EQ(blobs().size(), 2U);
}

TEST_F(Pull, AWrongHashIsThrownAway) {
  for (const char* name : {kConfigFile, kWeights}) {
    TestHub::File& file = hub_.files[name];
    const std::string right = file.content;
    const std::string etag = file.etag();
    hub_.hook = [&](const net::TestRequest& request) -> std::optional<net::TestAnswer> {
      const bool asked = request.path.ends_with(std::string("/") + name);
      if (!asked || request.method == "GET") return std::nullopt;
      return net::TestAnswer{.headers = {"X-Linked-Etag: \"" + etag + "\"",
                                         "X-Linked-Size: " + std::to_string(right.size())}};
    };
    file.content.back() ^= 1;
    const std::string message = error();
    EXPECT_ERROR(message, "it was thrown away");
    EXPECT_ERROR(message, etag);
    EXPECT_FALSE(fs::exists(snapshot(name)));
    for (const std::string& blob : blobs()) EXPECT_FALSE(blob.starts_with(etag)) << blob;
    file.content = right;
    hub_.hook = nullptr;
  }
  pull();
}

TEST_F(Pull, BlobsCutShortAreFetchedAgain) {
  pull();
  fs::remove(snapshot(kWeights));
  write_file(blob(kWeights), "half");
  pull();
  EXPECT_TRUE(read_file(snapshot(kWeights)) == hub_.files.at(kWeights).content);
}

TEST_F(Pull, TheTokenGoesToTheHubAlone) {
  hub_.token = "hf_secret";
  const std::string without = error();
  EXPECT_ERROR(without, "the repository is gated: accept its conditions");
  EXPECT_ERROR(without, "no token was sent");
  Settings with = settings();
  with.token = "hf_wrong";
  const std::string wrong = error_of(with);
  EXPECT_ERROR(wrong, "does not give access");
  EXPECT_EQ(wrong.find("hf_wrong"), std::string::npos);
  with.token = "hf_secret";
  pull(with);
  ASSERT_FALSE(hub_.cdn.requests().empty());
  for (const net::TestRequest& request : hub_.cdn.requests()) {
    EXPECT_FALSE(request.headers.contains("authorization"));
  }
}

TEST_F(Pull, OfflineTakesWhatIsThereAndSaysWhatIsNot) {
  Settings offline = settings();
  offline.offline = true;
  EXPECT_ERROR(error_of(offline),
               "run `clipnext pull hf-hub:org/model` where there is a connection");
  pull();
  const size_t requests = hub_.server.requests().size();
  EXPECT_TRUE(pull(offline).whole());
  fs::remove(snapshot(kWeights));
  EXPECT_ERROR(error_of(offline), "but no weights");
  EXPECT_EQ(hub_.server.requests().size(), requests);
}

TEST_F(Pull, OneFileIsTakenFromTheCacheOrFetched) {
  const std::map<std::string, std::string> environment = {{"HF_ENDPOINT", hub_.url()},
                                                          {"HF_HUB_CACHE", folder_.path().string()},
                                                          {"HF_HUB_OFFLINE", ""},
                                                          {"HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"}};
  for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
  const auto file = [](const std::string& name) {
    return repository_file({.id = "org/model"}, name);
  };
  const std::string advice = "`clipnext pull hf-hub:org/model --include README.md`";
  setenv("HF_HUB_OFFLINE", "1", 1);
  EXPECT_ERROR(message_of([&] { file("README.md"); }), advice);
  setenv("HF_HUB_OFFLINE", "", 1);
  hub_.hook = [](const net::TestRequest&) -> std::optional<net::TestAnswer> {
    return net::TestAnswer{.status = 403};
  };
  EXPECT_ERROR(message_of([&] { file("README.md"); }), advice);
  hub_.hook = nullptr;
  EXPECT_EQ(read_file(file("README.md")), "read");
  const size_t requests = hub_.server.requests().size();
  EXPECT_EQ(file("README.md").string(), snapshot("README.md").string());
  EXPECT_EQ(hub_.server.requests().size(), requests);
  EXPECT_FALSE(fs::exists(snapshot(kWeights)));
  for (const auto& [name, value] : environment) unsetenv(name.c_str());
}

TEST_F(Pull, SeveralAtOnceFetchItOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { pull(); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(read_file(snapshot(kWeights)) == hub_.files.at(kWeights).content);
  EXPECT_EQ(hub_.cdn.bytes_served(), 200'001);
}

TEST_F(Pull, ARenamedRepositoryIsFollowed) {
  hub_.hook = [&](const net::TestRequest& request) -> std::optional<net::TestAnswer> {
    const size_t at = request.path.find("/old/name/");
    if (at == std::string::npos) return std::nullopt;
    std::string path = request.path;
    path.replace(at, 10, "/org/model/");
    return net::TestAnswer{.status = 307, .headers = {"Location: " + path}};
  };
  const Plan plan = make_plan(settings(), {.id = "old/name"}, {});
  fetch(settings(), plan);
  EXPECT_TRUE(fs::exists(folder_ / "models--old--name/snapshots" / kCommit / kWeights));
}

TEST_F(Pull, HostileListingsAreRefused) {
  const auto listed = [&](const std::string& body) {
    hub_.hook = [body](const net::TestRequest& request) -> std::optional<net::TestAnswer> {
      if (!request.path.starts_with("/api/")) return std::nullopt;
      return net::TestAnswer{.body = body};
    };
    return error_of(settings(), {.kind = Selection::Kind::kAll});
  };
  const std::string head = std::string(R"({"sha": ")") + kCommit + R"(", "siblings": [)";
  for (const char* name :
       {"../x", "/etc/passwd", "a/../../x", "a//b", "", ".", "a\\\\b", "a\\u0000b", "a\\nb"}) {
    EXPECT_ERROR(listed(head + R"({"rfilename": ")" + name + "\"}]}"), "outside of the repository");
  }
  EXPECT_ERROR(listed(head + R"({"rfilename": "a", "size": -7}]})"), "cannot be");
  EXPECT_ERROR(listed(head + R"({"rfilename": "a", "size": 99999999999999999}]})"), "cannot be");
  EXPECT_ERROR(listed(R"({"sha": "../../x", "siblings": []})"), "is no commit");
  EXPECT_ERROR(listed(R"({"siblings": 3})"), "does not answer as the hub does");
  EXPECT_ERROR(listed("[]"), "does not answer as the hub does");
  EXPECT_NE(listed("<html>a proxy's page</html>"), "no error");
  EXPECT_FALSE(fs::exists(repository()));
}

TEST_F(Pull, HostileHeadersAreRefused) {
  const auto headed = [&](std::vector<std::string> headers, int status = 200) {
    hub_.hook = [=](const net::TestRequest& request) -> std::optional<net::TestAnswer> {
      if (request.method != "HEAD" || !request.path.ends_with(kWeights)) return std::nullopt;
      return net::TestAnswer{.status = status, .headers = headers};
    };
    return error();
  };
  EXPECT_ERROR(headed({"X-Linked-Etag: \"../../x\""}), "an ETag that is none");
  EXPECT_ERROR(headed({"X-Linked-Etag: \".\""}), "an ETag that is none");
  EXPECT_ERROR(headed({}), "no ETag");
  EXPECT_ERROR(headed({"X-Linked-Etag: \"a\"", "X-Linked-Size: 999999999999999999"}), "cannot be");
  EXPECT_ERROR(headed({"X-Linked-Etag: \"a\"", "X-Linked-Size: 9999999999999"}), "make room");
  EXPECT_ERROR(headed({"Location: /again/open_clip_model.safetensors"}, 302), "more than 10 times");
}

TEST_F(Pull, AnsweringBadlyIsSaidInTheHubsTerms) {
  EXPECT_ERROR(message_of([&] { make_plan(settings(), {.id = "no/such"}, {}); }),
               "no/such: there is no such repository");
  EXPECT_ERROR(
      message_of([&] { make_plan(settings(), {.id = "org/model", .revision = "v9"}, {}); }),
      "org/model has no revision \"v9\"");
  hub_.hook = [](const net::TestRequest&) -> std::optional<net::TestAnswer> {
    return net::TestAnswer{.status = 403};
  };
  EXPECT_ERROR(error(), "HTTP status 403: access is refused; no token was sent");
}

TEST_F(Pull, CopiesAsAPlainFolder) {
  const Plan plan = pull({.kind = Selection::Kind::kAll});
  const TestFolder out;
  copy_to(plan, out / "model");
  for (const auto& [name, file] : hub_.files) {
    const fs::path copy = out / "model" / name;
    EXPECT_FALSE(fs::is_symlink(copy));
    EXPECT_TRUE(read_file(copy) == file.content);
  }
  const auto before = fs::last_write_time(out / "model" / kWeights);
  write_file(out / "model" / "README.md", "mine");
  copy_to(plan, out / "model");
  EXPECT_EQ(fs::last_write_time(out / "model" / kWeights), before);
  EXPECT_EQ(read_file(out / "model" / "README.md"), "read");
}

TEST(Repository, IsParsedAsTheHubNamesThem) {
  EXPECT_EQ(parse_repository("hf-hub:a/b").id, "a/b");
  EXPECT_EQ(parse_repository("a/b/").id, "a/b");
  EXPECT_EQ(parse_repository("gpt2").id, "gpt2");
  EXPECT_EQ(parse_repository("hf-hub:a/b@refs/pr/1").revision, "refs/pr/1");
  EXPECT_EQ(parse_repository("a/b@v1").name(), "hf-hub:a/b@v1");
  EXPECT_EQ(parse_repository("a/b").name(), "hf-hub:a/b");
  for (const char* bad : {"", "a/b/c", "../b", "a/..", "a--b/c", "-a/b", "a/b.git", "a b/c", "a/b@",
                          "a/b@../x", "a/b@/x", "/b"}) {
    EXPECT_THROW(parse_repository(bad), Error) << bad;
  }
}

TEST(Origin, IsSchemeHostAndPort) {
  EXPECT_EQ(origin_of("https://Hub.co/a"), "https://hub.co:443");
  EXPECT_EQ(origin_of("http://hub.co"), "http://hub.co:80");
  EXPECT_EQ(origin_of("https://hub.co:8443?x"), "https://hub.co:8443");
  EXPECT_EQ(origin_of("https://hub.co@evil.org/"), "https://evil.org:443");
  EXPECT_EQ(origin_of("https://evil.org/@hub.co"), "https://evil.org:443");
  EXPECT_EQ(origin_of("file:///etc"), "");
}

TEST(Settings, AreReadWhereTheHubsLibraryReadsThem) {
  const TestFolder folder;
  const std::map<std::string, std::string> none = {{"HF_HUB_CACHE", ""},
                                                   {"HUGGINGFACE_HUB_CACHE", ""},
                                                   {"HF_HOME", ""},
                                                   {"XDG_CACHE_HOME", ""},
                                                   {"HF_TOKEN", ""},
                                                   {"HUGGING_FACE_HUB_TOKEN", ""},
                                                   {"HF_ENDPOINT", ""},
                                                   {"HF_TOKEN_PATH", ""},
                                                   {"HF_HUB_OFFLINE", ""},
                                                   {"TRANSFORMERS_OFFLINE", ""},
                                                   {"HF_HUB_DISABLE_IMPLICIT_TOKEN", ""},
                                                   {"HOME", folder.path().string()}};
  const auto with = [&](std::map<std::string, std::string> set) {
    std::map<std::string, std::optional<std::string>> before;
    set.insert(none.begin(), none.end());
    for (const auto& [name, value] : set) {
      const char* old = std::getenv(name.c_str());
      if (old != nullptr)
        before[name] = old;
      else
        before[name] = std::nullopt;
      setenv(name.c_str(), value.c_str(), 1);
    }
    Settings settings;
    const std::string error = message_of([&] { settings = read_settings(); });
    for (const auto& [name, value] : before) {
      if (value)
        setenv(name.c_str(), value->c_str(), 1);
      else
        unsetenv(name.c_str());
    }
    if (error != "no error") settings.token = error;
    return settings;
  };
  EXPECT_EQ(with({}).cache, folder / ".cache/huggingface/hub");
  EXPECT_EQ(with({}).endpoint, "https://huggingface.co");
  EXPECT_EQ(with({}).token, "");
  EXPECT_FALSE(with({}).offline);
  EXPECT_EQ(with({{"XDG_CACHE_HOME", "/x"}}).cache, "/x/huggingface/hub");
  EXPECT_EQ(with({{"XDG_CACHE_HOME", "/x"}, {"HF_HOME", "~/h"}}).cache, folder / "h/hub");
  EXPECT_EQ(with({{"HF_HOME", "/h"}, {"HF_HUB_CACHE", "/c"}}).cache, "/c");
  EXPECT_EQ(with({{"HF_ENDPOINT", "https://m.org//"}}).endpoint, "https://m.org");
  EXPECT_EQ(with({{"HF_TOKEN", " hf_a\n"}}).token, "hf_a");
  EXPECT_EQ(with({{"HF_TOKEN", "hf_a"}, {"HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"}}).token, "");
  EXPECT_ERROR(with({{"HF_TOKEN", "hf_a\r\nX-Evil: 1"}}).token, "HF_TOKEN: is no token");
  EXPECT_TRUE(with({{"HF_HUB_OFFLINE", "yes"}}).offline);
  write_file(folder / "token", "hf_b\n");
  EXPECT_EQ(with({{"HF_HOME", folder.path().string()}}).token, "hf_b");
  EXPECT_EQ(with({{"HF_TOKEN_PATH", (folder / "token").string()}}).token, "hf_b");
  EXPECT_EQ(with({{"HF_TOKEN_PATH", (folder / "token").string()}, {"HF_TOKEN", "hf_c"}}).token,
            "hf_c");
}

TEST(ModelFiles, WeightsAreChosenInOpenClipsOrder) {
  EXPECT_EQ(choose_weights({"b.safetensors", "open_clip_pytorch_model.bin", "model.safetensors"}),
            "open_clip_pytorch_model.bin");
  EXPECT_EQ(choose_weights({"z.safetensors", "a.bin", "b/a.safetensors"}), "z.safetensors");
  EXPECT_EQ(choose_weights({"z.pt", "b.pth", "x.txt"}), "b.pth");
  EXPECT_EQ(choose_weights({"README.md", "sub/open_clip_model.safetensors"}), "");
}

}  // namespace
}  // namespace clipnext::hub
