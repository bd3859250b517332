#include "weights/zip.h"

#include "weights/test_files.h"

namespace clipnext::weights {
namespace {

Source source_of(const std::string& bytes) {
  return {std::as_bytes(std::span(bytes.data(), bytes.size())), nullptr, "test.zip"};
}

std::string write_two(const TestFolder& scratch, bool zip64) {
  FileWriter file(scratch / "x.zip");
  ZipWriter zip(file, zip64);
  zip.add("folder/first", "abc", as_bytes("defg"));
  zip.add("second", "");
  zip.finish();
  file.commit();
  return read_file(scratch / "x.zip");
}

TEST(Zip, WritesWhatIsReadBackAlsoAsZip64) {
  const TestFolder scratch;
  for (const bool zip64 : {false, true}) {
    const std::string bytes = write_two(scratch, zip64);
    EXPECT_EQ(bytes.find("PK\6\6") != std::string::npos, zip64);
    const Source source = source_of(bytes);
    const ZipRecords records = list_zip(source);
    ASSERT_EQ(records.size(), 2U);
    const ZipRecord& first = records.at("folder/first");
    EXPECT_EQ(as_text(zip_content(first, source, "").bytes), "abcdefg");
    EXPECT_EQ((first.raw.data() - source.bytes.data()) % 64, 0);
    check_crc(first, first.raw, "first");
    EXPECT_EQ(records.at("second").size, 0);
  }
}

TEST(Zip, FindsItsEndBehindAComment) {
  const TestFolder scratch;
  std::string bytes = write_two(scratch, false);
  bytes[bytes.size() - 2] = 9;
  bytes += "PK\5\6 hello";
  bytes.resize(bytes.size() - 1);
  EXPECT_EQ(list_zip(source_of(bytes)).size(), 2U);
}

TEST(Zip, NoticesDamage) {
  const TestFolder scratch;
  std::string bytes = write_two(scratch, false);
  bytes[64] = 'x';
  const Source source = source_of(bytes);
  const ZipRecord record = list_zip(source).at("folder/first");
  expect_contains(error_of([&] { check_crc(record, record.raw, "first"); }), "CRC");
  const std::string cut = bytes.substr(0, bytes.size() - 5);
  expect_contains(error_of([&] { list_zip(source_of(cut)); }), "truncated");
}

TEST(Zip, RefusesRecordsThatShareBytes) {
  // A directory whose entries all name the first record.
  const TestFolder scratch;
  std::string body(1000, 'a');
  FileWriter file(scratch / "x.zip");
  ZipWriter zip(file);
  zip.add("a", body);
  zip.finish();
  file.commit();
  const std::string bytes = read_file(scratch / "x.zip");
  const size_t directory = bytes.find("PK\1\2");
  const size_t end = bytes.find("PK\5\6");
  const std::string entry = bytes.substr(directory, end - directory);
  std::string bomb = bytes.substr(0, end) + entry + bytes.substr(end);
  const size_t new_end = end + entry.size();
  bomb[new_end + 8] = bomb[new_end + 10] = 2;
  bomb[new_end + 12] = static_cast<char>(2 * entry.size());
  expect_contains(error_of([&] { list_zip(source_of(bomb)); }), "overlap");
}

TEST(Zip, RefusesSizesThatDeflateCannotReach) {
  std::string bytes = read_file(fixture("compressed.npz"));
  const size_t entry = bytes.rfind("PK\1\2");
  bytes[entry + 27] = 0x70;  // top byte of the uncompressed size
  expect_contains(error_of([&] { list_zip(source_of(bytes)); }), "cannot hold");
}

TEST(Zip, RefusesDeflatedDataOfAnotherSize) {
  std::string bytes = read_file(fixture("compressed.npz"));
  const size_t entry = bytes.rfind("PK\1\2");
  bytes[entry + 24] = static_cast<char>(bytes[entry + 24] ^ 1);
  expect_contains(error_of([&] { read_bytes(bytes); }), "another size");
}

}  // namespace
}  // namespace clipnext::weights
