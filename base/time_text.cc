#include "sluice/time_text.h"

#include <cstdio>
#include <ctime>
#include <limits>
#include <string_view>

namespace sluice {
namespace {

constexpr std::uint64_t kNsInSecond = 1'000'000'000;

}  // namespace

std::string Rfc3339(std::uint64_t unix_ns) {
  const auto seconds = static_cast<std::time_t>(unix_ns / kNsInSecond);
  std::tm time{};
  gmtime_r(&seconds, &time);
  char text[64];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &time);
  std::snprintf(text + length, sizeof text - length, ".%03uZ",
                static_cast<unsigned>(unix_ns % kNsInSecond / 1'000'000));
  return text;
}

std::optional<std::uint64_t> ParseRfc3339(const std::string& text) {
  std::tm time{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
  if (end == nullptr) return std::nullopt;
  std::uint64_t fraction_ns = 0;
  if (*end == '.') {
    std::uint64_t digit_ns = kNsInSecond / 10;
    for (++end; *end >= '0' && *end <= '9'; ++end, digit_ns /= 10) {
      fraction_ns += static_cast<std::uint64_t>(*end - '0') * digit_ns;
    }
  }
  const std::time_t seconds = timegm(&time);
  constexpr auto kMostSeconds = static_cast<std::time_t>(std::numeric_limits<std::uint64_t>::max() / kNsInSecond - 1);
  if (std::string_view(end) != "Z" || seconds < 0 || seconds > kMostSeconds) return std::nullopt;
  return static_cast<std::uint64_t>(seconds) * kNsInSecond + fraction_ns;
}

}  // namespace sluice
