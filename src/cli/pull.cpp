// clipnext pull: files of the hub's repositories into its cache, and files of the web.
#include "hub/pull.h"

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/byte_progress.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "hub/cache.h"
#include "hub/remote.h"
#include "net/http.h"

namespace clipnext::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string source;
  std::string out;
  std::string revision;
  std::vector<std::string> include;
  std::string sha256;
  int connections = 4;
  bool all = false;
  bool list = false;
  bool dry_run = false;
  bool offline = false;
  bool json = false;
};

std::string megabytes(int64_t bytes) {
  if (bytes < 0) return fit("?", 12, true) + "   ";
  return format("%12.3f MB", static_cast<double>(bytes) / 1e6);
}

OrderedJson size_json(int64_t bytes) { return bytes < 0 ? OrderedJson() : OrderedJson(bytes); }

/// "ORG/NAME@REVISION" of a repository's page, which people copy; empty for other addresses.
std::string repository_of_page(const hub::Settings& settings, const std::string& url) {
  for (const std::string& host : {settings.endpoint, std::string(hub::kHub)}) {
    if (!url.starts_with(host + "/")) continue;
    std::string rest = url.substr(host.size() + 1);
    while (rest.ends_with('/')) rest.pop_back();
    const size_t name = rest.find('/');
    const size_t end = name == std::string::npos ? name : rest.find('/', name + 1);
    if (end == std::string::npos) return rest;
    constexpr std::string_view kTree = "/tree/";
    if (rest.compare(end, kTree.size(), kTree) == 0) {
      return rest.substr(0, end) + "@" + rest.substr(end + kTree.size());
    }
  }
  return "";
}

// ---- a repository ----

hub::Repository chosen_repository(const Options& o, const std::string& name) {
  hub::Repository repository = hub::parse_repository(name);
  if (o.revision.empty()) return repository;
  if (repository.revision != "main" && repository.revision != o.revision) {
    throw CLI::ValidationError("--revision", o.revision + " is not the revision of " + name);
  }
  return hub::parse_repository(repository.id + "@" + o.revision);
}

hub::Selection selection_of(const Options& o) {
  if (o.all) return {.kind = hub::Selection::Kind::kAll};
  if (!o.include.empty()) return {.kind = hub::Selection::Kind::kGlobs, .globs = o.include};
  return {};
}

hub::Listing listing_of(const hub::Settings& settings, const hub::Repository& repository) {
  if (!settings.offline) return hub::fetch_listing(settings, repository);
  const hub::Plan plan = hub::make_plan(settings, repository, {.kind = hub::Selection::Kind::kAll});
  hub::Listing listing{.commit = plan.commit};
  for (const hub::PulledFile& file : plan.files) {
    listing.files.push_back({.name = file.name, .size = file.size});
  }
  return listing;
}

void list_files(const Options& o, const hub::Settings& settings,
                const hub::Repository& repository) {
  const hub::Listing listing = listing_of(settings, repository);
  OrderedJson files = OrderedJson::array();
  std::string lines;
  for (const hub::ListedFile& file : listing.files) {
    files.push_back({{"name", file.name}, {"size", size_json(file.size)}});
    lines += megabytes(file.size) + "  " + file.name + "\n";
  }
  if (!o.json) return print(lines);
  print_json({{"repository", repository.id},
              {"revision", repository.revision},
              {"commit", listing.commit},
              {"files", files}});
}

void show_plan(const Options& o, const hub::Plan& plan, const fs::path& folder) {
  const bool copied = !o.out.empty();
  OrderedJson files = OrderedJson::array();
  std::string lines;
  for (const hub::PulledFile& file : plan.files) {
    const fs::path path = copied ? folder / file.name : file.path;
    files.push_back({{"name", file.name},
                     {"size", size_json(file.size)},
                     {"etag", file.etag},
                     {"cached", file.cached},
                     {"path", path.string()}});
    const char* what = file.cached ? "  (was in the cache)" : o.dry_run ? "  (to be fetched)" : "";
    lines += megabytes(file.size) + "  " + file.name + what + "\n";
  }
  if (!o.json) return print(lines + folder.string() + "\n");
  print_json({{"repository", plan.repository.id},
              {"revision", plan.repository.revision},
              {"commit", plan.commit},
              {"folder", folder.string()},
              {"files", files},
              {"bytes", plan.size()},
              {"missing_bytes", plan.missing_bytes()},
              {"dry_run", o.dry_run}});
}

void pull_repository(const Options& o, const hub::Settings& settings, const std::string& name) {
  if (!o.sha256.empty()) throw CLI::ValidationError("--sha256", "goes with the URL of a file");
  const hub::Repository repository = chosen_repository(o, name);
  if (o.list) return list_files(o, settings, repository);
  const hub::Plan plan = hub::make_plan(settings, repository, selection_of(o));
  if (!o.dry_run) {
    ByteProgress progress(repository.id, plan.missing_bytes());
    hub::fetch(settings, plan, {.connections = o.connections, .advance = [&](int64_t bytes) {
                                  progress.add(bytes);
                                }});
    if (!o.out.empty()) hub::copy_to(plan, o.out);
  }
  show_plan(o, plan, o.out.empty() ? plan.folder : fs::path(o.out));
}

// ---- a file of the web ----

fs::path destination(const Options& o) {
  std::string name = o.source.substr(0, o.source.find_first_of("?#"));
  name = name.substr(name.rfind('/') + 1);
  std::error_code ignored;
  const bool folder = o.out.ends_with('/') || fs::is_directory(o.out, ignored);
  if (!o.out.empty() && !folder) return o.out;
  require(hub::is_safe_path(name), o.source, ": names no file; say where it goes: -o PATH");
  return fs::path(o.out) / name;
}

void refuse_repository_options(const Options& o) {
  const char* option = !o.revision.empty()  ? "--revision"
                       : !o.include.empty() ? "--include"
                       : o.all              ? "--all"
                       : o.list             ? "--list"
                                            : nullptr;
  if (option != nullptr) {
    throw CLI::ValidationError(option, "goes with a repository (hf-hub:ORG/NAME), not with a file");
  }
}

void pull_url(const Options& o, const hub::Settings& settings) {
  refuse_repository_options(o);
  const fs::path path = destination(o);
  std::error_code ignored;
  const bool there = fs::exists(path, ignored);
  require(there || !settings.offline, path.string(),
          ": is not there, and offline nothing is fetched");
  hub::RemoteFile remote{.etag = o.sha256};
  const bool at_hub = hub::origin_of(o.source) == hub::origin_of(settings.endpoint);
  if (!there && at_hub && o.sha256.empty()) {
    const auto found = hub::look_up(settings, o.source);
    require(found.has_value(), o.source, ": there is no such file (HTTP status 404)");
    remote = *found;
  }
  if (there) hub::check_hash(path, remote.etag, path.string());
  if (!there && !o.dry_run) {
    ByteProgress progress(path.filename().string(), std::max<int64_t>(remote.size, 0));
    int64_t last = 0;
    const net::DownloadOptions how{
        .connections = o.connections, .size = remote.size, .check = [&](const fs::path& arrived) {
          hub::check_hash(arrived, remote.etag, o.source);
        }};
    net::download(
        o.source, path, hub::http_options(settings, o.source),
        [&](int64_t done, int64_t) {
          progress.add(done - last);
          last = done;
        },
        how);
  }
  if (fs::exists(path, ignored)) remote.size = static_cast<int64_t>(fs::file_size(path));
  if (!o.json) return print(path.string() + (there ? "  (was there)\n" : "\n"));
  print_json({{"url", o.source},
              {"path", path.string()},
              {"size", size_json(remote.size)},
              {"cached", there},
              {"dry_run", o.dry_run}});
}

void run(const Options& o) {
  hub::Settings settings = hub::read_settings();
  settings.offline = settings.offline || o.offline;
  if (!net::is_url(o.source)) return pull_repository(o, settings, o.source);
  const std::string page = repository_of_page(settings, o.source);
  if (!page.empty()) return pull_repository(o, settings, page);
  pull_url(o, settings);
}

std::string check_sha256(std::string& digits) {
  for (char& c : digits) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  }
  return hub::is_hex(digits, 64) ? "" : "\"" + digits + "\" is no SHA-256 (64 hexadecimal digits)";
}

}  // namespace

void add_pull(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* cmd =
      app.add_subcommand("pull", "a model of the hub into its cache, or a file of the web");
  cmd->add_option("source", o->source, "hf-hub:ORG/NAME[@REVISION], or the URL of a file")
      ->required()
      ->type_name("REPOSITORY|URL");
  cmd->add_option("-o,--out", o->out,
                  "folder that becomes a plain model folder (the cache keeps its own copy); of a "
                  "URL: the file, or the folder it goes to");
  cmd->add_option("--revision", o->revision, "branch, tag or commit; default: main");
  auto* all = cmd->add_flag("--all", o->all, "all files, not only what open_clip loads");
  cmd->add_option("--include", o->include, "only files that fit this pattern (*.json); repeatable")
      ->type_name("GLOB")
      ->excludes(all);
  cmd->add_flag("--list", o->list, "show the repository's files, fetch nothing");
  cmd->add_flag("--dry-run", o->dry_run,
                "show what would be fetched; fetches no more than the model's configuration");
  cmd->add_flag("--offline", o->offline, "only what is in the cache (also HF_HUB_OFFLINE=1)");
  cmd->add_option("--sha256", o->sha256, "of a URL: what the file's SHA-256 must be")
      ->check(CLI::Validator(check_sha256, "HEX"));
  cmd->add_option("--connections", o->connections, "parts of a large file that come at once")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  cmd->add_flag("--json", o->json, "print JSON (docs/cli.md lists the fields)");
  cmd->footer(
      "Files are hashed, and go where open_clip and huggingface_hub look for them. A pull that "
      "was\n"
      "cut off goes on where it was. $HF_TOKEN opens private and gated repositories; $HF_ENDPOINT\n"
      "names a mirror, $HF_HUB_CACHE or $HF_HOME the cache. `--model hf-hub:ORG/NAME` of every\n"
      "command pulls by itself.\n\nExamples:\n"
      "  clipnext pull hf-hub:laion/CLIP-convnext_base_w-laion2B-s13B-b82K\n"
      "  clipnext pull hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K --list\n"
      "  clipnext pull hf-hub:ORG/NAME@v1.0 -o model/\n"
      "  clipnext pull https://example.org/weights.safetensors -o models/ --sha256 HEX");
  cmd->callback([o] { run(*o); });
}

}  // namespace clipnext::cli
