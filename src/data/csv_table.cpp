#include "data/csv_table.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "data/caption.h"
#include "data/csv_row.h"
#include "data/fault.h"

namespace clipnext::data {
namespace {

char parse_separator(const std::string& text) {
  if (text == "\\t") return '\t';
  require(text.size() == 1 && text != "\"" && text != "\n" && text != "\r", "CSV separator \"",
          text, "\": expected one character");
  return text[0];
}

}  // namespace

CsvTable::CsvTable(const std::filesystem::path& path, const CsvOptions& options,
                   const OnFault& on_fault)
    : name_(path.string()), file_(path), separator_(parse_separator(options.separator)) {
  CsvRows rows(text(), separator_, text().starts_with("\xEF\xBB\xBF") ? 3 : 0);
  try {
    require(rows.next(), "the file is empty");
    const size_t columns = rows.fields().size();
    image_ = column(rows.fields(), options.image_key, "--csv-img-key");
    caption_ = column(rows.fields(), options.caption_key, "--csv-caption-key");
    for (int64_t row = 1; rows.next(); ++row) {
      if (row % 65536 == 0) throw_if_interrupted();
      const std::string fault = fault_of(rows.fields(), columns);
      if (fault.empty()) {
        rows_.push_back(rows.offset());
      } else {
        on_fault(name_ + ": row " + std::to_string(row), fault);
      }
    }
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    fail(name_, ": ", error.what());
  }
  require(!rows_.empty(), name_, ": no row with an image and a caption below the header");
}

std::string_view CsvTable::text() const {
  return {reinterpret_cast<const char*>(file_.bytes().data()), file_.bytes().size()};
}

size_t CsvTable::column(const std::vector<std::string>& header, const std::string& name,
                        const std::string& option) const {
  const auto found = std::find(header.begin(), header.end(), name);
  if (found != header.end()) return static_cast<size_t>(found - header.begin());
  std::string columns;
  for (const std::string& column : header)
    columns += (columns.empty() ? "\"" : ", \"") + column + "\"";
  fail("no column \"", name, "\" in the first row, which has ", columns, "; see ", option,
       " and --csv-separator");
}

std::string CsvTable::fault_of(const std::vector<std::string>& fields, size_t columns) const {
  if (fields.size() > columns || fields.size() <= std::max(image_, caption_)) {
    return "it has " + std::to_string(fields.size()) + " fields, the first row has " +
           std::to_string(columns);
  }
  if (fields[image_].empty()) return "it names no image";
  return caption_fault(fields[caption_]);
}

std::optional<RawSample> CsvTable::read(int64_t i, const OnFault& on_fault) const {
  CsvRows row(text(), separator_, rows_[static_cast<size_t>(i)]);
  row.next();
  return read_image_file(row.fields()[image_], row.fields()[caption_], on_fault);
}

}  // namespace clipnext::data
