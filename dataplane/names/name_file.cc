#include "names/name_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>

namespace sluice {
namespace {

constexpr std::string_view kFirstLine = "sluice names 1";
constexpr std::string_view kEnd = "end ";

// A source is a text for people, and must not break the line.
std::string OneWordOf(std::string_view source) {
  std::string text(source);
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; }, '_');
  return text;
}

std::string ErrnoText(const std::string& what) { return what + ": " + std::strerror(errno); }

// Writes and syncs the text. Returns why it failed, or nothing.
std::string WriteWhole(const std::string& path, std::string_view text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoText(path);
  std::string problem;
  while (!text.empty() && problem.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      problem = ErrnoText(path);
    }
  }
  if (problem.empty() && fsync(fd) != 0) problem = ErrnoText(path);
  close(fd);
  return problem;
}

// Takes the next word off the line and returns it.
std::string_view TakeWord(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::optional<std::uint64_t> NumberOf(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

std::optional<LearntPair> PairOf(std::string_view line) {
  LearntPair pair;
  pair.name = TakeWord(line);
  const auto address = IpAddress::Parse(TakeWord(line));
  const auto learnt = NumberOf(TakeWord(line));
  const auto until = NumberOf(TakeWord(line));
  pair.source = TakeWord(line);
  if (pair.name.empty() || !address || !learnt || !until || !line.empty()) return std::nullopt;
  pair.address = *address;
  pair.learnt_unix_ns = *learnt;
  pair.until_unix_ns = *until;
  return pair;
}

}  // namespace

std::string NameFileText(std::span<const LearntPair> pairs) {
  std::string text = std::string(kFirstLine) + '\n';
  std::size_t count = 0;
  for (const LearntPair& pair : pairs) {
    if (pair.lapsed) continue;
    text += pair.name + ' ' + pair.address.ToString() + ' ' + std::to_string(pair.learnt_unix_ns) + ' ' +
            std::to_string(pair.until_unix_ns) + ' ' + OneWordOf(pair.source) + '\n';
    ++count;
  }
  return text + std::string(kEnd) + std::to_string(count) + '\n';
}

std::string WriteNameFile(const std::string& path, std::span<const LearntPair> pairs) {
  const std::string text = NameFileText(pairs);
  const std::string unfinished = path + ".new";
  if (std::string problem = WriteWhole(unfinished, text); !problem.empty()) return problem;
  return std::rename(unfinished.c_str(), path.c_str()) == 0 ? "" : ErrnoText(path);
}

NameFile ReadNameFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return in ? ParseNameFile(in, path) : NameFile();
}

NameFile ParseNameFile(std::istream& text, const std::string& name) {
  NameFile file;
  std::string line;
  if (!std::getline(text, line) || line != kFirstLine) {
    file.problem = name + ": is no file of names of this version";
    return file;
  }
  while (std::getline(text, line)) {
    if (line.starts_with(kEnd) && NumberOf(std::string_view(line).substr(kEnd.size())) == file.pairs.size())
      return file;
    auto pair = PairOf(line);
    if (!pair) break;
    file.pairs.push_back(*std::move(pair));
  }
  file.problem = name + ": is damaged after " + std::to_string(file.pairs.size()) + " addresses";
  file.pairs.clear();
  return file;
}

}  // namespace sluice
