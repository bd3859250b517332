// CIFAR, MNIST, STL-10: arrays become pictures.
#include <zlib.h>

#include "datasets/form_test.h"
#include "datasets/names.h"
#include "image/decode.h"
#include "pipeline/embed_images.h"

namespace clipnext::datasets {
namespace {

using namespace std::string_literals;

image::Image pixels(const Dataset& set, size_t i) { return pipeline::load_image(set.images.at(i)); }

std::string little_endian(uint32_t value) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(value >> shift & 0xFF);
  return bytes;
}

std::string big_endian(uint32_t value) {
  const std::string bytes = little_endian(value);
  return {bytes.rbegin(), bytes.rend()};
}

// Three planes of 32 x 32, each of one value.
std::string planes(char red, char green, char blue) {
  return std::string(1024, red) + std::string(1024, green) + std::string(1024, blue);
}

// Pickles of protocol 2 as Python 2 wrote CIFAR's.
std::string short_text(const std::string& text) {
  return "U"s + static_cast<char>(text.size()) + text;
}
std::string pickled_list(const std::string& items) { return "](" + items + "e"; }
std::string small_int(int value) { return "K"s + static_cast<char>(value); }
std::string array(const std::string& content, int rows) {
  const std::string dtype = "cnumpy\ndtype\n"s + short_text("u1") + small_int(0) + small_int(1) +
                            "\x87R("s + small_int(3) + short_text("|") + "NNN" +
                            "J\xff\xff\xff\xffJ\xff\xff\xff\xff"s + small_int(0) + "tb";
  return "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"s + small_int(0) + "\x85"s +
         short_text("b") + "\x87R("s + small_int(1) + small_int(rows) + "M\x00\x0c\x86"s + dtype +
         "\x89T"s + little_endian(static_cast<uint32_t>(content.size())) + content + "tb";
}
std::string batch(const std::string& content, int rows, const char* labels_key,
                  const std::string& labels) {
  return "\x80\x02}("s + short_text("data") + array(content, rows) + short_text(labels_key) +
         pickled_list(labels) + "u.";
}
std::string names_pickle(const char* key, const Names& names) {
  std::string items;
  for (const std::string& name : names) items += short_text(name);
  return "\x80\x02}"s + short_text(key) + pickled_list(items) + "s.";
}

TEST_F(FormTest, CifarIsReadFromItsPythonVersion) {
  put("cifar-10-batches-py/batches.meta", names_pickle("label_names", {"airplane", "cat"}));
  put("cifar-10-batches-py/test_batch",
      batch(planes(1, 2, 3) + planes(4, 5, 6), 2, "labels", small_int(1) + small_int(0)));
  const Dataset set = open("cifar10");
  EXPECT_EQ(set.classes, (Names{"airplane", "cat"}));
  EXPECT_EQ(set.labels, (Labels{1, 0}));
  const image::Image image = pixels(set, 1);
  EXPECT_EQ(image.width, 32);
  EXPECT_EQ(std::vector<uint8_t>(image.data.begin(), image.data.begin() + 3),
            (std::vector<uint8_t>{4, 5, 6}));
  EXPECT_EQ(set.prompts.templates.size(), 18U);
  EXPECT_EQ(open("vtab/cifar10").labels, set.labels);

  put("cifar-100-python/meta", names_pickle("fine_label_names", {"apple"}));
  put("cifar-100-python/test", batch(planes(1, 2, 3), 1, "fine_labels", small_int(0)));
  EXPECT_EQ(open("cifar100").classes, Names{"apple"});
}

TEST_F(FormTest, CifarsDamagedPicklesAreErrors) {
  put("cifar-10-batches-py/batches.meta", names_pickle("label_names", {"airplane", "cat"}));
  const auto with = [&](const std::string& content) {
    put("cifar-10-batches-py/test_batch", content);
    return error("cifar10");
  };
  const std::string good = batch(planes(1, 2, 3), 1, "labels", small_int(1));
  expect_has(with(batch(planes(1, 2, 3), 2, "labels", small_int(1) + small_int(1))), "2 rows");
  expect_has(with(batch(planes(1, 2, 3), 1, "labels", small_int(2))), "label 2 of 2 classes");
  expect_has(with(batch(planes(1, 2, 3), 1, "labels", "")), "list of 1 labels");
  expect_has(with(batch(planes(1, 2, 3), 1, "other", small_int(1))), "\"labels\"");
  for (size_t size = 0; size < good.size(); size += 97) {
    EXPECT_NE(with(good.substr(0, size)), "no error") << size;
  }
}

TEST_F(FormTest, CifarIsReadFromItsBinaryVersion) {
  put("cifar-10-batches-bin/batches.meta.txt", "airplane\ncat\n\n");
  put("cifar-10-batches-bin/test_batch.bin", "\1" + planes(7, 8, 9));
  Dataset set = open("cifar10");
  EXPECT_EQ(set.labels, Labels{1});
  EXPECT_EQ(pixels(set, 0).data[2], 9);
  put("cifar-100-binary/fine_label_names.txt", "apple\nbear\n");
  put("cifar-100-binary/train.bin", "\7\1" + planes(7, 8, 9));
  EXPECT_EQ(open("cifar100", "train").labels, Labels{1});  // the first is the coarse one
  put("cifar-10-batches-bin/test_batch.bin", "\1" + planes(7, 8, 9) + "x");
  expect_has(error("cifar10"), "no whole number of records");
}

std::string compressed(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(text.size() + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST_F(FormTest, MnistIsReadFromIdxFiles) {
  const std::string images =
      "\0\0\x08\x03"s + big_endian(2) + big_endian(2) + big_endian(3) + "abcdef" + "ghijkl";
  const std::string labels = "\0\0\x08\x01"s + big_endian(2) + "\x09\x00"s;
  put("MNIST/raw/t10k-images-idx3-ubyte.gz", compressed(images));
  put("MNIST/raw/t10k-labels-idx1-ubyte", labels);
  const Dataset set = open("mnist");
  EXPECT_EQ(set.labels, (Labels{9, 0}));
  EXPECT_EQ(set.classes.size(), 10U);
  const image::Image image = pixels(set, 1);
  EXPECT_EQ(image.mode, image::Mode::kL);
  EXPECT_EQ(image.width, 3);
  EXPECT_EQ(std::string(image.data.begin(), image.data.end()), "ghijkl");

  put("MNIST/raw/t10k-labels-idx1-ubyte", "\0\0\x08\x01"s + big_endian(2) + "\x0a\x00"s);
  expect_has(error("mnist"), "label 10 of 10");
  put("MNIST/raw/t10k-labels-idx1-ubyte", "\0\0\x08\x01"s + big_endian(1) + "\x01"s);
  expect_has(error("mnist"), "1 labels for 2 pictures");
  put("MNIST/raw/t10k-images-idx3-ubyte.gz", compressed(images).substr(0, 30));
  EXPECT_NE(error("mnist"), "no error");
  put("MNIST/raw/t10k-images-idx3-ubyte.gz",
      "\0\0\x08\x03"s + big_endian(~0U) + big_endian(~0U) + big_endian(~0U) + "abc");
  EXPECT_NE(error("mnist"), "no error");
}

TEST_F(FormTest, Stl10sColumnsBecomeRows) {
  std::string red(96 * 96, '\0');
  red[1] = 'r';  // the second pixel of the first column
  put("stl10_binary/test_X.bin", red + std::string(2 * 96 * 96, '\0'));
  put("stl10_binary/test_y.bin", "\2");
  put("stl10_binary/class_names.txt", "airplane\nbird\n");
  const Dataset set = open("stl10");
  EXPECT_EQ(set.labels, Labels{1});
  EXPECT_EQ(set.classes, (Names{"airplane", "bird"}));
  EXPECT_EQ(pixels(set, 0).data[size_t{96} * 3], 'r');
  put("stl10_binary/test_y.bin", "\0"s);
  expect_has(error("stl10"), "label 0 of 2 classes");
  put("stl10_binary/test_y.bin", "\1\1");
  expect_has(error("stl10"), "for 2 labels");
}

}  // namespace
}  // namespace clipnext::datasets
