#include "model/safetensors.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "model/safetensors_dtypes.h"

namespace antiphon {
namespace {

using nlohmann::json;

constexpr size_t kLengthBytes = 8;
constexpr size_t kMaxHeaderBytes = 16 << 20;
constexpr size_t kMaxDimensions = 8;
constexpr int kMaxNesting = 3;  // the header, a tensor, its shape

std::optional<at::ScalarType> ParseDtype(const std::string& name) {
  for (const SafetensorsDtype& dtype : kSafetensorsDtypes) {
    if (name == dtype.name) return dtype.type;
  }
  return std::nullopt;
}

// A JSON integer in [0, most].
std::optional<size_t> ParseSize(const json& value, size_t most) {
  if (!value.is_number_unsigned()) return std::nullopt;
  const auto number = value.get<uint64_t>();
  if (number > most) return std::nullopt;
  return static_cast<size_t>(number);
}

// The product of the dimensions and the element size; nothing when it is above `most` at any point.
std::optional<size_t> ByteSize(const std::vector<int64_t>& shape, size_t element_bytes, size_t most) {
  // A zero anywhere makes the tensor empty, however large the other dimensions are.
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  size_t bytes = element_bytes;
  for (const int64_t dimension : shape) {
    if (bytes > most / static_cast<size_t>(dimension)) return std::nullopt;
    bytes *= static_cast<size_t>(dimension);
  }
  return bytes;
}

// Parses the header; nothing when it is no JSON object, is nested deeper than the format is, or names a
// tensor twice.
std::optional<json> ParseHeaderJson(const char* text, size_t bytes) {
  bool bad = false;
  std::set<std::string> names;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kMaxNesting) bad = true;
    if (event == json::parse_event_t::key && depth == 1) {
      bad = bad || !names.insert(parsed.get<std::string>()).second;
    }
    return !bad;
  };
  json header = json::parse(text, text + bytes, watch, /*allow_exceptions=*/false);
  if (bad || !header.is_object()) return std::nullopt;
  return header;
}

}  // namespace

class Safetensors::Mapping {
 public:
  static Result<std::shared_ptr<const Mapping>> Map(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return NotFound(path + ": " + std::strerror(errno));
    Result<std::shared_ptr<const Mapping>> mapping = MapDescriptor(path, file);
    ::close(file);  // the mapping keeps the file open
    return mapping;
  }

  ~Mapping() { ::munmap(data_, bytes_); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  char* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  // Pages of a private mapping that nobody writes to are the file's own: nothing is lost. A system that
  // refuses only keeps them.
  void Release() const { (void)::madvise(data_, bytes_, MADV_DONTNEED); }

 private:
  Mapping(char* data, size_t bytes) : data_(data), bytes_(bytes) {}

  static Result<std::shared_ptr<const Mapping>> MapDescriptor(const std::string& path, int file) {
    struct stat info {};
    if (::fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) return DataLoss(path + " is not a regular file");
    const auto bytes = static_cast<size_t>(info.st_size);
    if (bytes < kLengthBytes) return DataLoss(path + " is shorter than a safetensors header");
    void* data = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED) return ResourceExhausted(path + ": " + std::strerror(errno));
    return std::shared_ptr<const Mapping>(new Mapping(static_cast<char*>(data), bytes));
  }

  char* data_;
  size_t bytes_;
};

Result<Safetensors> Safetensors::Open(const std::string& path) {
  Result<std::shared_ptr<const Mapping>> mapping = Mapping::Map(path);
  if (!mapping.ok()) return mapping.status();
  Safetensors file;
  file.path_ = path;
  file.mapping_ = std::move(mapping).value();

  uint64_t header_bytes = 0;  // little-endian, as is every machine libtorch runs on
  std::memcpy(&header_bytes, file.mapping_->data(), kLengthBytes);
  if (header_bytes > kMaxHeaderBytes || header_bytes > file.mapping_->bytes() - kLengthBytes) {
    return DataLoss(path + ": the header's length, " + std::to_string(header_bytes) +
                    ", exceeds the file or 16 MiB");
  }
  if (Status parsed = file.ParseHeader(header_bytes); !parsed.ok()) return parsed;
  return file;
}

Status Safetensors::ParseHeader(size_t header_bytes) {
  const std::optional<json> header = ParseHeaderJson(mapping_->data() + kLengthBytes, header_bytes);
  if (!header) return DataLoss(path_ + ": the header is not the JSON object it should be");
  const size_t data_begin = kLengthBytes + header_bytes;
  const size_t data_bytes = mapping_->bytes() - data_begin;
  for (const auto& [name, fields] : header->items()) {
    const Status parsed =
        name == "__metadata__" ? ParseMetadata(fields) : ParseEntry(name, fields, data_begin, data_bytes);
    if (!parsed.ok()) return parsed;
  }
  return CheckLayout(data_begin, data_bytes);
}

Status Safetensors::ParseMetadata(const json& fields) {
  if (!fields.is_object()) return DataLoss(path_ + ": __metadata__ must be an object");
  for (const auto& [key, value] : fields.items()) {
    if (!value.is_string()) return DataLoss(path_ + ": __metadata__ must hold strings");
    metadata_[key] = value.get<std::string>();
  }
  return OkStatus();
}

Status Safetensors::ParseEntry(const std::string& name, const json& fields, size_t data_begin,
                               size_t data_bytes) {
  const auto bad = [&](const std::string& what) {
    return DataLoss(path_ + ": tensor " + name + ": " + what);
  };
  if (!fields.is_object() || !fields.contains("dtype") || !fields.contains("shape") ||
      !fields.contains("data_offsets")) {
    return bad("needs dtype, shape and data_offsets");
  }
  const json& dtype_field = fields["dtype"];
  const std::optional<at::ScalarType> dtype =
      dtype_field.is_string() ? ParseDtype(dtype_field.get<std::string>()) : std::nullopt;
  if (!dtype) return bad("unknown dtype");

  Entry entry{.dtype = *dtype, .shape = {}, .begin = 0, .bytes = 0};
  const json& shape = fields["shape"];
  if (!shape.is_array() || shape.size() > kMaxDimensions) return bad("bad shape");
  for (const json& dimension : shape) {
    const auto size = ParseSize(dimension, std::numeric_limits<int64_t>::max());
    if (!size) return bad("bad shape");
    entry.shape.push_back(static_cast<int64_t>(*size));
  }

  const json& offsets = fields["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2) return bad("data_offsets must be two numbers");
  const auto begin = ParseSize(offsets[0], data_bytes);
  const auto end = ParseSize(offsets[1], data_bytes);
  if (!begin || !end || *begin > *end) return bad("data_offsets lie outside the file");
  entry.begin = data_begin + *begin;
  entry.bytes = *end - *begin;
  if (ByteSize(entry.shape, c10::elementSize(entry.dtype), data_bytes) != entry.bytes) {
    return bad("shape and data_offsets disagree");
  }
  entries_.emplace(name, std::move(entry));
  return OkStatus();
}

// The data must be covered exactly once: no overlap, no hole, nothing left over.
Status Safetensors::CheckLayout(size_t data_begin, size_t data_bytes) const {
  std::vector<std::pair<size_t, size_t>> ranges;
  for (const auto& [name, entry] : entries_) ranges.emplace_back(entry.begin, entry.begin + entry.bytes);
  std::sort(ranges.begin(), ranges.end());
  size_t covered = data_begin;
  for (const auto& [begin, end] : ranges) {
    if (begin != covered) return DataLoss(path_ + ": tensors overlap or leave a hole");
    covered = end;
  }
  if (covered != data_begin + data_bytes) return DataLoss(path_ + ": bytes are left over after the tensors");
  return OkStatus();
}

Result<at::Tensor> Safetensors::Get(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return NotFound(path_ + " has no tensor " + name);
  const Entry& entry = found->second;
  char* data = mapping_->data() + entry.begin;
  const auto options = at::TensorOptions().dtype(entry.dtype);
  if (reinterpret_cast<uintptr_t>(data) % c10::elementSize(entry.dtype) != 0) {
    // The format does not ask for alignment. Ours is aligned; a file that is not is read through a copy.
    at::Tensor copy = at::empty(entry.shape, options);
    std::memcpy(copy.data_ptr(), data, entry.bytes);
    return copy;
  }
  return at::from_blob(
      data, entry.shape, [keep = mapping_](void*) {}, options);
}

Result<at::Tensor> Safetensors::GetChecked(const std::string& name, at::IntArrayRef shape) const {
  Result<at::Tensor> tensor = Get(name);
  if (tensor.ok() && tensor->sizes() != shape) {
    std::ostringstream message;
    message << path_ << ": tensor " << name << " has the shape " << tensor->sizes() << ", expected " << shape;
    return DataLoss(message.str());
  }
  return tensor;
}

Result<at::Tensor> Safetensors::GetFloat(const std::string& name, at::IntArrayRef shape,
                                         at::Device device) const {
  Result<at::Tensor> tensor = GetChecked(name, shape);
  if (!tensor.ok()) return tensor;
  return tensor->to(device, at::kFloat);
}

uint32_t Safetensors::Checksum() const {
  const auto* bytes = reinterpret_cast<const Bytef*>(mapping_->data());
  return static_cast<uint32_t>(crc32_z(crc32_z(0, nullptr, 0), bytes, mapping_->bytes()));
}

void Safetensors::Release() const { mapping_->Release(); }

std::vector<std::string> Safetensors::names() const {
  std::vector<std::string> out;
  for (const auto& [name, entry] : entries_) out.push_back(name);
  return out;
}

}  // namespace antiphon
