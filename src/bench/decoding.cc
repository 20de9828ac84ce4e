#include "bench/decoding.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <numeric>
#include <span>

#include "kernels/kv_rows.h"
#include "model/sampling.h"

namespace antiphon::bench {
namespace {

constexpr int64_t kPagePositions = 16;  // as EngineOptions has it
constexpr int64_t kSpread = 7919;       // a prime, so that the symbols read are all over the vocabulary

int64_t PagesFor(int64_t positions) { return (positions + kPagePositions - 1) / kPagePositions; }

// Random numbers in the first page, and copies of it in all others: memory that has been written, quickly.
void FillPages(KvPool* pool) {
  for (auto* tensors : {&pool->keys, &pool->values}) {
    for (at::Tensor& layer : *tensors) {
      const at::Tensor first = layer.select(0, 0);
      const at::Tensor random = at::empty({layer.size(1), layer.size(2), HeadWidthOf(layer)}).uniform_(-1, 1);
      first.copy_(ToKvRows(random, KvFormatOf(layer)));
      for (int64_t page = 1; page < layer.size(0); ++page) layer.select(0, page).copy_(first);
    }
  }
}

int64_t BytesOfPosition(const KvPool& pool) {
  int64_t bytes = 0;
  for (const auto* tensors : {&pool.keys, &pool.values}) {
    for (const at::Tensor& layer : *tensors) {
      bytes += static_cast<int64_t>(layer.nbytes()) / (layer.size(0) * layer.size(1));
    }
  }
  return bytes;
}

// The likeliest symbol of each row.
void Choose(const at::Tensor& logits, std::vector<int64_t>* symbols) {
  const auto width = static_cast<size_t>(logits.size(1));
  const float* row = logits.data_ptr<float>();
  for (int64_t& symbol : *symbols) {
    symbol = ArgMax({row, width}, {});
    row += width;
  }
}

}  // namespace

Decoding::Decoding(const LanguageModel& model, int sequences, int64_t context, int64_t steps)
    : model_(model),
      context_(context),
      position_(context),
      pool_(model.MakePool(sequences * PagesFor(context + steps), kPagePositions)) {
  FillPages(&pool_);
  const int64_t each = PagesFor(context + steps);
  for (int64_t i = 0; i < sequences; ++i) {
    pages_.emplace_back(static_cast<size_t>(each));
    std::iota(pages_.back().begin(), pages_.back().end(), static_cast<int32_t>(i * each));
    first_symbols_.push_back((i + 1) * kSpread % model.config().symbols.vocab_size);
  }
  symbols_ = first_symbols_;
}

void Decoding::Rewind() {
  position_ = context_;
  symbols_ = first_symbols_;
}

void Decoding::Step() {
  RaggedBatch batch;
  batch.symbols = symbols_;
  for (size_t i = 0; i < pages_.size(); ++i) {
    batch.spans.push_back({static_cast<int64_t>(i), 1, position_, pages_[i]});
  }
  Choose(model_.SymbolLogits(model_.Forward(batch, pool_)), &symbols_);
  ++position_;
}

int64_t Decoding::PageBytes() const {
  return static_cast<int64_t>(pages_.size()) * (position_ + 1) * BytesOfPosition(pool_);
}

int64_t Decoding::PoolBytes(const LanguageModel& model, int sequences, int64_t context, int64_t steps) {
  return BytesOfPosition(model.MakePool(1, kPagePositions)) * kPagePositions * sequences *
         PagesFor(context + steps);
}

Prefilling::Prefilling(const LanguageModel& model, int64_t positions, int64_t chunk)
    : model_(model),
      chunk_(chunk),
      pool_(model.MakePool(PagesFor(positions), kPagePositions)),
      pages_(static_cast<size_t>(PagesFor(positions))) {
  std::iota(pages_.begin(), pages_.end(), 0);
  for (int64_t i = 0; i < positions; ++i) {
    symbols_.push_back((i + 1) * kSpread % model.config().symbols.vocab_size);
  }
}

int64_t Prefilling::Run() {
  const auto positions = static_cast<int64_t>(symbols_.size());
  at::Tensor states;
  for (int64_t first = 0; first < positions; first += chunk_) {
    const int64_t rows = std::min(chunk_, positions - first);
    RaggedBatch batch;
    batch.symbols.assign(symbols_.begin() + first, symbols_.begin() + first + rows);
    batch.spans = {{0, rows, first, pages_}};
    states = model_.Forward(batch, pool_);
  }
  std::vector<int64_t> symbol(1);
  Choose(model_.SymbolLogits(states.narrow(0, states.size(0) - 1, 1)), &symbol);
  return symbol[0];
}

}  // namespace antiphon::bench
