#include "eval/features.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <system_error>

#include "base/content_hash.h"
#include "base/error.h"
#include "base/progress.h"
#include "eval/feature_store.h"
#include "pipeline/embed_texts.h"

namespace clipnext::eval {
namespace {

namespace fs = std::filesystem;

/// A word for a file's content without reading it.
std::string file_stamp(const fs::path& path) {
  std::error_code gone;
  const auto size = fs::file_size(path, gone);
  const auto time = fs::last_write_time(path, gone).time_since_epoch().count();
  return std::to_string(gone ? 0 : size) + " " + std::to_string(gone ? 0 : time);
}

/// Of all that the pictures' vectors follow from.
ContentHash images_key(model::Embedder& embedder, std::span<const pipeline::ImageSource> images,
                       const pipeline::ImageOptions& options) {
  const image::PreprocessConfig& p = embedder.config().preprocess;
  ContentHash key = hash_text("clipnext image features 1");
  key = hash_text(embedder.image_identity(), key);
  for (const auto value :
       {int64_t{p.height}, int64_t{p.width}, static_cast<int64_t>(p.interpolation),
        static_cast<int64_t>(p.resize_mode), int64_t{p.fill_color}, int64_t{options.fast_decode},
        int64_t{options.normalize}, static_cast<int64_t>(options.convert), std::ssize(images)}) {
    key = hash_text(std::to_string(value), key);
  }
  const fs::path* archive = nullptr;  // many pictures in a row lie in one
  std::string stamp;
  for (const pipeline::ImageSource& image : images) {
    key = hash_text(image.name, key);
    if (image.crop) key = hash_bytes(std::as_bytes(std::span(&*image.crop, 1)), key);
    if (image.bytes != nullptr) {
      key = hash_text(*image.bytes, key);
    } else if (image.range) {
      if (image.range->file.get() != archive) stamp = file_stamp(*image.range->file);
      archive = image.range->file.get();
      key = hash_text(stamp + " " + std::to_string(image.range->offset) + " " +
                          std::to_string(image.range->size),
                      key);
    } else {
      key = hash_text(file_stamp(image.name), key);
    }
  }
  return key;
}

fs::path stem(const FeaturePlace& place, const ContentHash& key) {
  if (place.folder.empty()) return {};
  return place.folder / ("features_" + (place.keep ? place.name : key.hex()));
}

/// What runs that nobody went on with left behind, after a month.
void forget_old(const FeaturePlace& place) {
  constexpr std::chrono::hours kMonth{24 * 30};
  if (place.keep || place.folder.empty()) return;
  const auto now = fs::file_time_type::clock::now();
  std::error_code failed;
  for (fs::directory_iterator it(place.folder, failed), end; !failed && it != end;
       it.increment(failed)) {
    std::error_code gone;
    const auto time = fs::last_write_time(it->path(), gone);
    if (!gone && it->path().extension() == ".part" && now - time > kMonth) {
      fs::remove(it->path(), gone);
    }
  }
}

/// Rows of all items to those of the good ones; a bad one's row is NaN. Why it was bad is known of
/// those that this run has seen.
Features good_rows(std::span<const float> all, size_t dim,
                   std::span<const pipeline::ImageSource> images,
                   std::vector<pipeline::BadItem> seen) {
  Features features;
  features.vectors.reserve(all.size());
  auto known = seen.begin();
  for (size_t i = 0; i * dim < all.size(); ++i) {
    const auto row = all.subspan(i * dim, dim);
    const auto index = static_cast<int64_t>(i);
    while (known != seen.end() && known->index < index) ++known;
    if (!std::isnan(row[0])) {
      features.good.push_back(index);
      features.vectors.insert(features.vectors.end(), row.begin(), row.end());
    } else if (known != seen.end() && known->index == index) {
      features.bad.push_back(std::move(*known));
    } else {
      features.bad.push_back(
          {.index = index, .reason = images[i].name + ": could not be read by an earlier run"});
    }
  }
  return features;
}

}  // namespace

Features image_features(model::Embedder& embedder, const ThreadPool& pool,
                        std::span<const pipeline::ImageSource> images,
                        const pipeline::ImageOptions& options, const FeaturePlace& place,
                        bool quiet) {
  const auto dim = static_cast<size_t>(embedder.config().embed_dim);
  forget_old(place);
  const ContentHash key = images_key(embedder, images, options);
  FeatureStore store(stem(place, key), key, std::ssize(images), embedder.config().embed_dim);
  std::vector<float> all = store.load();
  const size_t before = all.size() / dim;
  all.reserve(images.size() * dim);
  std::vector<pipeline::BadItem> bad;

  Progress progress("images", std::ssize(images), "images", quiet);
  progress.add(static_cast<int64_t>(before));
  pipeline::for_each_embedded(
      embedder, pool, images.subspan(before), options, [&](const pipeline::EmbeddedBatch& batch) {
        const size_t begin = all.size();
        all.resize(begin + batch.size * dim, std::numeric_limits<float>::quiet_NaN());
        const float* from = batch.vectors.data();
        auto next_bad = batch.bad.begin();
        for (size_t i = 0; i < batch.size; ++i) {
          if (next_bad != batch.bad.end() &&
              next_bad->index == static_cast<int64_t>(batch.first + i)) {
            bad.push_back({.index = static_cast<int64_t>(before) + next_bad->index,
                           .reason = next_bad->reason});
            ++next_bad;
            continue;
          }
          std::copy_n(from, dim, all.begin() + static_cast<std::ptrdiff_t>(begin + i * dim));
          from += dim;
        }
        store.append(std::span(all).subspan(begin));
        progress.add(static_cast<int64_t>(batch.size));
      });
  progress.finish();
  store.finish(all, place.keep);
  Features features = good_rows(all, dim, images, std::move(bad));
  features.from_disk = before == images.size();
  require(options.on_bad == pipeline::OnBad::kSkip || features.bad.empty(),
          features.bad.empty() ? "" : features.bad.front().reason);
  return features;
}

std::vector<float> text_features(model::Embedder& embedder, const text::Tokenizer& tokenizer,
                                 std::span<const std::string> texts, const FeaturePlace& place,
                                 bool quiet) {
  // Captions share few prefixes, so parts cost little, and a killed run loses one at most.
  constexpr size_t kPart = 1024;
  const auto dim = static_cast<size_t>(embedder.config().embed_dim);
  const model::TokenRows rows =
      pipeline::tokenize_texts(tokenizer, embedder.config().text.context_length, texts).rows;
  ContentHash key = hash_text("clipnext text features 1");
  key = hash_text(embedder.text_identity(), key);
  for (int64_t i = 0; i < rows.size(); ++i) key = hash_bytes(std::as_bytes(rows.row(i)), key);
  FeatureStore store(stem(place, key), key, rows.size(), embedder.config().embed_dim);
  std::vector<float> all = store.load();

  Progress progress("texts", std::ssize(texts), "texts", quiet);
  progress.add(static_cast<int64_t>(all.size() / dim));
  while (all.size() / dim < texts.size()) {
    const size_t first = all.size() / dim;
    model::TokenRows part;
    for (size_t i = first; i < std::min(first + kPart, texts.size()); ++i) {
      part.add(rows.row(static_cast<int64_t>(i)));
    }
    const std::vector<float> vectors =
        pipeline::embed_rows(embedder, part, [&](int64_t n) { progress.add(n); });
    store.append(vectors);
    all.insert(all.end(), vectors.begin(), vectors.end());
  }
  progress.finish();
  store.finish(all, place.keep);
  return all;
}

}  // namespace clipnext::eval
