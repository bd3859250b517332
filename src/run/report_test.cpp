#include <gtest/gtest.h>

#include "base/test_folder.h"
#include "run/curves.h"
#include "run/fixtures_test.h"
#include "run/report_html.h"
#include "run/tensorboard.h"

namespace clipnext::run {
namespace {

size_t count(const std::string& text, const std::string& part) {
  size_t times = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++times;
  return times;
}

void make_run(const std::filesystem::path& folder, double loss) {
  std::filesystem::create_directories(folder);
  ScalarLog log(folder / "scalars.jsonl", {});
  for (int64_t step = 0; step < 20; ++step) {
    log.write({{"train/loss", loss / static_cast<double>(step + 1)}, {"train/lr", 1e-3}}, step);
  }
  log.write({{"train/loss", 0.125}}, 19);  // computed again after a kill
  log.write_epoch({{"val/imagenet-zeroshot-val-top1", 0.5}}, 1, 20);
  write_file(folder / "params.txt", "lr: 0.001\nname: " + folder.filename().string() + "\n");
}

TEST(Report, CurvesOfSeveralRunsLieOverOneAnother) {
  const TestFolder folder;
  make_run(folder / "a", 4);
  make_run(folder / "b<script>", 8);
  std::filesystem::create_directories(folder / "no run");
  std::vector<std::string> notes;
  const auto runs = read_curves({folder.path().string()}, notes);
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_EQ(runs[0].name, "a");
  EXPECT_EQ(runs[0].curves.at("train/loss").back(), std::pair(19.0, 0.125));
  EXPECT_EQ(runs[0].curves.at("val/imagenet-zeroshot-val-top1").front().first, 20);
  const std::string html = report_html(runs, "Two runs");
  EXPECT_EQ(count(html, "<svg"), 3U);
  EXPECT_EQ(count(html, "<path"), 6U);
  EXPECT_EQ(count(html, "<script"), 0U);
  EXPECT_EQ(count(html, "://"), count(html, "http://www.w3.org/2000/svg"));
  EXPECT_NE(html.find("Options that differ"), std::string::npos);
  EXPECT_EQ(html.find("<th scope=\"row\">lr</th>"), std::string::npos);  // the same in both
  EXPECT_NE(summary_text(runs[0]).find("loss 0.125 (step 19)"), std::string::npos);
}

TEST(Report, TheReferencesOwnLogIsEnough) {
  const TestFolder folder;
  write_file(folder / "out.log", fixture_text("out.log"));
  std::vector<std::string> notes;
  const auto runs = read_curves({folder.path().string() + "/"}, notes);
  ASSERT_EQ(runs.size(), 1U);
  EXPECT_EQ(runs[0].name, folder.path().filename().string());
  EXPECT_EQ(runs[0].curves.at("train/loss").size(), 6U);
  EXPECT_EQ(runs[0].curves.at("val/image_to_text_R@1").size(), 2U);
  EXPECT_TRUE(notes.empty());
}

TEST(Report, WithoutAnyRunSaysWhatIsMissing) {
  const TestFolder folder;
  std::vector<std::string> notes;
  EXPECT_NE(message_of([&] { read_curves({folder.path().string()}, notes); }).find("scalars.jsonl"),
            std::string::npos);
}

}  // namespace
}  // namespace clipnext::run
