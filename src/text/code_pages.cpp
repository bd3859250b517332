#include "text/code_pages.h"

#include <algorithm>
#include <vector>

#include "text/unicode.h"

namespace clipnext::text {
namespace {

constexpr CodePage kPages[] = {
#include "text/code_pages.inc"
};
constexpr char kSubstitute = 0x1A;

/// A page turned round: its characters past ASCII, sorted, with their bytes.
class Encoder {
 public:
  explicit Encoder(const CodePage& page) {
    for (size_t i = 0; i < page.high.size(); ++i) {
      bytes_.push_back({page.high[i], static_cast<char>(0x80 + i)});
    }
    if (page.sloppy) bytes_.push_back({kReplacement, kSubstitute});
    std::sort(bytes_.begin(), bytes_.end(),
              [](const Entry& a, const Entry& b) { return a.code < b.code; });
  }

  std::optional<char> encode(char32_t code) const {
    const auto it =
        std::lower_bound(bytes_.begin(), bytes_.end(), code,
                         [](const Entry& entry, char32_t wanted) { return entry.code < wanted; });
    if (it == bytes_.end() || it->code != code) return std::nullopt;
    return it->byte;
  }

 private:
  struct Entry {
    char32_t code;
    char byte;
  };
  std::vector<Entry> bytes_;
};

const Encoder& encoder_of(const CodePage& page) {
  static const std::vector<Encoder> encoders(std::begin(kPages), std::end(kPages));
  return encoders[static_cast<size_t>(&page - kPages)];
}

}  // namespace

std::span<const CodePage> code_pages() { return kPages; }

std::optional<std::string> encode(std::u32string_view text, const CodePage& page) {
  const Encoder& encoder = encoder_of(page);
  std::string out;
  out.reserve(text.size());
  for (const char32_t c : text) {
    // U+001A itself has no byte in a sloppy page: its byte stands for U+FFFD.
    if (c < 0x80 && !(page.sloppy && c == kSubstitute)) {
      out.push_back(static_cast<char>(c));
      continue;
    }
    const std::optional<char> byte = encoder.encode(c);
    if (!byte) return std::nullopt;
    out.push_back(*byte);
  }
  return out;
}

char32_t windows_1252(uint8_t byte) { return kPages[1].high[byte - 0x80U]; }

}  // namespace clipnext::text
