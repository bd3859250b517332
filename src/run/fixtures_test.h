// For tests only: the files of tests/data/run/, made by tools/make_run_fixtures.py.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/test_error.h"

namespace clipnext::run {

inline std::string fixture_text(const std::string& name) {
  return read_file(std::string(CLIPNEXT_SOURCE_DIR) + "/tests/data/run/" + name);
}

inline Json fixture(const std::string& name) { return parse_json(fixture_text(name), name); }

}  // namespace clipnext::run
