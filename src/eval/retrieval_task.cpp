// Pictures by their captions and captions by their pictures, and the choice between a few of them.
#include "base/error.h"
#include "eval/retrieval.h"
#include "eval/tasks.h"

namespace clipnext::eval {
namespace {

void require_kind(const TaskInput& in, datasets::Kind kind, const char* needs) {
  require(in.data.test->kind == kind, in.run.dataset, ": --task ", in.task, " needs ", needs);
}

/// Vectors of all captions; the folder's name for them says of what.
std::vector<float> caption_features(const TaskInput& in) {
  return text_features(*in.subject.embedder, *in.subject.tokenizer, in.data.test->captions,
                       feature_place(in, "test_texts", in.options.cache_features),
                       in.options.quiet);
}

/// Without skipped pictures: a set from which some are missing is another set, and its captions
/// would have nothing to find.
std::vector<float> all_pictures(const TaskInput& in, Evaluation& out) {
  Features features = test_features(in, out);
  require(features.bad.empty(), in.run.dataset, ": ", features.bad.size(), " of ",
          in.data.test->images.size(), " pictures cannot be read, and --task ", in.task,
          " needs them all; the first: ",
          features.bad.empty() ? std::string() : features.bad.front().reason);
  return std::move(features.vectors);
}

int64_t count_below(std::span<const int64_t> ranks, int64_t k) {
  int64_t count = 0;
  for (const int64_t rank : ranks) count += rank < k ? 1 : 0;
  return count;
}

void report_recall(Evaluation& out, const std::string& name, std::span<const int64_t> ranks,
                   int64_t k) {
  const std::string key = name + "@" + std::to_string(k);
  out.metrics[key] = recall_at(ranks, k);
  add_confidence(out, key, count_below(ranks, k), std::ssize(ranks));
}

}  // namespace

void zero_shot_retrieval(const TaskInput& in, Evaluation& out) {
  require_kind(in, datasets::Kind::kRetrieval, "pictures with captions");
  const datasets::Dataset& set = *in.data.test;
  const std::vector<float> images = all_pictures(in, out);
  const std::vector<float> texts = caption_features(in);
  const RetrievalRanks ranks = rank_retrieval(images, texts, set.caption_image,
                                              in.subject.embedder->config().embed_dim, in.pool);
  for (const int64_t k : in.options.recall_k) {
    if (k > std::min(std::ssize(set.images), std::ssize(set.captions))) {
      out.warnings.push_back("--recall_k " + std::to_string(k) +
                             " is more than there are: " + std::to_string(set.images.size()) +
                             " pictures, " + std::to_string(set.captions.size()) + " captions");
    }
    report_recall(out, "image_retrieval_recall", ranks.image_of_text, k);
    report_recall(out, "text_retrieval_recall", ranks.text_of_image, k);
  }
}

void image_caption_selection(const TaskInput& in, Evaluation& out) {
  require_kind(in, datasets::Kind::kCaptionSelection, "instances of pictures and captions");
  const datasets::Dataset& set = *in.data.test;
  const std::vector<float> images = all_pictures(in, out);
  const std::vector<float> texts = caption_features(in);
  const CaptionSelection right =
      select_captions(images, set.images_per_instance, texts, set.captions_per_instance,
                      in.subject.embedder->config().embed_dim);
  const auto report = [&](const char* key, int64_t hits) {
    out.metrics[key] = fp32_share(hits, right.instances);
    add_confidence(out, key, hits, right.instances);
  };
  report("image_acc", right.images_right);
  report("text_acc", right.texts_right);
  report("acc", right.both_right);
}

}  // namespace clipnext::eval
