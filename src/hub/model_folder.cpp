// --model hf-hub:...: from the cache, else from the hub.
#include <algorithm>
#include <cstdio>

#include "base/byte_progress.h"
#include "hub/cache.h"
#include "hub/model_files.h"
#include "hub/pull.h"

namespace clipnext::hub {
namespace {

/// Whether the cache has what open_clip would load. Other names of weights do not count: they may
/// be another library's, fetched by it, of the same repository.
bool is_whole(const RepositoryCache& cache, const std::string& commit, bool with_weights) {
  if (!cache.has(commit, kConfigFile)) return false;
  const auto& names = weights_names();
  return !with_weights || std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return cache.has(commit, name);
  });
}

}  // namespace

std::filesystem::path model_folder(const Repository& repository, bool with_weights) {
  const Settings settings = read_settings();
  const RepositoryCache cache(settings.cache, repository.id);
  const auto commit = cache.commit_of(repository.revision);
  if (commit && is_whole(cache, *commit, with_weights)) return cache.snapshot(*commit);
  const Selection selection{.kind =
                                with_weights ? Selection::Kind::kModel : Selection::Kind::kConfig};
  const Plan plan = make_plan(settings, repository, selection);
  constexpr int64_t kMegabyte = 1'000'000;
  if (with_weights && !plan.whole()) {
    std::fprintf(stderr, "downloading %s (%.1f MB) to %s\n", repository.name().c_str(),
                 static_cast<double>(plan.missing_bytes()) / kMegabyte, settings.cache.c_str());
  }
  ByteProgress progress(repository.id, plan.missing_bytes());
  fetch(settings, plan, {.advance = [&](int64_t bytes) { progress.add(bytes); }});
  return plan.folder;
}

}  // namespace clipnext::hub
