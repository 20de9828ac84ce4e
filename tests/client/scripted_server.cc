#include "tests/client/scripted_server.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <utility>

namespace antiphon::testing {
namespace {

std::vector<int16_t> Tone(int milliseconds, int sample_rate) {
  std::vector<int16_t> samples(static_cast<size_t>(milliseconds * sample_rate / 1000));
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i] = static_cast<int16_t>(8000 * std::sin(2 * M_PI * 440 * static_cast<double>(i) / sample_rate));
  }
  return samples;
}

bool IsLoud(const std::string& pcm) {
  for (size_t i = 0; i + 1 < pcm.size(); i += 2) {
    int16_t sample = 0;
    std::memcpy(&sample, pcm.data() + i, 2);
    if (std::abs(sample) > 300) return true;
  }
  return false;
}

}  // namespace

bool Call::Read(v1::ClientEvent* event) {
  do {
    if (!stream_->Read(event)) return false;
  } while (event->has_acknowledge());  // this server keeps no sessions
  log.push_back({std::chrono::steady_clock::now(), *event});
  return true;
}

bool Call::Write(v1::ServerEvent event) { return WriteNumbered(std::move(event), sequence_number_ + 1); }

bool Call::WriteNumbered(v1::ServerEvent event, uint64_t sequence_number) {
  sequence_number_ = sequence_number;
  event.set_sequence_number(sequence_number);
  return stream_->Write(event);
}

bool Call::CreateSession() {
  v1::ClientEvent first;
  if (!Read(&first) || !first.has_session_update()) return false;
  v1::ServerEvent event;
  v1::SessionCreated& created = *event.mutable_session_created();
  created.set_session_id("session-1");
  created.set_model("scripted");
  created.set_model_version("v1");
  created.set_max_session_seconds(600);
  if (!Write(std::move(event))) return false;
  v1::ServerEvent updated;
  *updated.mutable_session_updated()->mutable_config() = first.session_update().config();
  return Write(std::move(updated));
}

bool Call::ReadUntil(v1::ClientEvent::EventCase kind, v1::ClientEvent* event) {
  v1::ClientEvent read;
  while (Read(&read)) {
    if (read.event_case() != kind) continue;
    if (event != nullptr) *event = read;
    return true;
  }
  return false;
}

void Call::EndTurn(const std::string& transcript, v1::TurnEnded::Cause cause) {
  v1::ServerEvent event;
  event.mutable_turn_ended()->set_cause(cause);
  event.mutable_turn_ended()->set_transcript(transcript);
  Write(std::move(event));
}

void Call::StartResponse() {
  text_.clear();
  samples_sent_ = 0;
  images_ = 0;
  v1::ServerEvent event;
  event.mutable_response_started()->set_response_id("response-" + std::to_string(++responses_));
  Write(std::move(event));
}

void Call::SendText(const std::string& text) {
  text_ += text;
  v1::ServerEvent event;
  event.mutable_text_delta()->set_response_id("response-" + std::to_string(responses_));
  event.mutable_text_delta()->set_text(text);
  Write(std::move(event));
}

void Call::SendPcm(const std::vector<int16_t>& samples) {
  v1::ServerEvent event;
  v1::AudioDelta& delta = *event.mutable_audio_delta();
  delta.set_response_id("response-" + std::to_string(responses_));
  delta.set_audio(samples.data(), samples.size() * sizeof(int16_t));
  delta.set_first_sample(samples_sent_);
  samples_sent_ += samples.size();
  Write(std::move(event));
}

void Call::StartImage() {
  v1::ServerEvent event;
  v1::ImageStarted& started = *event.mutable_image_started();
  started.set_response_id("response-" + std::to_string(responses_));
  started.set_image_index(images_++);
  started.set_width(64);
  started.set_height(64);
  started.set_grid(8);
  Write(std::move(event));
}

void Call::SendPreview(int rows, const std::string& png) {
  v1::ServerEvent event;
  v1::ImageDelta& delta = *event.mutable_image_delta();
  delta.set_response_id("response-" + std::to_string(responses_));
  delta.set_image_index(images_ - 1);
  delta.set_rows(static_cast<uint32_t>(rows));
  delta.set_preview(png);
  Write(std::move(event));
}

void Call::FinishImage(const std::string& png) {
  v1::ServerEvent event;
  v1::ImageDone& done = *event.mutable_image_done();
  done.set_response_id("response-" + std::to_string(responses_));
  done.set_image_index(images_ - 1);
  done.set_png(png);
  Write(std::move(event));
}

void Call::CallFunction(const std::string& name, const std::string& arguments) {
  const std::string response = "response-" + std::to_string(responses_);
  const std::string id = "call-" + std::to_string(++calls_);
  v1::ServerEvent event;
  event.mutable_function_call_started()->set_response_id(response);
  event.mutable_function_call_started()->set_call_id(id);
  event.mutable_function_call_started()->set_name(name);
  Write(event);
  event.mutable_function_call_arguments_delta()->set_response_id(response);
  event.mutable_function_call_arguments_delta()->set_call_id(id);
  event.mutable_function_call_arguments_delta()->set_arguments(arguments);
  Write(event);
  event.mutable_function_call_done()->set_response_id(response);
  event.mutable_function_call_done()->set_call_id(id);
  event.mutable_function_call_done()->set_name(name);
  event.mutable_function_call_done()->set_arguments(arguments);
  event.mutable_function_call_done()->set_fits(true);
  Write(std::move(event));
}

void Call::SendDone(v1::ResponseDone::Status status) {
  v1::ServerEvent event;
  v1::ResponseDone& done = *event.mutable_response_done();
  done.set_response_id("response-" + std::to_string(responses_));
  done.set_status(status);
  done.set_text(text_);
  done.mutable_usage()->set_spoken_frames(static_cast<uint32_t>(samples_sent_ / 1280));
  done.mutable_usage()->set_output_images(images_);
  done.mutable_ledger()->set_last_speech_received_us(1'000'000);
  done.mutable_ledger()->set_endpoint_decided_us(1'100'000);
  done.mutable_ledger()->set_first_packet_sent_us(1'150'000);
  if (images_ > 0) done.mutable_ledger()->set_first_image_us(1'160'000);
  Write(std::move(event));
}

void Call::Answer(const std::string& transcript, const std::string& text, int audio_ms, int sample_rate) {
  EndTurn(transcript);
  StartResponse();
  SendText(text);
  if (transcript.find("draw") != std::string::npos) {
    StartImage();
    SendPreview(4, kPreview);
    FinishImage(kPicture);
  }
  const std::vector<int16_t> tone = Tone(audio_ms, sample_rate);
  const size_t frame = static_cast<size_t>(sample_rate * 80 / 1000);
  for (size_t start = 0; start < tone.size(); start += frame) {
    SendPcm({tone.begin() + static_cast<ptrdiff_t>(start),
             tone.begin() + static_cast<ptrdiff_t>(std::min(start + frame, tone.size()))});
  }
  SendDone();
}

class ScriptedServer::Conversations final : public v1::ConversationService::Service {
 public:
  explicit Conversations(Script script) : script_(std::move(script)) {}

  grpc::Status Converse(grpc::ServerContext* context,
                        grpc::ServerReaderWriter<v1::ServerEvent, v1::ClientEvent>* stream) override {
    Call call(context, stream);
    grpc::Status status = script_(call);
    const std::lock_guard lock(mutex_);
    received_.insert(received_.end(), call.log.begin(), call.log.end());
    ++ended_;
    changed_.notify_all();
    return status;
  }

  std::vector<ReceivedMessage> received() const {
    const std::lock_guard lock(mutex_);
    return received_;
  }

  bool WaitForCalls(int count) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(5), [&] { return ended_ >= count; });
  }

 private:
  const Script script_;
  mutable std::mutex mutex_;  // guards what follows
  mutable std::condition_variable changed_;
  std::vector<ReceivedMessage> received_;
  int ended_ = 0;
};

class ScriptedServer::Generations final : public v1::GenerationService::Service {
 public:
  explicit Generations(GenerateScript script) : script_(std::move(script)) {}

  grpc::Status Generate(grpc::ServerContext* context, const v1::GenerateRequest* request,
                        grpc::ServerWriter<v1::GenerateResponse>* writer) override {
    if (!script_) return {grpc::StatusCode::UNIMPLEMENTED, "no script"};
    return script_(*context, *request, *writer);
  }

 private:
  const GenerateScript script_;
};

class ScriptedServer::Models final : public v1::ModelService::Service {
 public:
  grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                          v1::ListModelsResponse* response) override {
    v1::ModelInfo& model = *response->add_models();
    model.set_name("scripted");
    model.set_version("v1");
    model.set_parameters(12'345'678);
    model.add_input_modalities(v1::MODALITY_TEXT);
    model.add_input_modalities(v1::MODALITY_AUDIO);
    model.add_output_modalities(v1::MODALITY_TEXT);
    model.set_sample_rate(16000);
    model.set_frame_ms(80);
    model.set_codebooks(4);
    model.set_vocabulary_size(512);
    model.set_max_positions(4096);
    model.add_input_modalities(v1::MODALITY_IMAGE);
    model.set_image_side(64);
    model.set_image_grid(8);
    model.set_calls_functions(true);
    model.set_max_instruction_pieces(100);
    model.add_voices("own");
    model.add_voices("low");
    model.add_speeds(v1::SPEED_NORMAL);
    model.add_speeds(v1::SPEED_FAST);
    model.add_speeds(static_cast<v1::Speed>(99));  // of a later version
    return grpc::Status::OK;
  }
};

ScriptedServer::ScriptedServer(Script script, GenerateScript generate)
    : conversations_(std::make_unique<Conversations>(std::move(script))),
      generations_(std::make_unique<Generations>(std::move(generate))),
      models_(std::make_unique<Models>()) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(conversations_.get());
  builder.RegisterService(generations_.get());
  builder.RegisterService(models_.get());
  server_ = builder.BuildAndStart();
  target_ = "127.0.0.1:" + std::to_string(port);
}

ScriptedServer::~ScriptedServer() { Kill(); }

void ScriptedServer::Kill() {
  // A deadline that has passed cancels the calls under way at once.
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

std::vector<ReceivedMessage> ScriptedServer::received() const { return conversations_->received(); }

bool ScriptedServer::WaitForCalls(int count) const { return conversations_->WaitForCalls(count); }

Script AnsweringScript(int rate, int silence_ms) {
  return [rate, silence_ms](Call& call) {
    if (!call.CreateSession()) return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no session_update");
    const auto& modalities = call.log.front().event.session_update().config().output_modalities();
    const int audio_ms = modalities.size() == 1 ? 0 : 400;
    int turn = 0;
    std::string typed;
    double heard_ms = 0, quiet_ms = 0;
    v1::ClientEvent event;
    while (call.Read(&event)) {
      bool ended = false;
      if (event.has_text_append()) {
        typed += event.text_append().text();
      } else if (event.has_audio_append()) {
        const double ms = 1e3 * static_cast<double>(event.audio_append().audio().size()) / 2 / rate;
        if (IsLoud(event.audio_append().audio())) {
          heard_ms += ms;
          quiet_ms = 0;
        } else if (heard_ms > 0) {
          quiet_ms += ms;
          ended = quiet_ms >= silence_ms;
        }
      } else if (event.has_commit()) {
        ended = true;
      }
      if (!ended) continue;
      const std::string transcript =
          typed.empty() ? "heard " + std::to_string(std::lround(heard_ms)) + " ms" : typed;
      call.Answer(transcript, "answer " + std::to_string(++turn), audio_ms, rate);
      typed.clear();
      heard_ms = quiet_ms = 0;
    }
    return grpc::Status::OK;
  };
}

GenerateScript AnsweringGenerateScript() {
  return [](grpc::ServerContext&, const v1::GenerateRequest& request,
            grpc::ServerWriter<v1::GenerateResponse>& writer) {
    const auto wants = [&](v1::Modality modality) {
      const auto& wanted = request.output_modalities();
      return std::find(wanted.begin(), wanted.end(), modality) != wanted.end();
    };
    const auto write = [&](auto fill) {
      v1::GenerateResponse response;
      fill(response);
      writer.Write(response);
    };
    const std::string number = std::to_string(request.parts_size());
    write([](v1::GenerateResponse& response) {
      response.mutable_started()->set_id("session-1");
      response.mutable_started()->set_model("scripted");
      response.mutable_started()->set_model_version("v1");
    });
    for (const v1::Part& part : request.parts()) {
      if (!part.has_audio()) continue;
      for (const char* words : {"heard ", "audio"}) {
        write([&](v1::GenerateResponse& response) { response.mutable_transcript_delta()->set_text(words); });
      }
      break;
    }
    for (const std::string& words : {std::string("answer "), number}) {
      write([&](v1::GenerateResponse& response) {
        response.mutable_text_delta()->set_response_id("response-1");
        response.mutable_text_delta()->set_text(words);
      });
    }
    if (wants(v1::MODALITY_IMAGE)) {
      write([](v1::GenerateResponse& response) {
        v1::ImageStarted& started = *response.mutable_image_started();
        started.set_response_id("response-1");
        started.set_width(64);
        started.set_height(64);
        started.set_grid(8);
      });
      write([](v1::GenerateResponse& response) {
        response.mutable_image_delta()->set_response_id("response-1");
        response.mutable_image_delta()->set_preview(kPreview);
      });
    }
    const int rate = static_cast<int>(request.output_audio().sample_rate());
    for (int piece = 0; piece < 2 && (request.output_modalities().empty() || wants(v1::MODALITY_AUDIO));
         ++piece) {
      write([&](v1::GenerateResponse& response) {
        const std::vector<int16_t> samples = Tone(200, rate);
        v1::AudioDelta& delta = *response.mutable_audio_delta();
        delta.set_response_id("response-1");
        delta.set_audio(samples.data(), samples.size() * sizeof(int16_t));
        delta.set_first_sample(static_cast<uint64_t>(piece) * samples.size());
      });
    }
    if (wants(v1::MODALITY_IMAGE)) {
      write([](v1::GenerateResponse& response) {
        response.mutable_image_done()->set_response_id("response-1");
        response.mutable_image_done()->set_png(kPicture);
      });
    }
    write([&](v1::GenerateResponse& response) {
      v1::ResponseDone& done = *response.mutable_response_done();
      done.set_response_id("response-1");
      done.set_status(v1::ResponseDone::STATUS_COMPLETED);
      done.set_text("answer " + number);
      done.mutable_usage()->set_heard_frames(3);
      done.mutable_usage()->set_output_text_pieces(2);
    });
    return grpc::Status::OK;
  };
}

}  // namespace antiphon::testing
