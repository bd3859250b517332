#include "package/card.h"

#include <gtest/gtest.h>

#include "base/test_error.h"
#include "package/markdown.h"
#include "package/soup.h"

namespace clipnext::package {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

CardFacts bare_facts() {
  CardFacts facts;
  facts.name = "little-clip";
  facts.config = model::builtin_config("convnext_base_w");
  facts.dtypes = "F32";
  return facts;
}

TrainingRun run_named(const std::string& name, const std::string& lr) {
  TrainingRun run;
  run.curves.name = name;
  run.curves.params = {{"model", "/home/somebody/models/base"},
                       {"lr", lr},
                       {"batch_size", "128"},
                       {"world_size", "4"},
                       {"accum_freq", "1"},
                       {"epochs", "2"},
                       {"train_num_samples", "1000"},
                       {"grad_clip_norm", "None"},
                       {"siglip", "False"},
                       {"train_data", "/secret/place"},
                       {"aug_cfg", "{'scale': (0.5, 1.0)}"}};
  run.curves.curves["train/loss"] = {{1, 3.5}, {2, 1.25}};
  run.results = {{"clip_val_loss", 1.5}};
  return run;
}

constexpr const char* kSoup = R"({"clipnext": "1", "recipe": "greedy", "accumulate": "f64",
  "ingredients": [
    {"name": "a.pt", "sha256": "0123456789abcdef0123", "weight": 0.5, "epoch": "2",
     "declared_name": "run-a", "logit_scale": 4.5, "image_size": 64, "scores": {"acc1": 0.25}},
    {"name": "b.pt", "weight": 0.5, "epoch": 2, "declared_name": "run-b"}],
  "metric": "acc1", "evaluator": "held-out", "scores": {"acc1": 0.5},
  "greedy": [{"candidate": "a.pt", "score": 0.25, "admitted": true, "soup_size": 1},
             {"candidate": "b.pt", "score": 0.5, "admitted": true, "soup_size": 2}]})";

eval::ReportRun evaluation(const std::string& dataset, double accuracy) {
  eval::ReportRun run;
  run.result.dataset = dataset;
  run.result.model = "little";
  run.result.pretrained = "/somewhere/epoch_2.pt";
  run.result.task = "zeroshot_classification";
  run.result.metrics = {{"acc1", accuracy}, {"acc5", nullptr}};
  run.details.emplace();
  run.details->images = 978;
  return run;
}

// ---- texts from outside ----

TEST(Markdown, CodeSpansShowWhatTheyHoldVerbatim) {
  EXPECT_EQ(code("a*b_c<d>"), "`a*b_c<d>`");
  EXPECT_EQ(code("a`b``c"), "```a`b``c```");
  EXPECT_EQ(code("`"), "`` ` ``");
  EXPECT_EQ(code("a|b`<i>"), "<code>a&#124;b&#96;&#60;i&#62;</code>");
  EXPECT_EQ(code("two\nlines\r\n| of"), "<code>two lines &#124; of</code>");
  EXPECT_EQ(code(""), "");
}

TEST(Markdown, ProseHoldsNoMarkup) {
  EXPECT_EQ(prose("convnext_base v1.5"), "convnext\\_base v1.5");
  EXPECT_EQ(prose("<script>[x](http://y)|`*#"),
            "&#60;script&#62;&#91;x&#93;(http&#58;//y)&#124;&#96;&#42;&#35;");
  EXPECT_EQ(prose("www.example.org a@b"), "www&#46;example.org a&#64;b");
}

TEST(Markdown, LinesAreOneReadableAndBounded) {
  EXPECT_EQ(one_line("  a \n\n b\t"), "a b");
  EXPECT_EQ(one_line("a\xE2\x80\xAE\x01"
                     "b\xFF"),
            "a\uFFFD\uFFFDb\uFFFD");
  EXPECT_LE(one_line(std::string(100'000, 'x')).size(), 310u);
}

// ---- soup.json ----

TEST(Soup, IsReadAsAgreed) {
  const Soup soup = parse_soup(kSoup, "soup.json");
  ASSERT_EQ(soup.ingredients.size(), 2u);
  EXPECT_EQ(soup.ingredients[0].image_size, 64);
  EXPECT_EQ(soup.ingredients[1].epoch, "2");
  EXPECT_FALSE(soup.ingredients[1].logit_scale);
  ASSERT_EQ(soup.greedy.size(), 2u);
  EXPECT_EQ(soup.greedy[1].soup_size, 2);
  EXPECT_EQ(soup.scores, (Scores{{"acc1", 0.5}}));
}

TEST(Soup, OfAnotherKindIsRefused) {
  const auto message = [](const char* text) {
    return message_of([&] { parse_soup(text, "x/soup.json"); });
  };
  EXPECT_TRUE(contains(message("[]"), "x/soup.json: is no record of a soup"));
  EXPECT_TRUE(contains(message(R"({"ingredients": 1})"), "\"ingredients\" is no list"));
  EXPECT_TRUE(contains(message(R"({"ingredients": [1]})"), "no object"));
  EXPECT_TRUE(
      contains(message(R"({"ingredients": [{"weight": "x"}]})"), "\"weight\" is no number"));
  EXPECT_TRUE(contains(message(R"({"ingredients": [{"name": {}}]})"), "\"name\" is no text"));
  EXPECT_TRUE(contains(message(R"({"ingredients": [{"image_size": -1}]})"), "no whole number"));
  EXPECT_TRUE(contains(message(R"({"ingredients": [], "scores": []})"), "\"scores\" is no object"));
  EXPECT_TRUE(contains(message(R"({"ingredients": [], "greedy": [{}]})"), "\"admitted\""));
}

// ---- the card ----

TEST(Card, WithoutFactsMarksEveryGapAndInventsNothing) {
  const Card card = model_card(bare_facts(), {});
  EXPECT_TRUE(card.text.starts_with(R"(---
# license: more information needed (--license)
library_name: open_clip
pipeline_tag: zero-shot-image-classification
tags:
- clip
---
# Model card for little-clip

# Table of Contents

1. [Model Details](#model-details)
2. [Uses](#uses)
3. [Training Details](#training-details)
4. [Evaluation](#evaluation)
5. [Acknowledgements](#acknowledgements)
6. [Citation](#citation)

# Model Details

## Model Description

)")) << card.text;
  EXPECT_TRUE(contains(card.text, R"(## Training Data

*More information needed: what it was trained on (`--data-description TEXT`).*

**Note.** If the data)"))
      << card.text;
  EXPECT_TRUE(contains(card.text, R"(## Training Procedure

*More information needed: the training run (`--logs FOLDER`).*

# Evaluation)"))
      << card.text;
  EXPECT_TRUE(contains(card.text, R"(## Results

*More information needed: results of `clipnext eval` or CLIP_benchmark (`--eval FILES`).*
)")) << card.text;
  EXPECT_TRUE(contains(card.text, "| image tower | 88."));
  EXPECT_FALSE(contains(card.text, "![")) << "a picture that is not there";
  EXPECT_FALSE(contains(card.text, "soups"));
  EXPECT_EQ(card.gaps.size(), 6u);
}

TEST(Card, SaysWhatIsOnDisk) {
  CardFacts facts = bare_facts();
  facts.license = "mit";
  facts.texts = {.description = "Ours.",
                 .data = "A **set**.",
                 .acknowledgements = "Thanks.",
                 .citation = "@misc{x}"};
  facts.metadata = {{"epoch", "2"}};
  facts.runs = {run_named("run-a", "0.0001"), run_named("run-b", "6e-05")};
  facts.soup = parse_soup(kSoup, "soup.json");
  facts.evaluations.runs = {evaluation("wds/seen", 0.2147), evaluation("wds/a", 0.5),
                            evaluation("wds/seen", 0.25)};
  facts.evaluations.runs[1].result.model = "local-dir:/home/somebody/soup/";
  facts.evaluations.runs[2].result.model = "logs/a/checkpoints/epoch_3.pt";
  const Card card = model_card(facts, {"training.svg", "evaluation.svg"});
  EXPECT_TRUE(card.gaps.empty());
  EXPECT_FALSE(contains(card.text, "More information needed"));
  EXPECT_TRUE(card.text.starts_with("---\nlicense: mit\nlibrary_name"));
  EXPECT_TRUE(contains(card.text, R"(with it scored higher than without.

| Ingredient | Run | Epoch | Share | Logit scale | Learning rate | Samples asked for | Scores | SHA-256 |
|---|---|---|---|---|---|---|---|---|
| `a.pt` | `run-a` | 2 | 0.5 | 4.5 | `0.0001` | 2000 | `acc1` 0.25 | `0123456789abcdef` |
| `b.pt` | `run-b` | 2 | 0.5 |  | `6e-05` | 2000 |  |  |

The choice, in order, by `acc1` on `held-out`:

| Candidate | Score with it | Kept | Checkpoints then |
|---|---|---|---|
| `a.pt` | 0.25 | yes | 1 |
| `b.pt` | 0.5 | yes | 2 |

The average itself: `acc1` 0.5
)")) << card.text;
  EXPECT_TRUE(contains(card.text, R"(|  | `run-a` | `run-b` |
|---|---|---|
| Model | `base` | `base` |
| Samples of an epoch | `1000` | `1000` |
)")) << card.text;
  EXPECT_TRUE(contains(card.text, "| Samples of a step | 512 | 512 |\n"));
  EXPECT_TRUE(contains(card.text, "| Last training loss | 1.25 | 1.25 |\n"));
  EXPECT_TRUE(contains(card.text, "| `clip_val_loss` | 1.5 | 1.5 |\n"));
  EXPECT_TRUE(contains(card.text, R"(| Data set | Model | Images | `acc1` |
|---|---:|---:|---:|
| `wds/a` | `soup` | 978 | 50.00 |
| `wds/seen` | `little` `epoch_2.pt` | 978 | 21.47 |
| `wds/seen` | `a/epoch_3.pt` | 978 | 25.00 |
)")) << card.text;
  EXPECT_TRUE(contains(card.text, "](training.svg)"));
  EXPECT_TRUE(contains(card.text, "](evaluation.svg)"));
  EXPECT_TRUE(contains(card.text, "pmlr-v162-wortsman22a"));
  EXPECT_FALSE(contains(card.text, "secret")) << "where somebody keeps their data";
  EXPECT_FALSE(contains(card.text, "somebody"));
}

TEST(Card, GreedySoupOfOneIsACheckpoint) {
  CardFacts facts = bare_facts();
  facts.soup =
      parse_soup(R"({"recipe": "greedy", "ingredients": [{"name": "a.pt"}]})", "soup.json");
  const Card card = model_card(facts, {});
  EXPECT_TRUE(contains(card.text, "- **Made of:** one checkpoint (see")) << card.text;
  EXPECT_TRUE(contains(card.text, "The weights are those of one checkpoint, the best: its mean"));
}

TEST(Card, TextsFromFilesStayTexts) {
  const std::string evil =
      "x\n---\nlicense: evil\n<script>alert(1)</script> | a | [l](http://e)\n# H";
  CardFacts facts = bare_facts();
  facts.name = evil;
  facts.runs = {run_named(evil, evil)};
  facts.runs[0].results = {{evil, 1}};
  facts.metadata = {{"name", evil}};
  facts.evaluations.runs = {evaluation(evil, 0.5)};
  facts.evaluations.runs[0].result.model = evil;
  facts.evaluations.runs[0].result.task = evil;
  facts.evaluations.runs[0].result.metrics = {{evil, 0.5}};
  facts.soup = Soup{.recipe = evil, .accumulate = evil, .evaluator = evil, .metric = evil};
  facts.soup->ingredients = {{.name = evil, .sha256 = evil, .epoch = evil, .declared_name = evil}};
  facts.soup->greedy = {{.candidate = evil}};
  const std::string text = model_card(facts, {}).text;
  EXPECT_FALSE(contains(text, "<script>"));
  EXPECT_FALSE(contains(text, "\nlicense: evil"));
  EXPECT_FALSE(contains(text, "](http"));
  EXPECT_FALSE(contains(text, "\n# H"));
  EXPECT_FALSE(contains(text, "| a |"));
  EXPECT_EQ(text.find("\n---\n"), text.rfind("\n---\n"));
}

TEST(Card, SealBreaksWithAnyEdit) {
  const std::string text = model_card(bare_facts(), {}).text;
  EXPECT_EQ(text, model_card(bare_facts(), {}).text);
  EXPECT_TRUE(is_sealed(text));
  EXPECT_FALSE(is_sealed(text + "mine\n"));
  std::string edited = text;
  edited[edited.find("little")] = 'L';
  EXPECT_FALSE(is_sealed(edited));
  EXPECT_FALSE(is_sealed("# Model card of somebody\n"));
}

}  // namespace
}  // namespace clipnext::package
