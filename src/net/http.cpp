#include "net/http.h"

#include "base/error.h"
#include "net/transfer.h"

namespace clipnext::net {

bool is_url(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

std::optional<std::string> fetch_text(const std::string& url, const HttpOptions& options,
                                      int64_t max_bytes) {
  std::optional<std::string> text;
  try_again(url, options, [&] {
    std::string body;
    const Answer answer = get(url, options, {}, [&](const Answer&, std::string_view piece) {
      body += piece;
      require(static_cast<int64_t>(body.size()) <= max_bytes, url, ": larger than the limit of ",
              max_bytes, " bytes");
    });
    if (answer.failure.empty() && answer.status == 404) return std::string();
    if (!answer.failure.empty() || answer.status != 200) return describe(answer);
    text = std::move(body);
    return std::string();
  });
  return text;
}

}  // namespace clipnext::net
