// Class folders, ImageNet's family and ObjectNet.
#include <filesystem>

#include "datasets/form_test.h"
#include "datasets/names.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

TEST_F(FormTest, ImageFoldersAreSortedByteByByte) {
  for (const char* name : {"b/2.JPG", "b/10.jpg", "B/x.webp", "a/inner/y.png", "a/z.ppm",
                           "a/readme.txt", "a-b/w.tiff"}) {
    put(name);
  }
  const Dataset set = open("mine");
  EXPECT_EQ(set.classes, (Names{"B", "a", "a-b", "b"}));
  EXPECT_EQ(names(set),
            (Names{"B/x.webp", "a/z.ppm", "a/inner/y.png", "a-b/w.tiff", "b/10.jpg", "b/2.JPG"}));
  EXPECT_EQ(set.labels, (Labels{0, 1, 1, 2, 3, 3}));
  EXPECT_EQ(set.prompts.templates.size(), 80U);
}

TEST_F(FormTest, ImageFoldersMayLieInAFolderNamedAsTheSplit) {
  put("test/cat/1.jpg");
  put("train/dog/1.jpg");
  EXPECT_EQ(open("mine").classes, Names{"cat"});
  EXPECT_EQ(open("mine", "train").classes, Names{"dog"});
}

TEST_F(FormTest, ImageFoldersFollowLinksButNotInCircles) {
  put("cat/1.jpg");
  fs::create_directory_symlink("..", fs::path(request_.root) / "cat" / "up");
  fs::create_directory_symlink("cat", fs::path(request_.root) / "dog");
  const Dataset set = open("mine");
  EXPECT_EQ(set.classes, (Names{"cat", "dog"}));
  EXPECT_EQ(names(set), (Names{"cat/1.jpg", "dog/1.jpg"}));
}

TEST_F(FormTest, ImageFoldersWithoutPicturesAreAnError) {
  expect_has(error("mine"), "expected one folder per class");
  put("cat/notes.txt");
  expect_has(error("mine"), "cat: no picture");
  request_.root = folder_ / "none";
  expect_has(error("mine"), "mine: is no data set known by name");
  expect_has(error("mnist"), "no such folder");
}

TEST_F(FormTest, ImageNetsLabelsAreItsSortedFolders) {
  const auto ids = wordnet_ids("imagenet1k");
  for (const std::string& id : ids) put("val/" + id + "/1.JPEG");
  const Dataset set = open("imagenet1k");
  EXPECT_EQ(set.images.size(), 1000U);
  EXPECT_EQ(set.labels[999], 999);
  EXPECT_EQ(set.classes, class_names("imagenet1k"));
  ASSERT_EQ(set.warnings.size(), 1U);
  expect_has(set.warnings[0], "1000 images where the published test set has 50000");

  request_.language = "it";
  EXPECT_EQ(open("imagenet1k").classes, class_names("imagenet1k", "it"));
  request_.language = "en";

  fs::remove_all(fs::path(request_.root) / "val" / ids[3]);
  expect_has(error("imagenet1k"), "there is no folder " + ids[3]);
  put("val/n00000000/1.JPEG");
  expect_has(error("imagenet1k"), "n00000000: is no class");
}

TEST_F(FormTest, ImageNetsFlatPicturesNeedAListOfIds) {
  put("val/ILSVRC2012_val_00000001.JPEG");
  put("val/ILSVRC2012_val_00000002.JPEG");
  expect_has(error("imagenet1k"),
             "imagenet_2012_validation_synset_labels.txt or LOC_val_solution.csv is needed");
  const auto ids = wordnet_ids("imagenet1k");
  put("imagenet_2012_validation_synset_labels.txt", ids[65] + "\n" + ids[970] + "\n");
  const Dataset set = open("imagenet1k");
  EXPECT_EQ(set.labels, (Labels{65, 970}));
  EXPECT_EQ(names(set)[1], "val/ILSVRC2012_val_00000002.JPEG");
  put("LOC_val_solution.csv",
      "ImageId,PredictionString\nILSVRC2012_val_00000002," + ids[7] + " 1 2 3 4 \n");
  EXPECT_EQ(open("imagenet1k").labels.size(), 2U);  // the other list comes first
  fs::remove(fs::path(request_.root) / "imagenet_2012_validation_synset_labels.txt");
  const Dataset kaggle = open("imagenet1k");
  EXPECT_EQ(kaggle.labels, Labels{7});
  EXPECT_EQ(names(kaggle)[0], "val/ILSVRC2012_val_00000002.JPEG");
  put("imagenet_2012_validation_synset_labels.txt", "n1\n");
  expect_has(error("imagenet1k"), "line 1: \"n1\" is no WordNet id");
}

TEST_F(FormTest, ImageNetV2sLabelsAreTheFoldersNumbers) {
  for (const char* name : {"0", "10", "2", "999"}) {
    put(std::string("ImageNetV2-matched-frequency/") + name + "/a.jpeg");
  }
  const Dataset set = open("imagenetv2");
  EXPECT_EQ(set.labels, (Labels{0, 10, 2, 999}));
  EXPECT_EQ(set.classes.size(), 1000U);
  put("ImageNetV2-matched-frequency/1000/a.jpeg");
  expect_has(error("imagenetv2"), "1000: expected folders named 0 to 999");
}

TEST_F(FormTest, ImageNetSubsetsHaveTheirOwn200Classes) {
  for (const std::string& id : wordnet_ids("imagenet-r")) put("imagenet-r/" + id + "/1.jpg");
  const Dataset set = open("imagenet-r");
  EXPECT_EQ(set.classes, class_names("imagenet-r"));
  EXPECT_EQ(set.labels.back(), 199);
  expect_has(error("imagenet-a"), "imagenet-a needs");
}

TEST_F(FormTest, ImageNetSketchHasAll1000Classes) {
  for (const std::string& id : wordnet_ids("imagenet1k")) put("sketch/" + id + "/1.JPEG");
  EXPECT_EQ(open("imagenet_sketch").classes.size(), 1000U);
  expect_has(error("imagenet_sketch", "train"), "no split \"train\"");
}

TEST_F(FormTest, ObjectNetTakesOverlappingFoldersInTheirOrder) {
  put("folder_to_objectnet_label.json",
      R"({"air_freshener": "Air freshener", "alarm_clock": "Alarm clock", "t_shirt": "T-Shirt"})");
  put("objectnet_to_imagenet_1k.json",
      R"({"T-Shirt": "jersey, T-shirt, tee shirt", "Alarm clock": "analog clock; digital clock"})");
  for (const char* name : {"air_freshener", "alarm_clock", "t_shirt"}) {
    put(std::string("objectnet-1.0/images/") + name + "/1.png");
  }
  const Dataset set = open("objectnet");
  EXPECT_EQ(set.classes, (Names{"alarm clock", "t-shirt"}));
  EXPECT_EQ(names(set), (Names{"objectnet-1.0/images/alarm_clock/1.png",
                               "objectnet-1.0/images/t_shirt/1.png"}));
  EXPECT_EQ(set.labels, (Labels{0, 1}));
  expect_has(set.warnings.at(1), "2 classes where the published test set has 113");
}

TEST_F(FormTest, TorchvisionsFolderSetsAreFoundInTheirFolders) {
  for (const char* name : {"angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"}) {
    put(std::string("test/") + name + "/1.jpg");
  }
  EXPECT_EQ(open("fer2013").classes, class_names("fer2013"));
  put("rendered-sst2/test/negative/1.png");
  put("rendered-sst2/test/positive/1.png");
  EXPECT_EQ(open("renderedsst2").classes, (Names{"negative", "positive"}));
  put("country211/test/AD/1.jpg");
  expect_has(error("country211"), "1 class folders, expected 211");
  for (int i = 0; i < 10; ++i) put("eurosat/2750/class" + std::to_string(i) + "/1.jpg");
  EXPECT_EQ(open("eurosat").classes, class_names("eurosat"));
}

TEST_F(FormTest, NamesThatAreNotReadSayWhatToUse) {
  expect_has(error("vtab/dmlab"), "--dataset wds/vtab/dmlab");
  expect_has(error("tfds/mnist"), "wds/NAME");
  expect_has(error("svhn"), "--dataset wds/vtab/svhn");
  expect_has(error("cars"), "--dataset wds/cars");
  expect_has(error("sugar_crepe/none"), "swap_att");
}

}  // namespace
}  // namespace clipnext::datasets
