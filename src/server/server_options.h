// What can be set about a server.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace antiphon {

struct ServerOptions {
  // HOST:PORT; port 0 lets the system choose.
  std::string listen = "127.0.0.1:50051";
  // HOST:PORT for Prometheus to fetch metrics from, over plain HTTP; likewise. Empty: they are not served.
  std::string metrics_address = {};
  // Conversations and Generate calls at once; one more waits for a place or is refused with
  // RESOURCE_EXHAUSTED, as its client wishes. The engine may refuse earlier.
  int max_sessions = 8;
  // A conversation is ended with DEADLINE_EXCEEDED after this long, and after this long without an event from
  // its client while no response is under way.
  std::chrono::milliseconds max_session{30 * 60 * 1000};
  std::chrono::milliseconds idle_timeout{2 * 60 * 1000};
  // The longest message a client may send. A picture may have 3 MiB; 2 s of PCM16 at 48 kHz are 192,000
  // bytes.
  size_t max_message_bytes = size_t{4} * 1024 * 1024;
  // Client events of one conversation that may wait to be handled, and their bytes; beyond either its stream
  // is not read from, which holds its client back. One message more may have come by then.
  size_t max_waiting_events = 64;
  size_t max_waiting_bytes = size_t{1024} * 1024;
  // Engine events of one conversation that may wait; beyond it the conversation is ended.
  size_t max_waiting_results = 4096;
  // Bytes of events a client has not read yet; beyond it the conversation is ended with RESOURCE_EXHAUSTED.
  // The default holds the longest response, 60 s at 48 kHz and a picture.
  size_t max_unread_bytes = size_t{8} * 1024 * 1024;
  // How long a conversation is kept for a client that acknowledges when its stream breaks; 0: not at all. It
  // counts among max_sessions meanwhile. At most so many are kept at once.
  std::chrono::milliseconds resume_grace{30'000};
  int max_detached = 4;
  // Events that such a client has not acknowledged, and their bytes; beyond either the conversation is ended
  // with RESOURCE_EXHAUSTED. The default holds two of the longest responses.
  size_t max_kept_events = 8192;
  size_t max_kept_bytes = size_t{16} * 1024 * 1024;
  // Resume calls that have yet to say what they want, and how long each may take.
  int max_waiting_resumes = 64;
  std::chrono::milliseconds resume_patience{5'000};
  // What a refused client is told to wait before it tries again.
  std::chrono::milliseconds retry_after{1000};
  // How long a response under way may go on when the server is told to stop.
  std::chrono::milliseconds drain{10'000};
  // How long the end of a call waits for a client that reads nothing; one that reads slowly gets twelve times
  // as long altogether.
  std::chrono::milliseconds linger{5'000};
  // The longest turn of a user's speech, and the recordings of a Generate call together.
  std::chrono::milliseconds longest_turn{30'000};
  // A voice during an answer is judged by what the model hears in it (Interruption in the wire contract);
  // false: by its sound alone, as where the model cannot listen.
  bool words_interrupt = true;
  // Serve ReplayService: whoever can connect may have recordings run. At most max_sessions at once.
  bool allow_replay = false;
  // The largest recording that is taken.
  size_t max_replay_bytes = size_t{64} * 1024 * 1024;
};

}  // namespace antiphon
