// HTTP as a test speaks it: bytes over a socket, well-formed or not.
#pragma once

#include <string>
#include <string_view>

namespace antiphon {

// One connection to an "IPV4:PORT". What takes longer than 20 s fails.
class HttpConnection {
 public:
  explicit HttpConnection(const std::string& address);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  bool connected() const { return socket_ >= 0; }
  // False when the other side has closed.
  bool Send(std::string_view bytes);
  // All that comes until the other side closes.
  std::string ReadAll();

 private:
  int socket_ = -1;
};

// The whole answer to GET `path`, head and body; "" when there is none.
std::string HttpGet(const std::string& address, const std::string& path);

}  // namespace antiphon
