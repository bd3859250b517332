#include "package/package.h"

#include <algorithm>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/folder_writer.h"
#include "base/interrupt.h"
#include "package/card.h"
#include "package/facts.h"
#include "package/tokenizer_files.h"

namespace clipnext::package {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "open_clip_config.json";
constexpr const char* kWeightsFile = "open_clip_model.safetensors";
constexpr const char* kTorchFile = "open_clip_pytorch_model.bin";

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::vector<std::pair<std::string, int64_t>> sizes(const fs::path& folder) {
  std::vector<std::pair<std::string, int64_t>> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    files.emplace_back(entry.path().filename().string(), static_cast<int64_t>(entry.file_size()));
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

bool keeps_card(const fs::path& out, bool force) {
  std::error_code ignored;
  if (!is_there(out)) return false;
  require(fs::is_directory(out, ignored), out.string(), ": is a file, not a folder");
  require(force || fs::is_empty(out, ignored) || is_there(out / kConfigFile), out.string(),
          ": is a folder of something else (no ", kConfigFile,
          "); say another one, or --force to add the model to it");
  return !force && is_there(out / kCardFile) && !is_sealed(read_file(out / kCardFile));
}

std::vector<std::pair<std::string, int64_t>> write_package(const fs::path& out,
                                                           const Package& package, bool force) {
  const Contents& contents = package.contents;
  const bool keeps = keeps_card(out, force);
  const std::string card = keeps ? read_file(out / kCardFile) : package.card;
  FolderWriter writer(out);
  const fs::path& folder = writer.folder();
  // What the file is of: transformers and older readers refuse one that does not say so.
  weights::write_safetensors(folder / kWeightsFile, contents.tensors, {{"format", "pt"}});
  throw_if_interrupted();
  if (package.also_bin) weights::write_torch_zip(folder / kTorchFile, contents.tensors);
  throw_if_interrupted();
  write_file(folder / kConfigFile, contents.config_json.dump(2) + "\n");
  for (const auto& [name, text] :
       tokenizer_files(*contents.vocabulary, contents.config.text.context_length)) {
    write_file(folder / name, text);
  }
  for (const auto& [name, text] : package.files) write_file(folder / name, text);
  write_file(folder / kCardFile, card);
  auto files = sizes(folder);
  throw_if_interrupted();
  // Of the model before; pictures may stand in a card that stays.
  std::vector<std::string> stale = {kTorchFile, kSoupFile};
  if (!keeps) stale.insert(stale.end(), {kTrainingChart, kEvaluationChart});
  writer.commit(stale);
  return files;
}

}  // namespace clipnext::package
