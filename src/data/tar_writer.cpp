#include "data/tar_writer.h"

#include <cstdio>
#include <numeric>

#include "base/error.h"

namespace clipnext::data {
namespace {

constexpr int64_t kBlock = 512;
constexpr int64_t kRecord = 20 * kBlock;  // what tar programs fill up to

/// `value` as ustar writes numbers: octal digits and a zero byte, `width` bytes in all.
void put_octal(std::string& header, size_t at, size_t width, uint64_t value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%0*llo", static_cast<int>(width - 1),
                static_cast<unsigned long long>(value));
  header.replace(at, width - 1, digits);
}

std::string make_header(const std::string& name, uint64_t size) {
  std::string header(kBlock, '\0');
  header.replace(0, name.size(), name);
  put_octal(header, 100, 8, 0644);  // mode
  put_octal(header, 108, 8, 0);     // user
  put_octal(header, 116, 8, 0);     // group
  put_octal(header, 124, 12, size);
  put_octal(header, 136, 12, 0);  // date
  header[156] = '0';              // a regular file
  header.replace(257, 5, "ustar");
  header.replace(263, 2, "00");        // its version
  header.replace(148, 8, "        ");  // what the sum takes itself for
  const uint64_t sum =
      std::accumulate(header.begin(), header.end(), uint64_t{0},
                      [](uint64_t total, char c) { return total + static_cast<unsigned char>(c); });
  put_octal(header, 148, 7, sum);
  header[154] = '\0';
  return header;
}

}  // namespace

void TarWriter::pad(int64_t multiple) {
  const int64_t missing = (multiple - file_.size() % multiple) % multiple;
  file_.write(std::string(static_cast<size_t>(missing), '\0'));
}

void TarWriter::add(const std::string& name, std::string_view content) {
  constexpr size_t kMaxName = 100;
  constexpr uint64_t kMaxSize = (uint64_t{1} << 33) - 1;  // eleven octal digits
  require(!name.empty() && name.size() <= kMaxName, path_.string(), ": member name \"", name,
          "\" has ", name.size(), " bytes, a tar has room for 1 to ", kMaxName);
  require(content.size() <= kMaxSize, path_.string(), ": member ", name, " has ", content.size(),
          " bytes, the limit is ", kMaxSize);
  file_.write(make_header(name, content.size()));
  file_.write(content);
  pad(kBlock);
}

void TarWriter::commit() {
  file_.write(std::string(2 * kBlock, '\0'));
  pad(kRecord);
  file_.commit();
}

}  // namespace clipnext::data
