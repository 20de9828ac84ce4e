#include "client/generate.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <span>
#include <utility>

#include "client/answer_assembler.h"
#include "client/audio_stream.h"
#include "client/grpc_status.h"
#include "client/wire.h"
#include "media/pcm.h"
#include "media/resampler.h"

namespace antiphon::client {
namespace {

constexpr int kRecordingRate = 16000;

Status ToWire(const TextPart& part, v1::Part* wire) {
  wire->set_text(part.text);
  return OkStatus();
}

Status ToWire(const Recording& part, v1::Part* wire) {
  Result<std::vector<float>> samples = Resample(part.samples, part.sample_rate, kRecordingRate);
  if (!samples.ok()) return samples.status();
  wire->mutable_audio()->set_data(EncodePcm16(*samples));
  wire->mutable_audio()->set_media_type("audio/pcm");
  wire->mutable_audio()->set_sample_rate(kRecordingRate);
  return OkStatus();
}

Status ToWire(const AudioFile& part, v1::Part* wire) {
  wire->mutable_audio()->set_data(part.bytes);
  wire->mutable_audio()->set_media_type(part.media_type);
  return OkStatus();
}

Status ToWire(const ImageFile& part, v1::Part* wire) {
  wire->mutable_image()->set_data(part.bytes);
  wire->mutable_image()->set_media_type(part.media_type);
  return OkStatus();
}

Status ToWire(const Image& part, v1::Part* wire) {
  if (part.width < 0 || part.height < 0) return InvalidArgument("a picture has a side below 0");
  v1::ImagePart* image = wire->mutable_image();
  image->set_data(part.rgb.data(), part.rgb.size());
  image->set_media_type("image/x-rgb");
  image->set_width(static_cast<uint32_t>(part.width));
  image->set_height(static_cast<uint32_t>(part.height));
  return OkStatus();
}

Status ToWire(const GenerateRequest& request, v1::GenerateRequest* wire) {
  if (Status status = CheckFormat(request.output_audio, "output_audio"); !status.ok()) return status;
  for (const Part& part : request.parts) {
    const Status status =
        std::visit([wire](const auto& kind) { return ToWire(kind, wire->add_parts()); }, part);
    if (!status.ok()) {
      return {status.code(), "parts[" + std::to_string(wire->parts_size() - 1) + "]: " + status.message()};
    }
  }
  const SessionSettings settings{.speak = request.speak,
                                 .draw = request.draw,
                                 .sampling = request.sampling,
                                 .max_response_seconds = request.max_response_seconds,
                                 .voice = request.voice,
                                 .speed = request.speed};
  v1::SessionConfig config;
  ToWire(settings, &config);
  wire->mutable_output_modalities()->Swap(config.mutable_output_modalities());
  wire->mutable_sampling()->Swap(config.mutable_sampling());
  wire->set_max_response_seconds(config.max_response_seconds());
  wire->set_voice(config.voice());
  wire->set_speed(config.speed());
  wire->set_instructions(request.instructions);
  ToWire(request.output_audio, wire->mutable_output_audio());
  return OkStatus();
}

// What comes back.
class Receiver {
 public:
  Receiver(AudioReceiver audio, const Listener& listener, Generation* generation)
      : audio_(std::move(audio)),
        listener_(listener),
        generation_(generation),
        assembler_(&generation->answer) {}

  Status Receive(TimePoint received, v1::GenerateResponse&& wire) {
    std::string bytes;
    Result<WireBody> body = FromWire(std::move(wire), &bytes);
    if (!body.ok()) return body.status();
    if (generation_->answer.end) return DataLoss("an event came after response_done");
    return std::visit([&](auto& kind) { return Take(kind, bytes, received); }, *body);
  }

 private:
  Status Take(Session& started, const std::string&, TimePoint) {
    generation_->id = std::move(started.id);
    generation_->model = std::move(started.model);
    generation_->model_version = std::move(started.model_version);
    return OkStatus();
  }
  Status Take(AudioDelta& delta, const std::string& bytes, TimePoint received) {
    Result<std::vector<float>> samples = audio_.Unpack(delta.response_id, bytes);
    if (!samples.ok()) return samples.status();
    delta.samples = std::move(*samples);
    return Tell(assembler_.Add(delta), delta, received);
  }
  Status Take(TranscriptDelta& delta, const std::string&, TimePoint received) {
    generation_->answer.transcript += delta.text;
    return Tell(OkStatus(), delta, received);
  }
  Status Take(TextDelta& delta, const std::string&, TimePoint received) {
    assembler_.Add(delta);
    return Tell(OkStatus(), delta, received);
  }
  Status Take(ImageStarted& started, const std::string&, TimePoint received) {
    assembler_.Add(started);
    return Tell(OkStatus(), started, received);
  }
  Status Take(ImageDelta& delta, const std::string&, TimePoint received) {
    return Tell(OkStatus(), delta, received);
  }
  Status Take(ImageDone& done, const std::string&, TimePoint received) {
    return Tell(assembler_.Add(done), done, received);
  }
  Status Take(ResponseDone& done, const std::string&, TimePoint received) {
    return Tell(assembler_.Add(done), done, received);
  }
  // A later server may send kinds that are not known here.
  template <typename Other>
  Status Take(Other&, const std::string&, TimePoint) {
    return OkStatus();
  }

  template <typename Body>
  Status Tell(Status status, Body& body, TimePoint received) {
    if (status.ok() && listener_) listener_(Event{received, std::move(body)});
    return status;
  }

  AudioReceiver audio_;
  const Listener& listener_;
  Generation* const generation_;
  AnswerAssembler assembler_;
};

Status EndOf(const grpc::Status& status, const grpc::ClientContext& context, Generation* generation) {
  if (status.ok()) {
    if (generation->answer.end) return OkStatus();
    return DataLoss("the call ended before response_done");
  }
  generation->retry_after = RetryAfter(context);
  return FromGrpc(status);
}

}  // namespace

Status Generate(v1::GenerationService::Stub& service, const GenerateRequest& request,
                const GenerateOptions& options, Generation* generation) {
  *generation = {};
  generation->answer.sample_rate = request.output_audio.sample_rate;
  if (Status status = CheckWaitForPlace(options.wait_for_place); !status.ok()) return status;
  v1::GenerateRequest message;
  if (Status status = ToWire(request, &message); !status.ok()) return status;
  Result<AudioReceiver> audio = AudioReceiver::Create(request.output_audio);
  if (!audio.ok()) return audio.status();
  Receiver receiver(std::move(*audio), options.listener, generation);

  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + options.wait_for_place + options.timeout);
  WaitForPlace(options.wait_for_place, &context);
  const std::stop_callback stop(options.stop, [&context] { context.TryCancel(); });
  const std::unique_ptr<grpc::ClientReader<v1::GenerateResponse>> reader =
      service.Generate(&context, message);
  Status fault;  // of what the server sent
  v1::GenerateResponse response;
  while (reader->Read(&response)) {
    if (!fault.ok()) continue;  // what was on its way
    fault = receiver.Receive(std::chrono::steady_clock::now(), std::move(response));
    if (!fault.ok()) context.TryCancel();
  }
  const grpc::Status status = reader->Finish();
  return fault.ok() ? EndOf(status, context, generation) : fault;
}

}  // namespace antiphon::client
