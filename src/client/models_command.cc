#include "client/models_command.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "antiphon/client.h"
#include "client/report.h"

namespace antiphon::client {
namespace {

Result<std::vector<ModelInfo>> List(const std::string& server) {
  Result<std::unique_ptr<Client>> client = Client::Connect(server, {});
  if (!client.ok()) return client.status();
  return (*client)->ListModels();
}

}  // namespace

int RunModels(const std::string& server, bool json) {
  const Result<std::vector<ModelInfo>> models = List(server);
  if (json) {
    nlohmann::json list = nlohmann::json::array();
    if (models.ok()) {
      for (const ModelInfo& model : *models) list.push_back(ModelJson(model));
    }
    const nlohmann::json output = {
        {"server", server}, {"models", std::move(list)}, {"error", ErrorJson(models.status())}};
    PrintJson(output);
  } else if (models.ok()) {
    std::fputs(ModelTable(*models).c_str(), stdout);
  }
  if (!models.ok()) std::fputs(("antiphon: " + models.status().ToString() + "\n").c_str(), stderr);
  return models.ok() ? 0 : 1;
}

}  // namespace antiphon::client
