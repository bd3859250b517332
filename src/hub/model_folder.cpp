// What a command needs of a repository (--model hf-hub:...): from the cache, else from the hub.
#include <algorithm>
#include <cstdio>

#include "base/byte_progress.h"
#include "base/error.h"
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

/// Fetches what the cache lacks; `say`: announced on standard error.
void fetch_shown(const Settings& settings, const Plan& plan, bool say) {
  constexpr int64_t kMegabyte = 1'000'000;
  if (say && !plan.whole()) {
    std::fprintf(stderr, "downloading %s (%.1f MB) to %s\n", plan.repository.name().c_str(),
                 static_cast<double>(plan.missing_bytes()) / kMegabyte, settings.cache.c_str());
  }
  ByteProgress progress(plan.repository.id, plan.missing_bytes());
  fetch(settings, plan, {.advance = [&](int64_t bytes) { progress.add(bytes); }});
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
  fetch_shown(settings, plan, with_weights);
  return plan.folder;
}

std::filesystem::path repository_file(const Repository& repository, const std::string& name) {
  const Settings settings = read_settings();
  const RepositoryCache cache(settings.cache, repository.id);
  const auto commit = cache.commit_of(repository.revision);
  if (commit && cache.has(*commit, name)) return cache.file(*commit, name);
  const std::string what = name + " of " + repository.name();
  const std::string advice = "; `clipnext pull " + repository.name() + " --include " + name +
                             "` where there is a connection puts it into the cache (HF_HUB_CACHE)";
  require(!settings.offline, what, ": is not in the cache (", settings.cache.string(),
          "), and offline nothing is fetched", advice);
  try {
    const Plan plan =
        make_plan(settings, repository, {.kind = Selection::Kind::kGlobs, .globs = {name}});
    fetch_shown(settings, plan, true);
    return cache.file(plan.commit, name);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    fail(what, ": ", error.what(), advice);
  }
}

}  // namespace clipnext::hub
