#include "datasets/catalogue.h"

#include <algorithm>
#include <array>

namespace clipnext::datasets {
namespace {

constexpr std::string_view kAcc1 = "acc1";
constexpr std::string_view kRecall = "mean_per_class_recall";
constexpr std::string_view kMap = "mean_average_precision";
constexpr std::string_view kRetrieval = "image_retrieval_recall@5";

// Test sizes as clip_benchmark scores them.
constexpr CatalogueEntry kCatalogue[] = {
    {"imagenet1k", 1000, 50000, 0, kAcc1, 80},
    {"imagenetv2", 1000, 10000, 0, kAcc1, 80},
    {"imagenet_sketch", 1000, 50889, 0, kAcc1, 80},
    {"imagenet-a", 200, 7500, 0, kAcc1, 80},
    {"imagenet-r", 200, 30000, 0, kAcc1, 80},
    {"imagenet-o", 200, 2000, 0, kAcc1, 80},
    {"objectnet", 113, 18574, 0, kAcc1, 80},
    {"fer2013", 7, 7178, 0, kAcc1, 6},
    {"voc2007", 20, 14976, 0, kAcc1, 1},
    {"voc2007_multilabel", 20, 4952, 0, kMap, 1},
    {"sun397", 397, 108754, 0, kAcc1, 2},
    {"cars", 196, 8041, 0, kAcc1, 8},
    {"fgvc_aircraft", 100, 3333, 0, kRecall, 2},
    {"food101", 101, 25250, 0, kAcc1, 1},
    {"mnist", 10, 10000, 0, kAcc1, 1},
    {"stl10", 10, 8000, 0, kAcc1, 2},
    {"gtsrb", 43, 12630, 0, kAcc1, 3},
    {"country211", 211, 21100, 0, kAcc1, 5},
    {"renderedsst2", 2, 1821, 0, kAcc1, 1},
    {"vtab/caltech101", 102, 6084, 0, kRecall, 34, 6085},
    {"vtab/cifar10", 10, 10000, 0, kAcc1, 18},
    {"vtab/cifar100", 100, 10000, 0, kAcc1, 18},
    {"vtab/clevr_count_all", 8, 15000, 0, kAcc1, 1},
    {"vtab/clevr_closest_object_distance", 6, 15000, 0, kAcc1, 1},
    {"vtab/diabetic_retinopathy", 5, 42670, 0, kAcc1, 1},
    {"vtab/dmlab", 6, 22735, 0, kAcc1, 1},
    {"vtab/dsprites_label_orientation", 40, 73728, 0, kAcc1, 4},
    {"vtab/dsprites_label_x_position", 32, 73728, 0, kAcc1, 1},
    {"vtab/dtd", 47, 1880, 0, kAcc1, 8},
    {"vtab/eurosat", 10, 5400, 0, kAcc1, 3},
    {"eurosat", 10, 27000, 0, kAcc1, 3},  // torchvision has no splits
    {"vtab/kitti_closest_vehicle_distance", 4, 711, 0, kAcc1, 1},
    {"vtab/flowers", 102, 6149, 0, kRecall, 1},
    {"vtab/pets", 37, 3669, 0, kRecall, 1},
    {"vtab/pcam", 2, 32768, 0, kAcc1, 2},
    {"vtab/resisc45", 45, 6300, 0, kAcc1, 4},
    {"vtab/smallnorb_label_azimuth", 18, 12150, 0, kAcc1, 4},
    {"vtab/smallnorb_label_elevation", 9, 12150, 0, kAcc1, 4},
    {"vtab/svhn", 10, 26032, 0, kAcc1, 6},
    {"mscoco_captions", 0, 5000, 25010, kRetrieval},
    {"flickr30k", 0, 1000, 5000, kRetrieval},
    {"flickr8k", 0, 1000, 5000, kRetrieval},
};

// Plain names with the classes and the test split of the vtab/ name.
constexpr std::string_view kSameAsVtab[] = {"cifar10", "cifar100", "dtd",
                                            "flowers", "pets",     "pcam"};

constexpr std::string_view kVtab[] = {"vtab/caltech101",
                                      "vtab/cifar100",
                                      "vtab/clevr_count_all",
                                      "vtab/clevr_closest_object_distance",
                                      "vtab/diabetic_retinopathy",
                                      "vtab/dmlab",
                                      "vtab/dsprites_label_orientation",
                                      "vtab/dsprites_label_x_position",
                                      "vtab/dtd",
                                      "vtab/eurosat",
                                      "vtab/kitti_closest_vehicle_distance",
                                      "vtab/flowers",
                                      "vtab/pets",
                                      "vtab/pcam",
                                      "vtab/resisc45",
                                      "vtab/smallnorb_label_azimuth",
                                      "vtab/smallnorb_label_elevation",
                                      "sun397",
                                      "vtab/svhn"};

constexpr std::string_view kVtabPlus[] = {"imagenet1k",
                                          "imagenetv2",
                                          "imagenet_sketch",
                                          "imagenet-a",
                                          "imagenet-r",
                                          "objectnet",
                                          "fer2013",
                                          "voc2007",
                                          "voc2007_multilabel",
                                          "sun397",
                                          "cars",
                                          "fgvc_aircraft",
                                          "mnist",
                                          "stl10",
                                          "gtsrb",
                                          "country211",
                                          "renderedsst2",
                                          "vtab/caltech101",
                                          "vtab/cifar10",
                                          "vtab/cifar100",
                                          "vtab/clevr_count_all",
                                          "vtab/clevr_closest_object_distance",
                                          "vtab/diabetic_retinopathy",
                                          "vtab/dmlab",
                                          "vtab/dsprites_label_orientation",
                                          "vtab/dsprites_label_x_position",
                                          "vtab/dtd",
                                          "vtab/eurosat",
                                          "vtab/kitti_closest_vehicle_distance",
                                          "vtab/flowers",
                                          "vtab/pets",
                                          "vtab/pcam",
                                          "vtab/resisc45",
                                          "vtab/smallnorb_label_azimuth",
                                          "vtab/smallnorb_label_elevation",
                                          "vtab/svhn"};

constexpr std::string_view kRetrievalSets[] = {"mscoco_captions", "flickr8k", "flickr30k"};

constexpr std::string_view kRobustness[] = {"imagenetv2", "imagenet_sketch", "imagenet-a",
                                            "imagenet-r", "objectnet"};

constexpr std::string_view kSugarCrepe[] = {"sugar_crepe/add_att",     "sugar_crepe/add_obj",
                                            "sugar_crepe/replace_att", "sugar_crepe/replace_obj",
                                            "sugar_crepe/replace_rel", "sugar_crepe/swap_att",
                                            "sugar_crepe/swap_obj"};

constexpr std::string_view kCaptionSets[] = {
    "flickr30k",     "flickr8k",       "mscoco_captions", "multilingual_mscoco_captions",
    "flickr30k-200", "crossmodal3600", "xtd10",           "xtd200"};

bool among(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string_view plain_name(std::string_view dataset) {
  return dataset.starts_with("wds/") ? dataset.substr(4) : dataset;
}

const CatalogueEntry* find_exactly(std::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kCatalogue), std::end(kCatalogue),
                   [&](const CatalogueEntry& entry) { return entry.name == name; });
  return found == std::end(kCatalogue) ? nullptr : found;
}

std::string count_warning(const Request& request, size_t found, const char* of, int64_t expected) {
  return request.name + ": " + std::to_string(found) + " " + of +
         " where the published test set has " + std::to_string(expected) +
         "; figures cannot be compared with published ones";
}

}  // namespace

std::span<const CatalogueEntry> catalogue() { return kCatalogue; }

const CatalogueEntry* find_in_catalogue(std::string_view dataset) {
  const std::string_view name = plain_name(dataset);
  if (among(kSameAsVtab, name)) return find_exactly("vtab/" + std::string(name));
  return find_exactly(name);
}

std::vector<std::string> check_counts(const Request& request, const Dataset& dataset) {
  const CatalogueEntry* entry = find_in_catalogue(request.name);
  if (entry == nullptr || request.split != "test") return {};
  std::vector<std::string> warnings;
  const auto check = [&](size_t found, const char* of, int64_t expected, int64_t or_else = 0) {
    const auto count = static_cast<int64_t>(found);
    if (expected == 0 || count == expected || (or_else != 0 && count == or_else)) return;
    warnings.push_back(count_warning(request, found, of, expected));
  };
  check(dataset.images.size(), "images", entry->images, entry->images_elsewhere);
  check(dataset.captions.size(), "captions", entry->captions);
  if (request.custom_classname_file.empty()) {
    check(dataset.classes.size(), "classes", entry->classes);
  }
  // Other languages have ImageNet's templates only.
  if (request.custom_template_file.empty() && request.language == "en") {
    check(dataset.prompts.templates.size(), "templates", entry->templates);
  }
  return warnings;
}

std::span<const std::string_view> collection(std::string_view name) {
  if (name == "vtab") return kVtab;
  if (name == "vtab+") return kVtabPlus;
  if (name == "retrieval") return kRetrievalSets;
  if (name == "imagenet_robustness") return kRobustness;
  if (name == "sugar_crepe") return kSugarCrepe;
  return {};
}

std::string_view default_task(std::string_view dataset) {
  const std::string_view name = plain_name(dataset);
  if (among(kCaptionSets, name)) return "zeroshot_retrieval";
  if (name.starts_with("sugar_crepe") || name == "winoground") return "image_caption_selection";
  return "zeroshot_classification";
}

}  // namespace clipnext::datasets
