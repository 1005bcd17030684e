#include "sluicectl/since.h"

#include <charconv>
#include <chrono>
#include <utility>

#include "sluice/time_text.h"

namespace sluice {

std::optional<std::uint64_t> ParseSince(const std::string& text) {
  constexpr std::uint64_t kNsInSecond = 1'000'000'000;
  const std::uint64_t now_ns =
      static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
  std::uint64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
  constexpr std::pair<std::string_view, std::uint64_t> kUnits[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
  for (const auto& [name, seconds] : kUnits) {
    if (error != std::errc() || unit != name) continue;
    return number > now_ns / kNsInSecond / seconds ? 1 : now_ns - number * seconds * kNsInSecond;
  }
  return ParseRfc3339(text);
}

}  // namespace sluice
