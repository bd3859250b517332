#include "weights/zip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "base/checked.h"
#include "weights/tensor.h"

namespace clipnext::weights {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocator64Signature = 0x07064b50;
constexpr size_t kEndBytes = 22, kLocator64Bytes = 20, kMaxCommentBytes = 65535;
constexpr uint16_t kZip64Field = 1;
constexpr uint32_t kIn64 = 0xffffffff;  // "look into the zip64 field"
constexpr uint16_t kIn64Short = 0xffff;
constexpr uint16_t kEncrypted = 1;
constexpr int64_t kMaxDeflateRatio = 1032;

struct Directory {
  uint64_t entries, size, offset;
};

// Where the end record begins: the last place whose comment reaches to the end of the file.
size_t find_end(const Source& source) {
  const std::string_view text = as_text(source.bytes);
  const size_t lowest = text.size() - std::min(text.size(), kEndBytes + kMaxCommentBytes);
  for (size_t at = text.rfind("PK\5\6"); at != std::string_view::npos && at >= lowest;
       at = at == 0 ? std::string_view::npos : text.rfind("PK\5\6", at - 1)) {
    if (text.size() - at < kEndBytes) continue;
    ByteReader comment(source.bytes.subspan(at + kEndBytes - 2), source.name);
    if (comment.read<uint16_t>() == text.size() - at - kEndBytes) return at;
  }
  fail(source.name, ": zip archive without its directory at the end; is the file truncated?");
}

Directory find_directory(const Source& source) {
  const size_t end = find_end(source);
  ByteReader reader(source.bytes.subspan(end), source.name + ": end of zip archive");
  reader.take(4);
  const auto disk = reader.read<uint16_t>();
  const auto directory_disk = reader.read<uint16_t>();
  reader.take(2);
  Directory directory{};
  directory.entries = reader.read<uint16_t>();
  directory.size = reader.read<uint32_t>();
  directory.offset = reader.read<uint32_t>();
  require((disk == 0 && directory_disk == 0) || disk == kIn64Short, source.name,
          ": zip archive of several parts");
  const bool wide =
      directory.entries == kIn64Short || directory.size == kIn64 || directory.offset == kIn64;
  if (!wide || end < kLocator64Bytes) return directory;

  ByteReader locator(source.bytes.subspan(end - kLocator64Bytes), source.name + ": zip64 locator");
  if (locator.read<uint32_t>() != kLocator64Signature) return directory;
  locator.take(4);
  const auto at = locator.read<uint64_t>();
  require(at <= source.bytes.size(), locator.what(), ": points beyond the file");
  ByteReader reader64(source.bytes.subspan(static_cast<size_t>(at)),
                      source.name + ": end of zip64 archive");
  require(reader64.read<uint32_t>() == kEnd64Signature, reader64.what(), ": wrong signature");
  reader64.take(28);  // record size, versions, disks, entries on this disk
  directory.entries = reader64.read<uint64_t>();
  directory.size = reader64.read<uint64_t>();
  directory.offset = reader64.read<uint64_t>();
  return directory;
}

// Replaces the sizes and the offset that say so by those of the zip64 extra field.
void read_zip64_field(std::span<const std::byte> extra, const std::string& what,
                      std::array<uint64_t*, 3> fields) {
  ByteReader reader(extra, what);
  while (reader.left() >= 4) {
    const auto id = reader.read<uint16_t>();
    const auto size = reader.read<uint16_t>();
    ByteReader field(reader.take(size), what + ": zip64 field");
    if (id != kZip64Field) continue;
    for (uint64_t* value : fields) {
      if (*value == kIn64) *value = field.read<uint64_t>();
    }
    return;
  }
}

std::span<const std::byte> raw_bytes(const Source& source, uint64_t offset, uint64_t size,
                                     const std::string& what) {
  require(offset <= source.bytes.size(), what, ": begins beyond the file");
  ByteReader local(source.bytes.subspan(static_cast<size_t>(offset)), what);
  require(local.read<uint32_t>() == kLocalSignature, what, ": wrong signature at offset ", offset);
  local.take(22);
  // Only here: the local extra field differs from the directory's (PyTorch pads with it).
  const auto name_bytes = local.read<uint16_t>();
  const auto extra_bytes = local.read<uint16_t>();
  local.take(uint64_t{name_bytes} + extra_bytes);
  return local.take(size);
}

std::pair<std::string, ZipRecord> read_entry(ByteReader& directory, const Source& source) {
  require(directory.read<uint32_t>() == kCentralSignature, directory.what(), ": wrong signature");
  directory.take(4);
  const auto flags = directory.read<uint16_t>();
  const auto method = directory.read<uint16_t>();
  directory.take(4);
  ZipRecord record;
  record.crc = directory.read<uint32_t>();
  uint64_t packed = directory.read<uint32_t>();
  uint64_t size = directory.read<uint32_t>();
  const auto name_bytes = directory.read<uint16_t>();
  const auto extra_bytes = directory.read<uint16_t>();
  const auto comment_bytes = directory.read<uint16_t>();
  directory.take(8);
  uint64_t offset = directory.read<uint32_t>();
  const std::string name(as_text(directory.take(name_bytes)));
  const std::string what = source.name + ": zip record " + name;
  read_zip64_field(directory.take(extra_bytes), what, {&size, &packed, &offset});
  directory.take(comment_bytes);

  require((flags & kEncrypted) == 0, what, ": is encrypted");
  require(method == 0 || method == Z_DEFLATED, what, ": compression method ", method,
          " is not supported");
  record.deflated = method == Z_DEFLATED;
  record.raw = raw_bytes(source, offset, packed, what);
  const auto raw_size = static_cast<int64_t>(record.raw.size());
  require(size <= uint64_t{std::numeric_limits<int64_t>::max()}, what, ": size is too large");
  record.size = static_cast<int64_t>(size);
  if (record.deflated) {
    require(record.size / kMaxDeflateRatio <= raw_size, what, ": ", raw_size,
            " deflated bytes cannot hold ", record.size);
  } else {
    require(record.size == raw_size, what, ": is stored, yet ", raw_size, " bytes stand for ",
            record.size);
  }
  return {name, record};
}

}  // namespace

bool is_zip(std::span<const std::byte> bytes) {
  if (bytes.size() < 4) return false;
  const auto signature = ByteReader(bytes, "").read<uint32_t>();
  return signature == kLocalSignature;
}

ZipRecords list_zip(const Source& source) {
  const Directory place = find_directory(source);
  require(place.offset <= source.bytes.size(), source.name,
          ": zip directory lies beyond the end of the file; is it truncated?");
  ByteReader all(source.bytes.subspan(static_cast<size_t>(place.offset)),
                 source.name + ": zip directory");
  ByteReader directory(all.take(place.size), all.what());
  ZipRecords records;
  int64_t total = 0;
  for (uint64_t i = 0; i < place.entries; ++i) {
    auto [name, record] = read_entry(directory, source);
    total = checked_add(total, static_cast<int64_t>(record.raw.size()), "zip records");
    // Records that share bytes are how a small file becomes a bomb.
    require(total <= static_cast<int64_t>(source.bytes.size()), source.name,
            ": zip records overlap");
    records.insert_or_assign(std::move(name), record);
  }
  return records;
}

ZipContent zip_content(const ZipRecord& record, const Source& source, const std::string& name) {
  if (!record.deflated) return {record.raw, source.owner};
  const std::string what = source.name + ": zip record " + name;
  NewTensor content = allocate_tensor(DType::kU8, {record.size});
  z_stream stream{};
  require(inflateInit2(&stream, -MAX_WBITS) == Z_OK, what, ": cannot start zlib");
  size_t in = 0, out = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    constexpr size_t kStep = size_t{1} << 30;  // zlib counts in 32 bits
    const size_t in_step = std::min(record.raw.size() - in, kStep);
    const size_t out_step = std::min(content.bytes.size() - out, kStep);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(record.raw.data() + in));
    stream.avail_in = static_cast<uInt>(in_step);
    stream.next_out = reinterpret_cast<Bytef*>(content.bytes.data() + out);
    stream.avail_out = static_cast<uInt>(out_step);
    status = inflate(&stream, Z_NO_FLUSH);
    in += in_step - stream.avail_in;
    out += out_step - stream.avail_out;
  }
  inflateEnd(&stream);
  require(status == Z_STREAM_END && out == content.bytes.size(), what,
          ": deflated data is corrupt or of another size than the directory says");
  return {content.tensor.data, content.tensor.owner};
}

void check_crc(const ZipRecord& record, std::span<const std::byte> content,
               const std::string& what) {
  const auto crc = static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size()));
  require(record.crc == 0 || record.crc == crc, what, ": CRC-32 differs; the file is damaged");
}

}  // namespace clipnext::weights
