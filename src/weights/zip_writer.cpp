#include <zlib.h>

#include "weights/zip.h"

namespace clipnext::weights {
namespace {

constexpr uint64_t kAlignment = 64;
constexpr uint32_t kMax32 = 0xffffffff;
constexpr uint16_t kMax16 = 0xffff;
constexpr uint16_t kUtf8Names = 0x0800;
constexpr uint16_t kNoDate = 0x21;  // 1980-01-01: the same tensors give the same file
constexpr uint16_t kVersion = 20, kVersion64 = 45;
constexpr uint16_t kZip64Field = 1;
constexpr uint16_t kPaddingField = 0x4246;  // "FB", as PyTorch pads
constexpr uint64_t kLocalBytes = 30;

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

uint32_t crc_of(uint32_t crc, const void* data, size_t size) {
  if (size == 0) return crc;
  return static_cast<uint32_t>(crc32_z(crc, static_cast<const Bytef*>(data), size));
}

// An extra field of id and size, then padding so that what follows it begins on kAlignment.
void put_padding(std::string& extra, uint64_t extra_begin) {
  const uint64_t data = extra_begin + extra.size() + 4;
  const uint64_t padding = (kAlignment - data % kAlignment) % kAlignment;
  put(extra, kPaddingField);
  put(extra, static_cast<uint16_t>(padding));
  extra.append(padding, 'Z');
}

}  // namespace

void ZipWriter::add(const std::string& name, std::string_view head,
                    std::span<const std::byte> body) {
  require(name.size() <= kMax16, "zip record name of ", name.size(), " bytes is too long");
  const auto offset = static_cast<uint64_t>(file_.size());
  const uint64_t size = head.size() + body.size();
  const uint32_t crc = crc_of(crc_of(0, head.data(), head.size()), body.data(), body.size());
  const bool wide_size = zip64_ || size >= kMax32;
  const bool wide_offset = zip64_ || offset >= kMax32;
  const uint16_t version = wide_size || wide_offset ? kVersion64 : kVersion;
  const uint32_t size32 = wide_size ? kMax32 : static_cast<uint32_t>(size);

  std::string extra;
  if (wide_size) {
    put(extra, kZip64Field);
    put(extra, uint16_t{16});
    put(extra, size);
    put(extra, size);
  }
  put_padding(extra, offset + kLocalBytes + name.size());

  // The fields that the local header and the directory's entry have in common.
  std::string common;
  put(common, version);
  put(common, kUtf8Names);
  put(common, uint16_t{0});  // stored
  put(common, uint16_t{0});  // time
  put(common, kNoDate);
  put(common, crc);
  put(common, size32);
  put(common, size32);
  put(common, static_cast<uint16_t>(name.size()));

  std::string local = "PK\3\4" + common;
  put(local, static_cast<uint16_t>(extra.size()));
  file_.write(local + name + extra);
  file_.write(head);
  file_.write(body.data(), body.size());

  std::string wide;
  if (wide_size || wide_offset) {
    put(wide, kZip64Field);
    put(wide, static_cast<uint16_t>((wide_size ? 16 : 0) + (wide_offset ? 8 : 0)));
    if (wide_size) {
      put(wide, size);
      put(wide, size);
    }
    if (wide_offset) put(wide, offset);
  }
  directory_ += "PK\1\2";
  put(directory_, version);  // made by
  directory_ += common;
  put(directory_, static_cast<uint16_t>(wide.size()));
  directory_.append(10, '\0');  // comment size, disk, attributes
  put(directory_, wide_offset ? kMax32 : static_cast<uint32_t>(offset));
  directory_ += name + wide;
  ++count_;
}

void ZipWriter::finish() {
  const auto offset = static_cast<uint64_t>(file_.size());
  const uint64_t size = directory_.size();
  file_.write(directory_);
  std::string end;
  if (zip64_ || offset >= kMax32 || size >= kMax32 || count_ >= kMax16) {
    end += "PK\6\6";
    put(end, uint64_t{44});  // what follows in this record
    put(end, kVersion64);
    put(end, kVersion64);
    put(end, uint64_t{0});  // disks
    put(end, count_);
    put(end, count_);
    put(end, size);
    put(end, offset);
    end += "PK\6\7";
    put(end, uint32_t{0});
    put(end, offset + size);
    put(end, uint32_t{1});  // disks in all
  }
  const auto wide = [&](uint64_t value) {
    return static_cast<uint32_t>(zip64_ || value >= kMax32 ? kMax32 : value);
  };
  const auto count = static_cast<uint16_t>(zip64_ || count_ >= kMax16 ? kMax16 : count_);
  end += "PK\5\6";
  put(end, uint32_t{0});  // disks
  put(end, count);
  put(end, count);
  put(end, wide(size));
  put(end, wide(offset));
  put(end, uint16_t{0});  // comment
  file_.write(end);
}

}  // namespace clipnext::weights
