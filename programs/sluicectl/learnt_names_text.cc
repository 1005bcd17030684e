#include "sluicectl/learnt_names_text.h"

#include <ctime>
#include <nlohmann/json.hpp>

#include "sluice/printable.h"

namespace sluice {

Json ToJson(const v1::LearntName& name) {
  return {{"name", name.name()},
          {"address", AddressText(name.address())},
          {"learnt", TimeJson(name.learnt_unix_ns())},
          {"until", TimeJson(name.until_unix_ns())},
          {"source", name.source()},
          {"lapsed", name.lapsed()}};
}

std::string ClockText(std::uint64_t unix_ns) {
  const auto seconds = static_cast<std::time_t>(unix_ns / 1'000'000'000);
  std::tm parts{};
  char text[16];
  if (localtime_r(&seconds, &parts) == nullptr || std::strftime(text, sizeof text, "%H:%M:%S", &parts) == 0) return "?";
  return text;
}

std::string ToText(const v1::LearntName& name) {
  return AddressText(name.address()) + (name.lapsed() ? " was " : " is ") + Printable(name.name(), kPrintableBytes) +
         ", learnt " + ClockText(name.learnt_unix_ns()) + (name.source().starts_with("pushed") ? ", " : " from ") +
         Printable(name.source(), kPrintableBytes) + ", until " + ClockText(name.until_unix_ns());
}

}  // namespace sluice
