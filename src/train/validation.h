// What the weights in training are worth: loss and retrieval on held-out pairs, zero-shot accuracy.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "run/log_file.h"
#include "run/options.h"
#include "text/tokenizer.h"
#include "train/embedder.h"
#include "train/training_data.h"

namespace clipnext::train {

using Metrics = std::vector<std::pair<std::string, double>>;

/// Ranks of the true pairs among all: image_to_text_mean_rank, ..._median_rank, ..._R@1, R@5, R@10
/// and text_to_image_ the same (spec: training.md 6.7). image, text [n, d] unit vectors, pair i in
/// rows i. Scores are their products times `scale` [], in the vectors' type; of equal ones that
/// with the smaller index comes first. They are computed `chunk` columns at a time, 0: all at once.
Metrics retrieval_metrics(const at::Tensor& image, const at::Tensor& text, const at::Tensor& scale,
                          int64_t chunk);

/// --val-data through the model: clip_val_loss (negatives of the same batch only, as the reference
/// has it), the retrieval metrics and num_samples. Ranks share the batches; every rank gets the
/// result.
Metrics validate_pairs(const run::TrainOptions& options, const model::ClipConfig& config,
                       const Params& params, const Mode& mode,
                       std::shared_ptr<const text::Tokenizer> tokenizer, Group& group,
                       FaultLog& faults, run::RunLog& log, int64_t epoch);

/// Zero-shot top-1 and top-5 of --imagenet-val (imagenet-zeroshot-val-top1, ...), --imagenet-v2 and
/// each of --zeroshot-data (NAME-zeroshot-top1, ...), as `clipnext eval` computes them. Ranks share
/// classes and pictures; every rank gets the result. device: where ranks' tensors are exchanged.
Metrics validate_zero_shot(const run::TrainOptions& options, Clip& clip,
                           const text::Tokenizer& tokenizer, Group& group, at::Device device,
                           run::RunLog& log);

}  // namespace clipnext::train
