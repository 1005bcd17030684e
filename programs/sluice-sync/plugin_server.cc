#include "sluice-sync/plugin_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <utility>

#include "cni/attachment.h"

namespace sluice {
namespace {

constexpr mode_t kMode = 0600;
constexpr int kBacklog = 1024;   // a runtime that starts creates all its pods at once
constexpr int kMostCalls = 256;  // further calls wait to be accepted
constexpr int kBriefMs = 20;
constexpr timeval kPatience{5, 0};  // for a client that connects and says nothing
constexpr std::string_view kNewSuffix = ".new";

sockaddr_un NameOf(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  return name;
}

// Binds under another name and renames, so that a socket at `path` always has a listener. -1: errno says why.
int Listen(const std::string& path) {
  const std::string fresh = path + std::string(kNewSuffix);
  const int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return -1;
  unlink(fresh.c_str());
  const sockaddr_un name = NameOf(fresh);
  // The mode is set before the socket has a name, so others can never open it.
  if (fchmod(listener, kMode) == 0 && bind(listener, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0 &&
      listen(listener, kBacklog) == 0 && rename(fresh.c_str(), path.c_str()) == 0) {
    return listener;
  }
  const int why = errno;
  close(listener);
  unlink(fresh.c_str());
  errno = why;
  return -1;
}

}  // namespace

std::string CheckSocketPath(const std::string& path) {
  if (!path.starts_with('/')) return "'" + path + "': wants a path that begins with /";
  if (path.size() + kNewSuffix.size() >= sizeof(sockaddr_un::sun_path)) {
    return "'" + path + "': is too long for the name of a socket (" +
           std::to_string(sizeof(sockaddr_un::sun_path) - kNewSuffix.size() - 1) + " bytes)";
  }
  struct stat status {};
  if (lstat(path.c_str(), &status) == 0 && !S_ISSOCK(status.st_mode)) {
    return "'" + path + "': there is a file that is no socket; remove it, or name another path";
  }
  return "";
}

std::unique_ptr<PluginServer> PluginServer::Start(const std::string& path, Answer answer, std::string& error) {
  error = CheckSocketPath(path);
  if (!error.empty()) return nullptr;
  const int listener = Listen(path);
  if (listener < 0) {
    error =
        "'" + path + "': cannot be listened at: " + std::strerror(errno) + "; is its folder there, and this user's?";
    return nullptr;
  }
  const int stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return std::unique_ptr<PluginServer>(new PluginServer(listener, stop, std::move(answer)));
}

PluginServer::PluginServer(int listener, int stop, Answer answer)
    : listener_(listener), stop_(stop), answer_(std::move(answer)), thread_([this] { Loop(); }) {}

PluginServer::~PluginServer() {
  const std::uint64_t one = 1;
  while (write(stop_, &one, sizeof one) < 0 && errno == EINTR) {
  }
  thread_.join();
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return calls_ == 0; });
  close(listener_);
  close(stop_);
}

void PluginServer::Loop() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      ended_.wait(lock, [this] { return calls_ < kMostCalls; });
    }
    pollfd wanted[] = {{stop_, POLLIN, 0}, {listener_, POLLIN, 0}};
    poll(wanted, 2, -1);
    if (wanted[0].revents != 0) return;
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) poll(wanted, 1, kBriefMs);  // until a call ends
      continue;
    }
    {
      const std::lock_guard lock(mutex_);
      ++calls_;
    }
    std::thread([this, connection] {
      Serve(connection);
      const std::lock_guard lock(mutex_);
      --calls_;
      ended_.notify_all();
    }).detach();
  }
}

void PluginServer::Serve(int connection) {
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  const ssize_t size = recv(connection, nullptr, 0, MSG_PEEK | MSG_TRUNC);
  if (size > 0) {
    std::string answer = EncodeAnswer("the request is longer than " + std::to_string(kMostPluginBytes) + " bytes");
    if (static_cast<std::size_t>(size) <= kMostPluginBytes) {
      std::string request(static_cast<std::size_t>(size), '\0');
      recv(connection, request.data(), request.size(), 0);
      answer = answer_(request);
    }
    send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
  }
  close(connection);
}

}  // namespace sluice
