#include "server/daemon_options.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>

#include "common/metrics_endpoint.h"

namespace antiphon {
namespace {

// An option in whole seconds for a time that is kept in ms.
void AddSeconds(CLI::App* app, const std::string& name, std::chrono::milliseconds* time,
                const std::string& description, int least) {
  app->add_option_function<int>(
         name, [time](int seconds) { *time = std::chrono::seconds(seconds); }, description)
      ->check(CLI::Range(least, 24 * 60 * 60))
      ->default_str(std::to_string(std::chrono::duration_cast<std::chrono::seconds>(*time).count()));
}

}  // namespace

void AddOptions(CLI::App* app, DaemonOptions* options) {
  ServerOptions& server = options->server;
  app->add_option("--model", options->model, "Folder of the model")->capture_default_str();
  app->add_option("--listen", server.listen, "HOST:PORT to listen on; port 0 lets the system choose")
      ->capture_default_str();
  app->add_option(
         "--metrics-address", server.metrics_address,
         "HOST:PORT to serve /metrics for Prometheus on, in plain HTTP to whoever asks; 127.0.0.1:9464 "
         "keeps it on this machine. Off unless it is given")
      ->check([](const std::string& address) {
        const Status valid = MetricsEndpoint::CheckAddress(address);
        return valid.ok() ? std::string() : valid.message();
      });
  app->add_option_function<int>(
         "--max-sessions",
         [options](int sessions) {
           options->server.max_sessions = sessions;
           options->engine.max_sequences = sessions;
         },
         "Conversations and Generate calls at once")
      ->check(CLI::Range(1, 1024))
      ->default_str(std::to_string(server.max_sessions));
  AddSeconds(app, "--max-session-seconds", &server.max_session, "The longest conversation", 1);
  AddSeconds(app, "--idle-seconds", &server.idle_timeout, "How long a client may say nothing", 1);
  AddSeconds(app, "--resume-grace-seconds", &server.resume_grace,
             "How long the conversation of a client that lost its connection is kept for it; 0: not at all",
             0);
  app->add_option("--max-detached", server.max_detached, "Conversations kept like that at once")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app->add_option("--max-message-bytes", server.max_message_bytes, "The longest message a client may send")
      ->check(CLI::Range(1024, 64 * 1024 * 1024))
      ->capture_default_str();
  AddSeconds(app, "--drain-seconds", &server.drain, "How long responses may go on after SIGTERM", 0);
  app->add_option("--record", options->engine.record_folder,
                  "Record every session into a file in this folder: what was said, as it was said, and what "
                  "came of it. Off unless it is given")
      ->type_name("DIR");
  app->add_option_function<int>(
         "--record-limit-mib",
         [options](int mebibytes) {
           options->engine.max_recording_bytes = int64_t{mebibytes} << 20;
           options->server.max_replay_bytes = static_cast<size_t>(mebibytes) << 20;
         },
         "The largest recording in MiB, that is made or replayed; one is cut off there")
      ->check(CLI::Range(1, 1024))
      ->default_str("64");
  app->add_flag("--allow-replay", server.allow_replay,
                "Let clients have recordings run again (antiphon replay)");
  app->add_option("--threads", options->engine.threads, "Threads of the model; 0: one a core, at most 4")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  app->add_option("--kv-pages", options->engine.kv_pages,
                  "Pages of the KV pool, of 16 positions each; 0: room for every session's whole context")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  app->add_option("--prefix-pages", options->engine.prefix_pages,
                  "Pages that keep what sessions begin with (instructions) for the next ones; 0: none")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  app->add_option("--speculative-steps", options->engine.speculative_steps,
                  "Steps of an answer that may be run before silence has ended the turn; 0: none")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  app->add_option_function<std::string>(
         "--schedule",
         [options](const std::string& order) {
           options->engine.schedule = order == "arrival" ? Schedule::kArrival : Schedule::kDeadlines;
         },
         "In which order waiting work is run: deadlines, earliest first; arrival, first come first served, "
         "is "
         "for comparison only")
      ->check(CLI::IsMember({"deadlines", "arrival"}))
      ->default_str("deadlines");
  app->add_option_function<std::string>(
         "--admission",
         [options](const std::string& who) { options->engine.keep_promises = who == "promised"; },
         "Whom to let in: promised, those whose deadlines can be kept by the measured cost of steps; all, up "
         "to --max-sessions, is for measuring what happens then")
      ->check(CLI::IsMember({"promised", "all"}))
      ->default_str("promised");
  app->add_option_function<std::string>(
         "--interrupt-by",
         [options](const std::string& what) { options->server.words_interrupt = what == "words"; },
         "What makes a voice during an answer the user's turn: words, as the model hears them, or its sound "
         "alone")
      ->check(CLI::IsMember({"words", "sound"}))
      ->default_str("words");
  app->add_option_function<std::string>(
         "--weights",
         [options](const std::string& form) {
           options->engine.weights = form == "int8" ? WeightFormat::kInt8 : WeightFormat::kAsStored;
         },
         "stored: the model's matrices as its files have them; int8: rounded to that while it is loaded")
      ->check(CLI::IsMember({"stored", "int8"}))
      ->default_str("stored");
  app->add_option_function<std::string>(
         "--kv",
         [options](const std::string& form) {
           options->engine.kv_format = form == "int8"   ? KvFormat::kInt8
                                       : form == "bf16" ? KvFormat::kBfloat16
                                                        : KvFormat::kFloat32;
         },
         "Form of the cache of keys and values: f32; bf16, half as large; int8, about a quarter, with a "
         "scale "
         "a position and head")
      ->check(CLI::IsMember({"f32", "bf16", "int8"}))
      ->default_str("f32");
  app->add_option_function<std::string>(
         "--log-level",
         [options](const std::string& name) {
           auto level = ParseLogLevel(name);
           if (!level.ok()) throw CLI::ValidationError("--log-level", level.status().message());
           options->log_level = *level;
         },
         "debug, info, warning, error or off")
      ->default_str("info");
}

}  // namespace antiphon
