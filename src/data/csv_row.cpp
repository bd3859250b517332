#include "data/csv_row.h"

#include <algorithm>

#include "base/error.h"

namespace clipnext::data {
namespace {

bool ends_line(char c) { return c == '\n' || c == '\r'; }

}  // namespace

void CsvRows::take_line_end() {
  if (at_ < text_.size() && text_[at_] == '\r')
    ++at_;
  else if (at_ < text_.size() && text_[at_] == '\n') {
    ++at_;
    return;
  }
  if (at_ > 0 && at_ < text_.size() && text_[at_ - 1] == '\r' && text_[at_] == '\n') ++at_;
}

// Whether the line holds nothing but blanks, and goes behind it then.
bool CsvRows::blank_line() {
  size_t end = at_;
  while (end < text_.size() && (text_[end] == ' ' || text_[end] == '\t') &&
         text_[end] != separator_) {
    ++end;
  }
  if (end < text_.size() && !ends_line(text_[end])) return false;
  at_ = end;
  take_line_end();
  return true;
}

void CsvRows::take_field() {
  std::string& field = fields_.emplace_back();
  if (at_ < text_.size() && text_[at_] == '"') {
    const size_t begin = at_++;
    while (true) {
      const size_t quote = text_.find('"', at_);
      require(
          quote != std::string_view::npos, "line ",
          1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(begin), '\n'),
          ": the quotes of a field are never closed");
      field.append(text_, at_, quote - at_);
      at_ = quote + 1;
      if (at_ == text_.size() || text_[at_] != '"') break;
      field += '"';
      ++at_;
    }
  }
  const size_t begin = at_;
  while (at_ < text_.size() && text_[at_] != separator_ && !ends_line(text_[at_])) ++at_;
  field.append(text_, begin, at_ - begin);
}

bool CsvRows::next() {
  while (at_ < text_.size() && blank_line()) {
  }
  if (at_ >= text_.size()) return false;
  begin_ = at_;
  fields_.clear();
  take_field();
  while (at_ < text_.size() && text_[at_] == separator_) {
    ++at_;
    take_field();
  }
  take_line_end();
  return true;
}

}  // namespace clipnext::data
