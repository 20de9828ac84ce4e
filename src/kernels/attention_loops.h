// Attention over pages of keys and values, over plain arrays. One source (attention_loops.inc) compiled once
// an instruction set.
//
// As in FlashAttention (Dao et al. 2022) no row of scores is ever whole: positions go by in tiles, and with
// each the sums so far are scaled to the largest score seen. As in flash-decoding a long sequence is cut into
// segments, whose sums can be made apart and are folded together in order. Tiles and segments begin at fixed
// positions of the sequence, and all that a row does with a tile is done for it alone: the same sums in the
// same order, whatever other rows go along, and whoever makes which segment.
#pragma once

#include <cstdint>

#include "antiphon/kv_format.h"

namespace antiphon {

// Positions. Changing either changes results in their last bits.
constexpr int64_t kAttentionTile = 64;
constexpr int64_t kAttentionSegment = 512;

// Floats of a head in scratch, with zeros behind the first `width`.
constexpr int64_t PaddedHead(int64_t width) { return (width + 15) / 16 * 16; }

// Keys or values of one layer.
struct KvPageView {
  const char* data;  // [pages, page_positions, kv_heads, row_bytes]
  KvFormat format;
  int64_t page_positions;
  int64_t kv_heads;
  int64_t row_bytes;
};

// Consecutive rows of one sequence, and the cache that they look at.
struct AttentionRows {
  const float* queries;  // [kv_heads, rows, group, PaddedHead(width)], as `arrange` leaves them
  int64_t rows;
  int64_t group;           // query heads of a kv head
  int64_t width;           // of a head
  int64_t first_position;  // of the first row; a row sees all positions up to its own
  const int32_t* pages;    // page table
  KvPageView keys;
  KvPageView values;
};

// What a query has gathered from some of its positions: the sum of exp(score - largest) * value, the largest
// score, and the sum of exp(score - largest).
struct AttentionSums {
  float* mixed;    // [queries, PaddedHead(width)], queries in the order of AttentionRows::queries
  float* largest;  // [queries]
  float* total;    // [queries]
};

// Room for one tile in floats: [kAttentionTile, PaddedHead(width)] each.
struct AttentionScratch {
  float* keys;
  float* values;
};

// No alignment is required anywhere.
struct AttentionLoops {
  const char* name;

  // Rows of a page from floats [rows, width], and back. An int8 row's scale is its largest magnitude / 127;
  // one that holds a NaN or an infinity becomes all NaN; magnitudes below 1e-30 alone count as 0.
  void (*write_rows)(const float* x, int64_t rows, int64_t width, KvFormat format, char* to);
  void (*read_rows)(const char* from, int64_t rows, int64_t width, KvFormat format, float* to);

  // Queries [rows, kv_heads, group, width], scaled by 1 / sqrt(width), to the order of AttentionRows.
  void (*arrange)(const float* queries, int64_t rows, int64_t kv_heads, int64_t group, int64_t width,
                  float* to);

  // The sums of the positions [first, last), of one segment, for all rows. REQUIRES: `first` begins a
  // segment.
  void (*attend)(const AttentionRows& rows, int64_t first, int64_t last, const AttentionScratch& scratch,
                 const AttentionSums& sums);

  // Adds the sums of a later segment to those of all before it, for so many queries. `clear` comes before the
  // first.
  void (*fold)(const AttentionSums& from, int64_t queries, int64_t width, const AttentionSums& into);
  void (*clear)(int64_t queries, int64_t width, const AttentionSums& sums);

  // out [rows, kv_heads, group, width] = mixed / total.
  void (*finish)(const AttentionSums& sums, int64_t rows, int64_t kv_heads, int64_t group, int64_t width,
                 float* out);
};

// Runs on every machine this was compiled for.
const AttentionLoops& PortableAttentionLoops();
// Null when they were not compiled in or this machine lacks the instructions.
const AttentionLoops* Avx2AttentionLoops();
const AttentionLoops* Avx512AttentionLoops();
// The fastest of the above that this machine runs: those of BestLoops().
const AttentionLoops& BestAttentionLoops();

}  // namespace antiphon
