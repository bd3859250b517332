#include "weights/npy_header.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace clipnext::weights {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kMaxHeaderBytes = size_t{1} << 20;
constexpr size_t kMaxRank = 64;
constexpr size_t kAlignment = 64;

struct Descr {
  std::string_view text;
  DType dtype;
};
// NumPy writes "|" where byte order means nothing, and accepts "<" there too.
constexpr std::array<Descr, 12> kDescrs{{{"|b1", DType::kBool},
                                         {"|u1", DType::kU8},
                                         {"|i1", DType::kI8},
                                         {"<i2", DType::kI16},
                                         {"<i4", DType::kI32},
                                         {"<i8", DType::kI64},
                                         {"<f2", DType::kF16},
                                         {"<f4", DType::kF32},
                                         {"<f8", DType::kF64},
                                         {"<b1", DType::kBool},
                                         {"<u1", DType::kU8},
                                         {"<i1", DType::kI8}}};

// A reader of just as much Python as these headers hold.
class Literal {
 public:
  Literal(std::string_view text, const std::string& what) : text_(text), what_(what) {}

  bool skip(char c) {
    spaces();
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    require(skip(c), what_, ": malformed header: '", c, "' expected at '", text_.substr(0, 20),
            "'");
  }

  std::string_view string() {
    const char quote = skip('"') ? '"' : '\'';
    if (quote == '\'') expect('\'');
    const size_t end = text_.find(quote);
    require(end != std::string_view::npos, what_, ": malformed header: string without end");
    const std::string_view value = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    return value;
  }

  bool boolean() {
    spaces();
    for (const std::string_view name : {"True", "False"}) {
      if (!text_.starts_with(name)) continue;
      text_.remove_prefix(name.size());
      return name == "True";
    }
    fail(what_, ": malformed header: True or False expected");
  }

  Shape shape() {
    Shape shape;
    expect('(');
    while (!skip(')')) {
      require(shape.size() < kMaxRank, what_, ": more than ", kMaxRank, " dimensions");
      shape.push_back(number());
      if (skip(',')) continue;
      expect(')');
      break;
    }
    return shape;
  }

  void end() {
    spaces();
    require(text_.empty(), what_, ": malformed header: '", text_.substr(0, 20), "' after its end");
  }

 private:
  void spaces() {
    const size_t begin = text_.find_first_not_of(" \n\t");
    text_.remove_prefix(begin == std::string_view::npos ? text_.size() : begin);
  }

  int64_t number() {
    spaces();
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    require(error == std::errc() && value >= 0, what_, ": malformed header: bad size");
    text_.remove_prefix(static_cast<size_t>(end - text_.data()));
    if (!text_.empty() && text_[0] == 'L') text_.remove_prefix(1);  // Python 2's long
    return value;
  }

  std::string_view text_;
  const std::string& what_;
};

DType parse_descr(std::string_view descr, const std::string& what) {
  require(!descr.starts_with('>'), what, ": is big-endian; save it little-endian");
  const auto* found =
      std::find_if(kDescrs.begin(), kDescrs.end(), [&](const Descr& d) { return d.text == descr; });
  require(found != kDescrs.end(), what, ": element type '", descr, "' is not supported");
  return found->dtype;
}

}  // namespace

NpyHeader read_npy_header(ByteReader& reader) {
  require(as_text(reader.take(kMagic.size())) == kMagic, reader.what(), ": not a .npy array");
  const auto major = reader.read<uint8_t>();
  reader.read<uint8_t>();
  require(major >= 1 && major <= 3, reader.what(), ": .npy version ", int{major},
          " is not supported");
  const size_t size = major == 1 ? reader.read<uint16_t>() : reader.read<uint32_t>();
  require(size <= kMaxHeaderBytes, reader.what(), ": header of ", size, " bytes");
  Literal literal(as_text(reader.take(size)), reader.what());

  NpyHeader header;
  unsigned seen = 0;
  literal.expect('{');
  while (!literal.skip('}')) {
    const std::string_view key = literal.string();
    literal.expect(':');
    if (key == "descr") {
      header.dtype = parse_descr(literal.string(), reader.what());
      seen |= 1;
    } else if (key == "fortran_order") {
      header.fortran_order = literal.boolean();
      seen |= 2;
    } else if (key == "shape") {
      header.shape = literal.shape();
      seen |= 4;
    } else {
      fail(reader.what(), ": malformed header: unknown entry ", key);
    }
    if (literal.skip(',')) continue;
    literal.expect('}');
    break;
  }
  literal.end();
  require(seen == 7, reader.what(), ": header lacks descr, fortran_order or shape");
  return header;
}

std::string npy_header(const NpyHeader& header) {
  const auto* descr = std::find_if(kDescrs.begin(), kDescrs.end(),
                                   [&](const Descr& d) { return d.dtype == header.dtype; });
  require(descr != kDescrs.end(), "NumPy has no element type ", dtype_name(header.dtype));
  std::string text = "{'descr': '" + std::string(descr->text) +
                     "', 'fortran_order': " + (header.fortran_order ? "True" : "False") +
                     ", 'shape': (";
  for (size_t i = 0; i < header.shape.size(); ++i) {
    text += (i > 0 ? " " : "") + std::to_string(header.shape[i]);
    if (i + 1 < header.shape.size() || header.shape.size() == 1) text += ",";
  }
  text += "), }";
  const size_t before = kMagic.size() + 4;  // magic, version, length of the text
  const size_t total = (before + text.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  text.resize(total - before - 1, ' ');
  text += '\n';
  const auto size = static_cast<uint16_t>(text.size());
  std::string out(kMagic);
  out += '\x01';
  out += '\0';
  out.append(reinterpret_cast<const char*>(&size), sizeof size);
  return out + text;
}

}  // namespace clipnext::weights
