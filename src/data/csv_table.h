// Images and captions that a CSV or TSV file lists.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "data/table_source.h"

namespace clipnext::data {

struct CsvOptions {
  std::string separator = "\t";        // one character, or backslash and t
  std::string image_key = "filepath";  // columns, by their names in the first row
  std::string caption_key = "title";
};

/// The rows of a file; fields as they are written (the reference reads columns of numbers as
/// numbers). Of each row eight bytes are held. Image paths are opened as they are, from the current
/// folder on.
class CsvTable : public SampleTable {
 public:
  /// Rows with too few or too many fields, without a path, or whose caption is blank or not UTF-8
  /// are told to `on_fault` and left out. Throws Error naming the file if it cannot be read, lacks
  /// a column, or has no row.
  CsvTable(const std::filesystem::path& path, const CsvOptions& options, const OnFault& on_fault);

  int64_t size() const override { return static_cast<int64_t>(rows_.size()); }
  std::optional<RawSample> read(int64_t i, const OnFault& on_fault) const override;

 private:
  size_t column(const std::vector<std::string>& header, const std::string& name,
                const std::string& option) const;
  std::string fault_of(const std::vector<std::string>& fields, size_t columns) const;
  std::string_view text() const;

  std::string name_;
  MappedFile file_;
  char separator_;
  size_t image_ = 0;
  size_t caption_ = 0;
  std::vector<size_t> rows_;  // where they begin
};

}  // namespace clipnext::data
