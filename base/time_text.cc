#include "sluice/time_text.h"

#include <cstdio>
#include <ctime>

namespace sluice {

std::string Rfc3339(std::uint64_t unix_ns) {
  constexpr std::uint64_t kNsInSecond = 1'000'000'000;
  const auto seconds = static_cast<std::time_t>(unix_ns / kNsInSecond);
  std::tm time{};
  gmtime_r(&seconds, &time);
  char text[64];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &time);
  std::snprintf(text + length, sizeof text - length, ".%03uZ",
                static_cast<unsigned>(unix_ns % kNsInSecond / 1'000'000));
  return text;
}

}  // namespace sluice
