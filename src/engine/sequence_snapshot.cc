#include "engine/sequence_snapshot.h"

#include <zlib.h>

#include <algorithm>
#include <cassert>
#include <limits>

namespace antiphon {
namespace {

constexpr std::string_view kMagic = "antiphon session\n";
constexpr uint32_t kFormatVersion = 1;
constexpr size_t kMaxNameBytes = 128;
constexpr size_t kMaxVideo = 8;
constexpr uint8_t kHasHeard = 1;
constexpr uint8_t kHasSpoken = 2;

using Phase = StreamState::Phase;

uint32_t Checksum(std::string_view bytes) {
  return static_cast<uint32_t>(
      crc32_z(crc32_z(0, nullptr, 0), reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

class Writer {
 public:
  template <typename Integer>
  void Put(Integer value) {
    for (size_t i = 0; i < sizeof value; ++i) {
      bytes_.push_back(static_cast<char>(static_cast<uint64_t>(value) >> (8 * i) & 0xff));
    }
  }
  void Put(std::string_view text) {
    Put(static_cast<uint16_t>(text.size()));
    bytes_ += text;
  }
  void PutCodes(const std::vector<int64_t>& codes) {
    for (const int64_t code : codes) Put(static_cast<uint32_t>(code));
  }
  std::string bytes_;
};

// After the first failure every call returns 0 or nothing.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <typename Integer>
  Integer Get(const char* what) {
    const std::string_view taken = Take(sizeof(Integer), what);
    uint64_t value = 0;
    for (size_t i = 0; i < taken.size(); ++i) {
      value |= static_cast<uint64_t>(static_cast<unsigned char>(taken[i])) << (8 * i);
    }
    return static_cast<Integer>(value);
  }
  // Below `limit`.
  int64_t GetBelow(int64_t limit, const char* what) {
    const auto value = static_cast<int64_t>(Get<uint32_t>(what));
    Require(value < limit, what);
    return failed() ? 0 : value;
  }
  std::string GetText(const char* what) {
    const auto size = Get<uint16_t>(what);
    Require(size <= kMaxNameBytes, what);
    return failed() ? std::string() : std::string(Take(size, what));
  }
  std::vector<int64_t> GetCodes(const std::vector<int64_t>& sizes, const char* what) {
    std::vector<int64_t> codes;
    for (const int64_t size : sizes) codes.push_back(GetBelow(size, what));
    return codes;
  }

  void Require(bool condition, const char* what) {
    if (!condition && status_.ok())
      status_ = DataLoss(std::string("the session's ") + what + " is out of its range");
  }
  void RequireEnd() {
    if (status_.ok() && !bytes_.empty()) status_ = DataLoss("the session has bytes behind its end");
  }
  bool failed() const { return !status_.ok(); }
  const Status& status() const { return status_; }

 private:
  std::string_view Take(size_t size, const char* what) {
    if (status_.ok() && bytes_.size() < size)
      status_ = DataLoss(std::string("the session ends before its ") + what);
    if (!status_.ok()) return {};
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }

  std::string_view bytes_;
  Status status_;
};

std::string Described(const ModelIdentity& model) {
  return model.name + " " + model.version + " (weights " + std::to_string(model.weights) + ")";
}

StreamState ReadStream(Reader& reader, const ModelConfig& config) {
  StreamState stream;
  const auto phase = reader.Get<uint8_t>("phase");
  const int64_t symbol = reader.GetBelow(config.symbols.vocab_size, "next symbol");
  const bool known = phase == static_cast<uint8_t>(Phase::kNew) ||
                     phase == static_cast<uint8_t>(Phase::kBetween) ||
                     phase == static_cast<uint8_t>(Phase::kClosing);
  reader.Require(known, "phase");
  if (reader.failed()) return stream;
  stream.phase = static_cast<Phase>(phase);
  if (stream.phase == Phase::kClosing) stream.next_symbol = symbol;
  return stream;
}

std::vector<StreamPosition> ReadPositions(Reader& reader, const ModelConfig& config) {
  std::vector<StreamPosition> positions;
  const int64_t count = reader.GetBelow(config.max_positions + 1, "number of positions");
  for (int64_t i = 0; i < count && !reader.failed(); ++i) {
    StreamPosition& position = positions.emplace_back();
    position.symbol = reader.GetBelow(config.symbols.vocab_size, "symbol");
    const auto flags = reader.Get<uint8_t>("channels");
    reader.Require(flags <= (kHasHeard | kHasSpoken), "channels");
    if ((flags & kHasHeard) != 0) position.heard = reader.GetCodes(config.codebook_sizes, "heard code");
    if ((flags & kHasSpoken) != 0) position.spoken = reader.GetCodes(config.codebook_sizes, "spoken code");
  }
  return positions;
}

// Each is a whole picture among the positions, and none overlaps the one before.
std::vector<SequenceSnapshot::VideoPlace> ReadVideo(Reader& reader, const ModelConfig& config,
                                                    const std::vector<StreamPosition>& positions) {
  std::vector<SequenceSnapshot::VideoPlace> video;
  const auto count = reader.Get<uint8_t>("number of video frames");
  reader.Require(count <= kMaxVideo && (count == 0 || config.image.known()), "number of video frames");
  int64_t free = 0;  // the first position that may be the next one's
  for (int i = 0; i < count && !reader.failed(); ++i) {
    const auto size = static_cast<int64_t>(positions.size());
    const int64_t first = reader.GetBelow(size, "video frame");
    const int64_t end = first + config.image.symbols();
    const bool whole = first >= free && end <= size &&
                       positions[static_cast<size_t>(first)].symbol == config.image.begin &&
                       positions[static_cast<size_t>(end - 1)].symbol == config.image.end;
    reader.Require(whole, "video frame");
    video.push_back({first});
    free = end;
  }
  return video;
}

}  // namespace

std::string WriteSnapshot(const SequenceSnapshot& snapshot, const ModelIdentity& model) {
  assert(!snapshot.stream.in_turn() && !snapshot.stream.in_response());
  Writer body;
  body.Put(std::string_view(model.name));
  body.Put(std::string_view(model.version));
  body.Put(model.weights);
  body.Put(static_cast<uint8_t>(snapshot.stream.phase));
  body.Put(static_cast<uint32_t>(snapshot.stream.next_symbol));
  body.Put(static_cast<uint32_t>(snapshot.positions.size()));
  for (const StreamPosition& position : snapshot.positions) {
    body.Put(static_cast<uint32_t>(position.symbol));
    body.Put(static_cast<uint8_t>((position.heard.empty() ? 0 : kHasHeard) |
                                  (position.spoken.empty() ? 0 : kHasSpoken)));
    body.PutCodes(position.heard);
    body.PutCodes(position.spoken);
  }
  body.Put(static_cast<uint8_t>(snapshot.video.size()));
  for (const SequenceSnapshot::VideoPlace& place : snapshot.video)
    body.Put(static_cast<uint32_t>(place.first));

  Writer head;
  head.bytes_ = kMagic;
  head.Put(kFormatVersion);
  head.Put(Checksum(body.bytes_));
  return head.bytes_ + body.bytes_;
}

Result<SequenceSnapshot> ReadSnapshot(std::string_view bytes, const ModelIdentity& model,
                                      const ModelConfig& config) {
  if (!bytes.starts_with(kMagic)) return InvalidArgument("the bytes are no exported session");
  Reader reader(bytes.substr(kMagic.size()));
  const auto version = reader.Get<uint32_t>("format version");
  if (!reader.failed() && version != kFormatVersion) {
    return Status(StatusCode::kUnimplemented, "the session's format version is " + std::to_string(version) +
                                                  ", this server reads " + std::to_string(kFormatVersion));
  }
  const auto checksum = reader.Get<uint32_t>("checksum");
  if (reader.failed()) return reader.status();
  const size_t head = kMagic.size() + 2 * sizeof(uint32_t);
  if (Checksum(bytes.substr(head)) != checksum) return DataLoss("the session's checksum is wrong");

  ModelIdentity owner;
  owner.name = reader.GetText("model");
  owner.version = reader.GetText("model version");
  owner.weights = reader.Get<uint32_t>("weights");
  if (reader.failed()) return reader.status();
  if (owner != model) {
    return FailedPrecondition("the session belongs to " + Described(owner) + ", the model here is " +
                              Described(model));
  }
  SequenceSnapshot snapshot;
  snapshot.stream = ReadStream(reader, config);
  snapshot.positions = ReadPositions(reader, config);
  snapshot.video = ReadVideo(reader, config, snapshot.positions);
  reader.Require((snapshot.stream.phase == Phase::kNew) == snapshot.positions.empty(), "phase");
  reader.RequireEnd();
  if (reader.failed()) return reader.status();
  return snapshot;
}

}  // namespace antiphon
