// A file that arrives in pieces: RFC 9110's ranges, one after the other.
#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "net/http.h"
#include "net/partial_file.h"
#include "net/ranges.h"
#include "net/transfer.h"

namespace clipnext::net {
namespace {

namespace fs = std::filesystem;

/// -1 if the server does not say.
int64_t content_length(const Answer& answer) {
  const std::string text = answer.header("content-length");
  int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : -1;
}

/// One try, from where the last one ended.
class Attempt {
 public:
  Attempt(const std::string& url, PartialFile& file, const Progress& progress,
          const DownloadOptions& how)
      : url_(url), file_(file), progress_(progress), how_(how) {}

  /// `furthest` is what the tries before this one came to at most.
  Failure run(const HttpOptions& options, int64_t& furthest) {
    std::vector<std::string> headers;
    asked_from_ = file_.tag().empty() ? 0 : file_.size();
    if (asked_from_ > 0) {
      headers = {"Range: bytes=" + std::to_string(asked_from_) + "-", "If-Range: " + file_.tag()};
    }
    const Answer answer =
        send({.url = url_, .headers = headers}, options,
             [&](const Answer& so_far, std::string_view piece) { receive(so_far, piece); });
    Failure failure = outcome(answer, options);
    failure.progressed = file_.size() > furthest;
    furthest = std::max(furthest, file_.size());
    return failure;
  }

 private:
  Failure outcome(const Answer& answer, const HttpOptions& options) {
    if (!answer.failure.empty()) return failure_of(answer, options);
    require(answer.status != 404, url_, ": there is no such file (HTTP status 404)");
    if (answer.status == 416 && asked_from_ > 0) return {.what = end_of_range(answer)};
    if (!started_ && answer.status == 200) start(answer);  // an empty file
    if (started_ && (total_ < 0 || file_.size() == total_)) return {};
    if (!refused_.empty()) return {.what = refused_};
    if (!started_) return failure_of(answer, options);
    return {.what = "the server sent " + std::to_string(file_.size()) + " of " +
                    std::to_string(total_) + " bytes"};
  }

  void receive(const Answer& answer, std::string_view piece) {
    if (!refused_.empty() || (!started_ && !start(answer))) return;
    const int64_t size = file_.size() + static_cast<int64_t>(piece.size());
    require(size <= how_.max_bytes, url_, ": larger than the limit of ", how_.max_bytes, " bytes");
    require(how_.size < 0 || size <= how_.size, url_, ": larger than the ", how_.size,
            " bytes that it should have");
    file_.append(piece);
    if (progress_) progress_(file_.size(), std::max<int64_t>(total_, 0));
  }

  /// False for an answer that is no part of the file.
  bool start(const Answer& answer) {
    if (answer.status == 206 && asked_from_ > 0) {
      const ContentRange range = parse_content_range(answer.header("content-range"));
      const std::string tag = validator(answer);
      // A server that takes no notice of If-Range may send the end of another file.
      if (range.first != asked_from_ || (!tag.empty() && tag != file_.tag())) {
        refused_ = "the server sent another range than it was asked for, or of another file";
        file_.begin(url_, "");
        return false;
      }
      total_ = range.total;
    } else if (answer.status == 200) {
      total_ = content_length(answer);
      file_.begin(url_, validator(answer));
    } else {
      return false;
    }
    started_ = true;
    return true;
  }

  /// The server has nothing from there on: all has arrived, or the file is another one.
  std::string end_of_range(const Answer& answer) {
    if (parse_content_range(answer.header("content-range")).total == asked_from_) return "";
    file_.begin(url_, "");
    return "the server's file has become shorter";
  }

  const std::string& url_;
  PartialFile& file_;
  const Progress& progress_;
  const DownloadOptions& how_;
  int64_t asked_from_ = 0;
  int64_t total_ = -1;
  bool started_ = false;
  std::string refused_;
};

/// In parts or from its beginning to its end.
void load(const std::string& url, const HttpOptions& options, const Progress& progress,
          const DownloadOptions& how, PartialFile& file) {
  file.recall(url);
  for (int round = 1;; ++round) {
    if (file.size() == 0 && file.ranges().empty()) divide_if_large(url, options, how, file);
    if (file.ranges().empty()) break;
    if (load_ranges(url, options, progress, how.connections, file)) return;
    require(round < options.tries, url, ": the server's file changes while it is loaded");
    file.begin(url, "");
  }
  int64_t furthest = file.size();
  try_again(url, options, [&] { return Attempt(url, file, progress, how).run(options, furthest); });
}

}  // namespace

void download(const std::string& url, const fs::path& path, const HttpOptions& options,
              const Progress& progress, const DownloadOptions& how) {
  if (fs::exists(path)) return;
  if (path.has_parent_path()) fs::create_directories(path.parent_path());
  fs::path part = how.part;
  if (part.empty()) (part = path) += ".part";
  PartialFile file(path, part);
  if (fs::exists(path)) {  // another process had it
    file.discard();
    return;
  }
  load(url, options, progress, how, file);
  if (options.stop && options.stop()) return;
  if (how.size >= 0 && file.size() != how.size) {
    const int64_t size = file.size();
    file.discard();
    fail(url, ": the server sent ", size, " bytes, not the ", how.size, " that it should have");
  }
  file.finish(how.check);
}

}  // namespace clipnext::net
