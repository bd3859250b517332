#include "net/http.h"

#include "net/transfer.h"

namespace clipnext::net {

bool is_url(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

std::optional<std::string> fetch_text(const std::string& url, const HttpOptions& options,
                                      int64_t max_bytes) {
  Reply reply = ask({.url = url}, options, max_bytes);
  if (reply.answer.status == 404) return std::nullopt;
  return std::move(reply.body);
}

}  // namespace clipnext::net
