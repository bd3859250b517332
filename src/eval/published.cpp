#include "eval/published.h"

#include <algorithm>
#include <cctype>

#include "base/json.h"

extern "C" const unsigned char clipnext_asset_published[];
extern "C" const unsigned char clipnext_asset_published_end[];

namespace clipnext::eval {
namespace {

const Json& published_json() {
  static const Json json =
      parse_json({reinterpret_cast<const char*>(clipnext_asset_published),
                  static_cast<size_t>(clipnext_asset_published_end - clipnext_asset_published)},
                 "the published figures inside the program");
  return json;
}

// Adds one column's figures to the models of its table.
void add_column(const Json& column, FigureSource source, std::vector<PublishedModel>& models) {
  for (size_t i = 0; i < models.size(); ++i) {
    Figure figure{.dataset = column.at("dataset"),
                  .metric = column.at("metric"),
                  .value = column.at("values").at(i),
                  .source = source};
    if (column.contains("n")) figure.samples = column.at("n").get<int64_t>();
    for (const size_t unusable : column.value("no_target", std::vector<size_t>())) {
      if (unusable == i) figure.no_target = column.at("why");
    }
    // The retrieval table repeats a column of the main one.
    auto& figures = models[i].figures;
    if (std::none_of(figures.begin(), figures.end(), [&](const Figure& other) {
          return other.dataset == figure.dataset && other.metric == figure.metric;
        })) {
      figures.push_back(std::move(figure));
    }
  }
}

std::vector<PublishedModel> read_table(const Json& table, FigureSource source) {
  std::vector<PublishedModel> models;
  for (const Json& json : table.at("models")) {
    PublishedModel model;
    model.model = json.at("model");
    model.pretrained = json.at("pretrained");
    model.gmac = json.value("gflop", 0.0) / 2;
    model.parameters_million = json.value("parameters_million", 0.0);
    if (table.contains("average")) model.average = table.at("average").at(models.size());
    models.push_back(std::move(model));
  }
  for (const char* part : {"columns", "retrieval"}) {
    if (!table.contains(part)) continue;
    for (const Json& column : table.at(part)) add_column(column, source, models);
  }
  return models;
}

std::string plain_tag(std::string_view tag) {
  std::string plain(tag);
  for (char& c : plain) {
    c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return plain;
}

std::string_view plain_model(std::string_view model) {
  constexpr std::string_view kSuffix = "-quickgelu";
  return model.ends_with(kSuffix) ? model.substr(0, model.size() - kSuffix.size()) : model;
}

}  // namespace

const std::vector<PublishedModel>& published_models() {
  static const std::vector<PublishedModel> models = [] {
    auto all = read_table(published_json().at("suite38"), FigureSource::kSuite38);
    auto older = read_table(published_json().at("older"), FigureSource::kOlder);
    all.insert(all.end(), older.begin(), older.end());
    return all;
  }();
  return models;
}

const PublishedModel* find_published(std::string_view model, std::string_view pretrained) {
  for (const PublishedModel& one : published_models()) {
    if (one.model == plain_model(model) && plain_tag(one.pretrained) == plain_tag(pretrained)) {
      return &one;
    }
  }
  return nullptr;
}

std::optional<Scatter> published_scatter(std::string_view dataset, std::string_view metric) {
  for (const Json& row : published_json().at("scatter")) {
    if (row.at("dataset") != dataset || row.at("metric") != metric) continue;
    if (row.value("other_texts", false)) return std::nullopt;
    return Scatter{.median = row.at("median_points").get<double>() / 100,
                   .max = row.at("max_points").get<double>() / 100};
  }
  return std::nullopt;
}

}  // namespace clipnext::eval
