#include "sluicectl/yaml.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

// A letter, then characters that are never special in a plain scalar (YAML 1.2 section 7.3.3), except words that older
// YAML reads as booleans or null.
bool IsPlain(std::string_view text) {
  constexpr std::string_view kWords[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
  if (text.empty() || std::isalpha(static_cast<unsigned char>(text[0])) == 0) return false;
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (std::find(std::begin(kWords), std::end(kWords), lower) != std::end(kWords)) return false;
  const auto harmless = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("-_./").find(c) != std::string_view::npos;
  };
  return std::all_of(text.begin(), text.end(), harmless);
}

std::string ScalarText(const Json& value) {
  if (value.is_string() && IsPlain(value.get_ref<const std::string&>())) return value.get<std::string>();
  return JsonText(value);  // JSON's scalars, and its empty lists and objects, are valid YAML
}

bool IsScalar(const Json& value) { return !value.is_structured() || value.empty(); }

// `lead` comes before the first line: the rest of a dash.
void Write(Output& output, const Json& value, const std::string& lead, const std::string& indent) {
  bool first = true;
  const auto begin = [&]() -> const std::string& { return std::exchange(first, false) ? lead : indent; };
  if (IsScalar(value)) {
    output << lead << ScalarText(value) << "\n";
  } else if (value.is_array()) {
    for (const Json& item : value) Write(output, item, begin() + "- ", indent + "  ");
  } else {
    for (const auto& [key, member] : value.items()) {
      output << begin() << ScalarText(key) << ":";
      if (IsScalar(member)) {
        output << " " << ScalarText(member) << "\n";
      } else {
        output << "\n";
        const std::string deeper = indent + (member.is_array() ? "" : "  ");
        Write(output, member, deeper, deeper);
      }
    }
  }
}

}  // namespace

void WriteYaml(Output& output, const Json& value) { Write(output, value, "", ""); }

}  // namespace sluice
