// A client that says what it says byte by byte, and reads nothing of the answer unless it is told to.
#ifndef SLUICE_TESTS_API_RAW_CLIENT_H_
#define SLUICE_TESTS_API_RAW_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {

class RawClient {
 public:
  // To "unix:PATH" or a port of 127.0.0.1.
  explicit RawClient(const std::string& unix_path);
  explicit RawClient(int port);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  // Calls the method with an empty message, and lets the server send as much as it likes.
  void Call(const std::string& method);

  using Headers = std::vector<std::pair<std::string, std::string>>;

  // Begins a call, with headers beside those that every call has. Its stream's number.
  std::uint32_t Begin(const std::string& method, const Headers& headers = {});
  // Sends bytes of a call's body as far as the server gives room, and answers what the server asks of a connection. How
  // many went; fewer than given where the server ended the call or gave no room for a while.
  std::size_t Send(std::uint32_t stream, std::string_view body, bool end);
  // The value of a header of the answer's end, such as grpc-status, once it is there; empty: it did not come for a
  // while.
  std::string Ended(std::uint32_t stream, const std::string& name);

 private:
  struct Stream {
    std::int64_t window = 0;  // what may be sent
    bool reset = false;
    std::string headers;  // all blocks, as they came
  };

  void Connect(const void* address, unsigned size);
  void Write(const std::string& bytes);
  bool Read(int timeout_ms);
  void Take(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, const std::string& payload);

  int fd_ = -1;
  bool connected_ = false;
  bool begun_ = false;
  bool gone_ = false;
  std::uint32_t next_ = 1;
  std::int64_t window_ = 65535;
  std::int64_t stream_window_ = 65535;
  std::size_t frame_ = 16384;
  std::string input_;
  std::map<std::uint32_t, Stream> streams_;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_API_RAW_CLIENT_H_
