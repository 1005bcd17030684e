#include "sluicectl/selector.h"

#include <algorithm>
#include <string>
#include <utility>

namespace sluice {
namespace {

using Operator = LabelRequirement::Operator;

std::string_view Trim(std::string_view text) {
  const auto begin = std::min(text.find_first_not_of(" \t"), text.size());
  const auto end = text.find_last_not_of(" \t");
  return end == text.npos ? std::string_view() : text.substr(begin, end + 1 - begin);
}

// Characters of a key or a value. The API demands more, and what it refuses matches nothing.
bool IsName(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '/';
  });
}

// Takes the text up to the first comma outside of parentheses, and removes it and the comma.
std::string_view TakeRequirement(std::string_view* text) {
  std::size_t end = 0;
  for (bool inside = false; end < text->size() && (inside || (*text)[end] != ','); ++end) {
    if ((*text)[end] == '(') inside = true;
    if ((*text)[end] == ')') inside = false;
  }
  const std::string_view taken = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return Trim(taken);
}

// Parses "(a, b)".
std::optional<std::vector<std::string>> ParseSet(std::string_view text) {
  if (text.size() < 2 || text.front() != '(' || text.back() != ')') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::vector<std::string> values;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view value = Trim(text.substr(0, comma));
    if (!IsName(value)) return std::nullopt;
    values.emplace_back(value);
    if (comma == text.npos) return values;
    text.remove_prefix(comma + 1);
  }
}

std::optional<LabelRequirement> ParseRequirement(std::string_view text) {
  const auto requirement = [](std::string_view key, Operator op,
                              std::vector<std::string> values) -> std::optional<LabelRequirement> {
    key = Trim(key);
    if (key.empty() || !IsName(key)) return std::nullopt;
    return LabelRequirement{std::string(key), op, std::move(values)};
  };
  if (text.starts_with('!')) return requirement(text.substr(1), Operator::kDoesNotExist, {});
  if (const std::size_t equals = text.find('='); equals != text.npos) {
    const bool is_negated = equals > 0 && text[equals - 1] == '!';
    const std::size_t end = equals + (text.substr(equals).starts_with("==") ? 2 : 1);
    const std::string_view value = Trim(text.substr(end));
    if (!IsName(value)) return std::nullopt;
    return requirement(text.substr(0, equals - (is_negated ? 1 : 0)), is_negated ? Operator::kNotIn : Operator::kIn,
                       {std::string(value)});
  }
  if (const std::size_t set = text.find('('); set != text.npos) {
    const std::string_view before = Trim(text.substr(0, set));
    const std::size_t blank = before.find_last_of(" \t");
    auto values = ParseSet(text.substr(set));
    const std::string_view word = blank == before.npos ? std::string_view() : before.substr(blank + 1);
    if (!values || (word != "in" && word != "notin")) return std::nullopt;
    return requirement(before.substr(0, blank), word == "in" ? Operator::kIn : Operator::kNotIn, std::move(*values));
  }
  return requirement(text, Operator::kExists, {});
}

}  // namespace

std::optional<Selector> Selector::Parse(std::string_view text) {
  Selector selector;
  if (Trim(text).empty()) return selector;
  const bool ends_open = text.back() == ',';
  while (!text.empty()) {
    auto requirement = ParseRequirement(TakeRequirement(&text));
    if (!requirement) return std::nullopt;
    selector.selector_.requirements.push_back(std::move(*requirement));
  }
  return ends_open ? std::nullopt : std::optional(selector);
}

bool Selector::Matches(const Labels& labels) const {
  const auto holds = [&](const LabelRequirement& wanted) {
    const auto label =
        std::find_if(labels.begin(), labels.end(), [&](const auto& one) { return one.first == wanted.key; });
    const bool has_key = label != labels.end();
    const bool has_value =
        has_key && std::find(wanted.values.begin(), wanted.values.end(), label->second) != wanted.values.end();
    switch (wanted.op) {
      case Operator::kIn:
        return has_value;
      case Operator::kNotIn:
        return !has_value;
      case Operator::kExists:
        return has_key;
      case Operator::kDoesNotExist:
        return !has_key;
    }
    return false;
  };
  return std::all_of(selector_.requirements.begin(), selector_.requirements.end(), holds);
}

}  // namespace sluice
