#include "run/tensorboard.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>

#include "base/error.h"
#include "base/file.h"
#include "base/python_json.h"
#include "run/proto.h"

namespace clipnext::run {
namespace {

// Field numbers of the protocol buffers.
namespace field {
constexpr int kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;  // Event
constexpr int kValue = 1;                                                                 // Summary
constexpr int kTag = 1, kSimpleValue = 2;  // Summary.Value
constexpr int kStatus = 1;                 // SessionLog
}  // namespace field
constexpr uint64_t kSessionStart = 1;

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1U) != 0 ? 0x82F63B78U : 0U);
    table[i] = crc;
  }
  return table;
}
constexpr auto kCrcTable = make_crc_table();

uint32_t masked_crc(std::string_view bytes) {
  const uint32_t crc = crc32c(std::as_bytes(std::span(bytes)));
  return (crc >> 15 | crc << 17) + 0xA282EAD8U;
}

// A record: length, CRC of the length, data, CRC of the data.
std::string framed(const std::string& data) {
  std::string length;
  put_fixed64(length, data.size());
  std::string record = length;
  put_fixed32(record, masked_crc(length));
  record += data;
  put_fixed32(record, masked_crc(data));
  return record;
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string begin_event(int64_t step) {
  std::string event;
  put_double(event, field::kWallTime, now());
  put_varint(event, field::kStep, static_cast<uint64_t>(step));
  return event;
}

// The first event of a file.
std::string version_event() {
  std::string event = begin_event(0);
  put_bytes(event, field::kFileVersion, "brain.Event:2");
  return event;
}

// What earlier files have from this step on does not count.
std::string start_event(int64_t step) {
  std::string log;
  put_varint(log, field::kStatus, kSessionStart);
  std::string event = begin_event(step);
  put_bytes(event, field::kSessionLog, log);
  return event;
}

std::string file_name() {
  static std::atomic<int> number{0};
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) std::strcpy(host.data(), "localhost");
  return "events.out.tfevents." + std::to_string(std::time(nullptr)) + "." + host.data() + "." +
         std::to_string(getpid()) + "." + std::to_string(number++);
}

void read_value(std::string_view bytes, Event& event) {
  std::string tag;
  std::optional<double> scalar;
  for_each_field(bytes, [&](const ProtoField& f) {
    if (f.number == field::kTag) tag = f.bytes;
    if (f.number == field::kSimpleValue)
      scalar = std::bit_cast<float>(static_cast<uint32_t>(f.value));
  });
  if (scalar) event.scalars.emplace_back(tag, *scalar);
}

Event read_event(std::string_view bytes) {
  Event event;
  for_each_field(bytes, [&](const ProtoField& f) {
    if (f.number == field::kWallTime) event.wall_time = std::bit_cast<double>(f.value);
    if (f.number == field::kStep) event.step = static_cast<int64_t>(f.value);
    if (f.number == field::kFileVersion) event.file_version = f.bytes;
    if (f.number == field::kSummary) {
      for_each_field(f.bytes, [&](const ProtoField& inner) {
        if (inner.number == field::kValue) read_value(inner.bytes, event);
      });
    }
    if (f.number == field::kSessionLog) {
      for_each_field(f.bytes, [&](const ProtoField& inner) {
        if (inner.number == field::kStatus) event.session_start = inner.value == kSessionStart;
      });
    }
  });
  return event;
}

}  // namespace

uint32_t crc32c(std::span<const std::byte> bytes) {
  uint32_t crc = 0xFFFFFFFFU;
  for (const std::byte b : bytes) {
    crc = crc >> 8 ^ kCrcTable[(crc ^ std::to_integer<uint32_t>(b)) & 0xFFU];
  }
  return ~crc;
}

EventWriter::EventWriter(const std::filesystem::path& folder, std::optional<int64_t> from_step)
    : path_(folder / file_name()) {
  fd_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  require(fd_ >= 0, path_.string(), ": cannot create: ", std::strerror(errno));
  try {
    write(version_event());
    if (from_step) write(start_event(*from_step));
  } catch (...) {
    close(fd_);
    throw;
  }
}

EventWriter::~EventWriter() { close(fd_); }

void EventWriter::write(const std::string& event) {
  const std::string record = framed(event);
  std::string_view rest = record;
  while (!rest.empty()) {
    const ssize_t count = ::write(fd_, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    require(count > 0, path_.string(), ": cannot write: ", std::strerror(errno));
    rest.remove_prefix(static_cast<size_t>(count));
  }
}

void EventWriter::scalars(const Scalars& values, int64_t step) {
  std::string summary;
  for (const auto& [tag, value] : values) {
    std::string one;
    put_bytes(one, field::kTag, tag);
    put_float(one, field::kSimpleValue, static_cast<float>(value));
    put_bytes(summary, field::kValue, one);
  }
  std::string event = begin_event(step);
  put_bytes(event, field::kSummary, summary);
  write(event);
}

std::vector<Event> read_events(const std::filesystem::path& path) {
  const std::string content = read_file(path);
  std::string_view rest = content;
  std::vector<Event> events;
  constexpr size_t kHead = 12;
  constexpr size_t kTail = 4;
  while (rest.size() >= kHead + kTail) {
    const uint64_t length = get_fixed64(rest);
    if (get_fixed32(rest.substr(8)) != masked_crc(rest.substr(0, 8))) break;
    if (length > rest.size() - kHead - kTail) break;
    const std::string_view data = rest.substr(kHead, static_cast<size_t>(length));
    if (get_fixed32(rest.substr(kHead + data.size())) != masked_crc(data)) break;
    events.push_back(read_event(data));
    rest.remove_prefix(kHead + data.size() + kTail);
  }
  return events;
}

ScalarLog::ScalarLog(const std::filesystem::path& json_lines, const std::filesystem::path& events,
                     std::optional<int64_t> from_step)
    : lines_(
          [&] {
            // What comes before a point that a run goes on from ends with the step before it; what
            // was computed after that step, an evaluation, carries the number of steps done.
            if (from_step) {
              keep_json_lines(json_lines, [&](const OrderedJson& line) {
                const int64_t step = line.value("step", int64_t{0});
                return line.contains("epoch") ? step <= *from_step : step < *from_step;
              });
            }
            return json_lines;
          }(),
          false) {
  if (!events.empty()) events_ = std::make_unique<EventWriter>(events, from_step);
}

void ScalarLog::mirror(const Scalars& values, int64_t step, std::optional<int64_t> epoch) {
  OrderedJson line = {{"step", step}, {"time", now()}};
  if (epoch) line["epoch"] = *epoch;
  for (const auto& [name, value] : values) line[name] = value;
  lines_.append(python_json(line));
}

void ScalarLog::write(const Scalars& values, int64_t step) {
  mirror(values, step, std::nullopt);
  if (events_) events_->scalars(values, step);
}

void ScalarLog::write_epoch(const Scalars& values, int64_t epoch, int64_t step) {
  mirror(values, step, epoch);
  if (events_) events_->scalars(values, epoch);
}

}  // namespace clipnext::run
