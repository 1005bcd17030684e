#include "manifest/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>

namespace sluice {
namespace {

constexpr std::array<std::string_view, 5> kNull = {"", "~", "null", "Null", "NULL"};
// YAML 1.1 has y and n too, which only its oldest readers took for booleans: they are strings here.
constexpr std::array<std::string_view, 9> kTrue = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"};
constexpr std::array<std::string_view, 9> kFalse = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"};
constexpr std::array<std::string_view, 7> kSpecialFloat = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", "+.inf"};

template <std::size_t N>
bool IsOneOf(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Decimal, 0x, 0o, 0b, or octal by a leading zero; underscores are taken out before.
std::optional<std::int64_t> ParseInteger(std::string_view text) {
  const bool negative = text.front() == '-';
  if (negative || text.front() == '+') text.remove_prefix(1);
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char mark = text[1];
    base = mark == 'x' || mark == 'X' ? 16 : mark == 'b' || mark == 'B' ? 2 : 8;
    text.remove_prefix(IsDigit(mark) ? 1 : 2);
    if (base == 8 && !IsDigit(mark) && mark != 'o' && mark != 'O') return std::nullopt;
  }
  std::uint64_t magnitude = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), magnitude, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (magnitude > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
  return negative ? -static_cast<std::int64_t>(magnitude) : static_cast<std::int64_t>(magnitude);
}

// [-+] digits with at most one point, at least one digit, and an exponent.
bool IsFloat(std::string_view text) {
  if (text.front() == '-' || text.front() == '+') text.remove_prefix(1);
  const std::size_t mantissa_end = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view mantissa = text.substr(0, mantissa_end);
  if (std::count(mantissa.begin(), mantissa.end(), '.') > 1) return false;
  if (std::none_of(mantissa.begin(), mantissa.end(), IsDigit)) return false;
  std::string_view exponent = text.substr(mantissa_end);
  if (exponent.empty()) return true;
  if (exponent.front() != 'e' && exponent.front() != 'E') return false;
  exponent.remove_prefix(1);
  if (!exponent.empty() && (exponent.front() == '-' || exponent.front() == '+')) exponent.remove_prefix(1);
  return !exponent.empty() && std::all_of(exponent.begin(), exponent.end(), IsDigit);
}

}  // namespace

PlainScalar ResolvePlain(std::string_view text) {
  if (IsOneOf(text, kNull)) return {Value::Kind::kNull};
  // Only these can begin a word that is no string: most scalars are settled here.
  static constexpr std::string_view kFirst = "0123456789+-.tTfFyYnNoO";
  if (kFirst.find(text.front()) == kFirst.npos) return {};
  if (IsOneOf(text, kTrue)) return {Value::Kind::kBool, true};
  if (IsOneOf(text, kFalse)) return {Value::Kind::kBool, false};
  if (IsOneOf(text, kSpecialFloat) || text == "-.inf" || text == "-.Inf" || text == "-.INF")
    return {Value::Kind::kFloat};
  std::string number(text);
  std::erase(number, '_');
  if (number.empty() || std::none_of(number.begin(), number.end(), IsDigit)) return {};
  if (const auto integer = ParseInteger(number)) return {Value::Kind::kInteger, false, *integer};
  if (IsFloat(text)) return {Value::Kind::kFloat};
  return {};
}

}  // namespace sluice
