#include "weights/pickle.h"

#include <algorithm>
#include <unordered_map>

namespace clipnext::weights {
namespace {

using Kind = PickleValue::Kind;

// A training checkpoint of the largest published model stays below a tenth of each.
constexpr size_t kMaxPickleBytes = size_t{64} << 20;
constexpr size_t kMaxNodes = 1'000'000;
constexpr size_t kMaxStack = 1'000'000;

// The operations by their names in Python's pickletools.
enum Op : uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNoneOp = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kAppend = 'a',
  kBuild = 'b',
  kGlobalOp = 'c',
  kEmptyDict = '}',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kEmptyList = ']',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTupleOp = 't',
  kEmptyTuple = ')',
  kSetItems = 'u',
  kBinFloat = 'G',
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kProto = 0x80,
  kNewObj = 0x81,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kBinBytes8 = 0x8e,
  kEmptySet = 0x8f,
  kAddItems = 0x90,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
};

PickleValue integer_value(int64_t integer, Kind kind = Kind::kInt) {
  PickleValue value;
  value.kind = kind;
  value.integer = integer;
  return value;
}

PickleValue text_value(std::span<const std::byte> bytes, Kind kind) {
  PickleValue value;
  value.kind = kind;
  value.text = as_text(bytes);
  return value;
}

class Machine {
 public:
  Machine(std::span<const std::byte> bytes, GlobalFilter allowed, const std::string& what)
      : reader_(bytes.first(std::min(bytes.size(), kMaxPickleBytes)), what), allowed_(allowed) {}

  Pickle run() {
    while (!step(static_cast<Op>(reader_.read<uint8_t>()))) {
    }
    require(stack_.size() == 1 && marks_.empty(), what(), ": does not leave exactly one object");
    pickle_.root = stack_.back();
    pickle_.size = reader_.position();
    return std::move(pickle_);
  }

 private:
  const std::string& what() const { return reader_.what(); }

  // One operation; true at the end.
  bool step(Op op) {
    switch (op) {
      case kStop:
        return true;
      case kProto: {
        const auto version = reader_.read<uint8_t>();
        require(version >= 2 && version <= 5, what(), ": pickle protocol ", int{version},
                " is not supported");
        return false;
      }
      case kFrame:
        reader_.read<uint64_t>();
        return false;
      case kMark:
        require(marks_.size() < kMaxStack, what(), ": nested too deep");
        marks_.push_back(stack_.size());
        return false;
      case kPop:
        pop();
        return false;
      case kEmptyTuple:
        push_node(Kind::kTuple);
        return false;
      case kEmptyList:
        push_node(Kind::kList);
        return false;
      case kEmptyDict:
        push_node(Kind::kDict);
        return false;
      case kEmptySet:
        push_node(Kind::kSet);
        return false;
      case kTupleOp:
        push_node(Kind::kTuple, pop_to_mark());
        return false;
      case kTuple1:
      case kTuple2:
      case kTuple3:
        push_node(Kind::kTuple, pop_many(static_cast<size_t>(op - kTuple1) + 1));
        return false;
      case kAppend:
        extend(Kind::kList, {pop()});
        return false;
      case kAppends:
        extend(Kind::kList, pop_to_mark());
        return false;
      case kAddItems:
        extend(Kind::kSet, pop_to_mark());
        return false;
      case kSetItem:
        extend(Kind::kDict, pop_many(2));
        return false;
      case kSetItems:
        extend(Kind::kDict, pop_to_mark());
        return false;
      default:
        if (!step_scalar(op) && !step_memo(op) && !step_object(op)) {
          fail(what(), ": pickle operation ", static_cast<int>(op), " at byte ",
               reader_.position() - 1, " is not one that checkpoints use");
        }
        return false;
    }
  }

  // Pushes what an operation holds in itself; false if `op` is not such an operation.
  bool step_scalar(Op op) {
    switch (op) {
      case kNoneOp:
        push({});
        return true;
      case kNewTrue:
      case kNewFalse:
        push(integer_value(op == kNewTrue ? 1 : 0, Kind::kBool));
        return true;
      case kBinInt:
        push(integer_value(reader_.read<int32_t>()));
        return true;
      case kBinInt1:
        push(integer_value(reader_.read<uint8_t>()));
        return true;
      case kBinInt2:
        push(integer_value(reader_.read<uint16_t>()));
        return true;
      case kLong1:
        push(integer_value(read_long()));
        return true;
      case kBinFloat: {
        PickleValue value;
        value.kind = Kind::kFloat;
        value.number = std::bit_cast<double>(__builtin_bswap64(reader_.read<uint64_t>()));
        push(value);
        return true;
      }
      case kShortBinUnicode:
      case kShortBinString:
        push(text_value(reader_.take(reader_.read<uint8_t>()), Kind::kText));
        return true;
      case kBinUnicode:
      case kBinString:
        push(text_value(reader_.take(reader_.read<uint32_t>()), Kind::kText));
        return true;
      case kBinUnicode8:
        push(text_value(reader_.take(reader_.read<uint64_t>()), Kind::kText));
        return true;
      case kShortBinBytes:
        push(text_value(reader_.take(reader_.read<uint8_t>()), Kind::kBytes));
        return true;
      case kBinBytes:
        push(text_value(reader_.take(reader_.read<uint32_t>()), Kind::kBytes));
        return true;
      case kBinBytes8:
        push(text_value(reader_.take(reader_.read<uint64_t>()), Kind::kBytes));
        return true;
      default:
        return false;
    }
  }

  bool step_memo(Op op) {
    switch (op) {
      case kBinPut:
        memo_[reader_.read<uint8_t>()] = top();
        return true;
      case kLongBinPut:
        memo_[reader_.read<uint32_t>()] = top();
        return true;
      case kMemoize:
        memo_[static_cast<uint32_t>(memo_.size())] = top();
        return true;
      case kBinGet:
        push(recall(reader_.read<uint8_t>()));
        return true;
      case kLongBinGet:
        push(recall(reader_.read<uint32_t>()));
        return true;
      default:
        return false;
    }
  }

  // Globals and what is made from them.
  bool step_object(Op op) {
    switch (op) {
      case kGlobalOp: {
        const std::string_view module = reader_.line();
        push_global(module, reader_.line());
        return true;
      }
      case kStackGlobal: {
        const PickleValue name = pop();
        const PickleValue module = pop();
        require(name.is(Kind::kText) && module.is(Kind::kText), what(),
                ": a global's name is not text");
        push_global(module.text, name.text);
        return true;
      }
      case kBinPersId: {
        const PickleValue id = pop();
        push_node(Kind::kPersistent, {id});
        return true;
      }
      case kReduce:
      case kNewObj: {
        const PickleValue arguments = pop();
        call(pop(), arguments);
        return true;
      }
      case kBuild: {
        const PickleValue state = pop();
        const PickleValue object = top();
        require(object.is(Kind::kCall) || object.is(Kind::kDict), what(),
                ": BUILD on what is not an object");
        object.node->state = state;
        return true;
      }
      default:
        return false;
    }
  }

  int64_t read_long() {
    const auto bytes = reader_.take(reader_.read<uint8_t>());
    require(bytes.size() <= 8, what(), ": integer of ", bytes.size(), " bytes");
    uint64_t value = 0;
    for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
    const auto unused = static_cast<int>(64 - 8 * bytes.size());
    // The top byte's sign bit extends.
    return bytes.empty() ? 0 : static_cast<int64_t>(value << unused) >> unused;
  }

  void push(const PickleValue& value) {
    require(stack_.size() < kMaxStack, what(), ": stack above ", kMaxStack, " values");
    stack_.push_back(value);
  }

  PickleNode& push_node(Kind kind, std::vector<PickleValue> items = {}) {
    require(pickle_.nodes.size() < kMaxNodes, what(), ": more than ", kMaxNodes, " objects");
    PickleNode& node = pickle_.nodes.emplace_back();
    node.items = std::move(items);
    PickleValue value;
    value.kind = kind;
    value.node = &node;
    push(value);
    return node;
  }

  void push_global(std::string_view module, std::string_view name) {
    std::string global = std::string(module) + "." + std::string(name);
    require(allowed_(global), what(), ": refers to ", global,
            ", which weights do not need; refused, nothing was run. If the file holds a whole "
            "Python object, save its state_dict() instead");
    push_node(Kind::kGlobal).name = std::move(global);
  }

  void call(const PickleValue& callable, const PickleValue& arguments) {
    require(callable.is(Kind::kGlobal), what(), ": calls what is not a global");
    require(arguments.is(Kind::kTuple), what(), ": call of ", callable.node->name,
            " without a tuple of arguments");
    if (callable.node->name == kOrderedDict && arguments.node->items.empty()) {
      push_node(Kind::kDict).name = kOrderedDict;
      return;
    }
    // The tuple itself, not a copy: one tuple can be the arguments of a million calls.
    push_node(Kind::kCall, {arguments}).name = callable.node->name;
  }

  // Appends to the container on top.
  void extend(Kind kind, const std::vector<PickleValue>& items) {
    const PickleValue container = top();
    require(container.is(kind), what(), ": adds items to an object of another kind");
    require(kind != Kind::kDict || items.size() % 2 == 0, what(), ": a key without a value");
    auto& into = container.node->items;
    into.insert(into.end(), items.begin(), items.end());
  }

  // The stack above the innermost mark is all that operations may touch.
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  PickleValue& top() {
    require(stack_.size() > floor(), what(), ": takes from an empty stack");
    return stack_.back();
  }

  PickleValue pop() {
    const PickleValue value = top();
    stack_.pop_back();
    return value;
  }

  std::vector<PickleValue> pop_many(size_t count) {
    require(stack_.size() - floor() >= count, what(), ": takes from an empty stack");
    const auto begin = stack_.end() - static_cast<ptrdiff_t>(count);
    std::vector<PickleValue> values(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    return values;
  }

  std::vector<PickleValue> pop_to_mark() {
    require(!marks_.empty(), what(), ": no mark to go back to");
    std::vector<PickleValue> values = pop_many(stack_.size() - floor());
    marks_.pop_back();
    return values;
  }

  const PickleValue& recall(uint32_t index) const {
    const auto found = memo_.find(index);
    require(found != memo_.end(), what(), ": memo ", index, " was never set");
    return found->second;
  }

  ByteReader reader_;
  GlobalFilter allowed_;
  Pickle pickle_;
  std::vector<PickleValue> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, PickleValue> memo_;
};

}  // namespace

Pickle read_pickle(std::span<const std::byte> bytes, GlobalFilter allowed,
                   const std::string& what) {
  return Machine(bytes, allowed, what).run();
}

const std::vector<PickleValue>& call_arguments(const PickleValue& call) {
  return call.node->items[0].node->items;
}

const PickleValue* find_key(const PickleValue& dict, std::string_view key) {
  if (!dict.is(Kind::kDict)) return nullptr;
  const auto& items = dict.node->items;
  for (size_t i = items.size(); i >= 2; i -= 2) {
    const PickleValue& candidate = items[i - 2];
    if (candidate.is(Kind::kText) && candidate.text == key) return &items[i - 1];
  }
  return nullptr;
}

}  // namespace clipnext::weights
