#include "hub/remote.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "base/error.h"
#include "net/transfer.h"

namespace clipnext::hub {
namespace {

constexpr int64_t kMaxListing = int64_t{1} << 26;
constexpr int64_t kMaxFile = int64_t{1} << 44;
constexpr size_t kMaxFiles = 200'000;
constexpr int kMaxRedirects = 10;

std::string token_advice(const Settings& settings) {
  return settings.token.empty()
             ? "no token was sent: make one at https://huggingface.co/settings/tokens and set "
               "HF_TOKEN to it (or log in with `hf auth login`, or set HF_TOKEN_PATH to a file "
               "that holds it)"
             : "the token that was sent (HF_TOKEN, or the file of HF_TOKEN_PATH) does not give "
               "access";
}

/// What the hub means by a status.
std::string explain(const Settings& settings, const net::Answer& answer) {
  const std::string code = answer.header("x-error-code");
  const std::string advice = token_advice(settings);
  if (code == "GatedRepo") {
    return "the repository is gated: accept its conditions on its page at huggingface.co; " +
           advice;
  }
  if (answer.status == 401) {
    return "there is no such repository, or it is private or gated; " + advice;
  }
  if (answer.status == 403) return "access is refused; " + advice;
  if (answer.status == 429) {
    return settings.token.empty() ? "too many requests; with a token (HF_TOKEN) more are allowed"
                                  : "too many requests";
  }
  return "";
}

int64_t parse_size(const std::string& text) {
  int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : -1;
}

void check_size(int64_t size, const std::string& source) {
  require(size >= -1 && size <= kMaxFile, source, ": a size of ", size, " bytes cannot be");
}

/// A name that may hold anything, for a message of one line.
std::string shown(std::string name) {
  name = name.substr(0, 200);
  std::replace_if(
      name.begin(), name.end(),
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; }, '?');
  return name;
}

/// `W/"x"` and `"x"` are x.
std::string bare_tag(std::string tag) {
  if (tag.starts_with("W/")) tag.erase(0, 2);
  std::erase(tag, '"');
  return tag;
}

bool is_plain_tag(const std::string& tag) {
  return !tag.empty() && tag.size() <= 200 && tag.front() != '.' &&
         std::all_of(tag.begin(), tag.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                  c == '-' || c == '_' || c == '.';
         });
}

RemoteFile read_headers(const std::string& url, const net::Answer& answer) {
  const std::string linked = answer.header("x-linked-etag");
  RemoteFile file{.etag = bare_tag(linked.empty() ? answer.header("etag") : linked)};
  require(is_plain_tag(file.etag), url,
          file.etag.empty() ? ": the server gives the file no ETag"
                            : ": the server gives the file an ETag that is none",
          "; it does not answer as the hub does (is HF_ENDPOINT right?)");
  std::string size = answer.header("x-linked-size");
  if (size.empty() && answer.status == 200) size = answer.header("content-length");
  file.size = parse_size(size);
  check_size(file.size, url);
  return file;
}

}  // namespace

const ListedFile* Listing::find(const std::string& name) const {
  for (const ListedFile& file : files) {
    if (file.name == name) return &file;
  }
  return nullptr;
}

Listing parse_listing(const std::string& text, const std::string& source) {
  Listing listing;
  try {
    const Json json = parse_json(text, source);
    listing.commit = json.at("sha").get<std::string>();
    for (const Json& sibling : json.at("siblings")) {
      ListedFile file{.name = sibling.at("rfilename").get<std::string>()};
      const auto size = sibling.find("size");
      if (size != sibling.end() && size->is_number_integer()) file.size = size->get<int64_t>();
      listing.files.push_back(std::move(file));
      require(listing.files.size() <= kMaxFiles, source, ": more than ", kMaxFiles, " files");
    }
  } catch (const Json::exception&) {
    fail(source,
         ": expected an object with \"sha\" and \"siblings\"; the server does not answer "
         "as the hub does (is HF_ENDPOINT right?)");
  }
  require(is_commit(listing.commit), source, ": \"sha\" is no commit");
  for (const ListedFile& file : listing.files) {
    require(is_safe_path(file.name), source, ": lists a file \"", shown(file.name),
            "\", which would lie outside of the repository");
    check_size(file.size, source + ": " + file.name);
  }
  std::sort(listing.files.begin(), listing.files.end(),
            [](const ListedFile& a, const ListedFile& b) { return a.name < b.name; });
  return listing;
}

net::HttpOptions http_options(const Settings& settings, const std::string& url) {
  net::HttpOptions options;
  const bool ours = origin_of(url) == origin_of(settings.endpoint);
  if (ours && !settings.token.empty()) {
    options.headers.push_back("Authorization: Bearer " + settings.token);
  }
  if (ours) {
    options.explain = [settings](const net::Answer& answer) { return explain(settings, answer); };
  }
  return options;
}

Listing fetch_listing(const Settings& settings, const Repository& repository) {
  const std::string url = settings.endpoint + "/api/models/" + repository.id + "/revision/" +
                          quote(repository.revision, false) + "?blobs=true";
  const net::Reply reply = net::ask({.url = url}, http_options(settings, url), kMaxListing);
  if (reply.answer.status == 404) {
    const bool revision = reply.answer.header("x-error-code") == "RevisionNotFound";
    fail(url, ": ", repository.id,
         revision ? " has no revision \"" + repository.revision + "\""
                  : std::string(": there is no such repository"));
  }
  return parse_listing(reply.body, url);
}

std::string file_url(const Settings& settings, const std::string& id, const std::string& revision,
                     const std::string& name) {
  return settings.endpoint + "/" + id + "/resolve/" + quote(revision, false) + "/" +
         quote(name, true);
}

std::optional<RemoteFile> look_up(const Settings& settings, const std::string& url) {
  std::string at = url;
  for (int hops = 0; hops <= kMaxRedirects; ++hops) {
    const net::Reply reply = net::ask({.url = at, .head = true, .follow = false},
                                      http_options(settings, at), kMaxListing);
    const net::Answer& answer = reply.answer;
    if (answer.status == 404) return std::nullopt;
    // A repository that was renamed, or a mirror that knows less than the hub: asked there.
    // Elsewhere lies only the file's content; what it is, this answer says.
    const std::string next = origin_of(answer.location);
    const bool at_hub =
        next == origin_of(at) || next == origin_of(settings.endpoint) || next == origin_of(kHub);
    const bool said = !answer.header("x-linked-etag").empty();
    if (answer.location.empty() || said || !at_hub) return read_headers(url, answer);
    at = answer.location;
  }
  fail(url, ": the server redirects more than ", kMaxRedirects, " times");
}

}  // namespace clipnext::hub
