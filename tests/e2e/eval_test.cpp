#include <algorithm>
#include <cmath>
#include <fstream>
#include <random>
#include <sstream>

#include "e2e/program.h"

namespace clipnext::e2e {
namespace {

namespace fs = std::filesystem;

/// Options that evaluate the demo model on webdataset folders `root`/NAME.
std::vector<std::string> eval_args(const std::string& root, const std::vector<std::string>& names,
                                   const std::string& output,
                                   const std::vector<std::string>& more = {}) {
  std::vector<std::string> args = {
      "eval",     "--model", "demo",           "--pretrained",      "tag",
      "--output", output,    "--dataset_root", root + "/{dataset}", "--dataset"};
  for (const std::string& name : names) args.push_back("wds/" + name);
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

const std::string kExamples = source_path("examples/emoji");

/// The result file as one value; bare NaN is read as null.
OrderedJson result(const std::string& path) {
  std::string text = read(path);
  for (size_t at; (at = text.find("NaN")) != std::string::npos;) text.replace(at, 3, "null");
  return OrderedJson::parse(text);
}

std::vector<std::string> keys(const OrderedJson& object) {
  std::vector<std::string> names;
  for (const auto& [name, value] : object.items()) names.push_back(name);
  return names;
}

class Eval : public Program {
 protected:
  /// A run in which nothing is kept from other tests.
  Outcome eval(std::vector<std::string> args) const {
    return run({.args = std::move(args), .environment = {{"CLIPNEXT_CACHE", path("cache")}}});
  }
  /// A copy of the small example set that a test may damage.
  fs::path copy_set() const {
    fs::create_directories(folder_ / "sets");
    fs::copy(kExamples + "/unseen", folder_ / "sets" / "mine", fs::copy_options::recursive);
    return folder_ / "sets" / "mine";
  }
};

TEST_F(Eval, WritesWhatClipBenchmarkWrites) {
  const Outcome outcome =
      eval(eval_args(kExamples, {"unseen"}, path("{dataset}_{pretrained}_{model}_{task}.json"),
                     {"--dump_classnames", "--dump_templates"}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string file = path("unseen_tag_demo_zeroshot_classification.json");
  const OrderedJson json = result(file);
  EXPECT_EQ(keys(json),
            (std::vector<std::string>{"dataset", "model", "pretrained", "task", "metrics",
                                      "language", "classnames", "templates"}));
  EXPECT_EQ(keys(json["metrics"]),
            (std::vector<std::string>{"acc1", "acc5", "mean_per_class_recall"}));
  EXPECT_EQ(json["dataset"], "wds/unseen");
  // clip_benchmark 1.6.2 on the same set and weights.
  EXPECT_NEAR(json["metrics"]["acc1"].get<double>(), 19.0 / 109, 1e-12);
  EXPECT_NEAR(json["metrics"]["acc5"].get<double>(), 28.0 / 109, 1e-12);
  EXPECT_EQ(json["classnames"].size(), 162U);
  EXPECT_NE(outcome.out.find("acc1 0.1743"), std::string::npos) << outcome.out;

  const OrderedJson details = OrderedJson::parse(read(file + ".details"));
  EXPECT_EQ(details["images"], 109);
  EXPECT_EQ(details["dtype"], "fp32");
}

TEST_F(Eval, BuildGathersResults) {
  ASSERT_EQ(eval(eval_args(kExamples, {"unseen"}, path("r/{dataset}.json"))).status, 0);
  const Outcome outcome = run({"eval", "build", path("r"), "--output", path("all.csv")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string csv = read(path("all.csv"));
  EXPECT_TRUE(csv.starts_with("dataset,model,pretrained,task,language,model_fullname,acc1,acc5,"))
      << csv;
  EXPECT_NE(csv.find("wds/unseen,demo,tag,zeroshot_classification,en,demo tag,0.17431192660550"),
            std::string::npos)
      << csv;
}

TEST_F(Eval, SkipsExistingResultsThatAreWhole) {
  const auto args = eval_args(kExamples, {"unseen"}, path("r.json"), {"--skip_existing"});
  ASSERT_EQ(eval(args).status, 0);
  const std::string whole = read(path("r.json"));
  const auto time = fs::last_write_time(path("r.json"));
  const Outcome second = eval(args);
  EXPECT_EQ(second.status, 0);
  EXPECT_EQ(fs::last_write_time(path("r.json")), time);
  for (const std::string& part : {std::string(), whole.substr(0, whole.size() / 2)}) {
    write("r.json", part);
    EXPECT_EQ(eval(args).status, 0);
    EXPECT_EQ(read(path("r.json")), whole);
  }
}

TEST_F(Eval, RunsTheOthersWhenOneFails) {
  const Outcome outcome = eval(eval_args(kExamples, {"none", "unseen"}, path("{dataset}.json")));
  EXPECT_EQ(outcome.status, 1);
  EXPECT_TRUE(fs::exists(path("unseen.json")));
  EXPECT_FALSE(fs::exists(path("none.json")));
  EXPECT_NE(outcome.err.find("none"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("1 of 2 runs failed"), std::string::npos) << outcome.err;
}

TEST_F(Eval, NeverGivesANumberForADamagedSet) {
  const auto fails = [&](const std::string& part) {
    const Outcome outcome = eval(eval_args(path("sets"), {"mine"}, path("r.json")));
    EXPECT_EQ(outcome.status, 1) << outcome.out;
    EXPECT_FALSE(fs::exists(path("r.json")));
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err << "\nlacks: " << part;
    fs::remove_all(path("sets"));
  };
  fails("sets/mine");  // no such folder

  fs::remove(copy_set() / "classnames.txt");
  fails("classnames.txt");

  write(fs::path(copy_set() / "classnames.txt").lexically_relative(folder_), "one\ntwo\n");
  fails(".cls");  // label out of range

  write(fs::path(copy_set() / "test/0.tar").lexically_relative(folder_), std::string(1024, '\0'));
  fails("0.tar");  // no samples

  const fs::path cut = copy_set() / "test/0.tar";
  fs::resize_file(cut, fs::file_size(cut) / 2);
  fails("0.tar");
}

TEST_F(Eval, SkipsBadPicturesOnlyWhenAskedAndSaysSo) {
  const fs::path tar = copy_set() / "test/0.tar";
  std::string bytes = read(tar.string());
  const size_t at = bytes.find("\x89PNG");
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, 4, "NONE");
  write(tar.lexically_relative(folder_).string(), bytes);
  const auto args = eval_args(path("sets"), {"mine"}, path("r.json"));
  EXPECT_EQ(eval(args).status, 1);
  auto skip = args;
  skip.insert(skip.end(), {"--on-bad", "skip"});
  for (int i = 0; i < 2; ++i) {
    const Outcome outcome = eval(skip);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_NE(outcome.err.find("1 pictures were left out"), std::string::npos) << outcome.err;
    const OrderedJson details = OrderedJson::parse(read(path("r.json.details")));
    EXPECT_EQ(details["images"], 108);
    EXPECT_EQ(details["skipped"].size(), 1U);
  }
}

TEST_F(Eval, KilledAnywhereItEndsTheSame) {
  fs::create_directories(folder_ / "sets");
  fs::create_directory_symlink(kExamples + "/seen", folder_ / "sets" / "a");
  fs::create_directory_symlink(kExamples + "/unseen", folder_ / "sets" / "b");
  fs::create_directory_symlink(kExamples + "/seen", folder_ / "sets" / "c");
  const auto args = eval_args(path("sets"), {"a", "b", "c"}, path("{dataset}.json"));
  ASSERT_EQ(eval(args).status, 0);
  std::vector<std::string> expected;
  for (const char* name : {"a.json", "b.json", "c.json"}) expected.push_back(read(path(name)));

  std::mt19937 random(1);
  for (int i = 0; i < 10; ++i) {
    for (const char* name : {"a.json", "b.json", "c.json"}) fs::remove(path(name));
    const int ms = std::uniform_int_distribution<>(10, 3000)(random);
    run({.args = args, .environment = {{"CLIPNEXT_CACHE", path("cache")}}, .kill_after_ms = ms});
    ASSERT_EQ(eval(args).status, 0);
    size_t next = 0;
    for (const char* name : {"a.json", "b.json", "c.json"}) {
      EXPECT_EQ(read(path(name)), expected[next++]) << "killed after " << ms << " ms";
    }
  }
  EXPECT_TRUE(!fs::exists(path("cache/unfinished")) || fs::is_empty(path("cache/unfinished")));
}

TEST_F(Eval, RanksShareTheRuns) {
  fs::create_directories(folder_ / "sets");
  std::vector<std::string> names;
  for (char c = 'a'; c <= 'e'; ++c) {
    names.emplace_back(1, c);
    fs::create_directory_symlink(kExamples + "/unseen", folder_ / "sets" / names.back());
  }
  for (const char* rank : {"0", "1"}) {
    const Outcome outcome =
        run({.args = eval_args(path("sets"), names, path(std::string(rank) + "_{dataset}.json"),
                               {"--distributed"}),
             .environment = {{"RANK", rank}, {"WORLD_SIZE", "2"}}});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
  }
  for (const std::string& name : names) {
    EXPECT_NE(fs::exists(path("0_" + name + ".json")), fs::exists(path("1_" + name + ".json")));
  }
}

TEST_F(Eval, ProbesFeaturesThatStay) {
  // The pictures' own set stands for all three splits: every class has one picture.
  const fs::path set = copy_set();
  for (const char* split : {"train", "val"}) {
    fs::copy(set / "test", set / split, fs::copy_options::recursive);
  }
  const auto args = eval_args(path("sets"), {"mine"}, path("r.json"),
                              {"--task", "linear_probe", "--val_split", "val", "--feature_root",
                               path("features"), "--fewshot_epochs", "20", "--batch_size", "32"});
  const Outcome outcome = eval(args);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const OrderedJson json = result(path("r.json"));
  EXPECT_EQ(
      keys(json["metrics"]),
      (std::vector<std::string>{"lp_acc1", "lp_acc5", "lp_mean_per_class_recall", "weight_decay",
                                "epochs", "seed", "fewshot_k", "normalized"}));
  EXPECT_GT(json["metrics"]["lp_acc1"].get<double>(), 0.9) << "it has seen these pictures";
  EXPECT_EQ(json["metrics"]["normalized"], true);
  EXPECT_TRUE(fs::exists(path("features/demo-tag-wds_mine/features_train.npy")));

  auto again = args;
  again.push_back("--skip_load");
  fs::remove_all(set);
  const std::string before = read(path("r.json"));
  ASSERT_EQ(eval(again).status, 0);
  EXPECT_EQ(read(path("r.json")), before);
}

TEST_F(Eval, ExpectedFiguresDecideTheExitStatus) {
  const auto card = [&](double value) {
    return write("card.json",
                 R"({"figures": [{"dataset": "wds/unseen", "metric": "acc1", "value": )" +
                     std::to_string(value) + R"(, "n": 109}]})");
  };
  const auto args =
      eval_args(kExamples, {"unseen"}, path("r.json"), {"--expect", card(18.0 / 109)});
  const Outcome right = eval(args);
  EXPECT_EQ(right.status, 0) << right.err << right.out;
  card(0.5);
  const Outcome missed = eval(args);
  EXPECT_EQ(missed.status, 3) << missed.err << missed.out;
  EXPECT_NE(missed.out.find("deviation"), std::string::npos) << missed.out;
  EXPECT_TRUE(fs::exists(path("r.json")));
}

TEST_F(Eval, AMissedFigureSaysWhatToLookAt) {
  const std::string card = write(
      "card.json",
      R"({"figures": [{"dataset": "wds/unseen", "metric": "acc1", "value": 0.1743119, "n": 109}]})");
  const std::string custom = write("t.json", R"({"unseen": ["zebra crossing {c} lorry"]})");
  const Outcome outcome = eval(eval_args(kExamples, {"unseen"}, path("r.json"),
                                         {"--custom_template_file", custom, "--expect", card}));
  EXPECT_EQ(outcome.status, 3) << outcome.err << outcome.out;
  EXPECT_NE(outcome.out.find("1. prompts: the data set's own templates"), std::string::npos)
      << outcome.out;
}

TEST_F(Eval, ExportedSetsEvaluateTheSame) {
  ASSERT_EQ(run({"eval", "export", "-d", "wds/unseen", "-r", kExamples + "/{dataset}", "-o",
                 path("sets/again"), "--max-count", "50"})
                .status,
            0);
  EXPECT_EQ(read(path("sets/again/test/nshards.txt")), "3\n");
  ASSERT_EQ(eval(eval_args(path("sets"), {"again"}, path("again.json"))).status, 0);
  ASSERT_EQ(eval(eval_args(kExamples, {"unseen"}, path("unseen.json"))).status, 0);
  EXPECT_EQ(result(path("again.json"))["metrics"], result(path("unseen.json"))["metrics"]);
}

TEST_F(Eval, ClassMatricesAreSavedAndAveraged) {
  const std::string clf = path("clf.pt");
  ASSERT_EQ(eval(eval_args(kExamples, {"unseen"}, path("r.json"), {"--save_clf", clf})).status, 0);
  ASSERT_EQ(
      eval(eval_args(kExamples, {"unseen"}, path("s.json"), {"--load_clfs", clf, clf})).status, 0);
  EXPECT_EQ(read(path("r.json")), read(path("s.json")));
  const Outcome wrong = eval(eval_args(kExamples, {"seen"}, path("t.json"), {"--load_clfs", clf}));
  EXPECT_EQ(wrong.status, 1);
  EXPECT_NE(wrong.err.find("clf.pt: is [128, 162]"), std::string::npos) << wrong.err;
}

TEST_F(Eval, ProgressIsReadByProgramsToo) {
  const Outcome outcome =
      eval(eval_args(kExamples, {"unseen"}, path("r.json"), {"--progress", "json"}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  Json last;
  std::istringstream lines(outcome.err);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("{")) last = Json::parse(line);
  }
  EXPECT_EQ(last["progress"], "images");
  EXPECT_EQ(last["done"], 109);
  EXPECT_EQ(last["total"], 109);
  EXPECT_EQ(last["finished"], true);
}

TEST_F(Eval, RefusesWrongCommandLines) {
  expect_error(run({"eval", "--recall_k", "0"}), 2, "--recall_k");
  expect_error(run({"eval", "--output", "{data}"}), 2, "{data}");
  expect_error(run({"eval", "--dataset", "a", "b", "--train_split", "x", "y", "z"}), 2,
               "--train_split");
  expect_error(run({"eval", "--val_split", "v", "--val_proportion", "0.1"}), 2, "--val_");
  expect_error(run({"eval", "--normalize", "maybe"}), 2, "--normalize");
  expect_error(run({"eval", "--skip_load"}), 2, "--skip_load");
  const Outcome outcome = run({"eval", "--dataset_root", "none"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("ViT-B-32-quickgelu,laion400m_e32 are not here"), std::string::npos)
      << outcome.err;
}

}  // namespace
}  // namespace clipnext::e2e
