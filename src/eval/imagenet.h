// The 1,000 class names and 80 prompt templates that zero-shot accuracy on ImageNet is measured
// with (OpenAI's, as open_clip has them).
#pragma once

#include <span>
#include <string>

namespace clipnext::eval {

/// In label order; two names occur twice.
std::span<const std::string> imagenet_class_names();

/// With {} where the name goes.
std::span<const std::string> imagenet_templates();

}  // namespace clipnext::eval
