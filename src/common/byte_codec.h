// Little-endian numbers to bytes and back, for what is written to files and read from strangers.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "antiphon/status.h"

namespace antiphon {

class ByteWriter {
 public:
  template <typename Integer>
  void Put(Integer value) {
    for (size_t i = 0; i < sizeof value; ++i) {
      bytes_.push_back(static_cast<char>(static_cast<uint64_t>(value) >> (8 * i) & 0xff));
    }
  }
  void PutFloat(float value) { Put(std::bit_cast<uint32_t>(value)); }
  // REQUIRES: below 64 KiB.
  void PutText(std::string_view text) {
    Put(static_cast<uint16_t>(text.size()));
    bytes_ += text;
  }

  // REQUIRES: below 4 GiB.
  void PutLongText(std::string_view text) {
    Put(static_cast<uint32_t>(text.size()));
    bytes_ += text;
  }

  const std::string& bytes() const { return bytes_; }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// After the first failure every call returns 0 or nothing, and status() says what was wrong: DATA_LOSS with
// `what` was read, which is a word for a human.
class ByteReader {
 public:
  ByteReader(std::string_view bytes, std::string subject) : bytes_(bytes), subject_(std::move(subject)) {}

  template <typename Integer>
  Integer Get(const char* what) {
    const std::string_view taken = Take(sizeof(Integer), what);
    uint64_t value = 0;
    for (size_t i = 0; i < taken.size(); ++i) {
      value |= static_cast<uint64_t>(static_cast<unsigned char>(taken[i])) << (8 * i);
    }
    return static_cast<Integer>(value);
  }
  float GetFloat(const char* what) { return std::bit_cast<float>(Get<uint32_t>(what)); }
  bool GetBool(const char* what) { return GetBelow(2, what) == 1; }
  // A byte below `limit`.
  int64_t GetBelow(int64_t limit, const char* what) {
    const int64_t value = Get<uint8_t>(what);
    Require(value < limit, what);
    return failed() ? 0 : value;
  }
  std::string GetText(size_t most, const char* what) {
    const auto size = Get<uint16_t>(what);
    Require(size <= most, what);
    return failed() ? std::string() : std::string(Take(size, what));
  }

  std::string GetLongText(size_t most, const char* what) {
    const auto size = Get<uint32_t>(what);
    Require(size <= most, what);
    return failed() ? std::string() : std::string(Take(size, what));
  }

  void Require(bool condition, const char* what) {
    if (!condition && status_.ok()) status_ = DataLoss(subject_ + "'s " + what + " is out of its range");
  }
  void RequireEnd() {
    if (status_.ok() && !bytes_.empty()) status_ = DataLoss(subject_ + " has bytes behind its end");
  }
  bool failed() const { return !status_.ok(); }
  const Status& status() const { return status_; }
  size_t left() const { return bytes_.size(); }

 private:
  std::string_view Take(size_t size, const char* what) {
    if (status_.ok() && bytes_.size() < size) status_ = DataLoss(subject_ + " ends before its " + what);
    if (!status_.ok()) return {};
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }

  std::string_view bytes_;
  const std::string subject_;
  Status status_;
};

}  // namespace antiphon
