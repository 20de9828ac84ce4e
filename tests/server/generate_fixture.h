// One Generate call from a client's side.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "antiphon/v1/generation.grpc.pb.h"

namespace antiphon {

inline v1::Part TextOf(const std::string& text) {
  v1::Part part;
  part.set_text(text);
  return part;
}
inline v1::Part AudioOf(std::string data, const std::string& media_type, uint32_t sample_rate = 0) {
  v1::Part part;
  part.mutable_audio()->set_data(std::move(data));
  part.mutable_audio()->set_media_type(media_type);
  part.mutable_audio()->set_sample_rate(sample_rate);
  return part;
}
inline v1::Part ImageOf(std::string data, const std::string& media_type, uint32_t width = 0,
                        uint32_t height = 0) {
  v1::Part part;
  part.mutable_image()->set_data(std::move(data));
  part.mutable_image()->set_media_type(media_type);
  part.mutable_image()->set_width(width);
  part.mutable_image()->set_height(height);
  return part;
}
inline v1::GenerateRequest RequestOf(const std::vector<v1::Part>& parts,
                                     const std::vector<v1::Modality>& modalities = {}) {
  v1::GenerateRequest request;
  for (const v1::Part& part : parts) *request.add_parts() = part;
  for (const v1::Modality modality : modalities) request.add_output_modalities(modality);
  return request;
}

// Every read fails after 20 s instead of hanging the test.
class GenerateStream {
 public:
  GenerateStream(const std::shared_ptr<grpc::Channel>& channel, const v1::GenerateRequest& request)
      : stub_(v1::GenerationService::NewStub(channel)) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    stream_ = stub_->Generate(&context_, request);
  }
  ~GenerateStream() {
    Vanish();
    End();
  }

  std::optional<v1::GenerateResponse> Read() {
    v1::GenerateResponse response;
    if (!stream_->Read(&response)) return std::nullopt;
    return response;
  }
  bool ReadUntil(v1::GenerateResponse::EventCase kind) {
    while (const auto response = Read()) {
      if (response->event_case() == kind) return true;
    }
    return false;
  }
  // As a client that is gone: the stream is reset.
  void Vanish() { context_.TryCancel(); }

  // Reads what is left and returns how the call ended.
  grpc::Status End() {
    if (!status_) {
      while (const auto response = Read()) Keep(*response);
      status_ = stream_->Finish();
    }
    return *status_;
  }
  // Of an ended call; "" without one.
  std::string RetryAfter() const {
    const auto& trailers = context_.GetServerTrailingMetadata();
    const auto found = trailers.find("retry-after-ms");
    return found == trailers.end() ? "" : std::string(found->second.data(), found->second.size());
  }

  // What End read, joined.
  std::vector<v1::GenerateResponse::EventCase> kinds;  // without repetitions
  v1::GenerateStarted started;
  std::string transcript;
  std::string text;
  std::string audio;
  int previews = 0;
  std::vector<std::string> pictures;
  v1::ResponseDone done;

 private:
  void Keep(const v1::GenerateResponse& response) {
    if (kinds.empty() || kinds.back() != response.event_case()) kinds.push_back(response.event_case());
    if (response.has_started()) started = response.started();
    transcript += response.transcript_delta().text();
    text += response.text_delta().text();
    audio += response.audio_delta().audio();
    previews += response.has_image_delta() ? 1 : 0;
    if (response.has_image_done()) pictures.push_back(response.image_done().png());
    if (response.has_response_done()) done = response.response_done();
  }

  std::unique_ptr<v1::GenerationService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::GenerateResponse>> stream_;
  std::optional<grpc::Status> status_;
};

}  // namespace antiphon
