#include "server/unread_queue.h"

#include <utility>

#include "antiphon/v1/conversation.pb.h"
#include "antiphon/v1/generation.pb.h"

namespace antiphon {
namespace {

template <typename Message>
bool IsMediaOf(const std::string& response_id, const Message& message) {
  return (message.has_audio_delta() && message.audio_delta().response_id() == response_id) ||
         (message.has_image_delta() && message.image_delta().response_id() == response_id) ||
         (message.has_image_done() && message.image_done().response_id() == response_id);
}

// A preview that still waits when there is more of its picture shows nobody anything.
template <typename Message>
bool Supersedes(const Message& later, const Message& waiting) {
  if (!waiting.has_image_delta()) return false;
  const auto same = [&](const auto& image) {
    return image.response_id() == waiting.image_delta().response_id() &&
           image.image_index() == waiting.image_delta().image_index();
  };
  return (later.has_image_delta() && same(later.image_delta())) ||
         (later.has_image_done() && same(later.image_done()));
}

}  // namespace

template <typename Message>
void UnreadQueue<Message>::Push(Message message) {
  if (message.has_image_delta() || message.has_image_done()) {
    Drop([&](const Message& waiting) { return Supersedes(message, waiting); });
  }
  const size_t bytes = message.ByteSizeLong();
  bytes_ += bytes;
  unread_.push_back({std::move(message), bytes});
}

template <typename Message>
void UnreadQueue<Message>::DropMedia(const std::string& response_id) {
  Drop([&](const Message& waiting) { return IsMediaOf(response_id, waiting); });
}

template <typename Message>
template <typename Predicate>
void UnreadQueue<Message>::Drop(Predicate unwanted) {
  std::erase_if(unread_, [&](const Unread& unread) {
    if (!unwanted(unread.message)) return false;
    bytes_ -= unread.bytes;
    return true;
  });
}

template <typename Message>
std::optional<Message> UnreadQueue<Message>::Pop() {
  if (unread_.empty()) return std::nullopt;
  std::optional<Message> next(std::move(unread_.front().message));
  bytes_ -= unread_.front().bytes;
  unread_.pop_front();
  return next;
}

template <typename Message>
void UnreadQueue<Message>::Clear() {
  unread_.clear();
  bytes_ = 0;
}

template class UnreadQueue<v1::ServerEvent>;
template class UnreadQueue<v1::GenerateResponse>;

}  // namespace antiphon
