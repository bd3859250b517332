// Reading small files whole, and writing files so that a reader never sees half of one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace clipnext {

/// The whole file as bytes in a string. Throws Error naming the file if it cannot be read or is
/// larger than max_bytes.
std::string read_file(const std::filesystem::path& path, int64_t max_bytes = int64_t{1} << 30);

/// Standard input to its end; throws Error beyond max_bytes, and if it was read before.
std::string read_stdin(int64_t max_bytes = int64_t{1} << 30);

/// Writes to a temporary name beside `path`; commit() flushes to disk and renames. Destroyed
/// without commit (an error, an interrupt), it removes the temporary file and `path` is untouched.
class FileWriter {
 public:
  explicit FileWriter(std::filesystem::path path);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(const void* data, size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  int64_t size() const { return size_; }
  void commit();

 private:
  void flush();
  void discard();

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::string buffer_;
  int64_t size_ = 0;
  int fd_ = -1;
  int slot_ = -1;  // where remove_temporary_files finds this one
};

/// Unlinks the temporary file of every FileWriter not yet committed. Only for a signal handler that
/// ends the process.
void remove_temporary_files() noexcept;

/// FileWriter in one call.
void write_file(const std::filesystem::path& path, std::string_view content);

}  // namespace clipnext
