// A checkpoint as something to average: its tensors under the names that every layout shares.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "model/config.h"
#include "weights/checkpoint.h"

namespace clipnext::soup {

/// What an ingredient was opened as. Tensors lie in the mapped file where its layout allows.
struct Ingredient {
  std::string given;           // as named by the user
  std::string name;            // the last component of that
  std::filesystem::path file;  // the weights
  weights::Format format = weights::Format::kSafetensors;
  std::span<const std::byte> bytes;             // the whole file
  std::shared_ptr<const void> owner;            // of the bytes
  weights::TensorMap tensors;                   // by plain-layout name, without `text.`
  bool text_prefix = false;                     // whether the text tower's stood under `text.`
  std::map<std::string, std::string> metadata;  // epoch, name, ...: weights/checkpoint.h
  std::optional<model::ClipConfig> config;      // where it brings one
  std::string config_json;
  std::filesystem::path tokenizer_folder;  // where it brings its own vocabulary, else empty
};

struct OpenOptions {
  /// The average over steps that a training checkpoint keeps (state_dict_ema) in place of the
  /// weights; one without is an Error.
  bool use_ema = false;
  /// Looks for the configuration of a file that is no folder, beside it and in it.
  bool find_config = true;
};

/// `given` is a model folder, or a checkpoint of any format that weights/checkpoint.h reads. Of a
/// training checkpoint only the weights are looked at. logit_scale and logit_bias of one element
/// become scalars. Throws Error that names the file: not readable, packed, without tensors, a
/// tensor there in both layouts.
Ingredient open_ingredient(const std::string& given, const OpenOptions& options = {});

/// "float32", "bfloat16", ...; "mixed" where its floating-point tensors differ.
std::string dtype_of(const Ingredient& ingredient);

/// The first value of logit_scale; nothing without.
std::optional<double> logit_scale_of(const Ingredient& ingredient);

/// Files of a vocabulary, of which a model folder may have some.
std::span<const std::string_view> tokenizer_files();

}  // namespace clipnext::soup
