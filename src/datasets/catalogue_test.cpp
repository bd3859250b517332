#include "datasets/catalogue.h"

#include <gtest/gtest.h>

#include "datasets/names.h"

namespace clipnext::datasets {
namespace {

TEST(Catalogue, CollectionsHaveTheirSizes) {
  EXPECT_EQ(collection("vtab").size(), 19U);
  EXPECT_EQ(collection("vtab+").size(), 36U);
  EXPECT_EQ(collection("retrieval").size(), 3U);
  EXPECT_EQ(collection("imagenet_robustness").size(), 5U);
  EXPECT_EQ(collection("sugar_crepe").size(), 7U);
  EXPECT_TRUE(collection("imagenet1k").empty());
}

TEST(Catalogue, KnowsEveryMemberOfTheCollectionsButSugarCrepe) {
  for (const char* name : {"vtab", "vtab+", "retrieval", "imagenet_robustness"}) {
    for (const std::string_view member : collection(name)) {
      EXPECT_NE(find_in_catalogue(member), nullptr) << member;
    }
  }
}

TEST(Catalogue, CountsTheBuiltInTemplates) {
  for (const CatalogueEntry& entry : catalogue()) {
    if (entry.classes == 0) continue;
    EXPECT_EQ(static_cast<int64_t>(templates(entry.name).size()), entry.templates) << entry.name;
  }
}

TEST(Catalogue, PlainNamesWithTheSameTestSplitAreKnown) {
  ASSERT_NE(find_in_catalogue("cifar10"), nullptr);
  EXPECT_EQ(find_in_catalogue("cifar10"), find_in_catalogue("wds/vtab/cifar10"));
  EXPECT_EQ(find_in_catalogue("eurosat")->images, 27000);
  EXPECT_EQ(find_in_catalogue("wds/vtab/eurosat")->images, 5400);
  EXPECT_EQ(find_in_catalogue("caltech101"), nullptr);
}

Dataset of_size(int64_t images, int64_t classes, int64_t template_count) {
  Dataset dataset;
  dataset.images.resize(static_cast<size_t>(images));
  dataset.classes.resize(static_cast<size_t>(classes));
  dataset.prompts.templates.resize(static_cast<size_t>(template_count));
  return dataset;
}

Request named(const std::string& name) {
  Request request;
  request.name = name;
  return request;
}

TEST(Catalogue, SaysWhichCountDiffers) {
  const Request request = named("wds/vtab/caltech101");
  EXPECT_TRUE(check_counts(request, of_size(6084, 102, 34)).empty());
  EXPECT_TRUE(check_counts(request, of_size(6085, 102, 34)).empty());
  const auto warnings = check_counts(request, of_size(6083, 101, 80));
  ASSERT_EQ(warnings.size(), 3U);
  EXPECT_NE(warnings[0].find("6083 images where the published test set has 6084"),
            std::string::npos);
  EXPECT_TRUE(check_counts(named("wds/mine"), of_size(1, 1, 1)).empty());
  Request train = named("mnist");
  train.split = "train";
  EXPECT_TRUE(check_counts(train, of_size(1, 1, 1)).empty());
}

TEST(Catalogue, ListsThatTheUserGaveAreNotCounted) {
  Request request = named("mnist");
  request.custom_classname_file = "names.json";
  request.custom_template_file = "templates.json";
  EXPECT_TRUE(check_counts(request, of_size(10000, 3, 5)).empty());
}

TEST(DefaultTask, FollowsTheNameWithoutWds) {
  EXPECT_EQ(default_task("wds/flickr30k"), "zeroshot_retrieval");
  EXPECT_EQ(default_task("xtd10"), "zeroshot_retrieval");
  EXPECT_EQ(default_task("sugar_crepe/add_att"), "image_caption_selection");
  EXPECT_EQ(default_task("wds/winoground"), "image_caption_selection");
  EXPECT_EQ(default_task("wds/vtab/cifar10"), "zeroshot_classification");
  EXPECT_EQ(default_task("anything"), "zeroshot_classification");
}

}  // namespace
}  // namespace clipnext::datasets
