#include "sluice/domain_name.h"

#include <algorithm>

namespace sluice {
namespace {

constexpr std::size_t kMostCharacters = 253;
constexpr std::size_t kMostInLabel = 63;

bool IsWord(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

}  // namespace

std::string CanonicalDomainName(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  std::string name(text);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

bool DomainNameMatches(std::string_view pattern, std::string_view name) {
  if (!pattern.starts_with("*.")) return pattern == name;
  const std::string_view end = pattern.substr(1);  // with the dot before it
  return name.size() > end.size() && name.ends_with(end);
}

bool IsDomainPattern(std::string_view text) {
  if (text.starts_with("*.")) text.remove_prefix(2);
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.size() > kMostCharacters || text.ends_with('.') || text.find('.') == text.npos) return false;
  while (!text.empty()) {
    const std::string_view label = text.substr(0, text.find('.'));
    if (label.empty() || label.size() > kMostInLabel || !IsWord(label.front()) || !IsWord(label.back())) return false;
    if (!std::all_of(label.begin(), label.end(), [](char c) { return IsWord(c) || c == '-'; })) return false;
    text.remove_prefix(std::min(text.size(), label.size() + 1));
  }
  return true;
}

bool DomainPatternCovers(std::string_view wide, std::string_view narrow) {
  const std::string covering = CanonicalDomainName(wide);
  const std::string covered = CanonicalDomainName(narrow);
  // A `*` in `covered` is compared as one label. That label stands for every name that the `*` matches.
  return covering == covered || (covering.starts_with("*.") && DomainNameMatches(covering, covered));
}

DomainPatterns::DomainPatterns(std::vector<std::string> patterns) {
  if (patterns.empty()) return;
  for (std::string& pattern : patterns) pattern = CanonicalDomainName(pattern);
  std::sort(patterns.begin(), patterns.end());
  patterns.erase(std::unique(patterns.begin(), patterns.end()), patterns.end());
  patterns_ = std::make_unique<const std::vector<std::string>>(std::move(patterns));
}

DomainPatterns::DomainPatterns(const DomainPatterns& other) {
  if (!other.empty()) patterns_ = std::make_unique<const std::vector<std::string>>(other.list());
}

bool DomainPatterns::Match(std::string_view name) const {
  return std::any_of(list().begin(), list().end(),
                     [&](const std::string& pattern) { return DomainNameMatches(pattern, name); });
}

std::string DomainPatterns::ToString() const {
  std::string text;
  for (const std::string& pattern : list()) text += (text.empty() ? "" : ",") + pattern;
  return text;
}

}  // namespace sluice
