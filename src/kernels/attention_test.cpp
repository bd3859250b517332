// attention against the formula, and the promise that unseen keys and other rows do not matter.
#include <algorithm>
#include <array>

#include "kernels/ref/ref.h"
#include "kernels/testing.h"

namespace clipnext::kernels {
namespace {

/// Rows of q, k and v side by side, as a projection leaves them.
struct Head {
  int64_t t, d;
  std::vector<float> qkv;
  Head(int64_t tokens, int64_t width, uint32_t seed)
      : t(tokens), d(width), qkv(normal(tokens * 3 * width, seed)) {}
  [[nodiscard]] int64_t ld() const { return 3 * d; }
};

/// Of queries [begin, end) with the first tk tokens as keys.
std::vector<float> attend(const Kernels& kernels, const Head& head, int64_t begin, int64_t end,
                          int64_t tk, bool causal) {
  Aligned scratch(kernels.attention_scratch(tk, head.d));
  Guarded out((end - begin) * head.d);
  const float* q = head.qkv.data();
  kernels.attention(q + begin * head.ld(), q + head.d, q + 2 * head.d, head.ld(), end - begin, tk,
                    head.d, causal, scratch.data(), out.data(), head.d);
  EXPECT_TRUE(out.intact()) << kernels.isa;
  return out.values();
}

TEST(Attention, RefIsTheFormula) {
  const int64_t t = 5, d = 7;
  const Head head(t, d, 1);
  const auto x = widen(head.qkv);
  for (const bool causal : {false, true}) {
    std::vector<double> out(static_cast<size_t>(t * d));
    ref::attention<double>(x.data(), x.data() + d, x.data() + 2 * d, 3 * d, t, t, d, causal,
                           out.data(), d);
    for (int64_t i = 0; i < t; ++i) {
      const int64_t visible = causal ? i + 1 : t;
      std::vector<double> p;
      double total = 0;
      for (int64_t j = 0; j < visible; ++j) {
        double s = 0;
        for (int64_t e = 0; e < d; ++e) {
          s += x[static_cast<size_t>(i * 3 * d + e)] * x[static_cast<size_t>(j * 3 * d + d + e)];
        }
        p.push_back(std::exp(s / std::sqrt(7.0)));
        total += p.back();
      }
      for (int64_t e = 0; e < d; ++e) {
        double y = 0;
        for (int64_t j = 0; j < visible; ++j) {
          y += p[static_cast<size_t>(j)] * x[static_cast<size_t>(j * 3 * d + 2 * d + e)];
        }
        EXPECT_NEAR(out[static_cast<size_t>(i * d + e)], y / total, 1e-14);
      }
    }
  }
}

TEST(Attention, MatchesRefOnEveryIsa) {
  for (const int64_t d : {1, 7, 16, 31, 32, 33, 64, 80, 88, 104, 128, 300}) {
    for (const int64_t t : {1, 5, 6, 7, 14, 15, 31, 33, 77, 257, 300}) {
      if (d == 300 && t > 33) continue;
      const Head head(t, d, 2);
      for (const bool causal : {false, true}) {
        const auto expected = attend(available()[0], head, 0, t, t, causal);
        for (const Kernels& kernels : all_tables()) {
          EXPECT_LT(error(attend(kernels, head, 0, t, t, causal), expected), 2e-6)
              << kernels.isa << " t " << t << " d " << d << " causal " << causal;
        }
      }
    }
  }
}

TEST(Attention, LongSequencesAndLargeScores) {
  Head head(1025, 64, 3);
  // Scores of the order of 100, of which one key takes nearly all; they are sums of the order of
  // 1000 whose last f32 bit, 6e-5, then changes the outcome by about as much.
  for (float& v : head.qkv) v *= 5;
  const auto expected = attend(available()[0], head, 0, 1025, 1025, false);
  for (const Kernels& kernels : all_tables()) {
    EXPECT_LT(error(attend(kernels, head, 0, 1025, 1025, false), expected), 4e-4) << kernels.isa;
  }
}

TEST(Attention, ACausalRowDoesNotDependOnLaterTokens) {
  const Head head(300, 40, 4);
  for (const Kernels& kernels : all_tables()) {
    const auto whole = attend(kernels, head, 0, 300, 300, true);
    for (const int64_t t : {1, 2, 10, 14, 15, 16, 17, 33, 77, 255, 256, 257, 299}) {
      const auto cut = attend(kernels, head, 0, t, t, true);
      EXPECT_TRUE(same_bits(cut.data(), whole.data(), t * 40)) << kernels.isa << ' ' << t;
    }
  }
}

TEST(Attention, ARowDoesNotDependOnTheOtherQueries) {
  const Head head(100, 32, 5);
  for (const Kernels& kernels : all_tables()) {
    const auto whole = attend(kernels, head, 0, 100, 100, false);
    const auto causal = attend(kernels, head, 0, 100, 100, true);
    for (const auto& [begin, end] : std::vector<std::array<int64_t, 2>>{
             {0, 1}, {3, 4}, {7, 20}, {99, 100}, {50, 100}, {13, 77}}) {
      const int64_t size = (end - begin) * 32;
      const auto part = attend(kernels, head, begin, end, 100, false);
      EXPECT_TRUE(same_bits(part.data(), whole.data() + begin * 32, size)) << kernels.isa << begin;
      // with earlier keys given, a causal call may start anywhere
      const auto rest = attend(kernels, head, begin, end, end, true);
      EXPECT_TRUE(same_bits(rest.data(), causal.data() + begin * 32, size)) << kernels.isa << begin;
    }
  }
}

TEST(Attention, EqualScoresGiveTheMean) {
  Head head(21, 9, 6);
  for (int64_t i = 0; i < 21; ++i) std::fill_n(head.qkv.begin() + i * 27, 9, 0.0F);
  for (const Kernels& kernels : all_tables()) {
    const auto out = attend(kernels, head, 0, 1, 21, false);
    for (int64_t e = 0; e < 9; ++e) {
      double mean = 0;
      for (int64_t j = 0; j < 21; ++j)
        mean += head.qkv[static_cast<size_t>(j * 27 + 18 + e)] / 21.0;
      EXPECT_NEAR(out[static_cast<size_t>(e)], mean, 3e-7) << kernels.isa;
    }
  }
}

}  // namespace
}  // namespace clipnext::kernels
