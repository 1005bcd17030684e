#include "sluice/time_text.h"

#include <chrono>
#include <ctime>
#include <limits>
#include <string_view>

namespace sluice {
namespace {

constexpr std::uint64_t kNsInSecond = 1'000'000'000;

}  // namespace

std::string Rfc3339(std::uint64_t unix_ns) {
  using std::chrono::sys_days, std::chrono::days;
  constexpr std::uint64_t kSecondsInDay = 86'400;
  const std::uint64_t seconds = unix_ns / kNsInSecond;
  const std::chrono::year_month_day date(sys_days(days(seconds / kSecondsInDay)));
  const auto of_day = static_cast<std::uint32_t>(seconds % kSecondsInDay);
  std::string text = "0000-00-00T00:00:00.000Z";
  const auto put = [&](std::size_t end, std::size_t digits, std::uint32_t value) {
    for (; digits > 0; --digits, value /= 10) text[--end] = static_cast<char>('0' + value % 10);
  };
  put(4, 4, static_cast<std::uint32_t>(static_cast<int>(date.year())));
  put(7, 2, static_cast<unsigned>(date.month()));
  put(10, 2, static_cast<unsigned>(date.day()));
  put(13, 2, of_day / 3600);
  put(16, 2, of_day / 60 % 60);
  put(19, 2, of_day % 60);
  put(23, 3, static_cast<std::uint32_t>(unix_ns % kNsInSecond / 1'000'000));
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
