// The calls that the model makes of a client's functions, and the outputs that come back.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "antiphon/engine.h"
#include "conversation/client_event.h"
#include "conversation/functions.h"
#include "conversation/refusal.h"
#include "conversation/server_event.h"

namespace antiphon {

// What a session knows of its calls. Each that is complete waits for its output, which is held while a
// response is under way, then given to the model as a part of the open turn, and settled when that is
// answered:
//
//   open --Hold--> held --TakeHeld--> open --Give--> in the turn --TurnAnswered--> settled
//    ^                                                  |
//    +------------------ TurnForgotten -----------------+
//
// Of those that are open the newest kMostOpen can be answered. Not thread-safe.
class FunctionCalls {
 public:
  static constexpr size_t kMostOpen = 64;

  // All that is known.
  struct State {
    uint64_t calls = 0;  // of the session, begun

    // The call that is being written.
    std::string response_id;
    std::vector<Function> functions;
    bool writing = false;
    std::string id;
    std::string text;
    std::optional<std::string> name;  // once it is known
    size_t told = 0;                  // bytes of `text` that the client has, or the name is

    std::deque<std::string> open;
    std::deque<client_event::FunctionCallOutput> held;
    std::deque<std::string> in_turn;
  };
  const State& state() const { return state_; }
  // REQUIRES: state.told is within state.text.
  void Restore(State state) { state_ = std::move(state); }

  // ---- What the model writes.

  // A response begins; it calls `functions`.
  void BeginResponse(std::string response_id, std::vector<Function> functions);
  // Tells the client. `stopped`: it wants no more of the response, and is told of a call only when that is
  // complete, for then the model remembers it.
  void OnCall(const ResponseCall& call, bool stopped, EventSink& sink);

  // ---- What the client answers.

  // The mistake in an output; nullopt: its call is open.
  std::optional<Refusal> Check(const client_event::FunctionCallOutput& output) const;
  // REQUIRES: for these two, Check found no mistake.
  void Hold(client_event::FunctionCallOutput output);
  void Give(const std::string& call_id);

  bool holds() const { return !state_.held.empty(); }
  // The oldest. REQUIRES: holds().
  client_event::FunctionCallOutput TakeHeld();

  // The turn is answered, with the first `outputs` that were given.
  void TurnAnswered(int outputs);
  void TurnForgotten();

 private:
  size_t BeginOfArguments() const;
  void Tell(EventSink& sink);
  void Open(std::string call_id);
  bool WasMade(const std::string& call_id) const;

  State state_;
};

}  // namespace antiphon
