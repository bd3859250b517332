#include "text/char_classes.h"

#include <charconv>
#include <string_view>
#include <vector>

#include "text/unicode.h"

namespace clipnext::text {
namespace {

struct Members {
  Classes classes;
  std::string_view codes;  // hex, ranges inclusive
};

// The sets of ftfy 6.3.1.
constexpr Members kMembers[] = {
    {kAsciiUpper, "41-5A"},
    {kAsciiLower, "61-7A"},
    {kCommon, "00A0 00AD 00B4 00B7 2013-2015 2019 2026"},
    {kC1, "0080-009F"},
    {kBad,
     "00A4 00A6 00A8 00AA 00AC 00AF 00B8 00BA 0192 02C6 02C7 02D8 02DB 02DC 2020 2021 2030 "
     "2310 25CA FFFD"},
    {kLaw, "00A7 00B6"},
    {kCurrency, "00A2 00A3 00A5 20A7 20AC"},
    {kStartPunctuation, "00A1 00A9 00AB 00BF 0384 0385 2018 201A 201C 201E 2022 2039 F8FF"},
    {kEndPunctuation, "00AE 00BB 02DD 201D 203A 2122"},
    {kNumeric,
     "00B1-00B3 00B5 00B9 00BC-00BE 00D7 00F7 2044 2116 2202 2206 220F 2211 221A 221E 2229 "
     "222B 2248 2260 2261 2264 2265"},
    {kKaomoji, "00B0 00D2-00D6 00D9-00DC 00F2-00F6 00F8-00FC 014C 0150 016A 0172"},
    {kUpperAccented,
     "00C0-00D1 00D8 00DC 00DD 0100 0102 0104 0106 010C 010E 0110 0112 0116 0118 011A 011E "
     "0122 012A 0130 0136 0139 013B 013D 0141 0143 0145 0147 0152 0158 015A 015E 0160 0162 "
     "0164 016E 0170 0178 0179 017B 017D 0490"},
    {kLowerAccented,
     "00DF-00F1 00FC 0101 0103 0105 0107 010D 010F 0111 0113 0117 0119 011B 011F 0123 012B "
     "012F 0137 013A 013C 013E 0142 0153 0155 015B 015F 0161 0165 017A 017C 017E 0491 FB01 "
     "FB02"},
    {kUpperCommon, "00DE 0386 0388-038A 038C 038E 038F 0391-03AB 0401-042F"},
    {kLowerCommon, "03AC-03C9 0430-045F"},
    {kBox, "2502 250C 2510 2518 251C 2524 252C 253C 2550-256C 2580 2584 2588 258C 2590-2593"},
    {kFirstOf2,
     "00C2-00DF 0100 0102 0106 010C 010E 0110 0112 0116 0118 011A 011E 0122 012A 0130 0136 "
     "0139 013B 0141 0143 0145 0147 014C 0150 0158 015A 015E 0160 0162 016A 016E 0170 0172 "
     "0179 017B 017D 0392-03A1 03A3-03AF 0412-042F"},
    {kFirstOf3,
     "00E0-00EF 0101 0103 0105 0107 010D 010F 0113 0117 0119 011B 0123 012B 012F 0137 013A "
     "013C 0155 017A 03B0-03BF 0430-043F"},
    {kFirstOf4, "00F0 00F3 0111 011F 0161 03C0 03C3 0440 0443"},
    {kContinuation,
     "20 0080-00BF 00C6 00D8 00E6 00F8 0104 0105 013D 013E 0141 0142 0152 0153 0156 0157 "
     "015A 015B 015E-0161 0164 0165 0178-017E 0192 02C6 02C7 02D8 02DB-02DD 0384-0386 "
     "0388-038A 038C 038E 038F 0401-040C 040E 040F 0451-045C 045E 045F 0490 0491 2013-2015 "
     "2018-201A 201C-201E 2020-2022 2026 2030 2039 203A 20AC 2116 2122"},
    {kPlainContinuation, "20 2013-2015 2018-201A 201C-201E 2022 2026"},
};

Classes unicode_classes(char32_t code) {
  Classes classes = 0;
  if (is_space(code)) classes |= kSpace;
  if (is_letter(code) || is_number(code) || code == '_') classes |= kWord;
  return classes;
}

/// A flat table up to the box drawings, and the few members beyond.
struct Table {
  struct Beyond {
    char32_t code;
    Classes classes;
  };
  std::vector<Classes> low = std::vector<Classes>(0x2600);
  std::vector<Beyond> high;

  Table() {
    for (char32_t code = 0; code < low.size(); ++code) low[code] = unicode_classes(code);
    for (const Members& members : kMembers) add(members);
  }

  void add(const Members& members) {
    const char* at = members.codes.data();
    const char* const end = at + members.codes.size();
    for (; at < end; ++at) {  // steps over the space
      uint32_t first = 0;
      at = std::from_chars(at, end, first, 16).ptr;
      uint32_t last = first;
      if (at < end && *at == '-') at = std::from_chars(at + 1, end, last, 16).ptr;
      for (uint32_t code = first; code <= last; ++code) {
        if (code < low.size()) {
          low[code] |= members.classes;
        } else {
          high.push_back({code, members.classes});
        }
      }
    }
  }
};

}  // namespace

Classes classes_of(char32_t code) {
  static const Table table;
  if (code < table.low.size()) return table.low[code];
  Classes classes = unicode_classes(code);
  for (const Table::Beyond& member : table.high) {
    if (member.code == code) classes |= member.classes;
  }
  return classes;
}

}  // namespace clipnext::text
