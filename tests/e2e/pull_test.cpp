#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "e2e/program.h"
#include "hub/test_hub.h"

namespace clipnext::e2e {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModel = "models/emoji-convnext-atto/";
constexpr const char* kWeights = "open_clip_model.safetensors";
constexpr const char* kConfig = "open_clip_config.json";

std::map<std::string, hub::TestHub::File> demo_files() {
  return {{kConfig, {read(source_path(std::string(kModel) + kConfig))}},
          {kWeights, {read(source_path(std::string(kModel) + kWeights)), true}},
          {"README.md", {"The demo model."}}};
}

/// What a killed pull left of a file that comes in ranges (docs/formats.md).
int64_t arrived_in_ranges(const std::string& part) {
  if (!fs::exists(part + ".json")) return 0;
  const Json origin = Json::parse(read(part + ".json"));
  if (!origin.contains("ranges")) return 0;  // killed before it was divided
  const std::string bytes = read(part);
  if (bytes.size() < origin.at("size").get<size_t>()) return 0;
  int64_t arrived = 0;
  for (size_t i = 0; i < origin.at("ranges").get<size_t>(); ++i) {
    int64_t count = 0;
    std::memcpy(&count, bytes.data() + origin.at("size").get<size_t>() + i * sizeof count,
                sizeof count);
    arrived += count;
  }
  return arrived;
}

class PullProgram : public Program {
 protected:
  e2e::Run command(std::vector<std::string> args) const {
    return {.args = std::move(args),
            .environment = {{"HF_ENDPOINT", hub_.url()},
                            {"HF_HOME", path("home")},
                            {"HF_HUB_CACHE", ""},
                            {"HUGGINGFACE_HUB_CACHE", ""},
                            {"HF_TOKEN", ""},
                            {"HF_HUB_OFFLINE", ""},
                            {"no_proxy", "127.0.0.1"}}};
  }
  Outcome clipnext(std::vector<std::string> args) const { return run(command(std::move(args))); }
  std::string snapshot(const std::string& name = "") const {
    return path("home/hub/models--org--model/snapshots/" + std::string(hub::TestHub::kCommit) +
                (name.empty() ? "" : "/" + name));
  }
  const std::string& content(const std::string& name) const { return hub_.files.at(name).content; }

  hub::TestHub hub_{demo_files()};
};

TEST_F(PullProgram, BringsAModelIntoTheCache) {
  const Outcome outcome = clipnext({"pull", "hf-hub:org/model", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json json = outcome.json();
  EXPECT_EQ(json.at("repository"), "org/model");
  EXPECT_EQ(json.at("commit"), hub::TestHub::kCommit);
  EXPECT_EQ(json.at("folder"), snapshot());
  ASSERT_EQ(json.at("files").size(), 2U);
  EXPECT_EQ(json.at("files")[1].at("name"), kWeights);
  EXPECT_EQ(json.at("files")[1].at("etag"), hub_.files.at(kWeights).etag());
  EXPECT_TRUE(read(snapshot(kWeights)) == content(kWeights));
  const int64_t served = hub_.bytes_served();
  const Outcome again = clipnext({"pull", "hf-hub:org/model", "--json"});
  EXPECT_EQ(again.json().at("missing_bytes"), 0);
  EXPECT_EQ(hub_.bytes_served(), served);
}

TEST_F(PullProgram, ListsAndPlansWithoutFetching) {
  EXPECT_EQ(clipnext({"pull", "org/model", "--list", "--json"}).json().at("files").size(), 3U);
  const Json plan = clipnext({"pull", "org/model", "--dry-run", "--json"}).json();
  EXPECT_EQ(plan.at("missing_bytes"), content(kWeights).size());
  EXPECT_EQ(plan.at("files")[1].at("cached"), false);
  EXPECT_EQ(hub_.cdn.bytes_served(), 0);
}

TEST_F(PullProgram, MakesAPlainFolderThatLoads) {
  const Outcome pulled = clipnext({"pull", "org/model", "--all", "-o", path("out")});
  ASSERT_EQ(pulled.status, 0) << pulled.err;
  EXPECT_TRUE(fs::exists(path("out/README.md")));
  EXPECT_EQ(clipnext({"inspect", path("out")}).status, 0);
}

TEST_F(PullProgram, EveryCommandPullsByItself) {
  const auto embed = [&](const std::string& out, std::vector<std::string> more = {}) {
    std::vector<std::string> args = {"embed", picture("cactus"), "-o", path(out)};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  };
  const Outcome refused = run([&] {
    e2e::Run offline = command(embed("a.npy", {"--model", "hf-hub:org/model"}));
    offline.environment["HF_HUB_OFFLINE"] = "1";
    return offline;
  }());
  expect_error(refused, 1, "run `clipnext pull hf-hub:org/model` where there is a connection");
  ASSERT_EQ(clipnext(embed("demo.npy")).status, 0);
  const Outcome first = clipnext(embed("a.npy", {"--model", "hf-hub:org/model"}));
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_NE(first.err.find("downloading hf-hub:org/model"), std::string::npos) << first.err;
  EXPECT_EQ(read(path("a.npy")), read(path("demo.npy")));
  const size_t requests = hub_.server.requests().size();
  const Outcome second = clipnext(embed("b.npy", {"--model", "hf-hub:org/model"}));
  EXPECT_EQ(second.status, 0);
  EXPECT_EQ(second.err.find("downloading"), std::string::npos);
  EXPECT_EQ(hub_.server.requests().size(), requests);
}

TEST_F(PullProgram, AConfigurationAloneIsEnoughForSome) {
  const Outcome outcome = clipnext({"profile", "hf-hub:org/model"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(hub_.cdn.bytes_served(), 0);
}

TEST_F(PullProgram, KilledAtAnyMomentItLeavesNothingHalfAndGoesOn) {
  const std::string blob =
      path("home/hub/models--org--model/blobs/") + hub_.files.at(kWeights).etag();
  hub_.bytes_per_second = 1'000'000;  // of each of two connections: 10 s in all
  int killed = 0;
  int64_t arrived = 0;
  for (int ms = 40; arrived < 1'000'000 && ms < 8000; ms = ms * 4 / 3) {
    e2e::Run pull = command({"pull", "org/model"});
    pull.kill_after_ms = ms;
    killed += run(pull).status == 128 + SIGKILL ? 1 : 0;
    for (const char* name : {kWeights, kConfig}) {
      EXPECT_TRUE(!fs::exists(snapshot(name)) || read(snapshot(name)) == content(name));
    }
    EXPECT_FALSE(fs::exists(blob));
    const int64_t now = arrived_in_ranges(blob + ".clipnext.incomplete");
    EXPECT_GE(now, arrived);
    arrived = now;
  }
  EXPECT_GE(killed, 4);
  hub_.bytes_per_second = 0;
  EXPECT_GT(arrived, 1'000'000);
  const int64_t before = hub_.cdn.bytes_served();
  const Outcome last = clipnext({"pull", "org/model"});
  ASSERT_EQ(last.status, 0) << last.err;
  EXPECT_TRUE(read(snapshot(kWeights)) == content(kWeights));
  EXPECT_EQ(hub_.cdn.bytes_served() - before,
            static_cast<int64_t>(content(kWeights).size()) - arrived);
  int64_t blobs = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(blob).parent_path())) {
    // A kill while a small file was written leaves what was to become it.
    blobs += entry.path().string().find(".tmp.") == std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(blobs, 2);
}

TEST_F(PullProgram, AnInterruptEndsItAndItGoesOn) {
  hub_.bytes_per_second = 1'000'000;
  e2e::Run pull = command({"pull", "org/model"});
  pull.interrupt_after_ms = 800;
  const Outcome stopped = run(pull);
  EXPECT_EQ(stopped.status, 130) << stopped.err;
  EXPECT_FALSE(fs::exists(snapshot(kWeights)));
  hub_.bytes_per_second = 0;
  EXPECT_EQ(clipnext({"pull", "org/model"}).status, 0);
}

TEST_F(PullProgram, ATokenIsNeverShownNorToldElsewhere) {
  hub_.token = "hf_secret";
  expect_error(clipnext({"pull", "org/model"}), 1, "set HF_TOKEN");
  e2e::Run wrong = command({"pull", "org/model"});
  wrong.environment["HF_TOKEN"] = "hf_other";
  const Outcome refused = run(wrong);
  expect_error(refused, 1, "does not give access");
  EXPECT_EQ(refused.err.find("hf_other"), std::string::npos);
  write("home/token", "hf_secret\n");
  const Outcome pulled = clipnext({"pull", "org/model"});
  ASSERT_EQ(pulled.status, 0) << pulled.err;
  EXPECT_EQ((pulled.out + pulled.err).find("hf_secret"), std::string::npos);
  for (const net::TestRequest& request : hub_.cdn.requests()) {
    EXPECT_FALSE(request.headers.contains("authorization"));
  }
}

TEST_F(PullProgram, FetchesAFileOfTheWeb) {
  const std::string url = hub_.cdn.url("/" + std::string(kWeights));
  const std::string sha = hub_.files.at(kWeights).etag();
  expect_error(clipnext({"pull", url, "-o", path("w"), "--sha256", std::string(64, '0')}), 1,
               "it was thrown away");
  EXPECT_FALSE(fs::exists(path("w")));
  const Outcome outcome = clipnext({"pull", url, "-o", path("in/"), "--sha256", sha, "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.json().at("path"), path("in/") + kWeights);
  EXPECT_TRUE(read(path("in/") + kWeights) == content(kWeights));
  EXPECT_EQ(
      clipnext({"pull", hub_.url("/org/model/resolve/main/README.md"), "-o", path("R")}).status, 0);
  EXPECT_EQ(read(path("R")), content("README.md"));
}

TEST_F(PullProgram, WrongCommandLinesSaySo) {
  expect_error(clipnext({"pull"}), 2, "required");
  expect_error(clipnext({"pull", hub_.cdn.url("/a"), "--all"}), 2, "goes with a repository");
  expect_error(clipnext({"pull", "org/model", "--sha256", "12"}), 2, "is no SHA-256");
  expect_error(clipnext({"pull", "a/b/c"}), 1, "is no repository of the hub");
  expect_error(clipnext({"pull", "org/nothing"}), 1, "there is no such repository");
}

}  // namespace
}  // namespace clipnext::e2e
