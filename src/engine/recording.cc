#include "engine/recording.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

#include "common/byte_codec.h"
#include "engine/sequence_codec.h"

namespace antiphon {
namespace {

constexpr std::string_view kMagic = "antiphon recording\n";
constexpr uint32_t kFormatVersion = 1;
constexpr uint8_t kHeadKind = 0xff;  // operations have their index in the variant
constexpr size_t kRecordHead = 5;    // kind and size
constexpr size_t kChecksum = 4;
constexpr size_t kMaxNameBytes = 128;
constexpr int kMostBetweenSteps = 64;  // operations: they are carried out at one go
constexpr float kPcm16Scale = 32768.0f;

// ---- Writing

template <typename Operation, typename... Operations>
constexpr uint8_t IndexAmong(const std::variant<Operations...>*) {
  uint8_t index = 0;
  bool found = false;
  ((found |= std::is_same_v<Operation, Operations>, index += found ? 0 : 1), ...);
  return index;
}

template <typename Operation>
constexpr uint8_t KindOf() {
  return IndexAmong<Operation>(static_cast<const RecordedOperation*>(nullptr));
}

std::string Sealed(uint8_t kind, const std::string& body) {
  ByteWriter record;
  record.Put(kind);
  record.Put(static_cast<uint32_t>(body.size()));
  std::string bytes = record.Take() + body;
  ByteWriter checksum;
  checksum.Put(Checksum(bytes));
  return bytes + checksum.bytes();
}

// A client's 16-bit samples take half the place, and are the same to the bit afterwards.
bool IsPcm16(const std::vector<float>& samples) {
  return std::ranges::all_of(samples, [](float sample) {
    const float scaled = sample * kPcm16Scale;
    return scaled >= -kPcm16Scale && scaled < kPcm16Scale && scaled == std::floor(scaled) &&
           !(sample == 0.0f && std::signbit(sample));
  });
}

struct BodyWriter {
  ByteWriter& out;

  void operator()(const RecordedStand& stand) const {
    PutStream(stand.stream, &out);
    PutManner(stand.manner, &out);
    out.Put(static_cast<uint32_t>(stand.answer.size()));
    PutNumbers(stand.answer, &out);
  }
  void operator()(const RecordedSampling& recorded) const { PutSampling(recorded.sampling, &out); }
  void operator()(const RecordedInputs& inputs) const {
    out.Put(static_cast<uint32_t>(inputs.position));
    PutPositions(inputs.positions, &out);
  }
  void operator()(const RecordedFrame& frame) const {
    out.Put(static_cast<uint32_t>(frame.position));
    out.Put(static_cast<uint8_t>(frame.first ? 1 : 0));
    out.PutFloat(frame.threshold);
    PutNumbers(frame.codes, &out);
    out.Put(static_cast<uint32_t>(frame.symbol));
    const bool pcm16 = IsPcm16(frame.samples);
    out.Put(static_cast<uint8_t>(pcm16 ? 1 : 0));
    for (const float sample : frame.samples) {
      if (pcm16) {
        out.Put(static_cast<uint16_t>(static_cast<int16_t>(sample * kPcm16Scale)));
      } else {
        out.PutFloat(sample);
      }
    }
  }
  void operator()(const RecordedAnswer& answer) const {
    out.Put(static_cast<uint32_t>(answer.position));
    out.Put(static_cast<uint32_t>(answer.symbol));
    out.Put(static_cast<uint8_t>(answer.codes.empty() ? 0 : 1));
    PutNumbers(answer.codes, &out);
  }
  void operator()(const RecordedCut& cut) const { out.Put(static_cast<uint32_t>(cut.length)); }
  void operator()(const RecordedGap& gap) const {
    out.Put(static_cast<uint32_t>(gap.first));
    out.Put(static_cast<uint32_t>(gap.rows));
  }
  void operator()(const RecordedEnd& end) const { out.Put(static_cast<uint8_t>(end.reason)); }
};

// ---- Reading: one function a kind. What they return means something only if the reader has not failed.

RecordedStand ReadStand(const ModelConfig& config, ByteReader& in) {
  RecordedStand stand;
  stand.stream = GetStream(config, in);
  stand.manner = GetManner(in);
  const int64_t pieces = GetNumber(kMaxAnswer, "number of pieces", in);
  for (int64_t i = 0; i < pieces && !in.failed(); ++i) stand.answer.push_back(GetSymbol(config, in));
  return stand;
}

RecordedInputs ReadInputs(const ModelConfig& config, ByteReader& in) {
  RecordedInputs inputs;
  inputs.position = GetNumber(config.max_positions, "position", in);
  inputs.positions = GetPositions(config, config.max_positions, in);
  in.Require(!inputs.positions.empty(), "number of positions");
  return inputs;
}

RecordedFrame ReadFrame(const ModelConfig& config, ByteReader& in) {
  RecordedFrame frame;
  frame.position = GetNumber(config.max_positions, "position", in);
  frame.first = in.GetBool("begin of the turn");
  frame.threshold = in.GetFloat("endpoint threshold");
  in.Require(frame.threshold >= 0.0f && frame.threshold <= 1.0f, "endpoint threshold");
  frame.codes = GetCodes(config, 0, "heard code", in);
  frame.symbol = GetSymbol(config, in);
  const bool pcm16 = in.GetBool("form of the samples");
  const size_t bytes = static_cast<size_t>(config.frame_samples) * (pcm16 ? 2 : 4);
  in.Require(in.failed() || in.left() == bytes, "number of samples");
  if (in.failed()) return frame;
  frame.samples.reserve(static_cast<size_t>(config.frame_samples));
  for (int64_t i = 0; i < config.frame_samples && !in.failed(); ++i) {
    if (pcm16) {
      const auto sample = static_cast<int16_t>(in.Get<uint16_t>("sample"));
      frame.samples.push_back(static_cast<float>(sample) / kPcm16Scale);
    } else {
      frame.samples.push_back(in.GetFloat("sample"));
      in.Require(std::isfinite(frame.samples.back()), "sample");
    }
  }
  return frame;
}

RecordedAnswer ReadAnswer(const ModelConfig& config, ByteReader& in) {
  RecordedAnswer answer;
  answer.position = GetNumber(config.max_positions, "position", in);
  answer.symbol = GetSymbol(config, in);
  if (in.GetBool("channels")) answer.codes = GetCodes(config, 1, "spoken code", in);
  return answer;
}

// REQUIRES: the kind is an operation's.
RecordedOperation ReadBody(uint8_t kind, const ModelConfig& config, ByteReader& in) {
  switch (kind) {
    case KindOf<RecordedStand>():
      return ReadStand(config, in);
    case KindOf<RecordedSampling>():
      return RecordedSampling{GetSampling(in)};
    case KindOf<RecordedInputs>():
      return ReadInputs(config, in);
    case KindOf<RecordedFrame>():
      return ReadFrame(config, in);
    case KindOf<RecordedAnswer>():
      return ReadAnswer(config, in);
    case KindOf<RecordedCut>():
      return RecordedCut{GetNumber(config.max_positions + 1, "length", in)};
    case KindOf<RecordedGap>(): {
      RecordedGap gap;
      gap.first = GetNumber(config.max_positions, "gap", in);
      gap.rows = GetNumber(config.max_positions, "gap", in);
      return gap;
    }
    default:
      return RecordedEnd{
          static_cast<RecordingEnd>(in.GetBelow(static_cast<int64_t>(RecordingEnd::kBrokenOff), "end"))};
  }
}

bool NeedsStep(const RecordedOperation& operation) {
  return std::holds_alternative<RecordedInputs>(operation) ||
         std::holds_alternative<RecordedFrame>(operation) ||
         std::holds_alternative<RecordedAnswer>(operation);
}

std::string Subject(size_t place) { return "the recording's record at byte " + std::to_string(place); }

std::string Described(const ModelIdentity& model) {
  return model.name + " " + model.version + " (weights " + std::to_string(model.weights) + ")";
}

}  // namespace

std::string WriteRecordingHead(const RecordingHead& head) {
  ByteWriter start;
  start.Put(kFormatVersion);
  ByteWriter body;
  body.PutText(head.model.name);
  body.PutText(head.model.version);
  body.Put(head.model.weights);
  body.Put(static_cast<uint8_t>(head.weights == WeightFormat::kInt8 ? 1 : 0));
  body.PutText(head.kernels);
  return std::string(kMagic) + start.bytes() + Sealed(kHeadKind, body.bytes());
}

std::string WriteRecord(const RecordedOperation& operation) {
  ByteWriter body;
  std::visit(BodyWriter{body}, operation);
  return Sealed(static_cast<uint8_t>(operation.index()), body.bytes());
}

Result<std::optional<Recording::Record>> Recording::NextRecord() {
  const std::string_view left = std::string_view(bytes_).substr(next_);
  if (left.size() < kRecordHead) return std::optional<Record>();
  ByteReader head(left, Subject(next_));
  Record record;
  record.kind = head.Get<uint8_t>("kind");
  const size_t size = head.Get<uint32_t>("size");
  if (left.size() < kRecordHead + size + kChecksum) return std::optional<Record>();
  const std::string_view sealed = left.substr(0, kRecordHead + size);
  ByteReader end(left.substr(sealed.size()), Subject(next_));
  if (end.Get<uint32_t>("checksum") != Checksum(sealed)) {
    return DataLoss(Subject(next_) + " has a wrong checksum");
  }
  record.body = sealed.substr(kRecordHead);
  next_ += sealed.size() + kChecksum;
  return std::optional<Record>(record);
}

Status Recording::ReadHead(const ModelIdentity& model) {
  ByteReader start(std::string_view(bytes_).substr(kMagic.size()), "the recording");
  const auto version = start.Get<uint32_t>("format version");
  if (start.failed()) return start.status();
  if (version != kFormatVersion) {
    return Status(StatusCode::kUnimplemented, "the recording's format version is " + std::to_string(version) +
                                                  ", this server reads " + std::to_string(kFormatVersion));
  }
  next_ = kMagic.size() + sizeof version;
  const auto record = NextRecord();
  if (!record.ok()) return record.status();
  if (!record->has_value() || (*record)->kind != kHeadKind)
    return DataLoss("the recording ends before its head");
  ByteReader in((*record)->body, "the recording's head");
  head_.model.name = in.GetText(kMaxNameBytes, "model");
  head_.model.version = in.GetText(kMaxNameBytes, "model version");
  head_.model.weights = in.Get<uint32_t>("weights");
  head_.weights = in.GetBool("form of the weights") ? WeightFormat::kInt8 : WeightFormat::kAsStored;
  head_.kernels = in.GetText(kMaxNameBytes, "kernels");
  in.RequireEnd();
  if (in.failed()) return in.status();
  if (head_.model == model) return OkStatus();
  return FailedPrecondition("the recording belongs to " + Described(head_.model) + ", the model here is " +
                            Described(model));
}

// Looks at every operation, and remembers where the last one ends.
Status Recording::ReadAll() {
  int between_steps = 0;
  for (last_ = next_;; last_ = next_) {
    const size_t place = next_;
    const auto record = NextRecord();
    if (!record.ok()) return record.status();
    if (!record->has_value()) return OkStatus();
    const uint8_t kind = (*record)->kind;
    if (kind >= std::variant_size_v<RecordedOperation>) {
      return DataLoss(Subject(place) + " has the kind " + std::to_string(kind) + ", which is none");
    }
    ByteReader in((*record)->body, Subject(place));
    const RecordedOperation operation = ReadBody(kind, *config_, in);
    in.RequireEnd();
    if (in.failed()) return in.status();
    between_steps = NeedsStep(operation) ? 0 : between_steps + 1;
    if (between_steps > kMostBetweenSteps) {
      return DataLoss(Subject(place) + " is one too many since the last that runs a position");
    }
    if (const auto* end = std::get_if<RecordedEnd>(&operation)) {
      end_ = end->reason;
      return next_ == bytes_.size() ? OkStatus() : DataLoss("the recording has bytes behind its end");
    }
  }
}

Result<Recording> Recording::Read(std::string bytes, const ModelIdentity& model, const ModelConfig& config) {
  if (!bytes.starts_with(kMagic)) return InvalidArgument("the bytes are no recording of a session");
  Recording recording(std::move(bytes), config);
  if (Status status = recording.ReadHead(model); !status.ok()) return status;
  const size_t first = recording.next_;
  if (Status status = recording.ReadAll(); !status.ok()) return status;
  recording.next_ = first;
  return recording;
}

std::optional<RecordedOperation> Recording::Next() {
  if (next_ >= last_) return std::nullopt;
  const auto record = NextRecord();
  if (!record.ok() || !record->has_value()) return std::nullopt;  // cannot be: Read saw it
  ByteReader in((*record)->body, "the recording");
  return ReadBody((*record)->kind, *config_, in);
}

}  // namespace antiphon
