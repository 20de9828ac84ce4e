// Messages that a client has yet to be sent.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>

namespace antiphon {

// `Message` is v1::ServerEvent or v1::GenerateResponse. Not thread-safe.
template <typename Message>
class UnreadQueue {
 public:
  // Behind all that waits; an image delta that waits is forgotten for a later one of its picture.
  void Push(Message message);
  // Forgets the audio and the pictures of this response.
  void DropMedia(const std::string& response_id);
  // The oldest; nullopt when none waits.
  std::optional<Message> Pop();
  void Clear();

  // About what they take on the wire, without numbers.
  size_t bytes() const { return bytes_; }
  size_t size() const { return unread_.size(); }

 private:
  struct Unread {
    Message message;
    size_t bytes;
  };

  // Takes out what `unwanted` says.
  template <typename Predicate>
  void Drop(Predicate unwanted);

  std::deque<Unread> unread_;
  size_t bytes_ = 0;
};

}  // namespace antiphon
