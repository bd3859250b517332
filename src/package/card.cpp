#include "package/card.h"

#include <array>

#include "base/content_hash.h"
#include "package/card_sections.h"
#include "package/markdown.h"

namespace clipnext::package {
namespace {

constexpr std::string_view kSealBegin = "<!-- clipnext package ";
constexpr std::string_view kSealEnd = " -->\n";

std::string front_matter(const CardContext& card) {
  std::string text = "---\n";
  if (card.facts.license.empty()) {
    card.gaps.emplace_back("licence (--license)");
    text += "# license: more information needed (--license)\n";
  } else {
    text += "license: " + card.facts.license + "\n";  // letters, digits, points and dashes
  }
  return text +
         "library_name: open_clip\n"
         "pipeline_tag: zero-shot-image-classification\n"
         "tags:\n- clip\n---\n";
}

constexpr std::string_view kContents = R"(# Table of Contents

1. [Model Details](#model-details)
2. [Uses](#uses)
3. [Training Details](#training-details)
4. [Evaluation](#evaluation)
5. [Acknowledgements](#acknowledgements)
6. [Citation](#citation)

)";

constexpr std::string_view kUses = R"(# Uses

A model to study with: what pictures and texts have in common, how well that transfers to names it was
never taught, and where it goes wrong.

## Direct Use

Zero-shot image classification (naming pictures among labels given as text), and retrieval of pictures
by texts and of texts by pictures.

```python
import open_clip
model, preprocess = open_clip.create_model_from_pretrained("local-dir:FOLDER")
tokenizer = open_clip.get_tokenizer("local-dir:FOLDER")
```

```
clipnext classify PICTURE --labels "a cat,a dog" --model FOLDER
```

## Downstream Use

Fine-tuning on classification and other tasks of vision, linear probes on its features, guiding and
conditioning the generation of images.

## Out-of-Scope Use

- **Any deployment**, commercial or not, without testing on the very task and the very taxonomy at hand:
  accuracy depends strongly on which classes there are and how they are worded.
- **Surveillance and face recognition**, whatever the accuracy: there are neither tests nor norms that
  would make this safe and fair.
- **Languages other than English**, unless an evaluation below covers them.

)";

constexpr std::string_view kUncurated = R"(
**Note.** If the data, or those of a model that this one began from, were gathered from the web without
curation, they hold disturbing and wrong content, and the model has learned from it. Use it for research;
filter and test before anything is shown to people. A filter lowers the chance of harmful content, and
does not rule it out.
)";

constexpr std::string_view kClip = R"(@inproceedings{Radford2021LearningTV,
  title={Learning Transferable Visual Models From Natural Language Supervision},
  author={Alec Radford and Jong Wook Kim and Chris Hallacy and A. Ramesh and Gabriel Goh and Sandhini Agarwal and Girish Sastry and Amanda Askell and Pamela Mishkin and Jack Clark and Gretchen Krueger and Ilya Sutskever},
  booktitle={ICML},
  year={2021}
}
)";

constexpr std::string_view kOpenClip = R"(@software{ilharco_gabriel_2021_5143773,
  author={Ilharco, Gabriel and Wortsman, Mitchell and Wightman, Ross and Gordon, Cade and Carlini, Nicholas and Taori, Rohan and Dave, Achal and Shankar, Vaishaal and Namkoong, Hongseok and Miller, John and Hajishirzi, Hannaneh and Farhadi, Ali and Schmidt, Ludwig},
  title={OpenCLIP},
  year={2021},
  publisher={Zenodo},
  doi={10.5281/zenodo.5143773}
}
)";

constexpr std::string_view kConvNext = R"(@article{liu2022convnet,
  author={Zhuang Liu and Hanzi Mao and Chao-Yuan Wu and Christoph Feichtenhofer and Trevor Darrell and Saining Xie},
  title={A ConvNet for the 2020s},
  journal={CVPR},
  year={2022}
}
)";

constexpr std::string_view kSoups = R"(@inproceedings{pmlr-v162-wortsman22a,
  title={Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing inference time},
  author={Wortsman, Mitchell and Ilharco, Gabriel and Gadre, Samir Ya and Roelofs, Rebecca and Gontijo-Lopes, Raphael and Morcos, Ari S and Namkoong, Hongseok and Farhadi, Ali and Carmon, Yair and Kornblith, Simon and Schmidt, Ludwig},
  booktitle={ICML},
  year={2022}
}
)";

std::string training_details(const CardContext& card) {
  const std::string& data = card.facts.texts.data;
  std::string text = "# Training Details\n\n## Training Data\n\n";
  text +=
      data.empty() ? card.gap("what it was trained on", "--data-description TEXT") : data + "\n";
  text += kUncurated;
  return text + "\n## Training Procedure\n\n" + training_procedure(card) + "\n";
}

std::string acknowledgements(const CardContext& card) {
  const std::string& given = card.facts.texts.acknowledgements;
  return "# Acknowledgements\n\n" +
         (given.empty() ? card.gap("who is to be thanked", "--acknowledgements TEXT")
                        : given + "\n") +
         "\n";
}

std::string citation(const CardContext& card) {
  const auto bibtex = [](std::string_view entry) {
    return "```bibtex\n" + std::string(entry) + "```\n";
  };
  std::string given = card.facts.texts.citation;
  if (!given.empty() && given.back() != '\n') given += '\n';
  std::string text = "# Citation\n\n**BibTeX**\n\n";
  text += given.empty() ? card.gap("how to cite this model", "--citation TEXT") : bibtex(given);
  text += "\nCLIP, and the code whose form this model has:\n\n" + bibtex(kClip) + "\n" +
          bibtex(kOpenClip);
  if (std::holds_alternative<model::ConvNextConfig>(card.facts.config.vision)) {
    text += "\nConvNeXt:\n\n" + bibtex(kConvNext);
  }
  if (card.facts.soup) text += "\nAverages of weights:\n\n" + bibtex(kSoups);
  return text;
}

std::string seal(std::string_view text) {
  return std::string(kSealBegin) + hash_text(text).hex() + std::string(kSealEnd);
}

}  // namespace

Card model_card(const CardFacts& facts, const std::vector<std::string>& pictures) {
  Card card;
  const CardContext context{.facts = facts, .pictures = pictures, .gaps = card.gaps};
  std::string& text = card.text;
  text = front_matter(context);
  text += "# Model card for " + prose(facts.name) + "\n\n";
  text += kContents;
  text += "# Model Details\n\n## Model Description\n\n" + model_description(context) + "\n";
  text += kUses;
  text += training_details(context);
  text += "# Evaluation\n\n" + evaluation_section(context) + "\n";
  text += acknowledgements(context);
  text += citation(context);
  text += "\n";
  text += seal(text);
  return card;
}

bool is_sealed(std::string_view card) {
  const size_t at = card.rfind(kSealBegin);
  return at != std::string_view::npos && card.substr(at) == seal(card.substr(0, at));
}

}  // namespace clipnext::package
