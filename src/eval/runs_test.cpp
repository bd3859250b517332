#include "eval/runs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/test_error.h"
#include "base/test_folder.h"

namespace clipnext::eval {
namespace {

/// Environment variables of launchers, gone at the end.
class Ranks : public testing::Test {
 protected:
  Ranks() { clear(); }
  ~Ranks() override { clear(); }
  static void clear() {
    for (const char* name :
         {"LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK", "RANK",
          "PMI_RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "WORLD_SIZE", "PMI_SIZE",
          "SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE"}) {
      unsetenv(name);
    }
  }
};

TEST(Runs, AreModelsByDatasetsByLanguages) {
  RunOptions o;
  o.dataset = {"a", "vtab"};
  o.language = {"en", "it"};
  o.model = {"M", "N"};
  o.pretrained = {"p", "q"};
  const std::vector<eval::Run> runs = expand_runs(o);
  ASSERT_EQ(runs.size(), 4U * 20 * 2);
  EXPECT_EQ(runs[0].language, "en");
  EXPECT_EQ(runs[1].language, "it");
  EXPECT_EQ(runs[1].dataset, "a");
  EXPECT_EQ(runs[2].dataset, "vtab/caltech101");
  EXPECT_EQ(runs[39].pretrained, "p");
  EXPECT_EQ(runs[40].pretrained, "q");
  EXPECT_EQ(runs[40].model, "M");
  EXPECT_EQ(runs[80].model, "N");
  EXPECT_EQ(runs[0].train_split, "train");
  EXPECT_FALSE(runs[0].val_split || runs[0].val_proportion);
}

TEST(Runs, ListsComeFromFilesCollectionsAndPairs) {
  const TestFolder folder;
  write_file(folder / "sets.txt", "mnist\r\n\n  wds/vtab/pets \n");
  write_file(folder / "models.txt", "A,one\nB,/path/two\n");
  RunOptions o;
  o.dataset = {(folder / "sets.txt").string(), "imagenet_robustness"};
  o.pretrained_model = {(folder / "models.txt").string(), "C,three", "openai"};
  const std::vector<eval::Run> runs = expand_runs(o);
  ASSERT_EQ(runs.size(), (2U + 1 + 4) * (2 + 5));
  EXPECT_EQ(runs[1].dataset, "wds/vtab/pets");
  EXPECT_EQ(runs[7].pretrained, "/path/two");
  EXPECT_EQ(runs[14].model, "C");
  EXPECT_EQ(runs.back().model, "ViT-L-14-336");
  EXPECT_EQ(model_collection("openclip_base")->size(), 9U);
  EXPECT_EQ(model_collection("openclip_convnext")->size(), 12U);
  EXPECT_EQ(model_collection("openclip_multilingual")->size(), 2U);
  EXPECT_FALSE(model_collection("none"));

  o.pretrained_model = {"neither"};
  EXPECT_NE(message_of([&] { expand_runs(o); }).find("no MODEL,PRETRAINED"), std::string::npos);
  o.pretrained_model = {"openclip_all"};
  EXPECT_NE(message_of([&] { expand_runs(o); }).find("list the pairs in a file"),
            std::string::npos);
}

TEST(Runs, OneSplitIsForAllDatasetsOrOneForEach) {
  RunOptions o;
  o.dataset = {"a", "b"};
  o.train_split = {"x", "y"};
  o.val_proportion = {0.25};
  const std::vector<eval::Run> runs = expand_runs(o);
  EXPECT_EQ(runs[0].train_split, "x");
  EXPECT_EQ(runs[1].train_split, "y");
  EXPECT_EQ(runs[1].val_proportion, 0.25);
  o.train_split = {"x", "y", "z"};
  EXPECT_NE(message_of([&] { expand_runs(o); }).find("--train_split: 3 values for 2 data sets"),
            std::string::npos);
  o.train_split = {"x"};
  o.val_split = {"v"};
  EXPECT_NE(message_of([&] { expand_runs(o); }).find("exclude"), std::string::npos);
  o.val_split = {};
  o.val_proportion = {1.5};
  EXPECT_NE(message_of([&] { expand_runs(o); }).find("not between 0 and 1"), std::string::npos);
}

TEST(Runs, NameTheirOutputs) {
  const TestFolder folder;
  const std::string file = (folder / "epoch_3.pt").string();
  write_file(file, "");
  const eval::Run tag{.model = "M/1",
                      .pretrained = "t",
                      .dataset = "wds/vtab/pets",
                      .language = "en",
                      .train_split = "",
                      .val_split = {},
                      .val_proportion = {}};
  eval::Run path = tag;
  path.pretrained = file;
  const std::string all =
      "{dataset}|{pretrained}|{pretrained_full_path}|{model}|{language}|{task}|{{}}";
  EXPECT_EQ(output_path(all, tag, "x").string(), "vtab_pets|t|t|M/1|en|x|{}");
  std::string flat = file;
  std::replace(flat.begin(), flat.end(), '/', '_');
  EXPECT_EQ(output_path(all, path, "x").string(), "vtab_pets|epoch_3.pt|" + flat + "|M/1|en|x|{}");
  EXPECT_NE(message_of([&] { output_path("{data}", tag, ""); }).find("no field {data}"),
            std::string::npos);
  EXPECT_NE(message_of([&] { output_path("a}", tag, ""); }).find("single }"), std::string::npos);
  EXPECT_EQ(fill_dataset_root("/d/{dataset}", "wds/vtab/pets"), "/d/vtab/pets");
  EXPECT_EQ(fill_dataset_root("u/wds_{dataset_cleaned}/m", "wds/vtab/pets"), "u/wds_vtab-pets/m");
  EXPECT_NE(message_of([] { fill_dataset_root("{model}", "a"); }).find("--dataset_root"),
            std::string::npos);
}

TEST(Runs, TasksFollowTheDataset) {
  EXPECT_EQ(resolve_task("auto", "wds/mscoco_captions"), "zeroshot_retrieval");
  EXPECT_EQ(resolve_task("auto", "flickr30k-200"), "zeroshot_retrieval");
  EXPECT_EQ(resolve_task("auto", "sugar_crepe/add_att"), "image_caption_selection");
  EXPECT_EQ(resolve_task("auto", "winoground"), "image_caption_selection");
  EXPECT_EQ(resolve_task("auto", "wds/imagenet1k"), "zeroshot_classification");
  EXPECT_EQ(resolve_task("linear_probe", "mscoco_captions"), "linear_probe");
}

TEST_F(Ranks, EveryRunBelongsToOneRank) {
  RunOptions o;
  o.dataset = {"vtab+"};
  const std::vector<eval::Run> all = expand_runs(o);
  for (int64_t size = 1; size <= 8; ++size) {
    std::multiset<std::string> seen;
    for (int64_t rank = 0; rank < size; ++rank) {
      const auto own = runs_of_rank(all, {.local_rank = 0, .rank = rank, .size = size}, 7);
      EXPECT_LE(std::abs(std::ssize(own) * size - std::ssize(all)), size);
      for (const eval::Run& run : own) seen.insert(run.dataset);
    }
    EXPECT_EQ(seen.size(), all.size());
    EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 36U);
  }
  const World one{};
  EXPECT_NE(runs_of_rank(all, one, 0)[0].dataset, runs_of_rank(all, one, 1)[0].dataset);
}

TEST_F(Ranks, ComeFromTheFirstLauncherThatSaysThem) {
  EXPECT_EQ(world_from_environment().size, 1);
  setenv("SLURM_PROCID", "3", 1);
  setenv("SLURM_NTASKS", "4", 1);
  setenv("SLURM_LOCALID", "1", 1);
  World world = world_from_environment();
  EXPECT_EQ(world.rank, 3);
  EXPECT_EQ(world.size, 4);
  EXPECT_EQ(world.local_rank, 1);
  setenv("RANK", "0", 1);
  setenv("OMPI_COMM_WORLD_RANK", "2", 1);
  world = world_from_environment();
  EXPECT_EQ(world.rank, 0);
  setenv("RANK", "4", 1);
  EXPECT_NE(message_of([] { world_from_environment(); }).find("rank 4 of 4"), std::string::npos);
  setenv("RANK", "one", 1);
  EXPECT_NE(message_of([] { world_from_environment(); }).find("RANK=one"), std::string::npos);
}

}  // namespace
}  // namespace clipnext::eval
