#include "data/table_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/test_error.h"
#include "base/test_folder.h"
#include "data/caption_folder.h"
#include "data/csv_row.h"
#include "data/csv_table.h"
#include "data/permutation.h"
#include "data/shard_test.h"

namespace clipnext::data {
namespace {

using Strings = std::vector<std::string>;

TEST(Permutation, GivesEachPlaceOnce) {
  for (const int64_t size : {1, 2, 3, 7, 100, 4096, 5001}) {
    const Permutation permutation(size, 5);
    std::vector<bool> seen(static_cast<size_t>(size));
    for (int64_t i = 0; i < size; ++i) {
      const int64_t at = permutation.at(i);
      ASSERT_TRUE(at >= 0 && at < size);
      ASSERT_FALSE(seen[static_cast<size_t>(at)]);
      seen[static_cast<size_t>(at)] = true;
    }
  }
}

// Chi-square of 40,000 orders of 4 things over the 24 there are: mean 23, deviation 6.8.
TEST(Permutation, AllOrdersAreAlikeLikely) {
  std::map<std::vector<int64_t>, int> counts;
  constexpr int kOrders = 40'000;
  for (uint64_t key = 0; key < kOrders; ++key) {
    const Permutation permutation(4, key);
    ++counts[{permutation.at(0), permutation.at(1), permutation.at(2), permutation.at(3)}];
  }
  ASSERT_EQ(counts.size(), 24U);
  double chi2 = 0;
  for (const auto& [order, count] : counts) {
    chi2 += std::pow(count - kOrders / 24.0, 2) / (kOrders / 24.0);
  }
  EXPECT_LT(chi2, 23 + 5 * 6.8);
}

TEST(Permutation, NeighboursAreTornApart) {
  constexpr int64_t kSize = 100'000;
  const Permutation permutation(kSize, 9);
  double sum = 0;  // of distances; a random pair is a third of the size apart on average
  for (int64_t i = 0; i + 1 < kSize; ++i)
    sum += std::abs(double(permutation.at(i + 1) - permutation.at(i)));
  EXPECT_NEAR(sum / kSize, kSize / 3.0, 0.01 * kSize);
}

// Row i has the caption "i", unless it is one of `broken`.
class Numbers : public SampleTable {
 public:
  explicit Numbers(int64_t size, std::set<int64_t> broken = {})
      : size_(size), broken_(std::move(broken)) {}
  int64_t size() const override { return size_; }
  std::optional<RawSample> read(int64_t i, const OnFault& on_fault) const override {
    if (!broken_.contains(i)) return RawSample{"", "image", std::to_string(i)};
    on_fault(std::to_string(i), "broken");
    return std::nullopt;
  }

 private:
  int64_t size_;
  std::set<int64_t> broken_;
};

std::vector<int64_t> take(SampleSource& source, size_t count) {
  std::vector<int64_t> rows;
  while (rows.size() < count) {
    const auto sample = source.next();
    if (!sample) break;
    rows.push_back(std::stoll(sample->caption));
  }
  return rows;
}

class Table : public testing::Test {
 protected:
  TableSource open(int64_t size, const WorkerId& id, std::set<int64_t> broken = {}) {
    return TableSource(std::make_shared<Numbers>(size, std::move(broken)), order_, id,
                       faults_.listener());
  }
  TableOrder order_;
  Faults faults_;
};

// As torch's DistributedSampler (2.15) cuts a permutation p of 10 for 4 ranks: 12 places, the last
// two those of the begin; rank r has places r, r + 4, r + 8.
TEST_F(Table, RanksTakeTheOrderInTurnContinuedFromItsBegin) {
  std::vector<int64_t> places(12);
  for (int64_t rank = 0; rank < 4; ++rank) {
    TableSource source = open(10, {rank, 4, 0, 1});
    source.begin_epoch(1);
    const auto rows = take(source, 3);
    for (size_t i = 0; i < 3; ++i) places[static_cast<size_t>(rank) + 4 * i] = rows[i];
  }
  EXPECT_EQ(std::set<int64_t>(places.begin(), places.begin() + 10).size(), 10U);
  EXPECT_EQ(places[10], places[0]);
  EXPECT_EQ(places[11], places[1]);
}

TEST_F(Table, EpochsHaveOrdersOfTheirOwn) {
  TableSource source = open(50, {});
  const auto first = take(source, 50);
  source.begin_epoch(1);
  EXPECT_NE(take(source, 50), first);
  source.begin_epoch(0);
  EXPECT_EQ(take(source, 50), first);
  EXPECT_EQ(take(source, 50), first) << "what runs out begins again";
  order_.seed = 1;
  TableSource other = open(50, {});
  EXPECT_NE(take(other, 50), first);
}

TEST_F(Table, BatchesOfWorkersInTurnAreTheRanksOrder) {
  order_.block = 4;
  TableSource single = open(22, {1, 2, 0, 1});
  const auto all = take(single, 11);
  TableSource a = open(22, {1, 2, 0, 2}), b = open(22, {1, 2, 1, 2});
  auto rows = take(a, 4);                                    // batch 0
  for (const int64_t row : take(b, 4)) rows.push_back(row);  // batch 1
  for (const int64_t row : take(a, 3)) rows.push_back(row);  // what is left
  EXPECT_EQ(rows, all);
}

TEST_F(Table, ValidationIsInOrderOnceAndTheSameOnEachRank) {
  order_ = {.training = false, .seed = 0, .block = 2};
  TableSource a = open(7, {1, 2, 0, 2}), b = open(7, {1, 2, 1, 2});
  EXPECT_EQ(take(a, 100), (std::vector<int64_t>{0, 1, 4, 5}));
  EXPECT_EQ(take(b, 100), (std::vector<int64_t>{2, 3, 6}));
  EXPECT_FALSE(b.next());
  TableSource idle = open(2, {0, 1, 3, 4});
  EXPECT_FALSE(idle.next());
}

TEST_F(Table, WhatCannotBeReadIsPassedOver) {
  order_.training = false;
  TableSource source = open(5, {}, {0, 3, 4});
  EXPECT_EQ(take(source, 100), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(faults_.all.size(), 3U);
}

TEST_F(Table, NothingToReadIsAnError) {
  for (const bool training : {true, false}) {
    order_.training = training;
    TableSource source = open(2, {}, {0, 1});
    EXPECT_THROW(source.next(), Error);
  }
  order_.training = true;
  TableSource idle = open(2, {0, 1, 3, 4});
  EXPECT_THROW(idle.next(), Error);
}

TEST(SyntheticTable, IsBlackPicturesWithOneCaption) {
  const SyntheticTable table(3);
  EXPECT_EQ(table.size(), 3);
  const auto sample = table.read(2, {});
  EXPECT_EQ(sample->image, "");
  EXPECT_EQ(sample->caption, "Dummy caption");
  EXPECT_THROW(SyntheticTable(0), Error);
}

std::vector<Strings> rows_of(std::string_view text, char separator) {
  CsvRows rows(text, separator);
  std::vector<Strings> all;
  while (rows.next()) all.push_back(rows.fields());
  return all;
}

// As pandas 3.1.1 reads them, the header among the rows.
TEST(CsvRows, ReadsQuotesAndLineEndsAsPandasDoes) {
  using Rows = std::vector<Strings>;
  EXPECT_EQ(rows_of("a,b\r\n\"x, \"\"y\"\"\",2\r\n", ','), (Rows{{"a", "b"}, {"x, \"y\"", "2"}}));
  EXPECT_EQ(rows_of("a,b\rp,q\r", ','), (Rows{{"a", "b"}, {"p", "q"}}));
  EXPECT_EQ(rows_of("a,b\n\n  \np,q\n\n", ','), (Rows{{"a", "b"}, {"p", "q"}}));
  EXPECT_EQ(rows_of("a,b\n\"p\nq\",r", ','), (Rows{{"a", "b"}, {"p\nq", "r"}}));
  EXPECT_EQ(rows_of("p\"q\"r,s\n", ','), (Rows{{"p\"q\"r", "s"}}));
  EXPECT_EQ(rows_of("\"p\"q\"r,s\n", ','), (Rows{{"pq\"r", "s"}}));
  EXPECT_EQ(rows_of("\"p\"\",\"\"q\",s\n", ','), (Rows{{"p\",\"q", "s"}}));
  EXPECT_EQ(rows_of(" x , \"y\"\n", ','), (Rows{{" x ", " \"y\""}}));
  EXPECT_EQ(rows_of(",y\n", ','), (Rows{{"", "y"}}));
  EXPECT_EQ(rows_of("a\tb\n\t\nx\ty", '\t'), (Rows{{"a", "b"}, {"", ""}, {"x", "y"}}));
  EXPECT_EQ(rows_of("a,b\n\r\nx,y\r\r\nu,\"v\"  ", ','),
            (Rows{{"a", "b"}, {"x", "y"}, {"u", "v  "}}));
  EXPECT_EQ(rows_of("", ','), Rows{});
  EXPECT_THROW(rows_of("a,b\nx,\"y\n", ','), Error);
}

class Lists : public testing::Test {
 protected:
  std::string error_of(const CsvOptions& options = {}) {
    return message_of([&] { const CsvTable table(file_, options, faults_.listener()); });
  }
  // "image=caption" of all that can be read.
  Strings read(const SampleTable& table) {
    Strings lines;
    for (int64_t i = 0; i < table.size(); ++i) {
      if (const auto s = table.read(i, faults_.listener()))
        lines.push_back(s->image + "=" + s->caption);
    }
    return lines;
  }
  std::string path(const std::string& name) const { return (temporary_ / name).string(); }

  const TestFolder temporary_;
  const std::filesystem::path file_ = temporary_ / "list.csv";
  Faults faults_;
};

TEST_F(Lists, CsvGivesRowsAndTellsWhatItLeavesOut) {
  write_file(temporary_ / "a.jpg", "A");
  write_file(temporary_ / "empty.jpg", "");
  write_file(file_, "\xEF\xBB\xBFid\ttitle\tfilepath\n1\tone \"1\"\t" + path("a.jpg") + "\n" +
                        "2\ttwo\t" + path("none.jpg") + "\n3\t \t" + path("a.jpg") +
                        "\n4\tfour\t\n5\tfive\n6\tsix\t" + path("a.jpg") + "\tmore\n" +
                        "7\t\"seven\n(7)\"\t" + path("a.jpg") + "\r\n8\teight\t" +
                        path("empty.jpg") + "\n");
  const CsvTable table(file_, {}, faults_.listener());
  EXPECT_EQ(table.size(), 4);
  EXPECT_EQ(faults_.all,
            (Strings{file_.string() + ": row 3: its caption is empty",
                     file_.string() + ": row 4: it names no image",
                     file_.string() + ": row 5: it has 2 fields, the first row has 3",
                     file_.string() + ": row 6: it has 4 fields, the first row has 3"}));
  faults_.all.clear();
  EXPECT_EQ(read(table), (Strings{"A=one \"1\"", "A=seven\n(7)"}));
  EXPECT_EQ(faults_.all, (Strings{path("none.jpg") + ": No such file or directory",
                                  path("empty.jpg") + ": the image is empty"}));
}

TEST_F(Lists, CsvTakesOtherSeparatorsAndColumns) {
  write_file(temporary_ / "a.jpg", "A");
  write_file(file_, "text,image\n\"one, two\"," + path("a.jpg") + "\n");
  const CsvTable table(file_, {.separator = ",", .image_key = "image", .caption_key = "text"},
                       faults_.listener());
  EXPECT_EQ(read(table), Strings{"A=one, two"});
  EXPECT_EQ(error_of(), file_.string() +
                            ": no column \"filepath\" in the first row, which has "
                            "\"text,image\"; see --csv-img-key and --csv-separator");
}

TEST_F(Lists, CsvThatCannotBeReadIsAnErrorThatNamesIt) {
  EXPECT_NE(error_of().find(file_.string()), std::string::npos);
  for (const char* content : {"", "\n\n", "filepath\ttitle\n", "filepath\ttitle\na\t\"b\n"}) {
    write_file(file_, content);
    EXPECT_TRUE(error_of().starts_with(file_.string() + ": ")) << content << error_of();
  }
  write_file(file_, "filepath\ttitle\na\tb\n");
  EXPECT_EQ(error_of(), "no error");
  EXPECT_EQ(error_of({.separator = "\\t"}), "no error");
  for (const char* bad : {"", ",,", "\"", "\n"}) {
    EXPECT_NE(error_of({.separator = bad}).find("expected one character"), std::string::npos);
  }
}

TEST_F(Lists, FolderGivesImagesWithTextsBesideThem) {
  std::filesystem::create_directory(temporary_ / "sub");
  for (const char* name : {"10.jpg", "9.png", "lonely.jpg", "blank.jpg", "sub/1.jpg"}) {
    write_file(temporary_ / name, name);
  }
  write_file(temporary_ / "10.txt", " ten\n");
  write_file(temporary_ / "9.txt", "nine");
  write_file(temporary_ / "blank.txt", "\n");
  write_file(temporary_ / "sub/1.txt", "one");
  const CaptionFolder folder(temporary_.path(), faults_.listener());
  EXPECT_EQ(folder.size(), 4);
  EXPECT_EQ(faults_.all,
            Strings{path("lonely.jpg") + ": no caption: " + path("lonely.txt") + " is missing"});
  EXPECT_EQ(read(folder), (Strings{"9.png=nine", "10.jpg=ten", "sub/1.jpg=one"}));
  EXPECT_EQ(faults_.all.back(), path("blank.jpg") + ": its caption is empty");
}

TEST_F(Lists, FolderWithoutCaptionsIsAnError) {
  write_file(temporary_ / "a.jpg", "A");
  EXPECT_THROW(CaptionFolder(temporary_.path(), faults_.listener()), Error);
}

}  // namespace
}  // namespace clipnext::data
