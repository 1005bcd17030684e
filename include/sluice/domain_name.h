// Domain names as rules say them and as answers give them (FQ-01).
//
// Canonical: in lower case, without a dot at the end. All here is canonical but what CanonicalDomainName takes. A
// pattern is a name that stands for itself, or `*.` before one, which stands for it with one or more labels in front.
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
// Whether it is what a rule may say: labels of letters, digits, `-` and `_`, two of them at least, `*.` at its start.
// In any case, with or without a dot at its end.
bool IsDomainPattern(std::string_view text);

// Whether each name that `narrow` matches is one that `wide` does. Both as a rule says them.
bool DomainPatternCovers(std::string_view wide, std::string_view narrow);

// Calls visit(is_wildcard, rest) for each pattern that could match `name`: the name itself, then each `*.` with the
// name less one label and more, where `rest` is what stands behind the `*.`.
template <typename Visit>
void ForEachPatternOf(std::string_view name, Visit visit) {
  visit(false, name);
  for (std::size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1)) {
    visit(true, name.substr(dot + 1));
  }
}

// The patterns of one rule, sorted, each once. Most rules have none: then it takes a pointer, no more. A value.
class DomainPatterns {
 public:
  DomainPatterns() = default;
  // As a rule says them: made canonical here.
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
