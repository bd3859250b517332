// Names of repositories, revisions and files: what comes from a user or a server and becomes a
// path.
#pragma once

#include <string>
#include <string_view>

namespace clipnext::hub {

inline constexpr std::string_view kPrefix = "hf-hub:";

/// A repository of a model at one of its revisions.
struct Repository {
  std::string id = {};            // "ORG/NAME", of old ones "NAME"
  std::string revision = "main";  // branch, tag, or commit

  /// "hf-hub:ORG/NAME", with "@REVISION" unless it is main.
  std::string name() const;
};

/// "[hf-hub:]ORG/NAME[@REVISION]". Throws Error for what is none by the hub's rules, and for a
/// revision that would lead out of a folder.
Repository parse_repository(std::string_view text);

/// Whether `name` is a path that stays in the folder that it is taken from.
bool is_safe_path(std::string_view name);

/// Whether it is a commit: 40 hexadecimal digits.
bool is_commit(std::string_view text);
bool is_hex(std::string_view text, size_t digits);

/// Percent-encoded for a URL, all but letters, digits and -._~ (and '/', if `slashes`).
std::string quote(std::string_view text, bool slashes);

/// Scheme, host and port of a URL, "https://host:443"; empty if it is no web address.
std::string origin_of(std::string_view url);

/// Whether a shell's pattern (* ? [...], `*` over slashes too, as huggingface_hub has it) fits.
bool matches(const std::string& name, const std::string& glob);

}  // namespace clipnext::hub
