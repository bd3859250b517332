// The class names and prompt templates that zero-shot accuracy is measured with, as clip_benchmark
// 1.6.2 has them (its slips of the pen included): asset .cache/eval_names.json, made by ./dev.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/dataset.h"

namespace clipnext::datasets {

/// Under which names lists of `dataset` are looked for, in this order: its own, and for vtab/,
/// tfds/ and wds/ the name behind this prefix.
std::vector<std::string> lookup_keys(std::string_view dataset);

/// Names of the classes of a data set whose own files do not hold them, in label order; names may
/// be empty or occur twice. `dataset` as on the command line. `language` is ar, cn (or zh), en, it
/// or jp. Throws Error for other languages, and where the reference has no names in this one.
std::vector<std::string> class_names(std::string_view dataset, std::string_view language = "en");

/// Templates of a data set, `{c}` where the name goes; those of ImageNet for all that have none of
/// their own. Throws Error for an unknown language.
std::vector<std::string> templates(std::string_view dataset, std::string_view language = "en");

/// open_clip's seven, for quick looks at ImageNet.
std::vector<std::string> simple_imagenet_templates();

/// WordNet ids of the classes of "imagenet1k", "imagenet-a", "imagenet-r" or "imagenet-o", sorted,
/// which is ImageNet's label order.
std::span<const std::string> wordnet_ids(std::string_view dataset);

/// Puts the names and templates of Request::custom_classname_file and custom_template_file in place
/// of those that `dataset` has. Such a file is a JSON object by data set name; the names
/// clip_benchmark ships (en_classnames.json, it_zeroshot_classification_templates.json ...) stand
/// for the lists in the program unless such a file exists. Throws Error naming the file for a
/// missing data set (templates fall back to the file's imagenet1k), for anything but lists of texts
/// (templates also: prompts by class name), for fewer names than labels, and for a class without
/// prompts.
void apply_custom_names(const Request& request, Dataset& dataset);

}  // namespace clipnext::datasets
