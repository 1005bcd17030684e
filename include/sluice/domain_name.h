// Domain names as rules write them and as DNS answers give them (FQ-01).
//
// Canonical: lower case, no dot at the end. Names here are canonical unless a comment says otherwise. A pattern is a
// name, which matches itself, or `*.` and a name, which matches that name with one or more labels in front.
#ifndef SLUICE_DOMAIN_NAME_H_
#define SLUICE_DOMAIN_NAME_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {

std::string CanonicalDomainName(std::string_view text);
bool DomainNameMatches(std::string_view pattern, std::string_view name);
// Whether a rule may say `text`: at least two labels of letters, digits, `-` and `_`; it may start with `*.`. It may be
// in upper or lower case, with or without a dot at its end.
bool IsDomainPattern(std::string_view text);

// Whether `wide` matches every name that `narrow` matches. Both are as a rule writes them.
bool DomainPatternCovers(std::string_view wide, std::string_view narrow);

// Calls visit(is_wildcard, rest) for each pattern that could match `name`. First comes the name itself, then `*.` and
// the name without its first label, without its first two, and so on. `rest` is the pattern without its `*.`.
template <typename Visit>
void ForEachPatternOf(std::string_view name, Visit visit) {
  visit(false, name);
  for (std::size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1)) {
    visit(true, name.substr(dot + 1));
  }
}

// The patterns of one rule, sorted, each once. A value. Most rules have no patterns: theirs take only a pointer.
class DomainPatterns {
 public:
  DomainPatterns() = default;
  // Takes patterns as a rule writes them, and makes them canonical.
  explicit DomainPatterns(std::vector<std::string> patterns);
  DomainPatterns(const DomainPatterns& other);
  DomainPatterns(DomainPatterns&&) = default;
  DomainPatterns& operator=(const DomainPatterns& other) {
    if (this != &other) *this = DomainPatterns(other);
    return *this;
  }
  DomainPatterns& operator=(DomainPatterns&&) = default;
  ~DomainPatterns() = default;

  bool empty() const { return patterns_ == nullptr; }
  const std::vector<std::string>& list() const {
    static const std::vector<std::string> kNone;
    return patterns_ == nullptr ? kNone : *patterns_;
  }
  bool Match(std::string_view name) const;
  // "a.example.com,*.example.org"
  std::string ToString() const;

  friend bool operator==(const DomainPatterns& a, const DomainPatterns& b) { return a.list() == b.list(); }

 private:
  std::unique_ptr<const std::vector<std::string>> patterns_;
};

}  // namespace sluice

#endif  // SLUICE_DOMAIN_NAME_H_
