// The position grammar of Wren's token stream: what each position reads, which symbols it may write, and when
// turns, text and speech are over. Pure logic, no tensors. docs/token_stream.md states the grammar itself.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "antiphon/types.h"
#include "model/model_config.h"

namespace antiphon {

// What the symbol channel of a position may write.
enum class SymbolRule : uint8_t {
  kNothing,    // the output is ignored
  kHearing,    // `<pad>`, a transcript piece, or `<assistant>` when the turn is over
  kAnswering,  // a text piece or `<end>`
  kPad,        // always `<pad>`: the text is over, the speech goes on
  kImageCode,  // a code of the picture
  kImageEnd,   // always `</image>`: the picture has all its codes
  kCallPiece,  // a text piece of a call, or `</call>`
  kCallEnd,    // always `</call>`: the call is as long as one may be
  kEnd,        // always `<end>`: nothing but speech follows a call

  // As kAnswering, and more besides: see AnsweringRule.
  kAnsweringMore = 16,
  kAnsweringImage = kAnsweringMore + 1,  // `<image>`: a picture may begin
};
constexpr size_t kSymbolRules = 32;

// The rule of an answer's text where a picture may begin, a speed or a voice of later answers be chosen, a
// function be called.
constexpr SymbolRule AnsweringRule(bool image, bool speed, bool voice, bool call = false) {
  const int more = (image ? 1 : 0) + (speed ? 2 : 0) + (voice ? 4 : 0) + (call ? 8 : 0);
  return more == 0 ? SymbolRule::kAnswering
                   : static_cast<SymbolRule>(static_cast<int>(SymbolRule::kAnsweringMore) + more);
}

// One position to run: what it reads and what is asked of it.
struct StreamPosition {
  int64_t symbol = 0;
  std::vector<int64_t> heard = {};   // K codes; empty: no heard frame
  std::vector<int64_t> spoken = {};  // K codes; empty: no spoken frame
  SymbolRule rule = SymbolRule::kNothing;
  bool speaks = false;  // the depth decoder draws a frame here

  // Must be answered by StreamGrammar::Write* before anything more of its sequence can be planned.
  bool has_output() const { return rule != SymbolRule::kNothing || speaks; }
};

struct ResponseLimits {
  int64_t max_pieces = 256;       // of text; a picture under way is completed before it takes effect
  int64_t max_frames = 375;       // of speech
  int64_t max_images = 1;         // 0: `<image>` is never written
  bool may_call = false;          // false: `<call>` is never written
  int64_t max_call_pieces = 200;  // of a call, which is closed there

  friend bool operator==(const ResponseLimits&, const ResponseLimits&) = default;
};

// Where a sequence stands. A value: copy it to come back here (ClearTurn, a fork, a blob). Changed by
// StreamGrammar only; a default-constructed one is a sequence that has read nothing.
//
//   kNew --Instruct--> kBetween
//   kNew, kBetween, kClosing --Hear/Type--> kListening --BeginResponse--> kAnswering
//   kAnswering --spoken answer over, or CancelResponse--> kBetween
//   kAnswering --written answer over, or CancelResponse within a picture or a call--> kClosing
struct StreamState {
  enum class Phase : uint8_t {
    kNew,        // owes `<bos>`
    kBetween,    // between turns
    kClosing,    // between turns, owes a position that reads next_symbol: `<end>`, `</image>` or `</call>`
    kListening,  // `<user>` was read
    kAnswering,
  };

  Phase phase = Phase::kNew;
  bool awaits_output = false;             // a planned position has not been answered by Write*
  bool speak = false;                     // the response has a voice
  bool text_over = false;                 // `<end>` was written
  bool audio_over = false;                // end of audio was written, or max_frames were
  bool incomplete = false;                // a limit cut the response short
  int64_t next_symbol = 0;                // read at the next heard frame or response position
  std::vector<int64_t> next_spoken = {};  // read at the next response position; empty: none
  int64_t response_position = 0;          // j, of the response position planned next
  int64_t pieces = 0;                     // of the response so far
  int64_t frames = 0;
  int64_t images = 0;         // of the response, that have all their codes
  bool drawing = false;       // `<image>` was written, its `</image>` was not
  int64_t image_codes = 0;    // of the picture that is drawn
  bool image_open = false;    // the response has read `<image>`, but not its `</image>`
  bool speed_chosen = false;  // the response has written a symbol of a speed
  bool voice_chosen = false;  // likewise
  bool calling = false;       // `<call>` was written, its `</call>` was not
  int64_t call_pieces = 0;    // of that call
  bool called = false;        // the response has written a whole call
  bool call_open = false;     // it has read `<call>`, but not its `</call>`
  ResponseLimits limits = {};

  bool in_turn() const { return phase == Phase::kListening; }
  bool in_response() const { return phase == Phase::kAnswering; }

  friend bool operator==(const StreamState&, const StreamState&) = default;
};

// What a position of the user's turn wrote.
struct HearingOutcome {
  bool turn_over = false;  // the model ended the turn: call BeginResponse
  int64_t piece = -1;      // of the transcript; -1: none
};

// What a position of the response wrote.
struct AnswerOutcome {
  int64_t piece = -1;                // of the text; -1: none
  bool image_begun = false;          // `<image>`
  int64_t image_code = -1;           // of a picture, from 0; -1: none
  bool image_complete = false;       // that was its last
  std::optional<SpeechSpeed> speed;  // chosen for later responses
  std::optional<SpeechVoice> voice;
  bool call_begun = false;     // `<call>`
  int64_t call_piece = -1;     // of a call's text; -1: none
  bool call_complete = false;  // `</call>`
  bool has_frame = false;      // the codes given are a frame to be played
  bool text_over = false;      // the text, and the drawing, ended here
  bool audio_over = false;     // the speech ended here
  bool done = false;  // nothing more follows; StreamState::incomplete says whether a limit was the reason
};

// How a response is made as if it had stopped where the user stopped hearing it.
struct CutAnswer {
  int64_t kept = 0;                   // of the positions that were run stay as they are
  std::vector<StreamPosition> rerun;  // to be run behind them, with no output
};

// The rules. Const after construction, shared by all sequences; safe from any thread as long as each
// StreamState is used by one at a time.
//
// Planning calls append the positions to run, in order; the positions a sequence still owes (`<bos>`, the
// reading of a written answer's `<end>`, or of the `</image>` or `</call>` of what was given up, `<user>`)
// come first. Only the last one can have an output. REQUIRES for every planning call: !state.awaits_output.
class StreamGrammar {
 public:
  explicit StreamGrammar(const ModelConfig& config);

  // ---- The user's turn. REQUIRES: !state.in_response().

  // What stands before the first turn: `<bos>`, then the text pieces of instructions. No output. REQUIRES:
  // the sequence has read nothing; pieces are text pieces; the model knows instructions.
  void Instruct(std::span<const int64_t> pieces, StreamState* state, std::vector<StreamPosition>* plan) const;

  // One heard frame of K codes; opens a turn if none is open. Answer it with WriteHearing.
  void Hear(std::span<const int64_t> codes, StreamState* state, std::vector<StreamPosition>* plan) const;
  // Typed pieces, shown pictures, declarations of functions and their results; opens a turn if none is open.
  // REQUIRES: pieces are text pieces (see is_text) or those of whole pictures (see ImageSymbols),
  // declarations or results, which may be given in parts. No output.
  void Type(std::span<const int64_t> pieces, StreamState* state, std::vector<StreamPosition>* plan) const;

  // What a shown picture is read as: `<image>`, its codes (given from 0), `</image>`. REQUIRES: the model
  // knows pictures, and these are the codes of a whole one.
  std::vector<int64_t> ImageSymbols(std::span<const int> codes) const;

  // What the declaration of functions is read as, given the text pieces of their signatures, none of no
  // functions: `<tools>`, the pieces, `</tools>`. It stands at the beginning of a turn. And the result of a
  // call: `<result>`, the pieces, `</result>`. REQUIRES: the model knows functions.
  std::vector<int64_t> DeclarationSymbols(std::span<const int64_t> pieces) const;
  std::vector<int64_t> ResultSymbols(std::span<const int64_t> pieces) const;
  // The text pieces of the newest declaration that stands in `positions`; nullopt: there is none.
  std::optional<std::vector<int64_t>> DeclaredIn(std::span<const StreamPosition> positions) const;

  // The symbol a heard frame writes, given its logits [vocab_size]: `<assistant>` if its probability is above
  // `threshold` (1 or more: never); else `<pad>` if it is above one half, for no word is due when the turn is
  // more likely over than not; else the likeliest of `<pad>` and the text pieces. A transcript is never
  // sampled.
  int64_t ChooseHearing(std::span<const float> logits, float threshold) const;
  // The softmax probability of `<assistant>` in `logits`.
  double EndpointProbability(std::span<const float> logits) const;
  // REQUIRES: `symbol` comes from ChooseHearing.
  HearingOutcome WriteHearing(int64_t symbol, StreamState* state) const;

  // ---- The response.

  // Ends the turn. REQUIRES: state->in_turn(), !state->awaits_output. The transcript piece written last, if
  // no frame has read it, is never read, as in training.
  void BeginResponse(bool speak, ResponseLimits limits, StreamState* state) const;
  // REQUIRES: state->in_response(). Answer it with WriteAnswer.
  void Answer(StreamState* state, std::vector<StreamPosition>* plan) const;
  // `symbol` is allowed by the position's rule; `codes` are the K codes drawn if the position speaks, empty
  // if not.
  AnswerOutcome WriteAnswer(int64_t symbol, std::span<const int64_t> codes, StreamState* state) const;
  // Gives up the response, at once: also while an output is awaited, which is then dropped. The sequence goes
  // on after the last position that was run; a picture or a call that was begun there is closed by the next
  // turn's first position, which reads `</image>` or `</call>`: text of a turn never stands within either.
  void CancelResponse(StreamState* state) const;

  // What the positions of a spoken response would be, had it been an answer of its first `pieces` text
  // pieces, of which `frames` frames were spoken: one that ends there and is complete, as in training.
  // Complete pictures and calls and choices of a manner stay in it. Nothing of it stays if nothing was heard.
  // `run`: the response's positions so far, from `<assistant>` on; `state`: of the sequence behind them. The
  // sequence goes on as after CancelResponse, but owes nothing. REQUIRES: !state.awaits_output.
  CutAnswer Cut(std::span<const StreamPosition> run, const StreamState& state, int64_t pieces,
                int64_t frames) const;

  // For each symbol, 1 if `rule` lets it be written: [vocab_size]. `<assistant>` is not in kHearing's: its
  // threshold is ChooseHearing's business. REQUIRES: rule is not kNothing.
  std::span<const uint8_t> allowed(SymbolRule rule) const;
  // The one symbol that `rule` lets be written, -1 when there is a choice. REQUIRES: rule is not kNothing.
  int64_t forced(SymbolRule rule) const;
  bool is_text(int64_t symbol) const;

 private:
  std::vector<uint8_t>& mask(SymbolRule rule) { return allowed_[static_cast<size_t>(rule)]; }
  SymbolRule RuleOfAnswer(const StreamState& state) const;
  std::vector<int64_t> SymbolsOfCut(std::span<const StreamPosition> response, int64_t pieces) const;
  void WriteSymbol(int64_t symbol, StreamState* state, AnswerOutcome* outcome) const;
  bool WriteManner(int64_t symbol, StreamState* state, AnswerOutcome* outcome) const;
  void WriteImageSymbol(int64_t symbol, StreamState* state, AnswerOutcome* outcome) const;
  void WriteCallSymbol(int64_t symbol, StreamState* state, AnswerOutcome* outcome) const;
  bool IsTool(int64_t symbol) const;
  void WriteFrame(std::span<const int64_t> codes, StreamState* state, AnswerOutcome* outcome) const;
  void OpenTurn(std::span<const int64_t> heard, StreamState* state, std::vector<StreamPosition>* plan) const;

  const SymbolIds symbols_;
  const ImageShape image_;
  const MannerSymbols manner_;
  const ToolSymbols tools_;
  const int64_t speech_lead_;
  const int64_t end_of_audio_;
  const size_t codebooks_;
  std::vector<uint8_t> text_;                                    // [vocab_size], 1 for text pieces
  std::array<std::vector<uint8_t>, kSymbolRules> allowed_ = {};  // [vocab_size] each
};

}  // namespace antiphon
