// Time to embed the 1,000 x 80 prompts of ImageNet's zero-shot classifier with the text tower of
// convnext_large_d_320 (weights by rule): `classifier_bench [THREADS [BATCHES]]`. Of the prompts in
// sorted order BATCHES evenly spread stretches are timed (0: all) and the whole is reckoned from
// their trie nodes. A few texts of each batch are then embedded alone: their vectors must be the
// same bit for bit. One JSON object a batch and one for the whole. Its counterpart for open_clip:
// tools/time_open_clip_classifier.py.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

#include "base/thread_pool.h"
#include "datasets/names.h"
#include "eval/zero_shot.h"
#include "infer/clip.h"
#include "model/source.h"
#include "model/synthetic.h"
#include "model/token_trie.h"
#include "pipeline/embed_texts.h"

namespace {

using namespace clipnext;

constexpr int64_t kBatchNodes = 4096;  // as pipeline::embed_rows

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Batch {
  model::TokenRows rows;
  int64_t nodes = 0;  // that its texts add to those before
};

std::vector<Batch> make_batches(const model::TokenTrie& trie) {
  std::vector<Batch> batches(1);
  for (const auto& text : trie.texts()) {
    if (batches.back().nodes + text.added() > kBatchNodes) batches.emplace_back();
    batches.back().rows.add(text.ids);
    batches.back().nodes += text.added();
  }
  return batches;
}

/// Of every 97th text: those whose vector is another when it is embedded alone.
int64_t count_differing(infer::Clip& clip, const Batch& batch, const std::vector<float>& vectors) {
  const auto dim = static_cast<size_t>(clip.config().embed_dim);
  std::vector<float> alone(dim);
  int64_t differing = 0;
  for (int64_t i = 0; i < batch.rows.size(); i += 97) {
    model::TokenRows row;
    row.add(batch.rows.row(i));
    clip.embed_texts(row, alone.data());
    const float* together = vectors.data() + static_cast<size_t>(i) * dim;
    differing += std::memcmp(alone.data(), together, dim * sizeof(float)) != 0 ? 1 : 0;
  }
  return differing;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 0;
  const size_t wanted = argc > 2 ? static_cast<size_t>(std::atoi(argv[2])) : 0;
  ThreadPool pool(threads);
  const model::ClipConfig config = model::open_config("convnext_large_d_320");
  infer::Clip clip(config, model::synthetic_weights(config, pool), pool);

  const auto prompts =
      eval::fill_templates(datasets::class_names("imagenet1k"), datasets::templates("imagenet1k"));
  const double tokenize_start = now();
  const auto tokens =
      pipeline::tokenize_texts(text::Tokenizer(), config.text.context_length, prompts);
  std::vector<std::span<const int32_t>> rows;
  for (int64_t i = 0; i < tokens.rows.size(); ++i) rows.push_back(tokens.rows.row(i));
  const model::TokenTrie trie(rows);
  const auto batches = make_batches(trie);
  const double sort_seconds = now() - tokenize_start;

  const size_t count = wanted == 0 ? batches.size() : std::min(wanted, batches.size());
  std::vector<float> out;
  double seconds = 0;
  double cpu = 0;
  int64_t nodes = 0;
  int64_t differing = 0;
  const auto embed = [&](const Batch& batch) {
    out.resize(static_cast<size_t>(batch.rows.size() * config.embed_dim));
    clip.embed_texts(batch.rows, out.data());
  };
  embed(batches[0]);  // memory and caches
  for (size_t i = 0; i < count; ++i) {
    const Batch& batch = batches[i * batches.size() / count];
    const double start = now();
    const double cpu_start = cpu_seconds();
    embed(batch);
    const double wall = now() - start;
    const double used = cpu_seconds() - cpu_start;
    std::printf("{\"nodes\": %ld, \"texts\": %ld, \"seconds\": %.3f, \"cpu_seconds\": %.3f}\n",
                batch.nodes, batch.rows.size(), wall, used);
    std::fflush(stdout);
    differing += count_differing(clip, batch, out);
    seconds += wall;
    cpu += used;
    nodes += batch.nodes;
  }
  const double whole = static_cast<double>(trie.nodes()) / static_cast<double>(nodes);
  std::printf(
      "{\"whole\": %s, \"nodes\": %ld, \"tokenize_and_sort_seconds\": %.3f, "
      "\"seconds\": %.1f, \"cpu_seconds\": %.1f, \"threads\": %d, \"differing\": %ld}\n",
      count == batches.size() ? "true" : "false", trie.nodes(), sort_seconds,
      sort_seconds + seconds * whole, cpu * whole, pool.size(), differing);
  return differing == 0 ? 0 : 1;
}
