#include "cni/sync_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sluice {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kForTheWay{200};  // of the wait: reserved for the answer's way back

class Socket {
 public:
  Socket() : fd_(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {}
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

std::chrono::milliseconds Left(Clock::time_point deadline) {
  return std::max(std::chrono::milliseconds(0),
                  std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()));
}

std::string Remedy(int error) {
  if (error == EACCES || error == EPERM) return "the plugin runs as root, whose the socket is; may root open it?";
  return "is sluice-sync running, with --socket?";
}

CniError Unreachable(const std::string& path, int error) {
  const bool passes = error == ENOENT || error == ECONNREFUSED || error == EAGAIN;
  return {passes ? CniCode::kTryAgainLater : CniCode::kIo, path + ": " + std::strerror(error), Remedy(error)};
}

}  // namespace

std::optional<CniError> AskSync(const std::string& path, PluginRequest request, Clock::time_point deadline) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path)
    return CniError{CniCode::kInvalidConfiguration, "socket: its path is too long"};
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  const Socket connection;
  if (connect(connection.fd(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) {
    return Unreachable(path, errno);
  }
  request.wait = std::max(std::chrono::milliseconds(0), Left(deadline) - kForTheWay);
  const std::string message = Encode(request);
  if (send(connection.fd(), message.data(), message.size(), MSG_NOSIGNAL) < 0) return Unreachable(path, errno);
  pollfd wanted{connection.fd(), POLLIN, 0};
  if (poll(&wanted, 1, static_cast<int>(Left(deadline).count())) <= 0) {
    return CniError{CniCode::kTryAgainLater, path + ": sluice-sync gave no answer in time"};
  }
  std::string answer(kMostPluginBytes, '\0');
  const ssize_t size = recv(connection.fd(), answer.data(), answer.size(), 0);
  if (size <= 0) return CniError{CniCode::kTryAgainLater, path + ": sluice-sync ended before it answered"};
  answer.resize(static_cast<std::size_t>(size));
  std::string error = DecodeAnswer(answer);
  if (error.empty()) return std::nullopt;
  return CniError{CniCode::kTryAgainLater, "sluice-sync: " + error};
}

}  // namespace sluice
