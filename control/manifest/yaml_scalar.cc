// Follows resolve.go of go.yaml.in/yaml/v2, and strconv's ParseInt with base 0.
#include "manifest/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>

namespace sluice {
namespace {

using Kind = Value::Kind;

constexpr std::string_view kYamlTag = "tag:yaml.org,2002:";
constexpr std::array<std::string_view, 5> kNull = {"", "~", "null", "Null", "NULL"};
constexpr std::array<std::string_view, 11> kTrue = {"y",    "Y",    "yes", "Yes", "YES", "true",
                                                    "True", "TRUE", "on",  "On",  "ON"};
constexpr std::array<std::string_view, 11> kFalse = {"n",     "N",     "no",  "No",  "NO", "false",
                                                     "False", "FALSE", "off", "Off", "OFF"};
constexpr std::array<std::string_view, 6> kInfinity = {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"};
constexpr std::array<std::string_view, 3> kMinusInfinity = {"-.inf", "-.Inf", "-.INF"};
constexpr std::array<std::string_view, 3> kNotANumber = {".nan", ".NaN", ".NAN"};

template <std::size_t N>
bool IsOneOf(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsSign(char c) { return c == '-' || c == '+'; }

YamlScalar Bool(bool boolean) { return {.kind = Kind::kBool, .boolean = boolean}; }

YamlScalar Float(double real) {
  YamlScalar scalar{.kind = Kind::kFloat, .real = real};
  if (!std::isfinite(real)) scalar.refusal = "is infinite or no number, which JSON cannot hold";
  return scalar;
}

std::optional<std::uint64_t> Magnitude(std::string_view digits, int base) {
  std::uint64_t magnitude = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, base);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return magnitude;
}

// 0x, 0o and 0b, or octal with a leading zero; otherwise decimal.
std::optional<std::uint64_t> MagnitudeByPrefix(std::string_view digits) {
  if (digits.size() < 2 || digits[0] != '0') return Magnitude(digits, 10);
  const char mark = digits.size() < 3 ? '0' : static_cast<char>(digits[1] | 0x20);
  if (mark == 'x') return Magnitude(digits.substr(2), 16);
  if (mark == 'o') return Magnitude(digits.substr(2), 8);
  if (mark == 'b') return Magnitude(digits.substr(2), 2);
  return Magnitude(digits.substr(1), 8);
}

// Returns nothing if out of range. A number without a sign may be as large as a uint64.
std::optional<YamlScalar> Integer(std::uint64_t magnitude, bool signed_text, bool negative) {
  constexpr std::uint64_t kMost = INT64_MAX;
  if (magnitude <= kMost) {
    const auto integer = static_cast<std::int64_t>(magnitude);
    return YamlScalar{.kind = Kind::kInteger, .integer = negative ? -integer : integer};
  }
  if (negative && magnitude == kMost + 1) return YamlScalar{.kind = Kind::kInteger, .integer = INT64_MIN};
  if (signed_text) return std::nullopt;
  return YamlScalar{.kind = Kind::kFloat, .is_unsigned = true, .real = static_cast<double>(magnitude)};
}

// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool HasFormOfFloat(std::string_view text) {
  const auto skip_digits = [&text] {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(digits);
    return digits != 0;
  };
  if (!text.empty() && IsSign(text.front())) text.remove_prefix(1);
  const bool whole = skip_digits();
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    if (!skip_digits() && !whole) return false;
  } else if (!whole) {
    return false;
  }
  if (text.empty()) return true;
  if (text.front() != 'e' && text.front() != 'E') return false;
  text.remove_prefix(1);
  if (!text.empty() && IsSign(text.front())) text.remove_prefix(1);
  return skip_digits() && text.empty();
}

std::optional<YamlScalar> ParseFloat(const std::string& text) {
  if (!HasFormOfFloat(text)) return std::nullopt;
  const double real = std::strtod(text.c_str(), nullptr);
  if (std::isinf(real)) return std::nullopt;  // out of range: strconv takes it for no number
  return Float(real);
}

// strconv's own rule, which allows an underscore between two digits.
std::optional<YamlScalar> ParseFraction(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool between_digits = i > 0 && i + 1 < text.size() && IsDigit(text[i - 1]) && IsDigit(text[i + 1]);
    if (text[i] != '_' || !between_digits) plain += text[i];
  }
  return ParseFloat(plain);
}

std::optional<YamlScalar> ParseNumber(std::string_view text) {
  std::string plain(text);
  std::erase(plain, '_');
  const bool has_sign = !plain.empty() && IsSign(plain.front());
  const bool negative = has_sign && plain.front() == '-';
  const std::string_view digits = std::string_view(plain).substr(has_sign ? 1 : 0);
  if (const auto magnitude = MagnitudeByPrefix(digits)) {
    if (const auto integer = Integer(*magnitude, has_sign, negative)) return integer;
  }
  if (const auto real = ParseFloat(plain)) return real;
  // go-yaml's own rule for 0b, which allows a sign after it.
  if (plain.starts_with("0b") && plain.size() > 3 && IsSign(plain[2])) {
    if (const auto magnitude = Magnitude(std::string_view(plain).substr(3), 2)) {
      return Integer(*magnitude, true, plain[2] == '-');
    }
  }
  return std::nullopt;
}

YamlScalar ResolvePlain(std::string_view text) {
  if (IsOneOf(text, kNull)) return {Kind::kNull};
  // Only these can begin a word that is no string: most scalars are decided here.
  static constexpr std::string_view kFirst = "0123456789+-.tTfFyYnNoO";
  if (kFirst.find(text.front()) == kFirst.npos) return {};
  if (IsOneOf(text, kTrue)) return Bool(true);
  if (IsOneOf(text, kFalse)) return Bool(false);
  if (IsOneOf(text, kInfinity)) return Float(HUGE_VAL);
  if (IsOneOf(text, kMinusInfinity)) return Float(-HUGE_VAL);
  if (IsOneOf(text, kNotANumber)) return Float(std::nan(""));
  if (text.front() == '.') return ParseFraction(text).value_or(YamlScalar{});
  if (!IsDigit(text.front()) && !IsSign(text.front())) return {};
  return ParseNumber(text).value_or(YamlScalar{});
}

YamlScalar Refused(std::string_view why) {
  YamlScalar scalar;
  scalar.refusal = why;
  return scalar;
}

// strconv.FormatFloat(real, 'g', -1, 32), the library's key for a float.
std::string FloatKey(double real) {
  const auto narrow = static_cast<float>(real);
  if (std::isnan(narrow)) return ".nan";
  if (std::isinf(narrow)) return narrow > 0 ? ".inf" : "-.inf";
  std::array<char, 64> text;
  const auto exponent_form =
      std::to_chars(text.data(), text.data() + text.size(), narrow, std::chars_format::scientific);
  const std::string_view scientific(text.data(), static_cast<std::size_t>(exponent_form.ptr - text.data()));
  const int exponent = std::atoi(std::string(scientific.substr(scientific.find('e') + 1)).c_str());
  constexpr int kLeastExponent = -4;
  constexpr int kExponentForm = 6;
  if (narrow == 0 || (exponent >= kLeastExponent && exponent < kExponentForm)) {
    const auto fixed = std::to_chars(text.data(), text.data() + text.size(), narrow, std::chars_format::fixed);
    return {text.data(), fixed.ptr};
  }
  return std::string(scientific);
}

}  // namespace

YamlScalar ResolveScalar(std::string_view tag, std::string_view text) {
  if (tag == "?" || tag.empty()) return ResolvePlain(text);
  if (!tag.starts_with(kYamlTag)) return {};
  const std::string_view type = tag.substr(kYamlTag.size());
  if (type == "binary" || type == "timestamp") return Refused("has a tag that Sluice does not read");
  const bool checked = type == "int" || type == "float" || type == "bool" || type == "null";
  if (!checked) return {};
  YamlScalar scalar = ResolvePlain(text);
  if (type == "float" && scalar.kind == Kind::kInteger) return Float(static_cast<double>(scalar.integer));
  const bool is_integer = scalar.kind == Kind::kInteger || (scalar.kind == Kind::kFloat && scalar.is_unsigned);
  const bool fits = type == "int"     ? is_integer
                    : type == "float" ? scalar.kind == Kind::kFloat && !scalar.is_unsigned
                    : type == "bool"  ? scalar.kind == Kind::kBool
                                      : scalar.kind == Kind::kNull;
  return fits ? scalar : Refused("is not what its tag says");
}

std::string_view KeyText(const YamlScalar& scalar, std::string_view text, std::string* key) {
  switch (scalar.kind) {
    case Kind::kBool:
      *key = scalar.boolean ? "true" : "false";
      return {};
    case Kind::kInteger:
      *key = std::to_string(scalar.integer);
      return {};
    case Kind::kFloat:
      *key = scalar.is_unsigned ? text : FloatKey(scalar.real);
      return scalar.is_unsigned ? "is too large an integer for a key" : "";
    case Kind::kNull:
      *key = "null";
      return "stands for null, which is no key";
    default:
      *key = text;
      return {};
  }
}

}  // namespace sluice
