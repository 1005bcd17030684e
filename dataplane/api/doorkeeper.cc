#include "api/doorkeeper.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <utility>

#include "api/limits.h"

namespace sluice {
namespace {

constexpr std::chrono::milliseconds kPause(100);  // if no connection can be accepted
constexpr std::chrono::seconds kSaidAgainAfter(10);

std::string ClientOf(int fd, bool is_unix) {
  if (is_unix) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return "a process";
    return "process " + std::to_string(peer.pid) + " of user " + std::to_string(peer.uid);
  }
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) return "a host";
  if (name.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(name).sin_addr, text.data(), text.size());
    return text.data();
  }
  in6_addr address = reinterpret_cast<const sockaddr_in6&>(name).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    inet_ntop(AF_INET, address.s6_addr + 12, text.data(), text.size());
    return text.data();
  }
  std::fill(address.s6_addr + 8, address.s6_addr + 16, std::uint8_t{0});
  inet_ntop(AF_INET6, &address, text.data(), text.size());
  return std::string(text.data()) + "/64";
}

// Returns 0 if it is not an open file.
ino_t InodeOf(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

// The number may belong to another file by now. So a copy of the descriptor is compared, and the same copy is cut.
void CutIfStill(int fd, ino_t inode) {
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return;
  if (InodeOf(copy) == inode) shutdown(copy, SHUT_RDWR);
  close(copy);
}

// Sets the options that gRPC sets on its own connections.
void PrepareTcp(int fd) {
  const int on = 1;
  const unsigned timeout_ms = static_cast<unsigned>(std::chrono::milliseconds(kKeepaliveTimeout).count());
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

}  // namespace

Doorkeeper::Doorkeeper(std::size_t most, Say say)
    : most_(most), say_(std::move(say)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Doorkeeper::~Doorkeeper() {
  Close();
  close(wake_);
}

void Doorkeeper::Watch(int listener, bool is_unix, Admit admit) {
  doors_.push_back({listener, is_unix, std::move(admit)});
}

void Doorkeeper::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Doorkeeper::Close() {
  if (thread_.joinable()) {
    eventfd_write(wake_, 1);
    thread_.join();
  }
  for (const Door& door : doors_) close(door.fd);
  doors_.clear();
}

void Doorkeeper::CutAll() {
  const std::lock_guard lock(mutex_);
  for (const Guest& guest : guests_) CutIfStill(guest.fd, guest.inode);
}

void Doorkeeper::Run() {
  std::vector<pollfd> waits;
  while (true) {
    const bool pauses = Clock::now() < pause_until_;
    waits.assign(1, {wake_, POLLIN, 0});
    for (const Door& door : doors_) waits.push_back({door.fd, static_cast<short>(pauses ? 0 : POLLIN), 0});
    poll(waits.data(), waits.size(), pauses ? static_cast<int>(kPause.count()) : -1);
    if ((waits[0].revents & POLLIN) != 0) return;
    for (std::size_t i = 0; i < doors_.size(); ++i) {
      if ((waits[1 + i].revents & POLLIN) != 0) AcceptAll(doors_[i]);
    }
  }
}

void Doorkeeper::AcceptAll(const Door& door) {
  while (true) {
    const int fd = accept4(door.fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (fd < 0) {
      pause_until_ = Clock::now() + kPause;
      return SaySometimes(kNoDescriptor, std::string("no connection can be accepted just now (") +
                                             std::strerror(errno) +
                                             "): clients wait; raise the limit of open files (LimitNOFILE)");
    }
    if (!door.is_unix) PrepareTcp(fd);
    Guest guest{fd, InodeOf(fd), door.is_unix, ClientOf(fd, door.is_unix)};
    if (!MakeRoom(door.is_unix, guest.client)) {
      SaySometimes(kTurnedAway, "a connection of " + guest.client + " is turned away: there are " +
                                    std::to_string(most_) + " connections, and no client has more than it");
      close(fd);
      continue;
    }
    {
      const std::lock_guard lock(mutex_);
      guests_.push_back(std::move(guest));
    }
    door.admit(fd);
  }
}

// False: there is no room for another connection of this client.
bool Doorkeeper::MakeRoom(bool is_unix, const std::string& client) {
  std::map<std::string, std::size_t> counts;
  const auto count = [&] {
    counts.clear();
    std::size_t all = 0;
    for (const Guest& guest : guests_) {
      if (guest.is_unix != is_unix) continue;
      ++counts[guest.client];
      ++all;
    }
    return all;
  };
  if (count() < most_) return true;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(guests_, [](const Guest& guest) { return InodeOf(guest.fd) != guest.inode; });
  }
  if (count() < most_) return true;
  const auto greedy =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (greedy->second <= counts[client] + 1) return false;
  const auto oldest = std::find_if(guests_.begin(), guests_.end(), [&](const Guest& guest) {
    return guest.is_unix == is_unix && guest.client == greedy->first;
  });
  SaySometimes(kCut, "there are " + std::to_string(most_) + " connections: the oldest of " + greedy->first +
                         ", which has " + std::to_string(greedy->second) + ", ends for one of " + client);
  const std::lock_guard lock(mutex_);
  CutIfStill(oldest->fd, oldest->inode);
  guests_.erase(oldest);
  return true;
}

void Doorkeeper::SaySometimes(Trouble trouble, std::string_view line) {
  const auto now = Clock::now();
  if (said_[trouble] != Clock::time_point() && now - said_[trouble] < kSaidAgainAfter) return;
  said_[trouble] = now;
  say_(line);
}

}  // namespace sluice
