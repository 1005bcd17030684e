#include "api/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

// RFC 9113 6: kinds of frames, flags, and how much may be under way.
constexpr std::uint8_t kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kPing = 6, kWindowUpdate = 8;
constexpr std::uint8_t kEndStream = 1, kEndHeaders = 4;
constexpr std::uint32_t kWindow = 0x7fffffff, kWindowAtFirst = 65535;

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

void RawClient::Write(const std::string& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t count = send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) {
      gone_ = true;
      return;
    }
    sent += static_cast<std::size_t>(count);
  }
}

std::uint32_t RawClient::Begin(const std::string& method, const Headers& headers) {
  // RFC 7541, appendix A: the numbers of names and of whole headers.
  std::string block = std::string("\x83\x86", 2)                                  // POST, http
                      + '\x04' + Literal(method)                                  // :path
                      + '\x01' + Literal("raw")                                   // :authority
                      + std::string("\x0f\x10", 2) + Literal("application/grpc")  // content-type
                      + std::string("\x00", 1) + Literal("te") + Literal("trailers");
  for (const auto& [name, value] : headers) block += std::string("\x00", 1) + Literal(name) + Literal(value);
  std::string bytes;
  if (!std::exchange(begun_, true)) {
    bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
            Http2Frame(kSettings, 0, 0, Number(4, 2) + Number(kWindow, 4)) +  // INITIAL_WINDOW_SIZE
            Http2Frame(kWindowUpdate, 0, 0, Number(kWindow - kWindowAtFirst, 4));
  }
  const std::uint32_t stream = std::exchange(next_, next_ + 2);
  Write(bytes + Http2Frame(kHeaders, kEndHeaders, stream, block));
  streams_[stream].window = stream_window_;
  return stream;
}

void RawClient::Call(const std::string& method) {
  Write(Http2Frame(kData, kEndStream, Begin(method), std::string(5, '\0')));
}

std::size_t RawClient::Send(std::uint32_t stream, std::string_view body, bool end) {
  constexpr int kNoRoomMs = 2000;
  Stream& of = streams_[stream];
  std::size_t sent = 0;
  while (!gone_ && !of.reset && sent < body.size()) {
    const auto room = std::min({window_, of.window, static_cast<std::int64_t>(frame_)});
    if (room <= 0) {
      if (!Read(kNoRoomMs)) break;
      continue;
    }
    const std::string_view piece = body.substr(sent, static_cast<std::size_t>(room));
    sent += piece.size();
    window_ -= static_cast<std::int64_t>(piece.size());
    of.window -= static_cast<std::int64_t>(piece.size());
    Write(Http2Frame(kData, end && sent == body.size() ? kEndStream : 0, stream, std::string(piece)));
    while (Read(0)) {
    }
  }
  return sent;
}

std::string RawClient::Ended(std::uint32_t stream, const std::string& name) {
  constexpr int kSilentMs = 10'000;
  Stream& of = streams_[stream];
  while (true) {
    // The server's headers are literals, each a name and a value that begin with their lengths (RFC 7541 6.2).
    const std::size_t place = of.headers.find(static_cast<char>(name.size()) + name);
    if (place != std::string::npos) {
      const std::size_t value = place + 1 + name.size();
      return of.headers.substr(value + 1, static_cast<std::uint8_t>(of.headers.at(value)));
    }
    if (gone_ || !Read(kSilentMs)) return "";
  }
}

// One frame. False: none came.
bool RawClient::Read(int timeout_ms) {
  constexpr std::size_t kHeaderBytes = 9;
  const auto number = [&](std::size_t at, int bytes) {
    std::uint32_t value = 0;
    for (int i = 0; i < bytes; ++i)
      value = value << 8 | static_cast<std::uint8_t>(input_[at + static_cast<std::size_t>(i)]);
    return value;
  };
  while (input_.size() < kHeaderBytes || input_.size() < kHeaderBytes + number(0, 3)) {
    pollfd wait{fd_, POLLIN, 0};
    if (poll(&wait, 1, timeout_ms) <= 0) return false;
    std::string bytes(1 << 16, '\0');
    const ssize_t count = recv(fd_, bytes.data(), bytes.size(), 0);
    if (count <= 0) {
      gone_ = true;
      return false;
    }
    input_.append(bytes, 0, static_cast<std::size_t>(count));
  }
  const std::size_t length = number(0, 3);
  const std::string payload = input_.substr(kHeaderBytes, length);
  const auto type = static_cast<std::uint8_t>(input_[3]);
  const auto flags = static_cast<std::uint8_t>(input_[4]);
  const std::uint32_t stream = number(5, 4);
  input_.erase(0, kHeaderBytes + length);
  Take(type, flags, stream, payload);
  return true;
}

void RawClient::Take(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, const std::string& payload) {
  const auto number = [&](std::size_t at, int bytes) {
    std::int64_t value = 0;
    for (int i = 0; i < bytes; ++i)
      value = value << 8 | static_cast<std::uint8_t>(payload[at + static_cast<std::size_t>(i)]);
    return value;
  };
  constexpr std::uint8_t kAck = 1;
  if (type == kWindowUpdate) {
    (stream == 0 ? window_ : streams_[stream].window) += number(0, 4);
  } else if (type == kReset) {
    streams_[stream].reset = true;
  } else if (type == kHeaders) {
    streams_[stream].headers += payload;
  } else if (type == kPing && (flags & kAck) == 0) {
    Write(Http2Frame(kPing, kAck, 0, payload));
  } else if (type == kSettings && (flags & kAck) == 0) {
    for (std::size_t at = 0; at + 6 <= payload.size(); at += 6) {
      if (number(at, 2) == 4) {  // INITIAL_WINDOW_SIZE
        for (auto& [id, of] : streams_) of.window += number(at + 2, 4) - stream_window_;
        stream_window_ = number(at + 2, 4);
      } else if (number(at, 2) == 5) {  // MAX_FRAME_SIZE
        frame_ = static_cast<std::size_t>(number(at + 2, 4));
      }
    }
    Write(Http2Frame(kSettings, kAck, 0, ""));
  }
}

}  // namespace sluice
