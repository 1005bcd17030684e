// A client that says what it says byte by byte, and reads nothing of the answer.
#ifndef SLUICE_TESTS_API_RAW_CLIENT_H_
#define SLUICE_TESTS_API_RAW_CLIENT_H_

#include <string>

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
  void Call(const std::string& method) const;

 private:
  void Connect(const void* address, unsigned size);

  int fd_ = -1;
  bool connected_ = false;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_API_RAW_CLIENT_H_
