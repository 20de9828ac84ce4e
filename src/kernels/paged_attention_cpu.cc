#include "kernels/paged_attention_cpu.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <atomic>
#include <cstddef>

#include "kernels/dispatch.h"
#include "kernels/kv_rows.h"
#include "kernels/thread_team.h"

namespace antiphon {
namespace {

// Rows of a chunk for which a key is read once.
constexpr int64_t kRows = 16;
// Sums of segments that may wait to be folded, in floats; with more a chunk is not cut into segments.
constexpr int64_t kMostPartialFloats = 4 << 20;

struct Shape {
  int64_t kv_heads, group, width;
  int64_t stride() const { return PaddedHead(width); }
  int64_t queries(int64_t rows) const { return rows * kv_heads * group; }
};

// Up to kRows rows of a span.
struct Chunk {
  AttentionRows rows;
  int64_t first_row = 0;  // in the batch
  int64_t segments = 0;
  bool cut = false;           // its segments are made apart
  int64_t first_partial = 0;  // of its sums in `Partials`, in queries: [segments, queries]
  double microseconds = 0;    // estimated
};

// Segments [first, last) of a chunk.
struct Task {
  const Chunk* chunk;
  int64_t first, last;
};

// Arrays that grow and stay for the next call.
class Scratch {
 public:
  // The sums from the `first`th query on.
  AttentionSums Sums(int64_t first, int64_t stride) {
    return {mixed_.data() + first * stride, largest_.data() + first, total_.data() + first};
  }
  void ReserveSums(int64_t queries, int64_t stride) {
    Grow(&mixed_, queries * stride);
    Grow(&largest_, queries);
    Grow(&total_, queries);
  }
  float* ReserveQueries(int64_t floats) { return Grow(&queries_, floats); }
  float* ReserveTiles(int64_t floats) { return Grow(&tiles_, floats); }

  std::vector<Chunk> chunks;
  std::vector<Task> tasks;

 private:
  static float* Grow(std::vector<float>* array, int64_t floats) {
    if (static_cast<int64_t>(array->size()) < floats) array->resize(static_cast<size_t>(floats));
    return array->data();
  }

  std::vector<float> queries_, tiles_, mixed_, largest_, total_;
};

KvPageView View(const at::Tensor& pool) {
  const KvFormat format = KvFormatOf(pool);
  return {.data = static_cast<const char*>(pool.data_ptr()),
          .format = format,
          .page_positions = pool.size(1),
          .kv_heads = pool.size(2),
          .row_bytes = KvRowBytes(format, HeadWidthOf(pool))};
}

// What a core takes for rows that see `length` positions: to read them at 10 GB/s, or to compute at 20
// multiplications a ns.
double Microseconds(const KvPageView& view, const Shape& shape, int64_t rows, int64_t length) {
  const auto bytes = static_cast<double>(2 * length * view.kv_heads * view.row_bytes);
  const auto products = static_cast<double>(2 * length * shape.queries(rows) * shape.width);
  return std::max(bytes / 10e3, products / 20e3);
}

void CutIntoChunks(const at::Tensor& queries, const KvPageView& keys, const KvPageView& values,
                   const std::vector<SequenceSpan>& spans, const Shape& shape, const AttentionLoops& loops,
                   float* arranged, std::vector<Chunk>* chunks) {
  chunks->clear();
  const int64_t row_floats = shape.queries(1) * shape.width;
  for (const SequenceSpan& span : spans) {
    for (int64_t done = 0; done < span.rows; done += kRows) {
      const int64_t rows = std::min(kRows, span.rows - done);
      const int64_t length = span.context + done + rows;
      const int64_t first_row = span.first_row + done;
      loops.arrange(queries.data_ptr<float>() + first_row * row_floats, rows, shape.kv_heads, shape.group,
                    shape.width, arranged);
      chunks->push_back({.rows = {.queries = arranged,
                                  .rows = rows,
                                  .group = shape.group,
                                  .width = shape.width,
                                  .first_position = span.context + done,
                                  .pages = span.pages.data(),
                                  .keys = keys,
                                  .values = values},
                         .first_row = first_row,
                         .segments = (length + kAttentionSegment - 1) / kAttentionSegment,
                         .microseconds = Microseconds(keys, shape, rows, length)});
      arranged += shape.queries(rows) * shape.stride();
    }
  }
}

// Which chunks to cut, so that no thread is left with one that takes longer than its share, and the tasks
// that come of it. Returns the queries of partial sums.
int64_t PlanTasks(int threads, const Shape& shape, std::vector<Chunk>* chunks, std::vector<Task>* tasks) {
  tasks->clear();
  double all = 0;
  for (const Chunk& chunk : *chunks) all += chunk.microseconds;
  int64_t partial = 0;
  for (Chunk& chunk : *chunks) {
    const int64_t sums = chunk.segments * shape.queries(chunk.rows.rows);
    chunk.cut = threads > 1 && chunk.segments > 1 && chunk.microseconds * 2 * threads > all &&
                (partial + sums) * shape.stride() <= kMostPartialFloats;
    if (!chunk.cut) {
      tasks->push_back({&chunk, 0, chunk.segments});
      continue;
    }
    chunk.first_partial = partial;
    partial += sums;
    const int64_t step = std::max<int64_t>(chunk.segments / (8 * threads), 1);
    for (int64_t s = 0; s < chunk.segments; s += step) {
      tasks->push_back({&chunk, s, std::min(chunk.segments, s + step)});
    }
  }
  return partial;
}

// Calls run(task, part) for each of `count` tasks; tasks with the same part run one after the other.
template <typename Run>
void Share(ThreadTeam* team, int64_t count, const Run& run) {
  if (team == nullptr || count == 1) {
    for (int64_t i = 0; i < count; ++i) run(i, 0);
    return;
  }
  std::atomic<int64_t> next = 0;
  team->Run(team->threads(), [&](int part) {
    for (int64_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) run(i, part);
  });
}

double AllMicroseconds(const std::vector<Chunk>& chunks) {
  double all = 0;
  for (const Chunk& chunk : chunks) all += chunk.microseconds;
  return all;
}

AttentionSums Behind(const AttentionSums& sums, int64_t queries, int64_t stride) {
  return {sums.mixed + queries * stride, sums.largest + queries, sums.total + queries};
}

}  // namespace

void CpuWritePages(const at::Tensor& rows, const std::vector<SequenceSpan>& spans, at::Tensor* pool) {
  TORCH_CHECK(rows.is_contiguous() && pool->is_contiguous(), "WritePages: not contiguous");
  const AttentionLoops& loops = CpuAttentionLoops();
  const KvPageView view = View(*pool);
  const int64_t width = rows.size(2);
  const float* from = rows.data_ptr<float>();
  auto* const to = static_cast<char*>(pool->data_ptr());
  for (const SequenceSpan& span : spans) {
    for (int64_t i = 0; i < span.rows; ++i) {
      const int64_t position = span.context + i;
      const int64_t page = span.pages[static_cast<size_t>(position / view.page_positions)];
      const int64_t slot = page * view.page_positions + position % view.page_positions;
      loops.write_rows(from + (span.first_row + i) * view.kv_heads * width, view.kv_heads, width, view.format,
                       to + slot * view.kv_heads * view.row_bytes);
    }
  }
}

at::Tensor CpuPagedAttention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                             const std::vector<SequenceSpan>& spans) {
  TORCH_CHECK(queries.is_contiguous() && keys.is_contiguous() && values.is_contiguous(),
              "PagedAttention: not contiguous");
  // Below this it is done before another thread is awake.
  constexpr double kWorthSharing = 60;
  const Shape shape{keys.size(2), queries.size(1) / keys.size(2), queries.size(2)};
  const int64_t stride = shape.stride();
  const AttentionLoops& loops = CpuAttentionLoops();
  at::Tensor out = at::empty({queries.size(0), queries.size(1) * shape.width}, queries.options());

  thread_local Scratch scratch;
  int64_t rows = 0;
  for (const SequenceSpan& span : spans) rows += span.rows;
  float* arranged = scratch.ReserveQueries(shape.queries(rows) * stride);
  CutIntoChunks(queries, View(keys), View(values), spans, shape, loops, arranged, &scratch.chunks);
  const std::vector<Chunk>& chunks = scratch.chunks;
  ThreadTeam* team = ThreadTeamScope::Current();
  if (team != nullptr && (team->threads() == 1 || AllMicroseconds(chunks) < kWorthSharing)) team = nullptr;
  const int threads = team != nullptr ? team->threads() : 1;
  const int64_t partial = PlanTasks(threads, shape, &scratch.chunks, &scratch.tasks);

  // Of each part: a tile of keys, one of values, the sums of all segments so far and of one. Behind those of
  // all parts the sums of segments that were cut.
  const int64_t most = shape.queries(kRows);
  const int64_t tile = kAttentionTile * stride;
  float* tiles = scratch.ReserveTiles(threads * 2 * tile);
  scratch.ReserveSums(threads * 2 * most + partial, stride);
  const AttentionSums of_parts = scratch.Sums(0, stride);
  const AttentionSums partials = scratch.Sums(threads * 2 * most, stride);
  float* to = out.data_ptr<float>();

  const std::vector<Task>& tasks = scratch.tasks;
  Share(team, static_cast<int64_t>(tasks.size()), [&](int64_t i, int part) {
    const Task& task = tasks[static_cast<size_t>(i)];
    const Chunk& chunk = *task.chunk;
    const int64_t n = shape.queries(chunk.rows.rows);
    const AttentionScratch room{tiles + part * 2 * tile, tiles + (part * 2 + 1) * tile};
    const AttentionSums all = Behind(of_parts, part * 2 * most, stride);
    const AttentionSums one = Behind(all, most, stride);
    const bool alone = chunk.segments == 1;
    if (!chunk.cut && !alone) loops.clear(n, shape.width, all);
    for (int64_t s = task.first; s < task.last; ++s) {
      const AttentionSums sums =
          chunk.cut ? Behind(partials, chunk.first_partial + s * n, stride) : (alone ? all : one);
      loops.attend(chunk.rows, s * kAttentionSegment, (s + 1) * kAttentionSegment, room, sums);
      if (!chunk.cut && !alone) loops.fold(sums, n, shape.width, all);
    }
    if (!chunk.cut) {
      loops.finish(all, chunk.rows.rows, shape.kv_heads, shape.group, shape.width,
                   to + chunk.first_row * shape.queries(1) * shape.width);
    }
  });

  const AttentionSums& all = of_parts;  // the first part's: nobody else runs any more
  for (const Chunk& chunk : chunks) {
    if (!chunk.cut) continue;
    const int64_t n = shape.queries(chunk.rows.rows);
    loops.clear(n, shape.width, all);
    for (int64_t s = 0; s < chunk.segments; ++s) {
      loops.fold(Behind(partials, chunk.first_partial + s * n, stride), n, shape.width, all);
    }
    loops.finish(all, chunk.rows.rows, shape.kv_heads, shape.group, shape.width,
                 to + chunk.first_row * shape.queries(1) * shape.width);
  }
  return out;
}

}  // namespace antiphon
