#include "infer/image_tower.h"

#include <utility>

#include "infer/convnext.h"
#include "infer/resnet.h"
#include "infer/vit.h"

namespace clipnext::infer {

std::unique_ptr<ImageTower> make_image_tower(const model::ClipConfig& config, Params& params) {
  if (auto* convnext = std::get_if<model::ConvNextParams<Weight>>(&params.vision)) {
    return std::make_unique<ConvNextTower>(config, std::move(*convnext));
  }
  if (auto* vit = std::get_if<model::VitParams<Weight>>(&params.vision)) {
    return std::make_unique<VitTower>(config, std::move(*vit));
  }
  return std::make_unique<ResNetTower>(
      config, std::move(std::get<model::ResNetParams<Weight>>(params.vision)));
}

}  // namespace clipnext::infer
