#include "soup/output.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sha.h"
#include "base/test_error.h"
#include "soup/test_ingredients.h"
#include "weights/safetensors.h"

namespace clipnext::soup {
namespace {

namespace fs = std::filesystem;

TEST(SoupOutput, WhatIsThereIsReplacedOnlyIfAsked) {
  const TestFolder folder;
  const fs::path out = folder / "out";
  check_output(out, false);
  fs::create_directories(out);
  EXPECT_NE(message_of([&] { check_output(out, false); }).find("--force"), std::string::npos);
  check_output(out, true);
  write_file(out / "soup.json", "{}");
  EXPECT_NE(message_of([&] { check_output(out / "soup.json", true); }).find("is a file"),
            std::string::npos);
}

class SoupWeights : public testing::Test {
 protected:
  Ingredient model(uint64_t seed) {
    const std::string path = (folder_ / ("m" + std::to_string(seed) + ".safetensors")).string();
    weights::write_safetensors(path, small_model(seed));
    return open_ingredient(path);
  }
  const TestFolder folder_;
};

TEST_F(SoupWeights, AreWrittenAsTheyAreMadeInMemory) {
  const std::vector<Ingredient> pot = {model(1), model(2), model(3)};
  const Plan plan = make_plan(pot, {}, nullptr);
  ThreadPool pool(3);
  const fs::path file = folder_ / "out.safetensors";
  const WrittenWeights written = write_weights(file, plan, pot, {}, false, pool);
  const weights::Checkpoint read = weights::open_checkpoint(file);
  const weights::TensorMap made = make_tensors(plan, pot, pool);
  ASSERT_EQ(read.tensors.size(), made.size());
  for (const auto& [name, tensor] : made) EXPECT_EQ(bits(read.tensors.at(name)), bits(tensor));
  EXPECT_EQ(read.metadata, (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_EQ(written.sha256, sha256_hex(read_file(file)));
  ASSERT_EQ(written.pass.sha256.size(), 3U);
  EXPECT_EQ(written.pass.sha256[1], sha256_hex(read_file(pot[1].file)));
}

TEST_F(SoupWeights, ThatChangedOnTheDiskAreFoundOut) {
  const std::vector<Ingredient> pot = {model(1), model(2)};
  const Plan plan = make_plan(pot, {}, nullptr);
  ThreadPool pool(1);
  const fs::path file = folder_ / "out.safetensors";
  write_weights(file, plan, pot, {}, false, pool);
  std::string bytes = read_file(file);
  for (size_t i = bytes.size() - 256; i < bytes.size(); ++i) bytes[i] ^= 1;
  write_file(file, bytes);
  EXPECT_NE(message_of([&] { check_written(file, plan); }).find("is not what was computed"),
            std::string::npos);
}

// Sparse files: as large as they say, and on no disk.
Ingredient sparse_model(const fs::path& path, int64_t tensors, int64_t elements) {
  std::vector<std::pair<std::string, weights::Tensor>> list;
  for (int64_t t = 0; t < tensors; ++t) {
    weights::Tensor tensor;
    tensor.shape = {elements};
    list.emplace_back("visual.head." + std::to_string(t), tensor);
  }
  write_file(path, weights::safetensors_header(path.string(), list, {}, 8));
  fs::resize_file(path, fs::file_size(path) + static_cast<uintmax_t>(tensors * elements * 4));
  return open_ingredient(path.string());
}

// In a child process whose memory, mapped files aside, is limited.
int cook_within(int64_t limit_bytes, const std::vector<Ingredient>& pot, const fs::path& out) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit limit{static_cast<rlim_t>(limit_bytes), static_cast<rlim_t>(limit_bytes)};
    setrlimit(RLIMIT_DATA, &limit);
    try {
      ThreadPool pool(2);
      write_weights(out, make_plan(pot, {}, nullptr), pot, {}, false, pool);
      _exit(0);
    } catch (...) {
      _exit(1);
    }
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

TEST(SoupMemory, StaysFarBelowTheModels) {
  const TestFolder folder;
  std::vector<Ingredient> pot;
  for (int i = 0; i < 8; ++i) {  // 8 x 64 MB
    pot.push_back(sparse_model(folder / std::to_string(i), 4, int64_t{4} << 20));
  }
  EXPECT_EQ(cook_within(int64_t{128} << 20, pot, folder / "out"), 0);
  EXPECT_GT(fs::file_size(folder / "out"), uintmax_t{64} << 20);
}

TEST(SlowSoupMemory, EightModelsOf1400MegabytesTakeLessThan512) {
  const TestFolder folder;
  std::vector<Ingredient> pot;
  for (int i = 0; i < 8; ++i) {
    pot.push_back(sparse_model(folder / std::to_string(i), 9, int64_t{39} << 20));
  }
  EXPECT_EQ(cook_within(int64_t{512} << 20, pot, folder / "out"), 0);
}

}  // namespace
}  // namespace clipnext::soup
