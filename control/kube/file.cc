#include "kube/file.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace sluice {

bool ReadFile(const std::string& path, std::string& text) {
  constexpr std::uintmax_t kLongest = 1 << 20;
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error) || std::filesystem::file_size(path, error) > kLongest) {
    return false;
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return false;
  std::string read{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (stream.bad()) return false;
  read.erase(read.find_last_not_of(" \t\r\n") + 1);
  text = std::move(read);
  return true;
}

}  // namespace sluice
