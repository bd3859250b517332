// Batch norm with the statistics of one process's samples or of all.
#pragma once

#include <ATen/ATen.h>

#include "model/params.h"
#include "train/mode.h"

namespace clipnext::train {

/// x [n, c, h, w] normalised per channel, by batch statistics in training (which move the running
/// ones), else by the running ones. With mode.batch_norm_group the batch is that of all ranks
/// (torch.nn.SyncBatchNorm, which has no CPU version): each rank's gradient then holds what its
/// samples do to the others' outputs, and ranks wait for each other in the backward pass too.
at::Tensor batch_norm(const at::Tensor& x, const model::ConvNorm<at::Tensor>& params,
                      const Mode& mode);

}  // namespace clipnext::train
