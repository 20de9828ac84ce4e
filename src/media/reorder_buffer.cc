#include "media/reorder_buffer.h"

#include <algorithm>
#include <utility>

namespace antiphon {

ReorderBuffer::Arrival ReorderBuffer::Push(uint32_t number, std::string_view packet, TimePoint received) {
  if (!due_) due_ = number;
  const int64_t distance = Distance(number);
  const bool new_count = std::exchange(new_count_, std::nullopt) == number;
  if (distance > kMaxDistance || distance < -kMaxDistance) {
    if (new_count) return Arrival::kNewCount;
    new_count_ = number + 1;
    return Arrival::kTooFar;
  }
  if (distance < 0) {
    return came_[static_cast<size_t>(-distance - 1)] ? Arrival::kDuplicate : Arrival::kLate;
  }
  const auto behind = std::ranges::find_if(
      held_, [&](const Held& held) { return Distance(held.number) >= static_cast<int32_t>(distance); });
  if (behind != held_.end() && behind->number == number) return Arrival::kDuplicate;
  held_.insert(behind, Held{number, std::string(packet), received});
  return Arrival::kTaken;
}

std::optional<ReorderBuffer::Released> ReorderBuffer::Pop(TimePoint now, TimePoint ready) {
  if (held_.empty()) return std::nullopt;
  if (held_.front().number != *due_ && held_.size() <= kMaxHeld && !Overdue(now, ready)) return std::nullopt;
  return PopAny();
}

bool ReorderBuffer::Overdue(TimePoint now, TimePoint ready) const {
  return std::ranges::any_of(
      held_, [&](const Held& held) { return now - std::max(held.received, ready) >= kMaxWait; });
}

std::optional<ReorderBuffer::Released> ReorderBuffer::PopAny() {
  if (held_.empty()) return std::nullopt;
  Held first = std::move(held_.front());
  held_.erase(held_.begin());
  const auto lost = static_cast<uint32_t>(Distance(first.number));
  came_ <<= lost + 1;
  came_.set(0);
  due_ = first.number + 1;
  return Released{std::move(first.packet), first.received, lost};
}

int32_t ReorderBuffer::Distance(uint32_t number) const {
  // Around the end of the numbers the shorter way counts.
  return due_ ? static_cast<int32_t>(number - *due_) : 0;
}

void ReorderBuffer::Reset() {
  due_.reset();
  held_.clear();
  came_.reset();
  new_count_.reset();
}

}  // namespace antiphon
