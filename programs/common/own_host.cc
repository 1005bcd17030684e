#include "common/own_host.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

namespace sluice {
namespace {

// Binds to any free port, which disturbs nothing.
bool IsOurs(const addrinfo& at) {
  const int fd = socket(at.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const bool bound = bind(fd, at.ai_addr, at.ai_addrlen) == 0;
  close(fd);
  return bound;
}

}  // namespace

std::optional<std::string> CheckOwnHost(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int code = getaddrinfo(host.c_str(), nullptr, &hints, &found); code != 0) {
    return '\'' + host + "' is no address of this host: " + gai_strerror(code);
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (IsOurs(*at)) return std::nullopt;
  }
  return '\'' + host + "' is no address of this host; `ip address` lists those there are";
}

std::optional<std::string> CheckFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::path folder = std::filesystem::absolute(path, error);
  while (!folder.empty() && !std::filesystem::exists(folder, error) && folder != folder.parent_path()) {
    folder = folder.parent_path();
  }
  if (std::filesystem::is_directory(folder, error)) return std::nullopt;
  return '\'' + folder.string() + "' is no folder";
}

std::optional<std::string> CheckFolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return CheckFolder(folder.empty() ? "." : folder);
}

}  // namespace sluice
