#include "bench/tested_server.h"

#include <utility>

namespace antiphon::bench {

void AddServerOptions(CLI::App& app, TestedServer* server) {
  CLI::Option* address =
      app.add_option("--server", server->address, "A server that runs")->type_name("HOST:PORT");
  CLI::Option* model =
      app.add_option("--model", server->model, "Start a server with this model")->type_name("FOLDER");
  address->excludes(model);
  app.add_option("--antiphond", server->program, "The server to start")
      ->type_name("PROGRAM")
      ->capture_default_str();
}

Result<ReachedServer> Reach(const TestedServer& server, std::vector<std::string> arguments) {
  if (!server.address.empty()) return ReachedServer{server.address, nullptr};
  if (server.model.empty()) return InvalidArgument("--server or --model is needed");
  arguments.insert(arguments.end(), {"--model", server.model});
  auto process = ServerProcess::Start(server.program, std::move(arguments));
  if (!process.ok()) return process.status();
  std::string address = (*process)->target();
  return ReachedServer{std::move(address), std::move(*process)};
}

}  // namespace antiphon::bench
