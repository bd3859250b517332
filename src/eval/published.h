// The zero-shot figures published with OpenCLIP's checkpoints (data/published.json), and how far
// two published runs of the same checkpoints lie apart.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clipnext::eval {

/// Which program measured a figure decides how near another must come.
enum class FigureSource : uint8_t {
  kSuite38,  // the DataComp harness: fp32 images and logits
  kOlder,    // CLIP_benchmark in fp16
  kCard,     // a file of the user's
};

/// A metric's value to reach.
struct Figure {
  std::string dataset = {};  // without wds/
  std::string metric = {};   // as in a result; mean_recall@K is half the sum of both recalls
  double value = 0;          // a fraction
  std::optional<int64_t> samples = {};   // that the metric counts, where known
  std::optional<double> tolerance = {};  // a fraction, where the user set one
  FigureSource source = FigureSource::kCard;
  std::string no_target = {};  // why a program that is right may miss it; empty: it should not
};

/// The figures of one checkpoint.
struct PublishedModel {
  std::string model, pretrained;
  double gmac = 0;  // multiply-adds for an image and a text, 1e9; 0 where not published
  double parameters_million = 0;
  std::optional<double> average;  // of the 38 main metrics
  std::vector<Figure> figures;
};

const std::vector<PublishedModel>& published_models();

/// Null if there are none for it. Tags compare as open_clip's do, and "-quickgelu" at the end of a
/// model's name does not count.
const PublishedModel* find_published(std::string_view model, std::string_view pretrained);

/// Differences between the two sources over 13 ViT checkpoints, in fractions.
struct Scatter {
  double median = 0, max = 0;
};
/// Nothing for a metric that was not compared, or whose differences have another known cause.
std::optional<Scatter> published_scatter(std::string_view dataset, std::string_view metric);

}  // namespace clipnext::eval
