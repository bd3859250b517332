#include "pipeline/image_source.h"

#include "base/file.h"

namespace clipnext::pipeline {

std::string read_bytes(const ImageSource& source) {
  if (source.bytes != nullptr) return *source.bytes;
  return source.range ? data::read_range(*source.range) : read_file(source.name);
}

}  // namespace clipnext::pipeline
