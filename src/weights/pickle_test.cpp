#include "weights/pickle.h"

#include "weights/test_files.h"
#include "weights/torch_tensor.h"

namespace clipnext::weights {
namespace {

using Kind = PickleValue::Kind;
using namespace std::string_literals;

// Texts in the result lie in `bytes`.
Pickle read(const std::string& bytes) {
  return read_pickle(std::as_bytes(std::span(bytes.data(), bytes.size())), is_torch_global, "test");
}

std::string refusal(const std::string& bytes) {
  return error_of([&] { read(bytes); });
}

int64_t integer(const std::string& bytes) {
  const Pickle pickle = read(bytes);
  EXPECT_TRUE(pickle.root.is(Kind::kInt));
  return pickle.root.integer;
}

TEST(Pickle, ReadsIntegersOfEverySize) {
  EXPECT_EQ(integer("\x80\x02K\xff."), 255);
  EXPECT_EQ(integer("\x80\x02M\x01\x02."), 513);
  EXPECT_EQ(integer("\x80\x02J\xfe\xff\xff\xff."), -2);
  EXPECT_EQ(integer("\x80\x02\x8a\x00."s), 0);
  EXPECT_EQ(integer("\x80\x02\x8a\x01\xff."), -1);
  EXPECT_EQ(integer("\x80\x02\x8a\x02\xff\x00."s), 255);
  EXPECT_EQ(integer("\x80\x02\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80."s),
            std::numeric_limits<int64_t>::min());
}

TEST(Pickle, ReadsBigEndianFloats) {
  const std::string bytes = "\x80\x02G\x3f\xf8\0\0\0\0\0\0."s;
  EXPECT_EQ(read(bytes).root.number, 1.5);
}

TEST(Pickle, TheLastOfTwoEqualKeysCounts) {
  const std::string bytes = "\x80\x02}(X\x01\0\0\0aK\x01X\x01\0\0\0aK\x02u."s;
  const Pickle pickle = read(bytes);
  EXPECT_EQ(find_key(pickle.root, "a")->integer, 2);
  EXPECT_EQ(find_key(pickle.root, "b"), nullptr);
}

TEST(Pickle, ReadsMemoAndFramesOfProtocol4) {
  const std::string bytes =
      "\x80\x04\x95\x0a\0\0\0\0\0\0\0]\x94(\x8c\x02hi\x94h\x01"
      "e."s;
  const Pickle pickle = read(bytes);
  ASSERT_EQ(pickle.root.node->items.size(), 2U);
  EXPECT_EQ(pickle.root.node->items[1].text, "hi");
  EXPECT_EQ(pickle.size, bytes.size());
}

TEST(Pickle, RefusesAndNamesGlobalsThatWeightsDoNotNeed) {
  expect_contains(refusal("\x80\x02"
                          "cos\nsystem\nX\x02\0\0\0ls\x85R."s),
                  "os.system");
  expect_contains(refusal("\x80\x04\x8c\x08"
                          "builtins\x8c\x04"
                          "eval\x93."s),
                  "builtins.eval");
  expect_contains(refusal("\x80\x02"
                          "ctorch\nload\n."s),
                  "torch.load");
  expect_contains(refusal("\x80\x02"
                          "ctorch\nFloatStorage.__class__\n."s),
                  "FloatStorage.__class__");
}

TEST(Pickle, RefusesOtherOperations) {
  expect_contains(refusal("(S'a'\n."), "operation 83");                  // STRING
  expect_contains(refusal("\x80\x02(ios\nsystem\n."), "operation 105");  // INST
  expect_contains(refusal("\x80\x02\x82\x01."), "operation 130");        // EXT1
  expect_contains(refusal("\x80\x01N."), "protocol 1");
}

TEST(Pickle, RefusesMalformedStreams) {
  expect_contains(refusal(""), "ends too early");
  expect_contains(refusal("\x80\x02X\xff\xff\xff\xff."), "ends too early");
  expect_contains(refusal("\x80\x02."), "exactly one object");
  expect_contains(refusal("\x80\x02NN."), "exactly one object");
  expect_contains(refusal("\x80\x02h\x05."), "never set");
  expect_contains(refusal("\x80\x02t."), "no mark");
  expect_contains(refusal("\x80\x02N(0."), "empty stack");
  expect_contains(refusal("\x80\x02Na."), "empty stack");
  expect_contains(refusal("\x80\x02NNa."), "another kind");
  expect_contains(refusal("\x80\x02}(Nu."), "without a value");
  expect_contains(refusal("\x80\x02]Nb."), "not an object");
  expect_contains(refusal("\x80\x02])R."), "not a global");
  expect_contains(refusal("\x80\x02"
                          "ctorch\nSize\nNR."),
                  "tuple of arguments");
  expect_contains(refusal("\x80\x02\x8a\x09"s + std::string(9, '\1') + "."), "9 bytes");
}

TEST(Pickle, BoundsTheStackAndTheNumberOfObjects) {
  expect_contains(refusal("\x80\x02" + std::string(2'000'000, 'N')), "stack");
  expect_contains(refusal("\x80\x02" + std::string(2'000'000, '(')), "nested");
  std::string lists = "\x80\x02";
  for (int i = 0; i < 2'000'000; ++i) lists += "]0";
  expect_contains(refusal(lists), "objects");
}

TEST(Pickle, HoldsCyclesWithoutLeaking) {
  const Pickle pickle = read("\x80\x02]q\0h\0a."s);
  EXPECT_EQ(pickle.root.node->items[0].node, pickle.root.node);
}

}  // namespace
}  // namespace clipnext::weights
