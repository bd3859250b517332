// What a character can be a sign of in mojibake: the classes of ftfy's heuristic as bits.
#pragma once

#include <cstdint>

namespace clipnext::text {

/// A set of classes, one bit each.
using Classes = uint32_t;

// Classes of the badness patterns.
inline constexpr Classes kCommon = 1U << 0;  // also right as they stand: no sign by themselves
inline constexpr Classes kC1 = 1U << 1;      // C1 controls
inline constexpr Classes kBad = 1U << 2;
inline constexpr Classes kLaw = 1U << 3;
inline constexpr Classes kCurrency = 1U << 4;
inline constexpr Classes kStartPunctuation = 1U << 5;
inline constexpr Classes kEndPunctuation = 1U << 6;
inline constexpr Classes kNumeric = 1U << 7;
inline constexpr Classes kKaomoji = 1U << 8;
inline constexpr Classes kUpperAccented = 1U << 9;
inline constexpr Classes kLowerAccented = 1U << 10;
inline constexpr Classes kUpperCommon = 1U << 11;  // Greek and Cyrillic capitals, thorn
inline constexpr Classes kLowerCommon = 1U << 12;
inline constexpr Classes kBox = 1U << 13;  // box drawing
inline constexpr Classes kAsciiUpper = 1U << 14;
inline constexpr Classes kAsciiLower = 1U << 15;
inline constexpr Classes kSpace = 1U << 16;  // Python's \s
inline constexpr Classes kWord = 1U << 17;   // Python's \w

// What a byte of UTF-8 looks like in some encoding: of sequences of 2, 3, 4 bytes the first.
inline constexpr Classes kFirstOf2 = 1U << 18;
inline constexpr Classes kFirstOf3 = 1U << 19;
inline constexpr Classes kFirstOf4 = 1U << 20;
inline constexpr Classes kContinuation = 1U << 21;
inline constexpr Classes kPlainContinuation = 1U << 22;  // a continuation common in clean text too

Classes classes_of(char32_t code);

}  // namespace clipnext::text
