#include "hub/pull.h"

#include <algorithm>
#include <atomic>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/file_lock.h"
#include "hub/cache.h"
#include "hub/model_files.h"
#include "hub/remote.h"
#include "net/parallel.h"

namespace clipnext::hub {
namespace {

namespace fs = std::filesystem;

constexpr int kFilesAtOnce = 4;
constexpr int64_t kMaxConfigBytes = int64_t{16} << 20;

std::vector<std::string> matching(const std::vector<std::string>& names, const Selection& selection,
                                  const std::string& where) {
  std::vector<std::string> chosen;
  for (const std::string& name : names) {
    const auto fits = [&](const std::string& glob) { return matches(name, glob); };
    if (std::any_of(selection.globs.begin(), selection.globs.end(), fits)) chosen.push_back(name);
  }
  std::string globs;
  for (const std::string& glob : selection.globs) globs += (globs.empty() ? "" : ", ") + glob;
  require(!chosen.empty(), where, ": none of its ", names.size(), " files fits ", globs);
  return chosen;
}

/// What `selection` wants of `names`; `config` gives the text of open_clip_config.json.
std::vector<std::string> select(const std::vector<std::string>& names, const Selection& selection,
                                const std::string& where,
                                const std::function<std::string()>& config) {
  if (selection.kind == Selection::Kind::kAll) return names;
  if (selection.kind == Selection::Kind::kGlobs) return matching(names, selection, where);
  require(std::find(names.begin(), names.end(), kConfigFile) != names.end(), where,
          ": is no model of open_clip: it has no ", kConfigFile,
          " (`clipnext pull --list` shows its files, --all and --include fetch others)");
  std::vector<std::string> chosen = {kConfigFile};
  if (selection.kind == Selection::Kind::kConfig) return chosen;
  const std::string weights = choose_weights(names);
  require(!weights.empty(), where, ": has ", kConfigFile, " but no weights (",
          weights_names().front(), ", ", weights_names().back(), ", ...)");
  chosen.push_back(weights);
  if (names_tokenizer(config(), where + ": " + kConfigFile)) {
    for (std::string& name : tokenizer_files(names)) chosen.push_back(std::move(name));
  }
  return chosen;
}

PulledFile cached_file(const RepositoryCache& cache, const std::string& commit,
                       const std::string& name) {
  PulledFile file{.name = name,
                  .etag = cache.etag_of(commit, name),
                  .cached = true,
                  .path = cache.file(commit, name)};
  std::error_code ignored;
  file.size = static_cast<int64_t>(fs::file_size(file.path, ignored));
  return file;
}

/// Whether the blob is whole; one of another size is not.
bool has_blob(const RepositoryCache& cache, const PulledFile& file) {
  std::error_code error;
  const auto size = fs::file_size(cache.blob(file.etag), error);
  return !error && (file.size < 0 || static_cast<int64_t>(size) == file.size);
}

/// Fetches one file into the cache; `arrived` hears of its bytes.
class FileFetch {
 public:
  FileFetch(const Settings& settings, const Plan& plan, const PullOptions& options,
            const std::function<bool()>& stop)
      : settings_(settings),
        plan_(plan),
        options_(options),
        stop_(stop),
        cache_(settings.cache, plan.repository.id) {}

  void run(const PulledFile& file) const {
    const FileLock lock(cache_.lock(file.etag));
    if (stop_()) return;
    if (!has_blob(cache_, file)) download(file);
    if (stop_() && !has_blob(cache_, file)) return;
    cache_.link(plan_.commit, file.name, file.etag);
  }

 private:
  void download(const PulledFile& file) const {
    const fs::path blob = cache_.blob(file.etag);
    std::error_code ignored;
    fs::remove(blob, ignored);  // of another size
    const std::string url = file_url(settings_, plan_.repository.id, plan_.commit, file.name);
    net::HttpOptions http = http_options(settings_, url);
    http.stop = stop_;
    int64_t last = 0;
    const net::Progress progress = [&](int64_t done, int64_t) {
      if (options_.advance) options_.advance(done - last);
      last = done;
    };
    net::DownloadOptions how{.connections = options_.connections,
                             .least_range = options_.least_range,
                             .size = file.size,
                             .part = cache_.part(file.etag)};
    how.check = [&](const fs::path& arrived) { check_hash(arrived, file.etag, url); };
    net::download(url, blob, http, progress, how);
  }

  const Settings& settings_;
  const Plan& plan_;
  const PullOptions& options_;
  const std::function<bool()>& stop_;
  RepositoryCache cache_;
};

/// Says before anything is fetched what would fail after an hour.
void check_space(const Settings& settings, const RepositoryCache& cache,
                 const std::vector<PulledFile>& missing) {
  int64_t needed = 0;
  for (const PulledFile& file : missing) {
    std::error_code ignored;
    const bool begun = fs::exists(cache.part(file.etag), ignored);
    if (!begun && !file.cached) needed += std::max<int64_t>(file.size, 0);
  }
  std::error_code error;
  const fs::space_info space = fs::space(settings.cache, error);
  if (error) return;
  const auto free = static_cast<int64_t>(space.available);
  require(needed <= free, settings.cache.string(), ": ", needed, " bytes are to be fetched, and ",
          free, " are free there; make room, or set HF_HUB_CACHE to a folder on another disk");
}

Plan plan_offline(const Settings& settings, const Repository& repository,
                  const Selection& selection) {
  const RepositoryCache cache(settings.cache, repository.id);
  const std::string where = repository.name() + " in " + settings.cache.string();
  const auto commit = cache.commit_of(repository.revision);
  const std::vector<std::string> names = commit ? cache.names(*commit) : std::vector<std::string>();
  require(!names.empty(), repository.name(), ": is not in the cache (", settings.cache.string(),
          "), and offline nothing is fetched; run `clipnext pull ", repository.name(),
          "` where there is a connection, or go online (HF_HUB_OFFLINE, --offline)");
  Plan plan{.repository = repository, .commit = *commit, .folder = cache.snapshot(*commit)};
  const auto config = [&] { return read_file(cache.file(*commit, kConfigFile), kMaxConfigBytes); };
  for (const std::string& name : select(names, selection, where + " (offline)", config)) {
    plan.files.push_back(cached_file(cache, *commit, name));
  }
  return plan;
}

void look_up_all(const Settings& settings, const RepositoryCache& cache,
                 const std::vector<std::string>& names, Plan& plan) {
  plan.files.resize(names.size());
  net::in_parallel(names.size(), kFilesAtOnce, [&](size_t i) {
    PulledFile& file = plan.files[i];
    if (cache.has(plan.commit, names[i])) {
      file = cached_file(cache, plan.commit, names[i]);
      return;
    }
    const std::string url = file_url(settings, plan.repository.id, plan.commit, names[i]);
    const auto remote = look_up(settings, url);
    require(remote.has_value(), url, ": the hub lists this file, but does not have it");
    file = {.name = names[i],
            .etag = remote->etag,
            .size = remote->size,
            .path = cache.file(plan.commit, names[i])};
    file.cached = has_blob(cache, file) && file.size >= 0;
  });
}

}  // namespace

bool Plan::whole() const {
  return std::all_of(files.begin(), files.end(), [](const PulledFile& f) { return f.cached; });
}

int64_t Plan::size() const {
  int64_t total = 0;
  for (const PulledFile& file : files) total += std::max<int64_t>(file.size, 0);
  return total;
}

int64_t Plan::missing_bytes() const {
  int64_t total = 0;
  for (const PulledFile& file : files) {
    if (!file.cached) total += std::max<int64_t>(file.size, 0);
  }
  return total;
}

Plan make_plan(const Settings& settings, const Repository& repository, const Selection& selection) {
  if (settings.offline) return plan_offline(settings, repository, selection);
  const RepositoryCache cache(settings.cache, repository.id);
  const Listing listing = fetch_listing(settings, repository);
  Plan plan{
      .repository = repository, .commit = listing.commit, .folder = cache.snapshot(listing.commit)};
  std::vector<std::string> names;
  for (const ListedFile& file : listing.files) names.push_back(file.name);
  const auto config = [&] {
    if (!cache.has(plan.commit, kConfigFile)) {
      Plan small{.repository = repository, .commit = plan.commit, .folder = plan.folder};
      look_up_all(settings, cache, {kConfigFile}, small);
      require(small.files.front().size <= kMaxConfigBytes, repository.name(), ": ", kConfigFile,
              " has ", small.files.front().size, " bytes");
      fetch(settings, small);
    }
    return read_file(cache.file(plan.commit, kConfigFile), kMaxConfigBytes);
  };
  look_up_all(settings, cache, select(names, selection, repository.name(), config), plan);
  const std::string& preferred = weights_names().front();
  if (selection.kind == Selection::Kind::kModel && listing.find(preferred) == nullptr) {
    plan.absent.push_back(preferred);
  }
  return plan;
}

void fetch(const Settings& settings, const Plan& plan, const PullOptions& options) {
  if (settings.offline) return;  // the plan was made of what is there
  const RepositoryCache cache(settings.cache, plan.repository.id);
  std::vector<PulledFile> missing;
  for (const PulledFile& file : plan.files) {
    if (!cache.has(plan.commit, file.name)) missing.push_back(file);
  }
  if (!missing.empty()) {
    cache.prepare();
    check_space(settings, cache, missing);
  }
  std::atomic<bool> failed{false};
  const std::function<bool()> stop = [&] { return failed.load(); };
  const FileFetch one(settings, plan, options, stop);
  net::in_parallel(missing.size(), kFilesAtOnce, [&](size_t i) {
    try {
      one.run(missing[i]);
    } catch (...) {
      failed = true;
      throw;
    }
  });
  for (const std::string& name : plan.absent) cache.mark_absent(plan.commit, name);
  if (missing.empty() && plan.commit == cache.commit_of(plan.repository.revision)) return;
  if (plan.repository.revision != plan.commit) {
    cache.write_ref(plan.repository.revision, plan.commit);
  }
}

}  // namespace clipnext::hub
