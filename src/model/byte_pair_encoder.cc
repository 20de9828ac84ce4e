#include "model/byte_pair_encoder.h"

#include <algorithm>
#include <queue>

#include "model/utf8.h"

namespace antiphon {
namespace {

// A stretch of the text, linked to its neighbours; merged into its left neighbour when `bytes` is 0.
struct Stretch {
  size_t begin;
  size_t bytes;
  int previous;  // -1: none
  int next;      // -1: none
};

struct Merge {
  float score;
  int left;
  int right;
  size_t bytes;  // of the result, to recognise merges that others have overtaken

  // The priority queue's order: best score first, then leftmost.
  bool operator<(const Merge& other) const {
    return score != other.score ? score < other.score : left > other.left;
  }
};

std::vector<Stretch> SplitCharacters(std::string_view text) {
  std::vector<Stretch> stretches;
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = std::max<size_t>(Utf8CharacterBytes(text.substr(at)), 1);
    const int index = static_cast<int>(stretches.size());
    stretches.push_back({at, bytes, index - 1, index + 1});
    at += bytes;
  }
  if (!stretches.empty()) stretches.back().next = -1;
  return stretches;
}

}  // namespace

BytePairEncoder::BytePairEncoder(const std::vector<SentencePieceFile::Piece>& pieces) {
  for (size_t id = 0; id < pieces.size(); ++id) {
    const SentencePieceFile::Piece& piece = pieces[id];
    if (piece.type == SentencePieceFile::Type::kNormal) {
      pieces_.emplace(piece.text, Piece{static_cast<int64_t>(id), piece.score});
    } else if (const auto byte = ByteOf(piece.text); piece.type == SentencePieceFile::Type::kByte && byte) {
      byte_pieces_.resize(256);
      byte_pieces_[*byte] = static_cast<int64_t>(id);
    }
  }
}

const BytePairEncoder::Piece* BytePairEncoder::Find(std::string_view text) const {
  const auto found = pieces_.find(text);
  return found == pieces_.end() ? nullptr : &found->second;
}

std::vector<int64_t> BytePairEncoder::Encode(std::string_view text) const {
  std::vector<Stretch> stretches = SplitCharacters(text);
  std::priority_queue<Merge> merges;
  const auto consider = [&](int left, int right) {
    if (left < 0 || right < 0) return;
    const size_t bytes = stretches[left].bytes + stretches[right].bytes;
    const Piece* piece = Find(text.substr(stretches[left].begin, bytes));
    if (piece != nullptr) merges.push({piece->score, left, right, bytes});
  };
  for (int i = 1; i < static_cast<int>(stretches.size()); ++i) consider(i - 1, i);

  while (!merges.empty()) {
    const Merge merge = merges.top();
    merges.pop();
    Stretch& left = stretches[merge.left];
    Stretch& right = stretches[merge.right];
    if (left.bytes == 0 || right.bytes == 0 || left.bytes + right.bytes != merge.bytes) continue;
    left.bytes = merge.bytes;
    right.bytes = 0;
    left.next = right.next;
    if (left.next >= 0) stretches[left.next].previous = merge.left;
    consider(left.previous, merge.left);
    consider(merge.left, left.next);
  }

  std::vector<int64_t> ids;
  for (int i = stretches.empty() ? -1 : 0; i >= 0; i = stretches[i].next) {
    const std::string_view part = text.substr(stretches[i].begin, stretches[i].bytes);
    if (const Piece* piece = Find(part); piece != nullptr) {
      ids.push_back(piece->id);
    } else if (!byte_pieces_.empty()) {
      for (const char byte : part) ids.push_back(byte_pieces_[static_cast<unsigned char>(byte)]);
    }
  }
  return ids;
}

}  // namespace antiphon
