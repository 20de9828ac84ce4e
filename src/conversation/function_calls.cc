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
  state_.response_id = std::move(response_id);
  state_.functions = std::move(functions);
  state_.writing = false;  // the one before was given up
}

void FunctionCalls::OnCall(const ResponseCall& call, bool stopped, EventSink& sink) {
  if (!std::exchange(state_.writing, true)) {
    state_.id = kPrefix;
    state_.id += std::to_string(++state_.calls);
    state_.text.clear();
    state_.name.reset();
    state_.told = 0;
  }
  state_.text += call.text;
  if (call.complete && BeginOfArguments() == state_.text.size()) state_.text += " {}";
  if (!stopped || call.complete) Tell(sink);
  if (!call.complete) return;
  state_.writing = false;
  server_event::FunctionCallDone done{
      state_.response_id, state_.id, *state_.name, state_.text.substr(BeginOfArguments()), {}};
  done.fault = FaultOfCall(state_.functions, done.name, done.arguments);
  sink.Send(std::move(done));
  Open(state_.id);
}

// Behind the name and the space after it, if there is anything yet.
size_t FunctionCalls::BeginOfArguments() const {
  const size_t name_end = std::min(state_.text.find_first_of(" {"), state_.text.size());
  return std::min(state_.text.find_first_not_of(' ', name_end), state_.text.size());
}

// What is new of the call: its name, once that is over, and more of its arguments.
void FunctionCalls::Tell(EventSink& sink) {
  const size_t begin = BeginOfArguments();
  if (begin == state_.text.size()) return;
  if (!state_.name) {
    state_.name = state_.text.substr(0, state_.text.find_first_of(" {"));
    sink.Send(server_event::FunctionCallStarted{state_.response_id, state_.id, *state_.name});
    state_.told = begin;
  }
  if (state_.told == state_.text.size()) return;
  sink.Send(server_event::FunctionCallArgumentsDelta{state_.response_id, state_.id,
                                                     state_.text.substr(state_.told)});
  state_.told = state_.text.size();
}

std::optional<Refusal> FunctionCalls::Check(const client_event::FunctionCallOutput& output) const {
  if (std::ranges::find(state_.open, output.call_id) == state_.open.end()) {
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
  std::erase(state_.open, output.call_id);
  state_.held.push_back(std::move(output));
}

client_event::FunctionCallOutput FunctionCalls::TakeHeld() {
  client_event::FunctionCallOutput output = std::move(state_.held.front());
  state_.held.pop_front();
  Open(output.call_id);
  return output;
}

void FunctionCalls::Give(const std::string& call_id) {
  std::erase(state_.open, call_id);
  state_.in_turn.push_back(call_id);
}

void FunctionCalls::TurnAnswered(int outputs) {
  const auto count = std::min<std::ptrdiff_t>(outputs, std::ssize(state_.in_turn));
  state_.in_turn.erase(state_.in_turn.begin(), state_.in_turn.begin() + count);
}

void FunctionCalls::TurnForgotten() {
  for (std::string& call_id : state_.in_turn) Open(std::move(call_id));
  state_.in_turn.clear();
}

void FunctionCalls::Open(std::string call_id) {
  state_.open.push_back(std::move(call_id));
  if (state_.open.size() > kMostOpen) state_.open.pop_front();
}

bool FunctionCalls::WasMade(const std::string& call_id) const {
  if (!call_id.starts_with(kPrefix)) return false;
  uint64_t number = 0;
  const char* const end = call_id.data() + call_id.size();
  const auto [behind, error] = std::from_chars(call_id.data() + kPrefix.size(), end, number);
  return error == std::errc() && behind == end && number >= 1 && number <= state_.calls;
}

}  // namespace antiphon
