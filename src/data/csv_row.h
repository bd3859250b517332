// Rows of separated values.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace clipnext::data {

/// Reads rows as pandas.read_csv does (2.x, its default engine): fields may stand in double quotes,
/// and then hold separators, line ends and doubled quotes; a quote inside of another field is an
/// ordinary character. Lines end in LF, CR LF or CR; lines of nothing but blanks are passed over.
class CsvRows {
 public:
  /// `text` must outlive it; reading begins at byte `at`, the begin of a line.
  CsvRows(std::string_view text, char separator, size_t at = 0)
      : text_(text), separator_(separator), at_(at) {}

  /// Goes to the next row; false at the end. Throws Error, without a file's name, if the text ends
  /// inside of quotes.
  bool next();
  /// Of the row that next() went to.
  const std::vector<std::string>& fields() const { return fields_; }
  /// Where it begins.
  size_t offset() const { return begin_; }

 private:
  bool blank_line();
  void take_line_end();
  void take_field();

  std::string_view text_;
  char separator_;
  size_t at_;
  size_t begin_ = 0;
  std::vector<std::string> fields_;
};

}  // namespace clipnext::data
