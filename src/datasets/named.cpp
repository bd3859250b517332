#include "datasets/named.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "datasets/forms.h"
#include "datasets/names.h"

namespace clipnext::datasets {
namespace {

using Opener = Dataset (*)(const Request&);

struct Form {
  std::string_view name;
  Opener open;
};

constexpr Form kForms[] = {
    {"imagenet1k", open_imagenet},
    {"imagenet1k-unverified", open_imagenet},
    {"imagenetv2", open_imagenet_v2},
    {"imagenet_sketch", open_imagenet_sketch},
    {"imagenet-a", open_imagenet_subset},
    {"imagenet-r", open_imagenet_subset},
    {"imagenet-o", open_imagenet_subset},
    {"objectnet", open_objectnet},
    {"cifar10", open_cifar10},
    {"cifar100", open_cifar100},
    {"mnist", open_mnist},
    {"stl10", open_stl10},
    {"voc2007", open_voc2007},
    {"voc2007_multilabel", open_voc2007_multilabel},
    {"food101", open_food101},
    {"sun397", open_sun397},
    {"fgvc_aircraft", open_fgvc_aircraft},
    {"dtd", open_dtd},
    {"pets", open_pets},
    {"gtsrb", open_gtsrb},
    {"fer2013", open_fer2013},
    {"country211", open_country211},
    {"renderedsst2", open_rendered_sst2},
    {"eurosat", open_eurosat},
    {"mscoco_captions", open_coco_captions},
    {"flickr8k", open_flickr},
    {"flickr30k", open_flickr},
    {"sugar_crepe/add_att", open_sugar_crepe},
    {"sugar_crepe/add_obj", open_sugar_crepe},
    {"sugar_crepe/replace_att", open_sugar_crepe},
    {"sugar_crepe/replace_obj", open_sugar_crepe},
    {"sugar_crepe/replace_rel", open_sugar_crepe},
    {"sugar_crepe/swap_att", open_sugar_crepe},
    {"sugar_crepe/swap_obj", open_sugar_crepe},
    {"winoground", open_winoground},
    // VTAB takes its test split of these as published; of its other sets it has splits of its own.
    {"vtab/cifar10", open_cifar10},
    {"vtab/cifar100", open_cifar100},
    {"vtab/dtd", open_dtd},
    {"vtab/pets", open_pets},
};

// The reference reads these from MATLAB or HDF5 files, or makes them from others by a program.
constexpr std::string_view kOnlyAsWds[] = {
    "cars",           "flowers",    "pcam",           "svhn",
    "caltech101",     "imagenet-w", "babel_imagenet", "multilingual_mscoco_captions",
    "crossmodal3600", "xtd10",      "xtd200",         "flickr30k-200"};

void require_readable(const std::string& name) {
  const std::string wds = "the supported form is the webdataset, --dataset wds/";
  require(!name.starts_with("sugar_crepe"), name,
          ": there are sugar_crepe/add_att, add_obj, replace_att, replace_obj, replace_rel, "
          "swap_att and swap_obj");
  require(!name.starts_with("tfds/"), name, ": sets of TensorFlow Datasets are not read; ", wds,
          "NAME (clip_benchmark_export_wds makes one)");
  require(!name.starts_with("vtab/"), name, ": sets of TensorFlow Datasets are not read; ", wds,
          name, " (published as clip-benchmark/wds_vtab-... on the Hugging Face hub)");
  const bool other =
      std::find(std::begin(kOnlyAsWds), std::end(kOnlyAsWds), name) != std::end(kOnlyAsWds);
  require(
      !other, name, ": its published files are not read; ", wds,
      name == "flowers" || name == "pcam" || name == "svhn" || name == "caltech101" ? "vtab/" : "",
      name, " (clip_benchmark_export_wds makes one)");
}

}  // namespace

Dataset open_named(const Request& request) {
  const auto* const form = std::find_if(std::begin(kForms), std::end(kForms),
                                        [&](const Form& one) { return one.name == request.name; });
  if (form == std::end(kForms)) require_readable(request.name);
  Dataset dataset = form == std::end(kForms) ? open_image_folder(request) : form->open(request);
  require(!dataset.images.empty(), request.root, ": no images of data set ", request.name);
  const bool labelled = dataset.kind == Kind::kClassification || dataset.kind == Kind::kMultilabel;
  if (labelled) dataset.prompts.templates = templates(request.name, request.language);
  return dataset;
}

}  // namespace clipnext::datasets
