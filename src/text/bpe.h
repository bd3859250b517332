// Byte-pair encoding of one piece.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "text/vocabulary.h"

namespace clipnext::text {

/// Appends the ids of `piece` (bytes, not empty): its bytes, the last marked as a word's end, with
/// the lowest-ranked pair merged again and again, the leftmost first. n log n for n bytes.
void append_bpe(const Vocabulary& vocabulary, std::string_view piece, std::vector<int32_t>& ids);

/// The two methods behind it, which give the same ids: a scan for each merge (quadratic, but much
/// faster for words) and a heap over a linked list.
void append_bpe_by_scan(const Vocabulary& vocabulary, std::string_view piece,
                        std::vector<int32_t>& ids);
void append_bpe_by_heap(const Vocabulary& vocabulary, std::string_view piece,
                        std::vector<int32_t>& ids);

}  // namespace clipnext::text
