#include <array>

#include "infer/calibrate.h"

namespace clipnext::infer {

std::span<const std::string_view> calibration_prompts() {
  static constexpr std::array<std::string_view, 48> kPrompts = {
      "a photo of a cat",
      "a photo of a dog.",
      "a blurry photo of a red car parked in the street",
      "a close-up photo of a honey bee on a yellow flower",
      "a drawing of a house with a garden",
      "a black and white photo of an old man reading a newspaper",
      "the Eiffel Tower at night",
      "two children playing football on the beach at sunset",
      "an empty road through the desert",
      "a bowl of ramen with egg and spring onions",
      "a screenshot of a text editor",
      "a map of the underground",
      "a painting of a ship in a storm, oil on canvas",
      "a low resolution photo of a bird",
      "itap of a mountain lake",
      "a sketch of a bicycle",
      "graffiti on a brick wall",
      "a satellite image of farmland",
      "an X-ray of a hand",
      "a hand-written letter",
      "a woman playing the violin in an orchestra",
      "a plate of fresh fruit: apples, grapes and a sliced orange",
      "a crowded market in the morning",
      "a person riding a horse on a beach",
      "a group of people posing for a wedding photo",
      "a kitchen with a stove, a sink and a window",
      "a yellow school bus stopped at a crossing",
      "a traffic sign that says stop",
      "a pair of scissors",
      "a wooden chair",
      "a laptop computer on a desk beside a cup of coffee",
      "a giraffe eating leaves from a tall tree",
      "a jumbo jet taking off from the runway",
      "the logo of a bank",
      "an emoji of a smiling face",
      "a cartoon of a robot holding a balloon",
      "an origami crane",
      "a plastic toy",
      "a macro photo of a snowflake",
      "a rendering of a future city with flying cars",
      "a bar chart of sales by year",
      "people waiting for a train on a platform in winter",
      "a surfer riding a big wave",
      "a tattoo of a dragon",
      "a rusty anchor lying in the harbour",
      "a snowy forest under a clear blue sky, photographed from above",
      "music",
      "something that is hard to see because it is dark and the camera moved while the picture was "
      "taken",
  };
  return kPrompts;
}

}  // namespace clipnext::infer
