#include "common/arguments.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include "sluice/printable.h"

namespace sluice {
namespace {

// CLI11 says "Could not convert: --limit = x". Of our options, only numbers convert a text.
std::string InWords(const std::string& error) {
  constexpr std::string_view kConversion = "Could not convert: ";
  constexpr std::string_view kIs = " = ";
  const std::size_t is = error.find(kIs);
  if (!error.starts_with(kConversion) || is == error.npos) return error;
  const std::string option = error.substr(kConversion.size(), is - kConversion.size());
  return option + ": '" + error.substr(is + kIs.size()) + "' is not a number that it takes";
}

}  // namespace

void AnswerInPlainLines(CLI::App& app) {
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return Printable(InWords(error.what()), kPrintableBytes) + "\nRun with --help for more information.\n";
  });
}

std::string CheckPort(const std::string& text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error == std::errc() && end == text.data() + text.size()) return "";
  return '\'' + text + "' is no port; wants a number from 0 to 65535";
}

std::string FullTarget(const std::string& target) { return target.starts_with('/') ? "unix:" + target : target; }

}  // namespace sluice
