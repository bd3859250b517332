#include "package/contents.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "model/bind.h"
#include "model/param_order.h"
#include "model/training_state.h"
#include "run/model_file.h"

namespace clipnext::package {
namespace {

using weights::DType;
using weights::Tensor;

// ---- config ----

// open_clip_config.json, or the bare object that stands in it as model_cfg.
OrderedJson config_json(const model::Model& model, const ContentOptions& options) {
  OrderedJson found = parse_ordered_json(model.config_json, model.name);
  OrderedJson json = {{"model_cfg", found.contains("model_cfg") ? found["model_cfg"] : found}};
  OrderedJson& vision = json["model_cfg"]["vision_cfg"];
  if (options.image_size) vision["image_size"] = *options.image_size;
  // Or whoever opens the package fetches another model's weights first.
  if (vision.contains("timm_model_pretrained")) vision["timm_model_pretrained"] = false;
  json["preprocess_cfg"] = run::preprocess_json(model.config.preprocess);
  return json;
}

model::ClipConfig reread(const OrderedJson& json, const std::string& name) {
  const Json plain = json;
  model::ClipConfig config = model::parse_model_config(plain.at("model_cfg"), name, name);
  model::apply_preprocess_config(plain.at("preprocess_cfg"), name, config);
  return config;
}

// ---- values ----

struct Item {
  std::string name;
  Tensor tensor;
};

int64_t count_nonfinite(const Tensor& tensor) {
  const auto count = [&](const auto* values) {
    int64_t bad = 0;
    for (int64_t i = 0; i < tensor.numel(); ++i) bad += std::isfinite(values[i]) ? 0 : 1;
    return bad;
  };
  if (tensor.dtype == DType::kF64) {
    return count(reinterpret_cast<const double*>(tensor.data.data()));
  }
  const Tensor wide = weights::convert(tensor, DType::kF32);
  return count(reinterpret_cast<const float*>(wide.data.data()));
}

// Values that do not come back, bit for bit.
int64_t count_changed(const Tensor& before, const Tensor& after) {
  const Tensor back = weights::convert(after, before.dtype);
  const auto size = static_cast<size_t>(weights::dtype_size(before.dtype));
  int64_t changed = 0;
  for (size_t at = 0; at < before.data.size(); at += size) {
    changed += std::memcmp(before.data.data() + at, back.data.data() + at, size) != 0 ? 1 : 0;
  }
  return changed;
}

std::string name_bad(const std::vector<Item>& items, const std::vector<int64_t>& bad,
                     const char* what) {
  constexpr int kMostNamed = 20;
  std::string text;
  int named = 0;
  int left_out = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    if (bad[i] == 0) continue;
    if (named == kMostNamed) {
      ++left_out;
      continue;
    }
    ++named;
    text += "\n  " + items[i].name + ": " + std::to_string(bad[i]) + " of " +
            std::to_string(items[i].tensor.numel()) + " values " + what;
  }
  return text + (left_out > 0 ? "\n  and in " + std::to_string(left_out) + " more" : "");
}

// Checks every value, and converts.
int64_t convert_all(std::vector<Item>& items, std::optional<DType> dtype, const std::string& source,
                    ThreadPool& pool) {
  std::vector<int64_t> nonfinite(items.size()), overflown(items.size());
  std::atomic<int64_t> changed{0};
  Progress progress("check", static_cast<int64_t>(items.size()), "tensors");
  pool.parallel_for(static_cast<int64_t>(items.size()), [&](int64_t index) {
    throw_if_interrupted();
    const auto i = static_cast<size_t>(index);
    Tensor& tensor = items[i].tensor;
    nonfinite[i] = count_nonfinite(tensor);
    const bool narrows = dtype && weights::dtype_size(*dtype) < weights::dtype_size(tensor.dtype);
    const bool kept = narrows && tensor.shape.empty();
    if (dtype && *dtype != tensor.dtype && nonfinite[i] == 0 && !kept) {
      const Tensor converted = weights::convert(tensor, *dtype);
      overflown[i] = count_nonfinite(converted);
      changed += count_changed(tensor, converted);
      tensor = converted;
    }
    progress.add();
  });
  progress.finish();
  const std::string bad = name_bad(items, nonfinite, "are NaN or infinite");
  require(bad.empty(), source, ": damaged weights are not packaged:", bad);
  const std::string large =
      name_bad(items, overflown, "are beyond the range of the type asked for");
  require(large.empty(), source, ": cannot be narrowed; take --dtype bf16 or keep:", large);
  return changed;
}

// ---- where the tensors are ----

weights::TensorMap average_over_steps(const model::Model& model) {
  const std::string& source = model.name;
  require(!model.weights_file.empty(), source, ": has no average over steps (--use-ema)");
  model::TrainingState state =
      model::read_training_checkpoint(model.weights_file, model.config, std::nullopt);
  require(!state.ema.empty(), source, ": has no average over steps (state_dict_ema), so --use-ema ",
          "has nothing to take; leave it out for the weights themselves");
  return std::move(state.ema);
}

std::shared_ptr<const text::Vocabulary> vocabulary_of(const model::Model& model) {
  std::shared_ptr<const text::Vocabulary> vocabulary;
  if (!model.tokenizer_folder.empty()) vocabulary = text::read_vocabulary(model.tokenizer_folder);
  if (vocabulary == nullptr) vocabulary = text::embedded_vocabulary();
  require(vocabulary->size() == model.config.text.vocab_size, model.name, ": its vocabulary has ",
          vocabulary->size(), " tokens, the model's configuration says ",
          model.config.text.vocab_size);
  return vocabulary;
}

std::vector<Item> named_tensors(const model::ClipConfig& config, const weights::TensorMap& tensors,
                                const std::string& source) {
  auto params = model::bind_tensors(config, tensors, source);
  std::vector<Item> items;
  model::visit(params, config, [&](Tensor& tensor, const model::ParamInfo& info) {
    items.push_back({model::checkpoint_name(config, info.name), std::move(tensor)});
  });
  return items;
}

}  // namespace

Contents collect(model::Model model, const ContentOptions& options, ThreadPool& pool) {
  const std::string source = model.weights_file.empty() ? model.name : model.weights_file.string();
  require(!model::is_packed(model.checkpoint), source,
          ": is a packed file, whose tensors are laid out for this program's kernels; package the "
          "weights it was made from");
  Contents contents;
  contents.config_json = config_json(model, options);
  contents.config = reread(contents.config_json, model.config.name);
  model.config = contents.config;
  contents.vocabulary = vocabulary_of(model);
  const weights::TensorMap tensors =
      options.use_ema ? average_over_steps(model) : std::move(model.checkpoint.tensors);
  std::vector<Item> items = named_tensors(contents.config, tensors, source);
  contents.changed = convert_all(items, options.dtype, source, pool);
  for (Item& item : items) contents.tensors.emplace(item.name, std::move(item.tensor));
  return contents;
}

std::string dtype_names(const weights::TensorMap& tensors) {
  std::set<std::string> names;
  for (const auto& [name, tensor] : tensors) names.emplace(weights::dtype_name(tensor.dtype));
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace clipnext::package
