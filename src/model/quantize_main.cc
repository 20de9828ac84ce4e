// antiphon-quantize: an int8 copy of a model folder. A program of its own, which `antiphon quantize` starts:
// the client is built without libtorch, and a server has no business writing models. Exit status: 0, 1 when
// it failed, 2 when it was called wrongly.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "model/quantize_model.h"

namespace {

int Run(const std::string& model, const std::string& out) {
  try {
    const antiphon::Result<antiphon::QuantizedModel> done = antiphon::QuantizeModel(model, out);
    if (done.ok()) {
      std::printf("%s: %d matrices became int8; weights of %.1f MB, before %.1f MB\n", out.c_str(),
                  done->matrices, static_cast<double>(done->bytes_after) / 1e6,
                  static_cast<double>(done->bytes_before) / 1e6);
      return 0;
    }
    std::fprintf(stderr, "antiphon quantize: %s\n", done.status().ToString().c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "antiphon quantize: %s\n", error.what());
  }
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::string model, out;
  int bits = 8;
  CLI::App app("Writes a copy of a model folder whose matrices are int8.", "antiphon quantize");
  app.add_option("--model", model, "The model's folder")->type_name("FOLDER")->required();
  app.add_option("--out", out, "The folder to write; must not exist yet")->type_name("FOLDER")->required();
  app.add_option("--bits", bits, "Of a weight")->check(CLI::IsMember({8}))->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return Run(model, out);
}
