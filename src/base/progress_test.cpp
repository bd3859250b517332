#include "base/progress.h"

#include <gtest/gtest.h>

namespace clipnext {
namespace {

TEST(Progress, DurationsReadLikeASpeakerSaysThem) {
  EXPECT_EQ(format_duration(0.2), "0s");
  EXPECT_EQ(format_duration(59.4), "59s");
  EXPECT_EQ(format_duration(61), "1m01s");
  EXPECT_EQ(format_duration(3720), "1h02m");
}

TEST(Progress, SaysNothingAboutShortWork) {
  testing::internal::CaptureStderr();
  {
    Progress progress("embed", 10, "images");
    for (int i = 0; i < 10; ++i) progress.add();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace clipnext
