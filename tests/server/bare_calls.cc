#include "tests/server/bare_calls.h"

#include <chrono>
#include <vector>

namespace antiphon {

std::string CallOnce(grpc::GenericStub* stub, const std::string& method, const std::string& message,
                     grpc::Status* end) {
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  const auto wait = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  auto call = stub->PrepareCall(&context, method, &queue);
  call->StartCall(nullptr);
  wait();
  const grpc::Slice slice(message);
  call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
  wait();
  grpc::ByteBuffer buffer;
  call->Read(&buffer, nullptr);
  std::string answer;
  if (wait()) {
    std::vector<grpc::Slice> slices;
    if (buffer.Dump(&slices).ok()) {
      for (const grpc::Slice& part : slices) {
        answer.append(reinterpret_cast<const char*>(part.begin()), part.size());
      }
    }
  }
  grpc::Status status;
  call->Finish(&status, nullptr);
  wait();
  queue.Shutdown();
  while (wait()) {
  }
  if (end != nullptr) *end = status;
  return answer;
}

HealthStatus CheckHealth(const std::shared_ptr<grpc::Channel>& channel, const std::string& service) {
  grpc::GenericStub stub(channel);
  // HealthCheckRequest { service } and HealthCheckResponse { status }: one field each, number 1.
  std::string request;
  if (!service.empty()) request = std::string("\x0a") + static_cast<char>(service.size()) + service;
  const std::string answer = CallOnce(&stub, "/grpc.health.v1.Health/Check", request);
  if (answer == std::string("\x08\x01")) return HealthStatus::kServing;
  if (answer == std::string("\x08\x02")) return HealthStatus::kNotServing;
  return HealthStatus::kUnknown;
}

}  // namespace antiphon
