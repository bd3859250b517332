// Sets with lists of labels: VOC, torchvision's, and captions.
#include "datasets/form_test.h"
#include "datasets/names.h"
#include "pipeline/embed_images.h"

namespace clipnext::datasets {
namespace {

std::string object(const std::string& name, const std::string& box, const std::string& more = "") {
  return "<object><name>" + name + "</name><pose>Left</pose>" + more + "<bndbox>" + box +
         "</bndbox><part><name>head</name><bndbox><xmin>1</xmin></bndbox></part></object>";
}

void put_voc(const auto& put) {
  put("VOCdevkit/VOC2007/ImageSets/Main/aeroplane_test.txt", "000001 -1\n000004  1\n");
  put("VOCdevkit/VOC2007/Annotations/000001.xml",
      "<annotation><object><name>dog</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax>"
      "<ymax>4</ymax></bndbox></object>" +
          object("person", "<xmin>8</xmin>\n<ymin>12</ymin> <xmax>352</xmax><ymax>498</ymax>",
                 "<difficult>1</difficult>") +
          "</annotation>");
  put("VOCdevkit/VOC2007/Annotations/000004.xml",
      "<annotation>" + object("dog", "<xmin>5</xmin><ymin>6</ymin><xmax>7</xmax><ymax>8</ymax>") +
          object("dog", "<xmin>5</xmin><ymin>6</ymin><xmax>9</xmax><ymax>9</ymax>") +
          "</annotation>");
}

TEST_F(FormTest, VocCropsEveryBoxAndDifficultOnesToo) {
  put_voc([&](const std::string& name, const std::string& text) { put(name, text); });
  const Dataset set = open("voc2007");
  EXPECT_EQ(set.labels, (Labels{11, 14, 11, 11}));
  EXPECT_EQ(names(set)[1], "VOCdevkit/VOC2007/JPEGImages/000001.jpg");
  ASSERT_TRUE(set.images[1].crop.has_value());
  EXPECT_EQ(set.images[1].crop->left, 8);
  EXPECT_EQ(set.images[1].crop->bottom, 498);
  EXPECT_EQ(set.prompts.templates, Names{"a photo of a {c}."});
}

TEST_F(FormTest, VocsMultilabelRowsHoldEachClassOfAPicture) {
  put_voc([&](const std::string& name, const std::string& text) { put(name, text); });
  const Dataset set = open("voc2007_multilabel");
  EXPECT_EQ(set.kind, Kind::kMultilabel);
  EXPECT_FALSE(set.images[0].crop.has_value());
  ASSERT_EQ(set.positives.size(), 40U);
  for (size_t i = 0; i < 40; ++i) {
    EXPECT_EQ(set.positives[i], i == 11 || i == 14 || i == 31 ? 1 : 0) << i;
  }
}

TEST_F(FormTest, VocsDamagedAnnotationsAreErrors) {
  put("VOC2007/ImageSets/Main/aeroplane_test.txt", "1 1\n");
  const auto with = [&](const std::string& text) {
    put("VOC2007/Annotations/1.xml", text);
    return error("voc2007");
  };
  expect_has(with("<annotation><object>"), "no well-formed XML");
  expect_has(with("<a>" + object("unicorn", "") + "</a>"), "\"unicorn\" is no class");
  expect_has(with("<a>" + object("dog", "<a>1</a><b>2</b><c>3</c>") + "</a>"), "four sides");
  expect_has(with("<a>" + object("dog", "<a>1.5</a>") + "</a>"), "whole pixels");
  expect_has(with("<a/>"), "no images");
  put("VOC2007/ImageSets/Main/aeroplane_test.txt", "../../x 1\n");
  expect_has(error("voc2007"), "no path inside");
}

TEST_F(FormTest, Food101sListNamesThePictures) {
  put("food-101/meta/test.json", R"({"baby_back_ribs": ["b/2"], "apple_pie": ["a/1", "a/3"]})");
  const Dataset set = open("food101");
  EXPECT_EQ(set.classes, (Names{"apple pie", "baby back ribs"}));
  EXPECT_EQ(set.labels, (Labels{0, 0, 1}));
  EXPECT_EQ(names(set)[2], "food-101/images/b/2.jpg");
  put("food-101/meta/test.json", R"({"a": ["../../../etc/x"]})");
  expect_has(error("food101"), "no path inside");
}

TEST_F(FormTest, Sun397sClassesAreItsFolders) {
  put("SUN397/ClassName.txt", "/a/abbey\n/a/airplane_cabin\n/a/apse/indoor\n");
  put("SUN397/a/abbey/sun_1.jpg");
  put("SUN397/a/airplane_cabin/sun_2.jpg");
  put("SUN397/a/apse/indoor/sun_3.jpg");
  put("SUN397/a/apse/indoor/other.jpg");
  const Dataset set = open("sun397", "anything");
  EXPECT_EQ(set.classes, (Names{"abbey", "airplane cabin", "apse indoor"}));
  EXPECT_EQ(set.labels, (Labels{0, 1, 2}));
}

TEST_F(FormTest, AircraftVariantsMayHoldSpaces) {
  put("fgvc-aircraft-2013b/data/variants.txt", "707-320\nDH-82 b\n");
  put("fgvc-aircraft-2013b/data/images_variant_test.txt", "0000001 DH-82 b\n0000002 707-320\n");
  const Dataset set = open("fgvc_aircraft");
  EXPECT_EQ(set.labels, (Labels{1, 0}));
  EXPECT_EQ(names(set)[0], "fgvc-aircraft-2013b/data/images/0000001.jpg");
  put("fgvc-aircraft-2013b/data/images_variant_test.txt", "0000001 Concorde\n");
  expect_has(error("fgvc_aircraft"), "\"Concorde\" is none of the 2 classes");
}

TEST_F(FormTest, TexturesPetsAndSignsHaveTheirLists) {
  put("dtd/dtd/labels/test1.txt", "dotted/d_1.jpg\nbanded/b_1.jpg\n");
  const Dataset textures = open("dtd");
  EXPECT_EQ(textures.classes, (Names{"banded", "dotted"}));
  EXPECT_EQ(textures.labels, (Labels{1, 0}));

  put("oxford-iiit-pet/annotations/test.txt",
      "# comment\nyorkshire_Terrier_1 2 2 1\nAbyssinian_201 1 1 1\n");
  put("oxford-iiit-pet/images/x");
  const Dataset pets = open("pets");
  EXPECT_EQ(pets.classes, (Names{"Abyssinian", "Yorkshire Terrier"}));
  EXPECT_EQ(pets.labels, (Labels{1, 0}));
  EXPECT_EQ(open("vtab/pets").classes, class_names("vtab/pets"));

  put("gtsrb/GT-final_test.csv", "Filename;Width;ClassId\r\n00000.ppm;53;16\r\n00001.ppm;42;1\r\n");
  put("gtsrb/GTSRB/Final_Test/Images/00000.ppm");
  const Dataset signs = open("gtsrb");
  EXPECT_EQ(signs.labels, (Labels{16, 1}));
  put("gtsrb/GT-final_test.csv", "Filename;ClassId\n00000.ppm;43\n");
  expect_has(error("gtsrb"), "\"43\" is no whole number from 0 to 42");
}

TEST_F(FormTest, CocosPicturesAreInTheOrderOfTheirIds) {
  put("coco_test_karpathy.json", R"({
    "images": [{"id": 7, "file_name": "seven.jpg"}, {"id": 3, "file_name": "three.jpg"}],
    "annotations": [{"image_id": 7, "id": 1, "caption": "a"}, {"image_id": 3, "id": 2, "caption": "b"},
                    {"image_id": 7, "id": 3, "caption": "c"}, {"image_id": 9, "id": 4, "caption": "d"}]})");
  put("val2014/x");
  const Dataset set = open("mscoco_captions");
  EXPECT_EQ(set.kind, Kind::kRetrieval);
  EXPECT_EQ(names(set), (Names{"val2014/three.jpg", "val2014/seven.jpg"}));
  EXPECT_EQ(set.captions, (Names{"b", "a", "c"}));
  EXPECT_EQ(set.caption_image, (Labels{0, 1, 1}));
  put("coco_test_karpathy.json",
      R"({"images": [{"id": "7", "file_name": "x"}], "annotations": []})");
  expect_has(error("mscoco_captions"), "\"id\" is no whole number");
}

TEST_F(FormTest, FlickrsListsGroupCaptionsByPicture) {
  put("flickr8k_test_karpathy.txt",
      "image,caption\nb.jpg,two, or more\r\na.jpg,\"one\"\n\nb.jpg, three \n");
  put("Images/b.jpg");
  const Dataset set = open("flickr8k");
  EXPECT_EQ(names(set), (Names{"Images/b.jpg", "Images/a.jpg"}));
  EXPECT_EQ(set.captions, (Names{"two, or more", " three", "\"one\""}));
  EXPECT_EQ(set.caption_image, (Labels{0, 0, 1}));
  put("flickr8k_test_karpathy.txt", "image,caption\nb.png,x\n");
  expect_has(error("flickr8k"), "line 2");
  put("own.txt", "h\nb.jpg,eins\n");
  request_.annotation_file = request_.root + "/own.txt";
  request_.language = "de";
  EXPECT_EQ(open("flickr8k").captions, Names{"eins"});
}

TEST_F(FormTest, SugarCrepesCaptionsComeInPairs) {
  put("swap_obj.json", R"({"10": {"filename": "x.jpg", "caption": "a", "negative_caption": "b"},
                           "2": {"filename": "y.jpg", "caption": "c", "negative_caption": "d"}})");
  put("val2017/x.jpg");
  const Dataset set = open("sugar_crepe/swap_obj");
  EXPECT_EQ(set.kind, Kind::kCaptionSelection);
  EXPECT_EQ(names(set), (Names{"val2017/x.jpg", "val2017/y.jpg"}));
  EXPECT_EQ(set.captions, (Names{"a", "b", "c", "d"}));
  EXPECT_EQ(set.images_per_instance, 1);
  EXPECT_EQ(set.captions_per_instance, 2);
}

TEST_F(FormTest, WinogroundsExamplesHaveTwoOfEach) {
  put("data/examples.jsonl",
      R"({"id": 0, "image_0": "ex_0_img_0", "image_1": "ex_0_img_1", "caption_0": "a", "caption_1": "b"})");
  put("data/images/ex_0_img_0.png");
  put("data/images/ex_0_img_1.png");
  const Dataset set = open("winoground");
  EXPECT_EQ(set.images.size(), 2U);
  EXPECT_EQ(set.captions, (Names{"a", "b"}));
  EXPECT_EQ(set.images_per_instance, 2);
}

}  // namespace
}  // namespace clipnext::datasets
