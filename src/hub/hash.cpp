// Contents compared with the names that the hub gives them.
#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/mapped_file.h"
#include "base/sha.h"
#include "hub/names.h"
#include "hub/pull.h"

namespace clipnext::hub {
namespace {

template <class Hash>
std::string hash_of(std::string_view before, std::string_view bytes) {
  constexpr size_t kPiece = size_t{1} << 22;
  Hash hash;
  hash.add(before);
  for (; !bytes.empty(); bytes.remove_prefix(std::min(kPiece, bytes.size()))) {
    throw_if_interrupted();
    hash.add(bytes.substr(0, kPiece));
  }
  return hash.hex();
}

}  // namespace

void check_hash(const std::filesystem::path& file, const std::string& etag,
                const std::string& url) {
  const bool sha256 = is_hex(etag, 64);
  if (!sha256 && !is_hex(etag, 40)) return;
  const MappedFile mapped(file);
  const std::string_view bytes(reinterpret_cast<const char*>(mapped.bytes().data()),
                               mapped.bytes().size());
  // git hashes a header of its own with the content.
  const std::string header = "blob " + std::to_string(bytes.size()) + std::string(1, '\0');
  const std::string found = sha256 ? hash_of<Sha256>("", bytes) : hash_of<Sha1>(header, bytes);
  require(found == etag, url, ": what arrived has ", sha256 ? "SHA-256 " : "git hash ", found,
          ", not ", etag,
          " as it should; it was thrown away. Try again; if that does not help, a "
          "proxy or mirror on the way changes files");
}

}  // namespace clipnext::hub
