#include "model/safetensors_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "model/safetensors_dtypes.h"

namespace antiphon {
namespace {

using Named = std::pair<const std::string, at::Tensor>;

constexpr size_t kAlignment = 64;
constexpr size_t kMaxHeaderBytes = 16 << 20;

const char* DtypeName(at::ScalarType type) {
  for (const SafetensorsDtype& dtype : kSafetensorsDtypes) {
    if (type == dtype.type) return dtype.name;
  }
  return nullptr;
}

// Larger elements first: then, without any holes, all are aligned.
std::vector<const Named*> InOrder(const std::map<std::string, at::Tensor>& tensors) {
  std::vector<const Named*> order;
  for (const Named& named : tensors) order.push_back(&named);
  std::stable_sort(order.begin(), order.end(), [](const Named* a, const Named* b) {
    return a->second.element_size() > b->second.element_size();
  });
  return order;
}

}  // namespace

Status WriteSafetensors(const std::string& path, const std::map<std::string, at::Tensor>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  const std::vector<const Named*> order = InOrder(tensors);
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  size_t offset = 0;
  for (const Named* named : order) {
    const at::Tensor& tensor = named->second;
    const char* dtype = DtypeName(tensor.scalar_type());
    if (dtype == nullptr)
      return InvalidArgument("tensor " + named->first + " is of a type safetensors lacks");
    const size_t end = offset + tensor.nbytes();
    header[named->first] = {
        {"dtype", dtype}, {"shape", tensor.sizes().vec()}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  const uint64_t data_begin = (sizeof(uint64_t) + text.size() + kAlignment - 1) / kAlignment * kAlignment;
  text.resize(data_begin - sizeof(uint64_t), ' ');
  if (text.size() > kMaxHeaderBytes) return InvalidArgument(path + ": a header above 16 MiB");

  std::ofstream file(path, std::ios::binary);
  const uint64_t header_bytes = text.size();  // little-endian, as is every machine libtorch runs on
  file.write(reinterpret_cast<const char*>(&header_bytes), sizeof header_bytes);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  for (const Named* named : order) {
    const at::Tensor& tensor = named->second;
    file.write(static_cast<const char*>(tensor.data_ptr()), static_cast<std::streamsize>(tensor.nbytes()));
  }
  file.close();
  return file ? OkStatus() : Unavailable("cannot write " + path + ": " + std::strerror(errno));
}

}  // namespace antiphon
