// What the model is, by its configuration and its tensors.
#include <array>
#include <cstdio>
#include <span>

#include "model/profile.h"
#include "package/card_sections.h"
#include "package/markdown.h"
#include "page/markup.h"

namespace clipnext::package {
namespace {

std::string list(std::span<const int64_t> values) {
  std::string text;
  for (const int64_t value : values) text += (text.empty() ? "" : ", ") + std::to_string(value);
  return text;
}

std::string describe(const model::ConvNextConfig& c) {
  const char* head = c.head == model::HeadType::kMlp      ? "an MLP"
                     : c.head == model::HeadType::kLinear ? "a linear layer"
                                                          : "nothing";
  return "ConvNeXt (timm's " + code(c.timm_name) + ": " + list(c.depths) + " blocks of widths " +
         list(c.dims) + "), projected by " + head;
}

std::string describe(const model::VitConfig& c) {
  return "ViT of " + std::to_string(c.layers) + " layers, width " + std::to_string(c.width) +
         ", patches of " + std::to_string(c.patch) + " px";
}

std::string describe(const model::ResNetConfig& c) {
  return "ModifiedResNet of " + list(c.layers) + " blocks, width " + std::to_string(c.width) +
         ", attention pooling";
}

std::string giga(int64_t macs) {
  const double value = static_cast<double>(macs) / 1e9;
  return page::fixed(value, value < 10 ? 3 : 1);
}

std::string millions(int64_t parameters) {
  return page::fixed(static_cast<double>(parameters) / 1e6, 2);
}

std::string figures(const CardContext& card) {
  const model::Profile profile = model::profile(card.facts.config);
  const auto row = [&](const char* name, const model::PartProfile& part) {
    return std::vector<std::string>{name, millions(part.parameters), giga(part.macs),
                                    page::fixed(static_cast<double>(part.activations) / 1e6, 2)};
  };
  return table({"", "Parameters (M)", "GMAC", "Activations (M)"},
               {row("image tower", profile.image.sum), row("text tower", profile.text.sum),
                row("both", profile.total)},
               true);
}

}  // namespace

std::string short_number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

std::string model_description(const CardContext& card) {
  const CardFacts& facts = card.facts;
  const model::ClipConfig& config = facts.config;
  const std::string vision =
      std::visit([](const auto& tower) { return describe(tower); }, config.vision);
  std::string text = facts.texts.description.empty() ? "" : facts.texts.description + "\n\n";
  text += "A CLIP model: it puts pictures and texts into one space of " +
          std::to_string(config.embed_dim) +
          " dimensions, where those that belong together lie close.\n\n";
  text += "- **Image tower:** " + vision + "\n";
  text += "- **Image size:** " + std::to_string(config.image_height) + " x " +
          std::to_string(config.image_width) + "\n";
  text += "- **Text tower:** transformer of " + std::to_string(config.text.layers) +
          " layers, width " + std::to_string(config.text.width) + ", " +
          std::to_string(config.text.heads) + " heads, context of " +
          std::to_string(config.text.context_length) + " tokens of " +
          std::to_string(config.text.vocab_size) + "\n";
  text += "- **Weights:** " + prose(facts.dtypes) + "\n";
  if (facts.soup) {
    const std::size_t count = facts.soup->ingredients.size();
    text += "- **Made of:** " +
            (count == 1 ? std::string("one checkpoint")
                        : std::to_string(count) + " checkpoints, averaged") +
            " (see [Training Procedure](#training-procedure))\n";
  }
  text += "\nFor one picture and one text of full length:\n\n" + figures(card);
  return text;
}

}  // namespace clipnext::package
