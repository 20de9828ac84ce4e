#include "bench/manifest.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace antiphon::bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

Result<std::string> StringField(const json& entry, const char* name, const std::string& where) {
  const auto field = entry.find(name);
  if (field == entry.end() || field->is_null()) return std::string();
  if (!field->is_string()) return DataLoss(where + "." + name + " is not a string");
  return field->get<std::string>();
}

Result<std::vector<std::string>> Answers(const json& entry, const std::string& where) {
  std::vector<std::string> answers;
  const auto field = entry.find("answer");
  if (field == entry.end() || field->is_null()) return answers;
  const json list = field->is_array() ? *field : json::array({*field});
  for (const json& answer : list) {
    if (!answer.is_string()) return DataLoss(where + ".answer is neither a string nor a list of them");
    answers.push_back(answer.get<std::string>());
  }
  return answers;
}

Result<std::vector<Question>> ParseList(const json& list, const fs::path& folder, const std::string& where);

Result<Question> Parse(const json& entry, const fs::path& folder, const std::string& where) {
  if (!entry.is_object()) return DataLoss(where + " is not an object");
  Question question;
  const std::pair<const char*, std::string*> fields[] = {{"wav", &question.wav},
                                                         {"question", &question.text},
                                                         {"voice", &question.voice},
                                                         {"row", &question.row}};
  for (const auto& [name, to] : fields) {
    Result<std::string> value = StringField(entry, name, where);
    if (!value.ok()) return value.status();
    *to = std::move(*value);
  }
  if (question.wav.empty() && question.text.empty()) return DataLoss(where + " has neither wav nor question");
  if (!question.wav.empty()) question.wav = (folder / question.wav).string();
  if (const auto end = entry.find("speech_end"); end != entry.end() && !end->is_null()) {
    if (!end->is_number() || end->get<double>() < 0)
      return DataLoss(where + ".speech_end is not a time in seconds");
    question.speech_end = end->get<double>();
  }
  Result<std::vector<std::string>> answers = Answers(entry, where);
  if (!answers.ok()) return answers.status();
  question.answers = std::move(*answers);
  if (const auto before = entry.find("before"); before != entry.end()) {
    Result<std::vector<Question>> list = ParseList(*before, folder, where + ".before");
    if (!list.ok()) return list.status();
    question.before = std::move(*list);
  }
  return question;
}

Result<std::vector<Question>> ParseList(const json& list, const fs::path& folder, const std::string& where) {
  if (!list.is_array()) return DataLoss(where + " is not a list");
  std::vector<Question> questions;
  for (size_t i = 0; i < list.size(); ++i) {
    Result<Question> question = Parse(list[i], folder, where + "[" + std::to_string(i) + "]");
    if (!question.ok()) return question.status();
    questions.push_back(std::move(*question));
  }
  return questions;
}

Result<std::vector<Question>> ReadManifest(const fs::path& path) {
  std::ifstream file(path);
  const json list = json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (list.is_discarded()) return DataLoss(path.string() + " is not JSON");
  return ParseList(list, path.parent_path(), path.string());
}

Result<std::vector<Question>> ListWavs(const fs::path& folder) {
  std::vector<Question> questions;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".wav") continue;
    Question question;
    question.wav = entry.path().string();
    questions.push_back(std::move(question));
  }
  std::ranges::sort(questions, {}, &Question::wav);
  return questions;
}

}  // namespace

Result<std::vector<Question>> ReadQuestions(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return NotFound(path + " does not exist");
  const fs::path manifest = fs::path(path) / "manifest.json";
  const bool folder = fs::is_directory(path, error);
  Result<std::vector<Question>> questions = !folder                       ? ReadManifest(path)
                                            : fs::exists(manifest, error) ? ReadManifest(manifest)
                                                                          : ListWavs(path);
  if (questions.ok() && questions->empty()) return InvalidArgument(path + " holds no question");
  return questions;
}

}  // namespace antiphon::bench
