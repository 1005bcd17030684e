#include "api/listen.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "sluice/host_port.h"

namespace sluice {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr mode_t kSocketMode = 0660;
// The number of connections that may wait to be accepted. A Unix socket refuses one more at once (EAGAIN), and the
// client then believes that nobody listens. So there is room for far more connections than a greedy client opens before
// the doorkeeper runs.
constexpr int kBacklog = 1024;

std::string Errno(const std::string& what) { return what + ": " + std::strerror(errno); }

sockaddr_un UnixName(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  return name;
}

bool SomebodyListens(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un name = UnixName(path);
  const bool listens = connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
  close(fd);
  return listens;
}

// Returns nothing, or why no socket can be made there.
std::optional<std::string> PreparePath(const std::string& path) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error) return "folder " + folder.string() + ": " + error.message() + "; make it, or listen elsewhere";
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return std::nullopt;
  if (!S_ISSOCK(status.st_mode)) return "there is a file that is no socket; remove it, or listen elsewhere";
  if (SomebodyListens(path)) return "another program listens there; stop it, or listen elsewhere";
  if (unlink(path.c_str()) != 0) return Errno("its old socket cannot be removed");
  return std::nullopt;
}

std::variant<Listening, std::string> ListenUnix(const std::string& path) {
  if (auto error = PreparePath(path)) return std::move(*error);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const sockaddr_un name = UnixName(path);
  const mode_t before = umask(0777 & ~kSocketMode);
  const bool bound = bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
  umask(before);
  if (bound && listen(fd, kBacklog) == 0) return Listening{{fd}, 1};
  std::string error = Errno("cannot be listened at");
  close(fd);
  return error;
}

int PortOf(int fd) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size);
  return ntohs(reinterpret_cast<const sockaddr_in&>(name).sin_port);  // an IPv6 address has the port at the same place
}

// Returns -1 if it cannot listen there.
int ListenAt(const addrinfo& at, int port) {
  sockaddr_storage name{};
  std::memcpy(&name, at.ai_addr, at.ai_addrlen);
  if (port != 0) reinterpret_cast<sockaddr_in&>(name).sin_port = htons(static_cast<std::uint16_t>(port));
  const int fd = socket(at.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const int on = 1, off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (at.ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);  // [::] includes IPv4
  if (bind(fd, reinterpret_cast<const sockaddr*>(&name), at.ai_addrlen) == 0 && listen(fd, kBacklog) == 0) return fd;
  const int why = errno;
  close(fd);
  errno = why;
  return -1;
}

std::variant<Listening, std::string> ListenTcp(const std::string& address) {
  const auto parsed = ParseHostPort(address);
  if (!parsed) return *CheckAddress(address);
  const std::string& host = parsed->host;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(host.c_str(), std::to_string(parsed->port).c_str(), &hints, &found);
  if (code != 0) return "'" + host + "' is no address of this host: " + gai_strerror(code);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  Listening listening;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    const int fd = ListenAt(*at, listening.port);
    if (fd < 0) continue;
    listening.fds.push_back(fd);
    listening.port = PortOf(fd);
  }
  if (listening.fds.empty())
    return Errno("cannot be listened at") + "; is the address another program's, or not this host's?";
  return listening;
}

}  // namespace

bool IsUnixAddress(std::string_view address) { return address.starts_with(kUnix); }
std::string UnixPathOf(std::string_view address) { return std::string(address.substr(kUnix.size())); }

std::optional<std::string> CheckAddress(const std::string& address) {
  if (!IsUnixAddress(address)) {
    if (ParseHostPort(address)) return std::nullopt;
    return "wants unix:PATH or HOST:PORT, such as 127.0.0.1:7777 or [::1]:7777";
  }
  constexpr std::size_t kMost = sizeof(sockaddr_un::sun_path) - 1;
  const std::string path = UnixPathOf(address);
  if (!path.empty() && path.size() <= kMost) return std::nullopt;
  return "the path must be 1 to " + std::to_string(kMost) + " bytes long";
}

std::variant<Listening, std::string> Listen(const std::string& address) {
  return IsUnixAddress(address) ? ListenUnix(UnixPathOf(address)) : ListenTcp(address);
}

}  // namespace sluice
