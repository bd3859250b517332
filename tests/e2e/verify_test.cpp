#include "e2e/program.h"
#include "weights/checkpoint.h"

namespace clipnext::e2e {
namespace {

TEST_F(Program, VerifyNamesTheLayerThatDiverges) {
  const std::vector<uint8_t> black(64 * 64 * 3, 0);
  const weights::Tensor pixels{.dtype = weights::DType::kU8,
                               .shape = {1, 64, 64, 3},
                               .data = std::as_bytes(std::span(black)),
                               .owner = nullptr};
  const std::vector<float> zeros(128, 0.0f);
  weights::write_npz(path("dump.npz"),
                     {{"pixels", pixels}, {"visual", weights::make_tensor({1, 128}, zeros)}});
  const Outcome outcome = run({"verify", "--against", path("dump.npz"), "--json"});
  EXPECT_EQ(outcome.status, 1);
  const Json json = outcome.json();
  EXPECT_EQ(json["agrees"], false);
  EXPECT_EQ(json["first_divergence"], "visual");
  EXPECT_NE(outcome.err.find("visual is the first layer to diverge"), std::string::npos)
      << outcome.err;
}

TEST_F(Program, VerifyRefusesWhatIsNoDump) {
  const std::vector<float> zeros(128, 0.0f);
  weights::write_npz(path("dump.npz"), {{"visual", weights::make_tensor({1, 128}, zeros)}});
  expect_error(run({"verify", "--against", path("dump.npz")}), 1, "dump.npz");
  expect_error(run({"verify", "--against", path("none.npz")}), 1, "none.npz");
  expect_error(run(std::vector<std::string>{"verify"}), 2, "--against");
}

}  // namespace
}  // namespace clipnext::e2e
