// Resampling: `ref` against its formula, every other table against the same, byte for byte.
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <string>

#include "kernels/testing.h"

namespace clipnext::kernels {
namespace {

/// `size` bytes between two pages that may not be touched: at the end of what is before the second
/// one, or at the beginning of what is after the first.
class Fenced {
 public:
  Fenced(int64_t size, bool at_end) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t inside = (static_cast<size_t>(size) + page - 1) / page * page;
    mapped_ = inside + 2 * page;
    base_ = static_cast<uint8_t*>(
        mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_NE(static_cast<void*>(base_), MAP_FAILED);
    EXPECT_EQ(mprotect(base_ + page, inside, PROT_READ | PROT_WRITE), 0);
    data_ = base_ + page + (at_end ? inside - static_cast<size_t>(size) : 0);
  }
  ~Fenced() { munmap(base_, mapped_); }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;
  uint8_t* data() { return data_; }

 private:
  uint8_t* base_ = nullptr;
  uint8_t* data_ = nullptr;
  size_t mapped_ = 0;
};

enum class Weights : uint8_t { kFilter, kLargest };

/// One axis of a resize of `source` samples to `size`: windows as wide as a bicubic filter's.
struct Plan {
  Plan(int64_t source, int64_t size, Weights weights, std::mt19937& random) {
    const double scale = static_cast<double>(source) / static_cast<double>(size);
    const double reach = 2 * std::max(scale, 1.0);
    taps = std::min(2 * static_cast<int64_t>(std::ceil(reach)) + 1, source);
    values.resize(static_cast<size_t>(size * taps), 0x7fffffff);  // beyond count none is read
    for (int64_t i = 0; i < size; ++i) {
      const double center = (static_cast<double>(i) + 0.5) * scale;
      const int64_t first = std::max<int64_t>(std::lround(center - reach), 0);
      const int64_t end = std::min<int64_t>(std::lround(center + reach), source);
      begin.push_back(static_cast<int32_t>(first));
      count.push_back(static_cast<int32_t>(std::min(end - first, taps)));
      for (int32_t t = 0; t < count.back(); ++t) {
        values[static_cast<size_t>(i * taps + t)] = weight(weights, count.back(), random);
      }
    }
  }

  /// kFilter: of either sign, about 1 in all. kLargest: as large as fits 32 bits.
  static int32_t weight(Weights weights, int32_t count, std::mt19937& random) {
    const double one = weights == Weights::kFilter ? 0x1p22 : 0x1p31 / 255 - 0x1p21 / 255 - 1;
    const double uniform = static_cast<double>(random()) * 0x1p-32;
    const double of_one = weights == Weights::kFilter ? 3 * uniform - 1 : uniform < 0.5 ? -1 : 1;
    return static_cast<int32_t>(of_one * one / count);
  }

  [[nodiscard]] ResamplePlan view() const {
    return {begin.data(), count.data(), values.data(), taps, std::ssize(begin)};
  }
  [[nodiscard]] uint8_t value(int64_t output, int64_t first_sample, int64_t step,
                              const uint8_t* src) const {
    const auto i = static_cast<size_t>(output);
    int64_t sum = 1 << 21;
    for (int64_t t = 0; t < count[i]; ++t) {
      sum += int64_t{src[first_sample + (begin[i] + t) * step]} *
             values[static_cast<size_t>(output * taps + t)];
    }
    return static_cast<uint8_t>(std::clamp<int64_t>(sum >> 22, 0, 255));
  }

  int64_t taps = 0;
  std::vector<int32_t> begin, count, values;
};

void fill(uint8_t* p, int64_t size, std::mt19937& random) {
  // Extremes are frequent, so that sums reach the ends of their range.
  for (int64_t i = 0; i < size; ++i) {
    const auto r = random();
    p[i] = r % 4 == 0 ? 255 : r % 4 == 1 ? 0 : static_cast<uint8_t>(r >> 8);
  }
}

constexpr std::array<std::array<int64_t, 2>, 14> kSizes = {{{1, 1},
                                                            {1, 5},
                                                            {2, 1},
                                                            {3, 7},
                                                            {5, 4},
                                                            {7, 16},
                                                            {8, 3},
                                                            {17, 9},
                                                            {31, 33},
                                                            {64, 15},
                                                            {100, 31},
                                                            {151, 64},
                                                            {640, 65},
                                                            {2000, 3}}};

/// What a table wrote, rows `stride` apart with bytes between them that must stay as they were.
class Output {
 public:
  Output(int64_t rows, int64_t row_bytes, bool at_end)
      : rows_(rows), row_bytes_(row_bytes), bytes_((rows - 1) * stride() + row_bytes, at_end) {
    std::memset(bytes_.data(), kUntouched, static_cast<size_t>((rows - 1) * stride() + row_bytes));
  }
  uint8_t* data() { return bytes_.data(); }
  [[nodiscard]] int64_t stride() const { return row_bytes_ + 5; }

  /// The first difference from expected(row, byte), as text; empty if there is none.
  template <class F>
  std::string difference(const F& expected) {
    for (int64_t y = 0; y < rows_; ++y) {
      const int64_t end = y + 1 < rows_ ? stride() : row_bytes_;
      for (int64_t x = 0; x < end; ++x) {
        const int want = x < row_bytes_ ? expected(y, x) : kUntouched;
        const int is = bytes_.data()[y * stride() + x];
        if (is != want) {
          return "row " + std::to_string(y) + " byte " + std::to_string(x) + ": " +
                 std::to_string(is) + ", not " + std::to_string(want);
        }
      }
    }
    return "";
  }

 private:
  static constexpr uint8_t kUntouched = 0xa5;
  int64_t rows_, row_bytes_;
  Fenced bytes_;
};

TEST(ResampleRows, GivesTheFormulasBytesOnEveryIsa) {
  std::mt19937 random(1);
  for (const auto& [source, size] : kSizes) {
    for (const int64_t channels : {1, 2, 3, 4}) {
      for (const int64_t rows : {1, 3, 4, 9}) {
        const bool at_end = random() % 2 == 0;
        const Plan plan(source, size, random() % 2 == 0 ? Weights::kFilter : Weights::kLargest,
                        random);
        const int64_t stride = source * channels + 3;
        const int64_t src_bytes = (rows - 1) * stride + source * channels;
        Fenced src(src_bytes, at_end);
        fill(src.data(), src_bytes, random);
        const auto expected = [&](int64_t y, int64_t x) {
          return plan.value(x / channels, y * stride + x % channels, channels, src.data());
        };
        for (const Kernels& kernels : all_tables()) {
          Output out(rows, size * channels, at_end);
          kernels.resample_rows(src.data(), stride, rows, channels, plan.view(), out.data(),
                                out.stride());
          EXPECT_EQ(out.difference(expected), "")
              << kernels.isa << ' ' << source << " to " << size << ", " << rows << " rows of "
              << channels << " channels";
        }
      }
    }
  }
}

TEST(ResampleColumns, GivesTheFormulasBytesOnEveryIsa) {
  std::mt19937 random(2);
  for (const auto& [source, size] : kSizes) {
    for (const int64_t row_bytes : {1, 7, 31, 32, 33, 63, 64, 65, 129, 200}) {
      const bool at_end = random() % 2 == 0;
      const Plan plan(source, size, random() % 2 == 0 ? Weights::kFilter : Weights::kLargest,
                      random);
      const int64_t stride = row_bytes + 3;
      const int64_t src_bytes = (source - 1) * stride + row_bytes;
      Fenced src(src_bytes, at_end);
      fill(src.data(), src_bytes, random);
      const auto expected = [&](int64_t y, int64_t x) {
        return plan.value(y, x, stride, src.data());
      };
      for (const Kernels& kernels : all_tables()) {
        Output out(size, row_bytes, at_end);
        kernels.resample_columns(src.data(), stride, row_bytes, plan.view(), out.data(),
                                 out.stride());
        EXPECT_EQ(out.difference(expected), "")
            << kernels.isa << ' ' << source << " to " << size << ", " << row_bytes << " bytes";
      }
    }
  }
}

}  // namespace
}  // namespace clipnext::kernels
