// eval build and eval report as commands.
#include <gtest/gtest.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/test_folder.h"
#include "cli/eval_build.h"
#include "cli/eval_report.h"
#include "eval/results.h"

namespace clipnext::cli {
namespace {

class EvalFiles : public testing::Test {
 protected:
  EvalFiles() {
    eval::RunResult result;
    result.dataset = "imagenet1k";
    result.model = "convnext_base_w";
    result.pretrained = "laion2b_s13b_b82k";
    result.task = "zeroshot_classification";
    result.metrics = {{"acc1", 0.7078}};
    eval::write_result(folder_ / "results/a.json", result);
    write_file(folder_ / "results/other.json", "{}");
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  static void run(std::vector<std::string> args) {
    CLI::App app;
    add_eval_build(app);
    add_eval_report(app);
    std::reverse(args.begin(), args.end());  // as CLI11 wants a list
    app.parse(args);
  }

  const TestFolder folder_;
};

TEST_F(EvalFiles, BuildWritesTheTable) {
  run({"build", path("results"), "--output", path("b.csv")});
  EXPECT_EQ(read_file(path("b.csv")),
            "dataset,model,pretrained,task,language,model_fullname,acc1\r\n"
            "imagenet1k,convnext_base_w,laion2b_s13b_b82k,zeroshot_classification,en,"
            "convnext_base_w laion2b_s13b_b82k,0.7078\r\n");
  EXPECT_THROW(run({"build", path("results/other.json"), "--output", path("c.csv")}), Error);
  EXPECT_FALSE(std::filesystem::exists(path("c.csv")));
}

TEST_F(EvalFiles, ReportWritesThePageAndTheCurve) {
  run({"report", path("results"), "-o", path("page.html"), "--title", "Mine & yours"});
  EXPECT_NE(read_file(path("page.html")).find("<title>Mine &amp; yours</title>"),
            std::string::npos);
  EXPECT_TRUE(read_file(path("page.svg")).starts_with("<svg"));
  run({"report", path("results"), "-o", path("page.html"), "--svg", path("seen.svg"), "--x",
       "samples"});
  EXPECT_NE(read_file(path("seen.svg")).find("samples seen"), std::string::npos);
  EXPECT_THROW(run({"report", path("nothing")}), Error);
}

}  // namespace
}  // namespace clipnext::cli
