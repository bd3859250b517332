// What the hub tells: the files of a repository, and what a file is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "hub/names.h"
#include "hub/settings.h"
#include "net/http.h"

namespace clipnext::hub {

struct ListedFile {
  std::string name = {};
  int64_t size = -1;  // -1: not said
};

/// A revision as it is now.
struct Listing {
  std::string commit = {};
  std::vector<ListedFile> files = {};  // by name

  const ListedFile* find(const std::string& name) const;
};

/// The reply of the hub's API to a question for a revision. Throws Error naming `source` for what
/// is not of that form, and for names of files that lead out of a folder.
Listing parse_listing(const std::string& text, const std::string& source);

/// How the hub is talked to: with the token, if the URL is the hub's, and words for its refusals.
net::HttpOptions http_options(const Settings& settings, const std::string& url);

/// GET ENDPOINT/api/models/ID/revision/REVISION. Throws Error that says what to do where there is
/// no such repository or revision, or a token is needed.
Listing fetch_listing(const Settings& settings, const Repository& repository);

/// The address of a file at a revision.
std::string file_url(const Settings& settings, const std::string& id, const std::string& revision,
                     const std::string& name);

struct RemoteFile {
  std::string etag =
      {};  // its name in the cache: SHA-256 (64 digits), git's SHA-1 (40), or another tag
  int64_t size = -1;
};

/// Asks what lies at that address (HEAD; X-Linked-Etag, X-Linked-Size), without following it to
/// another host than the hub's. Nothing if it says 404. Throws Error for a tag that is none.
std::optional<RemoteFile> look_up(const Settings& settings, const std::string& url);

}  // namespace clipnext::hub
