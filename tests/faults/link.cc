#include "faults/link.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <list>
#include <utility>
#include <vector>

namespace sluice {
namespace {

constexpr int kTick_ms = 5;

int UnixSocket(const std::string& path, sockaddr_un& address) {
  address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int ConnectTo(const std::string& path) {
  sockaddr_un address;
  const int fd = UnixSocket(path, address);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

// The two ends of one connection.
struct Pair {
  int ends[2];
};

// False: one of them is gone.
bool Forward(int from, int to) {
  char bytes[65536];
  const ssize_t size = recv(from, bytes, sizeof bytes, 0);
  for (ssize_t sent = 0; sent < size;) {
    const ssize_t now = send(to, bytes + sent, static_cast<std::size_t>(size - sent), MSG_NOSIGNAL);
    if (now <= 0) return false;
    sent += now;
  }
  return size > 0;
}

}  // namespace

Link::Link(std::string path, std::string to) : path_(std::move(path)), to_(std::move(to)) {
  sockaddr_un address;
  listener_ = UnixSocket(path_, address);
  bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  listen(listener_, 16);
  thread_ = std::thread([this] { Run(); });
}

Link::~Link() {
  stop_ = true;
  thread_.join();
  close(listener_);
  unlink(path_.c_str());
}

void Link::Run() {
  std::list<Pair> pairs;
  const auto close_all = [&pairs] {
    for (const Pair& pair : pairs) {
      for (const int end : pair.ends) close(end);
    }
    pairs.clear();
  };
  int cuts = 0;
  while (!stop_) {
    if (cuts != cuts_) {
      cuts = cuts_;
      close_all();
    }
    std::vector<pollfd> wait = {{listener_, POLLIN, 0}};
    if (!stalled_) {
      for (const Pair& pair : pairs) {
        for (const int end : pair.ends) wait.push_back({end, POLLIN, 0});
      }
    }
    if (poll(wait.data(), wait.size(), kTick_ms) <= 0) continue;
    std::size_t at = 1;
    for (auto pair = pairs.begin(); pair != pairs.end() && at < wait.size(); at += 2) {
      const bool lives = (wait[at].revents == 0 || Forward(pair->ends[0], pair->ends[1])) &&
                         (wait[at + 1].revents == 0 || Forward(pair->ends[1], pair->ends[0]));
      if (lives) {
        ++pair;
        continue;
      }
      for (const int end : pair->ends) close(end);
      pair = pairs.erase(pair);
    }
    if (wait[0].revents == 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int server = ConnectTo(to_);
    if (server < 0) {
      close(client);
      continue;
    }
    ++connections_;
    pairs.push_back({{client, server}});
  }
  close_all();
}

}  // namespace sluice
