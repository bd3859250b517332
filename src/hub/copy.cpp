// A repository's files as a plain folder.
#include <algorithm>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/mapped_file.h"
#include "hub/pull.h"

namespace clipnext::hub {
namespace {

namespace fs = std::filesystem;

bool same_content(const fs::path& path, std::span<const std::byte> bytes) {
  std::error_code error;
  if (!fs::is_regular_file(path, error) || fs::file_size(path, error) != bytes.size()) return false;
  const MappedFile there(path);
  return std::equal(bytes.begin(), bytes.end(), there.bytes().begin(), there.bytes().end());
}

}  // namespace

void copy_to(const Plan& plan, const fs::path& folder) {
  constexpr size_t kPiece = size_t{1} << 22;
  for (const PulledFile& file : plan.files) {
    const MappedFile source(file.path);
    const fs::path path = folder / file.name;
    if (same_content(path, source.bytes())) continue;
    fs::create_directories(path.parent_path());
    FileWriter writer(path);
    for (auto rest = source.bytes(); !rest.empty();) {
      throw_if_interrupted();
      const size_t size = std::min(kPiece, rest.size());
      writer.write(rest.data(), size);
      rest = rest.subspan(size);
    }
    writer.commit();
  }
}

}  // namespace clipnext::hub
