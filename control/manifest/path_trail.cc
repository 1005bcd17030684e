#include "manifest/path_trail.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <vector>

namespace sluice {
namespace {

// As many links as the kernel follows (path_resolution(7)).
constexpr int kMostLinks = 40;

// Puts the names of `path` on `left`, the first name on top.
void Push(std::string_view path, std::vector<std::string>& left) {
  for (std::size_t end = path.size(); end != 0;) {
    const std::size_t slash = path.find_last_of('/', end - 1);
    const std::size_t begin = slash == path.npos ? 0 : slash + 1;
    if (begin != end) left.emplace_back(path.substr(begin, end - begin));
    end = slash == path.npos ? 0 : slash;
  }
}

}  // namespace

void PathTrail::Follow(const std::string& path) {
  std::error_code error;
  std::string at = path.starts_with('/') ? "/" : std::filesystem::current_path(error).string();
  std::vector<std::string> left;
  Push(path, left);
  for (int links = 0; !left.empty();) {
    const std::string name = std::move(left.back());
    left.pop_back();
    if (name == ".") continue;
    if (name == "..") {
      at = std::filesystem::path(at).parent_path().string();
      continue;
    }
    names_[at].insert(name);
    std::string next = at.ends_with('/') ? at + name : at + '/' + name;
    if (!plain_.contains(next)) {
      std::array<char, PATH_MAX> target;
      const ssize_t length = readlink(next.c_str(), target.data(), target.size());
      if (length >= 0) {
        if (++links > kMostLinks) return;
        if (target[0] == '/') at = "/";
        Push({target.data(), static_cast<std::size_t>(length)}, left);
        continue;
      }
      if (errno != EINVAL) return;
      plain_.insert(next);
    }
    at = std::move(next);
  }
}

}  // namespace sluice
