// What the name of a tar's member says in webdataset's convention.
#pragma once

#include <optional>
#include <string>

namespace clipnext::data {

struct MemberName {
  std::string key;   // the sample's: folders, and the last component up to its first dot
  std::string part;  // what follows that dot, ASCII letters in lower case
};

/// "train/s1.seg.PNG" is part "seg.png" of sample "train/s1". Nothing for what is no sample's: a
/// last component without a dot or beginning with one, and what is named like __this__ or lies in a
/// folder of such a name.
std::optional<MemberName> split_member_name(const std::string& name);

}  // namespace clipnext::data
