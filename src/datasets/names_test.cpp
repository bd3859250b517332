#include "datasets/names.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/test_error.h"
#include "base/test_folder.h"

namespace clipnext::datasets {
namespace {

using Names = std::vector<std::string>;

TEST(ClassNames, OfImageNetAreTheReferences) {
  const Names names = class_names("imagenet1k");
  ASSERT_EQ(names.size(), 1000U);
  EXPECT_EQ(names[0], "tench");
  EXPECT_EQ(names[999], "toilet paper");
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 998U);
  for (const char* twice : {"missile", "sunglasses"}) {
    EXPECT_EQ(std::count(names.begin(), names.end(), twice), 2) << twice;
  }
  EXPECT_EQ(class_names("imagenetv2"), names);
  EXPECT_EQ(class_names("imagenet_sketch"), names);
}

TEST(ClassNames, OfSubsetsKeepImageNetsOrder) {
  const Names all = class_names("imagenet1k");
  const auto ids = wordnet_ids("imagenet1k");
  for (const char* subset : {"imagenet-a", "imagenet-r", "imagenet-o"}) {
    const Names names = class_names(subset);
    const auto kept = wordnet_ids(subset);
    ASSERT_EQ(names.size(), 200U);
    ASSERT_TRUE(std::is_sorted(kept.begin(), kept.end()));
    for (size_t i = 0; i < names.size(); ++i) {
      const auto at = std::find(ids.begin(), ids.end(), kept[i]) - ids.begin();
      EXPECT_EQ(names[i], all.at(static_cast<size_t>(at)));
    }
  }
  const auto a = wordnet_ids("imagenet-a");
  const auto r = wordnet_ids("imagenet-r");
  Names shared;
  std::set_intersection(a.begin(), a.end(), r.begin(), r.end(), std::back_inserter(shared));
  EXPECT_EQ(shared.size(), 86U);
}

TEST(ClassNames, MayBeEmpty) {
  EXPECT_EQ(class_names("vtab/clevr_closest_object_distance"),
            (Names{"very nearby", "nearby", "near", "", "distant", "very distant"}));
}

TEST(ClassNames, HaveTheReferencesCounts) {
  const std::pair<const char*, size_t> counts[] = {
      {"vtab/flowers", 102}, {"gtsrb", 43},
      {"country211", 211},   {"vtab/eurosat", 10},
      {"fer2013", 7},        {"caltech101", 102},
      {"vtab/svhn", 10},     {"vtab/clevr_count_all", 8},
      {"mnist", 10},         {"vtab/kitti_closest_vehicle_distance", 4},
      {"vtab/dmlab", 6},     {"vtab/pets", 37},
      {"vtab/pcam", 2},      {"vtab/diabetic_retinopathy", 5},
      {"voc2007", 20},       {"voc2007_multilabel", 20},
      {"renderedsst2", 2},   {"wds/vtab/caltech101", 102}};
  for (const auto& [name, count] : counts) EXPECT_EQ(class_names(name).size(), count) << name;
  EXPECT_NE(class_names("vtab/caltech101"), class_names("caltech101"));
}

TEST(ClassNames, InOtherLanguagesAreImageNets) {
  const std::pair<const char*, size_t> counts[] = {{"ar", 55}, {"cn", 80}, {"it", 49}, {"jp", 37}};
  for (const auto& [language, count] : counts) {
    EXPECT_EQ(class_names("imagenet1k", language).size(), 1000U) << language;
    EXPECT_EQ(templates("imagenet1k", language).size(), count) << language;
    EXPECT_EQ(templates("cifar10", language).size(), count) << language;
  }
  EXPECT_EQ(class_names("imagenet-a", "zh"), class_names("imagenet-a", "cn"));
  EXPECT_NE(message_of([] { class_names("mnist", "it"); }).find("mnist"), std::string::npos);
  EXPECT_NE(message_of([] { templates("mnist", "xx"); }).find("\"xx\""), std::string::npos);
}

TEST(Templates, FallBackToImageNets) {
  EXPECT_EQ(templates("objectnet"), templates("imagenet1k"));
  EXPECT_EQ(templates("vtab/dsprites_label_y_position").size(), 80U);
  EXPECT_EQ(templates("vtab/cifar10"), templates("cifar10"));
  EXPECT_EQ(templates("cifar10").size(), 18U);
  EXPECT_EQ(templates("mnist"), Names{R"(a photo of the number: "{c}".)"});
  EXPECT_EQ(simple_imagenet_templates().size(), 7U);
}

TEST(Templates, KeepTheReferencesSlips) {
  const auto has = [](const Names& all, const char* slip) {
    return std::any_of(all.begin(), all.end(), [&](const std::string& text) {
      return text.find(slip) != std::string::npos;
    });
  };
  EXPECT_TRUE(has(templates("vtab/resisc45"), "sattelite") ||
              has(templates("vtab/eurosat"), "sattelite"));
  EXPECT_TRUE(has(templates("vtab/svhn"), "writte"));
}

class CustomNames : public ::testing::Test {
 protected:
  CustomNames() {
    request_.name = "wds/vtab/pets";
    dataset_.classes = {"cat", "dog"};
    dataset_.labels = {1, 0, 1};
    dataset_.prompts.templates = {"{c}"};
  }
  std::string file(const std::string& name, const std::string& text) const {
    write_file(folder_ / name, text);
    return folder_ / name;
  }
  void apply() { apply_custom_names(request_, dataset_); }

  TestFolder folder_;
  Request request_;
  Dataset dataset_;
};

TEST_F(CustomNames, ReplaceTheFoldersLists) {
  request_.custom_classname_file = file("names.json", R"({"vtab/pets": ["gatto", "cane"]})");
  request_.custom_template_file =
      file("templates.json", R"({"imagenet1k": ["una {c}"], "pets": ["no"]})");
  apply();
  EXPECT_EQ(dataset_.classes, (Names{"gatto", "cane"}));
  // Only one prefix is taken off the name, as in the reference: "pets" is no key of wds/vtab/pets.
  EXPECT_EQ(dataset_.prompts.templates, Names{"una {c}"});
  EXPECT_TRUE(dataset_.warnings.empty());
}

TEST_F(CustomNames, ClassNamesHaveNoFallback) {
  request_.custom_classname_file = file("names.json", R"({"imagenet1k": ["a", "b"]})");
  EXPECT_NE(message_of([&] { apply(); }).find("none of \"wds/vtab/pets\", \"vtab/pets\""),
            std::string::npos);
}

TEST_F(CustomNames, PromptsByClassKeepTheirOrderAndCoverEachClass) {
  request_.custom_template_file =
      file("cupl.json", R"({"vtab/pets": {"dog": ["a dog barks"], "cat": ["a", "b"]}})");
  apply();
  ASSERT_EQ(dataset_.prompts.by_class.size(), 2U);
  EXPECT_EQ(dataset_.prompts.by_class[0].first, "dog");
  EXPECT_EQ(dataset_.prompts.by_class[1].second, (Names{"a", "b"}));
  EXPECT_TRUE(dataset_.prompts.templates.empty());

  dataset_.classes.emplace_back("ferret");
  EXPECT_NE(message_of([&] { apply(); }).find("\"ferret\""), std::string::npos);
}

TEST_F(CustomNames, ShippedFilesAreInsideTheProgram) {
  request_.name = "imagenet1k";
  request_.custom_classname_file = "it_classnames.json";
  request_.custom_template_file = "it_zeroshot_classification_templates.json";
  apply();
  EXPECT_EQ(dataset_.classes, class_names("imagenet1k", "it"));
  EXPECT_EQ(dataset_.prompts.templates, templates("imagenet1k", "it"));
  EXPECT_EQ(dataset_.warnings.size(), 1U);  // 1,000 names in place of 2

  request_.custom_template_file = "cupl_prompts.json";
  EXPECT_NE(message_of([&] { apply(); }).find("cupl_prompts.json: no such file"),
            std::string::npos);
}

TEST_F(CustomNames, RefuseWhatIsNoListOfTextsAndTooFewNames) {
  request_.custom_classname_file = file("names.json", R"({"vtab/pets": ["cat"]})");
  EXPECT_NE(message_of([&] { apply(); }).find("has the label 1"), std::string::npos);
  for (const char* bad :
       {"[]", R"({"vtab/pets": []})", R"({"vtab/pets": "cat"})", R"({"vtab/pets": ["cat", 3]})",
        R"({"vtab/pets": {"cat": ["a"]}})", "{"}) {
    request_.custom_classname_file = file("bad.json", bad);
    EXPECT_NE(message_of([&] { apply(); }).find("bad.json"), std::string::npos) << bad;
  }
  request_.custom_classname_file.clear();
  for (const char* bad : {R"({"imagenet1k": {}})", R"({"imagenet1k": {"cat": "a"}})",
                          R"({"imagenet1k": 1})", R"({"other": ["{c}"]})"}) {
    request_.custom_template_file = file("bad.json", bad);
    EXPECT_NE(message_of([&] { apply(); }).find("bad.json"), std::string::npos) << bad;
  }
}

TEST_F(CustomNames, MultilabelNeedsANameForEachColumn) {
  dataset_.kind = Kind::kMultilabel;
  dataset_.labels.clear();
  request_.custom_classname_file = file("names.json", R"({"vtab/pets": ["a", "b", "c"]})");
  EXPECT_NE(message_of([&] { apply(); }).find("vectors of 2"), std::string::npos);
}

}  // namespace
}  // namespace clipnext::datasets
