#include "conversation/function_calls.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string_view>
#include <utility>

namespace antiphon {
namespace {

constexpr size_t kMaxOutputBytes = 4000;
constexpr std::string_view kPrefix = "call-";

}  // namespace

void FunctionCalls::BeginResponse(std::string response_id, std::vector<Function> functions) {
  response_id_ = std::move(response_id);
  functions_ = std::move(functions);
  writing_ = false;  // the one before was given up
}

void FunctionCalls::OnCall(const ResponseCall& call, bool stopped, EventSink& sink) {
  if (!std::exchange(writing_, true)) {
    id_ = kPrefix;
    id_ += std::to_string(++calls_);
    text_.clear();
    name_.reset();
    told_ = 0;
  }
  text_ += call.text;
  if (call.complete && BeginOfArguments() == text_.size()) text_ += " {}";
  if (!stopped || call.complete) Tell(sink);
  if (!call.complete) return;
  writing_ = false;
  server_event::FunctionCallDone done{response_id_, id_, *name_, text_.substr(BeginOfArguments()), {}};
  done.fault = FaultOfCall(functions_, done.name, done.arguments);
  sink.Send(std::move(done));
  Open(id_);
}

// Behind the name and the space after it, if there is anything yet.
size_t FunctionCalls::BeginOfArguments() const {
  const size_t name_end = std::min(text_.find_first_of(" {"), text_.size());
  return std::min(text_.find_first_not_of(' ', name_end), text_.size());
}

// What is new of the call: its name, once that is over, and more of its arguments.
void FunctionCalls::Tell(EventSink& sink) {
  const size_t begin = BeginOfArguments();
  if (begin == text_.size()) return;
  if (!name_) {
    name_ = text_.substr(0, text_.find_first_of(" {"));
    sink.Send(server_event::FunctionCallStarted{response_id_, id_, *name_});
    told_ = begin;
  }
  if (told_ == text_.size()) return;
  sink.Send(server_event::FunctionCallArgumentsDelta{response_id_, id_, text_.substr(told_)});
  told_ = text_.size();
}

std::optional<Refusal> FunctionCalls::Check(const client_event::FunctionCallOutput& output) const {
  if (std::ranges::find(open_, output.call_id) == open_.end()) {
    const std::string field = "function_call_output.call_id";
    if (WasMade(output.call_id)) {
      return Refusal{FailedPrecondition("call_id is that of a call that is not complete, was answered "
                                        "already, or behind which 64 newer ones wait"),
                     field};
    }
    return Refusal{InvalidArgument("call_id is that of no call of this session"), field};
  }
  if (output.output.empty() || output.output.size() > kMaxOutputBytes) {
    return Refusal{
        InvalidArgument("output has " + std::to_string(output.output.size()) + " bytes, must have 1 to 4000"),
        "function_call_output.output"};
  }
  return std::nullopt;
}

void FunctionCalls::Hold(client_event::FunctionCallOutput output) {
  std::erase(open_, output.call_id);
  held_.push_back(std::move(output));
}

client_event::FunctionCallOutput FunctionCalls::TakeHeld() {
  client_event::FunctionCallOutput output = std::move(held_.front());
  held_.pop_front();
  Open(output.call_id);
  return output;
}

void FunctionCalls::Give(const std::string& call_id) {
  std::erase(open_, call_id);
  in_turn_.push_back(call_id);
}

void FunctionCalls::TurnAnswered(int outputs) {
  const auto count = std::min<std::ptrdiff_t>(outputs, std::ssize(in_turn_));
  in_turn_.erase(in_turn_.begin(), in_turn_.begin() + count);
}

void FunctionCalls::TurnForgotten() {
  for (std::string& call_id : in_turn_) Open(std::move(call_id));
  in_turn_.clear();
}

void FunctionCalls::Open(std::string call_id) {
  open_.push_back(std::move(call_id));
  if (open_.size() > kMostOpen) open_.pop_front();
}

bool FunctionCalls::WasMade(const std::string& call_id) const {
  if (!call_id.starts_with(kPrefix)) return false;
  uint64_t number = 0;
  const char* const end = call_id.data() + call_id.size();
  const auto [behind, error] = std::from_chars(call_id.data() + kPrefix.size(), end, number);
  return error == std::errc() && behind == end && number >= 1 && number <= calls_;
}

}  // namespace antiphon
