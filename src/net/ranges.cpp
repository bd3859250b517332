#include "net/ranges.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <mutex>
#include <system_error>

#include "base/error.h"
#include "net/parallel.h"

namespace clipnext::net {
namespace {

int64_t parse_size(std::string_view text) {
  int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : -1;
}

/// The whole file comes where a part was asked for.
struct SentWhole {};

/// The first byte alone, which tells the length of all. Nothing if the server sends no parts, and
/// for what the sequential way will find out too.
Answer probe(const std::string& url, const HttpOptions& options) {
  Answer answer;
  try_again(url, options, [&]() -> Failure {
    try {
      answer = send({.url = url, .headers = {"Range: bytes=0-0"}}, options,
                    [](const Answer& so_far, std::string_view) {
                      if (so_far.status == 200) throw SentWhole();
                    });
    } catch (const SentWhole&) {
      answer = Answer();
      return {};
    }
    const int64_t status = answer.status;
    const bool told = status == 206 || status == 200 || status == 404 || status == 416;
    return answer.failure.empty() && told ? Failure() : failure_of(answer, options);
  });
  return answer;
}

/// The ranges of one file, each by its own requests.
class Loader {
 public:
  Loader(const std::string& url, const HttpOptions& options, const Progress& progress,
         PartialFile& file)
      : url_(url), options_(options), progress_(progress), file_(file) {
    options_.stop = [this, outer = options.stop] { return ended_ || (outer && outer()); };
  }

  bool run(int connections) {
    in_parallel(file_.ranges().size(), connections, [this](size_t index) {
      try {
        try_again(url_, options_, [&] { return attempt(index); });
      } catch (...) {
        ended_ = true;  // the others need not go on
        throw;
      }
    });
    return !changed_;
  }

 private:
  Failure attempt(size_t index) {
    const Range before = file_.ranges()[index];
    const int64_t from = before.first + before.done;
    if (from == before.end || ended_) return {};
    bool begun = false;
    bool refused = false;
    const Request request{
        .url = url_,
        .headers = {"Range: bytes=" + std::to_string(from) + "-" + std::to_string(before.end - 1),
                    "If-Range: " + file_.tag()}};
    const Answer answer =
        send(request, options_, [&](const Answer& so_far, std::string_view piece) {
          if (!begun && !refused) refused = !accept(so_far, from);
          if (refused) return;
          begun = true;
          add(index, piece);
        });
    if (changed_) return {};
    const Range& now = file_.ranges()[index];
    if (now.first + now.done == now.end) return {};
    Failure failure = failure_of(answer, options_);
    if (answer.failure.empty() && answer.status == 206) {
      failure = {.what = "the server sent less, or another range, than it was asked for"};
    }
    failure.progressed = now.done > before.done;
    return failure;
  }

  /// Whether these are the bytes asked for.
  bool accept(const Answer& answer, int64_t from) {
    if (answer.status == 200 || answer.status == 206) {
      const ContentRange range = parse_content_range(answer.header("content-range"));
      const std::string tag = validator(answer);
      const bool same = answer.status == 206 && range.total == file_.ranges().back().end &&
                        (tag.empty() || tag == file_.tag());
      if (same) return range.first == from;
      changed_ = true;
      ended_ = true;
    }
    return false;
  }

  void add(size_t index, std::string_view piece) {
    const Range& range = file_.ranges()[index];
    const int64_t room = range.end - range.first - range.done;
    require(static_cast<int64_t>(piece.size()) <= room, url_,
            ": the server sent more than it was asked for");
    file_.append(index, piece);
    if (!progress_) return;
    const std::lock_guard lock(progress_mutex_);
    progress_(file_.size(), file_.ranges().back().end);
  }

  const std::string& url_;
  HttpOptions options_;
  const Progress& progress_;
  PartialFile& file_;
  std::atomic<bool> ended_{false};
  std::atomic<bool> changed_{false};
  std::mutex progress_mutex_;
};

}  // namespace

ContentRange parse_content_range(std::string_view text) {
  if (!text.starts_with("bytes ")) return {};
  text.remove_prefix(6);
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return {};
  const size_t dash = text.substr(0, slash).find('-');
  return {.first = dash == std::string_view::npos ? -1 : parse_size(text.substr(0, dash)),
          .total = parse_size(text.substr(slash + 1))};
}

// A weak tag does not tell (RFC 9110, 8.8.1), nor surely a date.
std::string validator(const Answer& answer) {
  const std::string tag = answer.header("etag");
  return tag.size() > 2 && tag.starts_with('"') && tag.ends_with('"') ? tag : "";
}

void divide_if_large(const std::string& url, const HttpOptions& options, const DownloadOptions& how,
                     PartialFile& file) {
  const int64_t least = std::max<int64_t>(how.least_range, 1);
  if (how.connections < 2 || (how.size >= 0 && how.size / least < 2)) return;
  const Answer answer = probe(url, options);
  if (answer.status != 206) return;
  const ContentRange range = parse_content_range(answer.header("content-range"));
  const std::string tag = validator(answer);
  const int64_t count = std::min<int64_t>({how.connections, range.total / least, 64});
  if (tag.empty() || range.first != 0 || count < 2 || range.total > how.max_bytes ||
      (how.size >= 0 && how.size != range.total)) {
    return;  // the sequential way complains, where there is something to complain about
  }
  file.divide(url, tag, range.total, count);
}

bool load_ranges(const std::string& url, const HttpOptions& options, const Progress& progress,
                 int connections, PartialFile& file) {
  return Loader(url, options, progress, file).run(connections);
}

}  // namespace clipnext::net
