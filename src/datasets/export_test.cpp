#include "datasets/export.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "base/test_folder.h"
#include "data/tar.h"
#include "datasets/wds.h"
#include "image/convert.h"
#include "image/decode.h"
#include "pipeline/embed_images.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

pipeline::ImageSource from_memory(const std::string& bytes) {
  pipeline::ImageSource source;
  source.name = "memory";
  source.bytes = std::make_shared<const std::string>(bytes);
  return source;
}

image::Image gradient(int width, int height) {
  image::Image image = image::make_image(image::Mode::kRgb, width, height);
  for (size_t i = 0; i < image.data.size(); ++i) image.data[i] = static_cast<uint8_t>(7 * i);
  return image;
}

std::string picture(image::Encoding encoding, int width) {
  return image::encode(gradient(width, 5), encoding, "test");
}

/// A format that the layout does not have.
std::string bmp() { return read_file(fs::path(CLIPNEXT_SOURCE_DIR) / "tests/data/image/p.bmp"); }

class Export : public testing::Test {
 protected:
  static Dataset three_pictures() {
    Dataset set;
    for (const auto encoding :
         {image::Encoding::kWebp, image::Encoding::kPng, image::Encoding::kJpeg}) {
      set.images.push_back(from_memory(picture(encoding, 9)));
    }
    return set;
  }
  static Dataset labelled() {
    Dataset set = three_pictures();
    set.classes = {"cat", "", "bird"};
    set.prompts.templates = {"a {c}", "the {c}"};
    set.labels = {2, 0, 1};
    return set;
  }
  Exported write(const Dataset& set, ExportOptions options = {}) {
    if (options.output.empty()) options.output = root_;
    return export_wds(set, options, pool_);
  }
  static void expect_same_pictures(const Dataset& a, const Dataset& b) {
    ASSERT_EQ(a.images.size(), b.images.size());
    for (size_t i = 0; i < a.images.size(); ++i) {
      EXPECT_TRUE(pipeline::read_bytes(a.images[i]) == pipeline::read_bytes(b.images[i])) << i;
    }
  }

  const TestFolder temporary_;
  const fs::path root_ = temporary_ / "made" / "set";
  ThreadPool pool_{2};
};

TEST_F(Export, LabelledPicturesComeBackAsTheyWere) {
  const Dataset set = labelled();
  int64_t done = 0;
  ExportOptions options;
  options.done = [&](int64_t n) { done += n; };
  const Exported exported = write(set, options);
  EXPECT_EQ(exported.samples, 3);
  EXPECT_EQ(exported.shards, 1);
  EXPECT_EQ(exported.encoded, 0);
  EXPECT_EQ(done, 3);
  EXPECT_TRUE(exported.warnings.empty());
  const Dataset back = read_wds_folder(root_);
  expect_same_pictures(set, back);
  EXPECT_EQ(back.kind, set.kind);
  EXPECT_EQ(back.classes, set.classes);
  EXPECT_EQ(back.prompts.templates, set.prompts.templates);
  EXPECT_EQ(back.labels, set.labels);
  EXPECT_EQ(back.images[2].name, (root_ / "test/0.tar").string() + ":s0000002.jpg");
  EXPECT_FALSE(fs::exists(root_ / "dataset_type.txt"));
}

TEST_F(Export, PartsOfPicturesAreCutOut) {
  Dataset set = labelled();
  set.images[2].crop = pipeline::CropBox{.left = 2, .top = 1, .right = 6, .bottom = 4};
  EXPECT_EQ(write(set).encoded, 1);
  const image::Image part = pipeline::load_image(read_wds_folder(root_).images[2]);
  EXPECT_EQ(part.width, 4);
  EXPECT_EQ(part.height, 3);
  EXPECT_EQ(part.data, pipeline::load_image(set.images[2]).data);
}

TEST_F(Export, LabelVectorsComeBackAsTheyWere) {
  Dataset set = labelled();
  set.kind = Kind::kMultilabel;
  set.labels.clear();
  set.positives = {0, 1, 1, 0, 0, 0, 1, 0, 1};
  write(set);
  const Dataset back = read_wds_folder(root_);
  EXPECT_EQ(back.kind, set.kind);
  EXPECT_EQ(back.positives, set.positives);
  EXPECT_EQ(back.classes, set.classes);
}

TEST_F(Export, CaptionsComeBackAsTheReferenceReadsThem) {
  Dataset set = three_pictures();
  set.kind = Kind::kRetrieval;
  set.captions = {"one", "two", "three"};
  set.caption_image = {0, 0, 2};
  EXPECT_TRUE(write(set).warnings.empty());
  Dataset back = read_wds_folder(root_);
  EXPECT_EQ(back.kind, set.kind);
  EXPECT_EQ(back.captions, set.captions);
  EXPECT_EQ(back.caption_image, set.caption_image);

  set.captions = {"one\nstill one", "two\ftoo", ""};
  ExportOptions other;
  other.output = temporary_ / "other";
  EXPECT_EQ(write(set, other).warnings.size(), 1U);
  back = read_wds_folder(other.output);
  EXPECT_EQ(back.captions, (std::vector<std::string>{"one\\nstill one", "two", "too"}));
}

TEST_F(Export, ShardsAreFullByCountOrSize) {
  Dataset set = labelled();
  ExportOptions options;
  options.max_count = 2;
  EXPECT_EQ(write(set, options).shards, 2);
  EXPECT_EQ(read_file(root_ / "test/nshards.txt"), "2\n");
  EXPECT_EQ(data::index_samples(root_ / "test/0.tar").size(), 2U);
  expect_same_pictures(set, read_wds_folder(root_));
  options = {};
  options.output = temporary_ / "other";
  options.max_size = 1;
  EXPECT_EQ(write(set, options).shards, 3);
}

TEST_F(Export, OtherFormatsAreWrittenAnew) {
  Dataset set = labelled();
  set.images[1] = from_memory(bmp());
  const auto pixels = [](const std::string& bytes) {
    return image::to_rgb(
        image::decode({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "test"));
  };
  const struct {
    image::Encoding encoding;
    const char* extension;
  } kCases[] = {{image::Encoding::kWebp, ".webp"},
                {image::Encoding::kPng, ".png"},
                {image::Encoding::kJpeg, ".jpg"}};
  for (const auto& [encoding, extension] : kCases) {
    ExportOptions options;
    options.output = temporary_ / extension;
    options.encoding = encoding;
    EXPECT_EQ(write(set, options).encoded, 1);
    const Dataset back = read_wds_folder(options.output);
    EXPECT_TRUE(back.images[1].name.ends_with(std::string("s0000001") + extension));
    EXPECT_TRUE(pipeline::read_bytes(back.images[0]) == pipeline::read_bytes(set.images[0]));
    if (encoding == image::Encoding::kJpeg) continue;
    EXPECT_TRUE(pixels(pipeline::read_bytes(back.images[1])).data == pixels(bmp()).data);
  }
}

TEST_F(Export, AnInterruptedRunIsFinishedByTheNext) {
  Dataset set = labelled();
  ExportOptions small;
  small.max_count = 1;
  const auto working = set.images[2];
  set.images[2] = from_memory("no picture");
  EXPECT_THROW(write(set, small), Error);
  EXPECT_FALSE(fs::exists(root_ / "test/nshards.txt"));
  EXPECT_THROW(read_wds_folder(root_), Error);
  set.images[2] = working;
  for (int i = 0; i < 5; ++i) {  // of a run with other options
    std::ofstream(root_ / "test" / (std::to_string(i) + ".tar")) << "x";
  }
  write(set);
  expect_same_pictures(set, read_wds_folder(root_));
  EXPECT_FALSE(fs::exists(root_ / "test/1.tar"));
  EXPECT_EQ(std::distance(fs::directory_iterator(root_ / "test"), {}), 2);
  EXPECT_THROW(write(set), Error);  // it is there
}

TEST_F(Export, SplitsShareTheirLists) {
  Dataset set = labelled();
  write(set);
  ExportOptions train;
  train.split = "train";
  write(set, train);
  train.split = "more";
  set.classes[0] = "other";
  EXPECT_THROW(write(set, train), Error);
  set = three_pictures();
  set.kind = Kind::kRetrieval;
  ExportOptions other;
  other.output = temporary_ / "other";
  write(set, other);
  other.split = "train";
  EXPECT_THROW(write(labelled(), other), Error);
}

TEST_F(Export, RefusesWhatTheLayoutCannotHold) {
  for (const char* name : {" cat", "cat\n", "a\fb", "\xff"}) {
    Dataset set = labelled();
    set.classes[0] = name;
    EXPECT_THROW(write(set), Error) << name;
  }
  Dataset set = labelled();
  set.classes[2] = "";
  EXPECT_THROW(write(set), Error);
  set = labelled();
  set.kind = Kind::kCaptionSelection;
  EXPECT_THROW(write(set), Error);
  set = labelled();
  set.labels.pop_back();
  EXPECT_THROW(write(set), Error);
  set = labelled();
  set.prompts.by_class = {{"cat", {"a cat"}}};
  EXPECT_THROW(write(set), Error);
  EXPECT_THROW(write(Dataset()), Error);
}

}  // namespace
}  // namespace clipnext::datasets
