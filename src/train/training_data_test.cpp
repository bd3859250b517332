#include "train/training_data.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/file.h"
#include "base/test_folder.h"

namespace clipnext::train {
namespace {

/// What a FaultLog writes.
class TrainingFaults : public testing::Test {
 protected:
  std::string lines_of(int64_t count, bool debug, const std::function<std::string(int64_t)>& why) {
    const auto path = folder_ / "out.log";
    std::filesystem::remove(path);
    run::RunLog log(path, debug, true);
    FaultLog faults(log);
    for (int64_t i = 0; i < count; ++i) faults.add("sample " + std::to_string(i), why(i));
    EXPECT_EQ(faults.count(), count);
    return read_file(path);
  }

  static int64_t number_of(const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  }

 private:
  TestFolder folder_;
};

TEST_F(TrainingFaults, AreCountedByTheirReasonWithoutItsNumbers) {
  const std::string lines = lines_of(2500, false, [](int64_t i) {
    return "the image is " + std::to_string(7000 + i) + "x" + std::to_string(i) + " pixels";
  });
  EXPECT_EQ(number_of(lines), 3) << lines;
  EXPECT_NE(lines.find("sample 0: the image is 7000x0 pixels\n"), std::string::npos) << lines;
  EXPECT_NE(lines.find("sample 2000: the image is 9000x2000 pixels (2001 times by now)"),
            std::string::npos)
      << lines;
}

TEST_F(TrainingFaults, OfEndlesslyManyKindsAreNotEachANewOne) {
  // Names that differ in letters, as a damaged shard may hold.
  const auto reason = [](int64_t i) {
    std::string name = "member ";
    for (int64_t rest = i + 1; rest > 0; rest /= 26) name += static_cast<char>('a' + rest % 26);
    return name + " is cut short";
  };
  const std::string lines = lines_of(5000, false, reason);
  EXPECT_GE(number_of(lines), 100);
  EXPECT_LE(number_of(lines), 110) << lines;
  EXPECT_NE(lines.find("(1001 times by now)"), std::string::npos) << "the others together";
}

TEST_F(TrainingFaults, AreEachNamedWithDebug) {
  const std::string lines = lines_of(300, true, [](int64_t) { return "its image is empty"; });
  EXPECT_EQ(number_of(lines), 300);
  EXPECT_NE(lines.find("DEBUG | sample 299: its image is empty\n"), std::string::npos) << lines;
}

}  // namespace
}  // namespace clipnext::train
