#include "api/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <string_view>

namespace sluice {
namespace {

std::string Number(std::uint32_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> 8 * i & 0xff);
  return text;
}

// RFC 9113 4.1.
std::string Http2Frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, const std::string& payload) {
  return Number(static_cast<std::uint32_t>(payload.size()), 3) + Number(type, 1) + Number(flags, 1) +
         Number(stream, 4) + payload;
}

// RFC 7541 5.2: a string as it is, of fewer than 127 bytes.
std::string Literal(std::string_view text) {
  return Number(static_cast<std::uint32_t>(text.size()), 1) + std::string(text);
}

}  // namespace

RawClient::RawClient(const std::string& unix_path) : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  unix_path.copy(address.sun_path, sizeof address.sun_path - 1);
  Connect(&address, sizeof address);
}

RawClient::RawClient(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  Connect(&address, sizeof address);
}

RawClient::~RawClient() { close(fd_); }

void RawClient::Connect(const void* address, unsigned size) {
  connected_ = connect(fd_, static_cast<const sockaddr*>(address), size) == 0;
}

void RawClient::Call(const std::string& method) const {
  constexpr std::uint8_t kData = 0, kHeaders = 1, kSettings = 4, kWindowUpdate = 8, kEndStream = 1, kEndHeaders = 4;
  constexpr std::uint32_t kWindow = 0x7fffffff, kWindowAtFirst = 65535;
  // RFC 7541, appendix A: the numbers of names and of whole headers.
  const std::string headers = std::string("\x83\x86", 2)                                  // POST, http
                              + '\x04' + Literal(method)                                  // :path
                              + '\x01' + Literal("raw")                                   // :authority
                              + std::string("\x0f\x10", 2) + Literal("application/grpc")  // content-type
                              + std::string("\x00", 1) + Literal("te") + Literal("trailers");
  const std::string bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
                            Http2Frame(kSettings, 0, 0, Number(4, 2) + Number(kWindow, 4)) +  // INITIAL_WINDOW_SIZE
                            Http2Frame(kWindowUpdate, 0, 0, Number(kWindow - kWindowAtFirst, 4)) +
                            Http2Frame(kHeaders, kEndHeaders, 1, headers) +
                            Http2Frame(kData, kEndStream, 1, std::string(5, '\0'));
  send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

}  // namespace sluice
