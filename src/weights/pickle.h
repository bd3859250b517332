// Python pickles as data: a fixed list of operations builds a tree, and nothing is ever run. A call
// in the stream becomes a node that says what would have been called with what.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "weights/source.h"

namespace clipnext::weights {

struct PickleNode;

/// A scalar, or a reference to a node. Texts and bytes lie in the pickle itself.
struct PickleValue {
  enum class Kind : uint8_t {
    kNone,
    kBool,   // integer
    kInt,    // integer
    kFloat,  // number
    kText,   // text
    kBytes,  // text
    kTuple,  // the rest: node
    kList,
    kSet,
    kDict,
    kGlobal,
    kCall,
    kPersistent
  };
  Kind kind = Kind::kNone;
  union {
    int64_t integer = 0;
    double number;
  };
  std::string_view text;
  PickleNode* node = nullptr;

  bool is(Kind k) const { return kind == k; }
};

/// kTuple, kList, kSet: items. kDict: key, value, key, value ... in order of insertion, with
/// `state` what BUILD set as its attributes, and `name` kOrderedDict if it was made as one.
/// kGlobal: name. kCall: the callable's name, its arguments (see call_arguments), and the state
/// that BUILD gave the result. kPersistent: items[0] is the id.
struct PickleNode {
  std::string name;
  std::vector<PickleValue> items;
  PickleValue state;
};

/// A tree (in hostile files any graph, also with cycles: whoever walks it must bound the walk).
struct Pickle {
  std::deque<PickleNode> nodes;
  PickleValue root;
  size_t size = 0;  // bytes up to and with STOP
};

inline constexpr std::string_view kOrderedDict = "collections.OrderedDict";

/// Says whether a pickle may name `global`, e.g. "torch.FloatStorage".
using GlobalFilter = bool (*)(std::string_view global);

/// Interprets one pickle at the beginning of `bytes`; more may follow it. collections.OrderedDict()
/// gives a kDict. Throws Error for an operation or a global outside the lists (naming it), for
/// malformed streams, and above the limits on size, nodes and stack. `what` stands in messages.
Pickle read_pickle(std::span<const std::byte> bytes, GlobalFilter allowed, const std::string& what);

const std::vector<PickleValue>& call_arguments(const PickleValue& call);

/// The value of a text key in a dict, the last if it stands there twice; nullptr without.
const PickleValue* find_key(const PickleValue& dict, std::string_view key);

}  // namespace clipnext::weights
