// The name that an object gives its rule. There are many rules, and most have no name: those take only a pointer.
#ifndef SLUICE_RULE_NAME_H_
#define SLUICE_RULE_NAME_H_

#include <memory>
#include <string>
#include <utility>

namespace sluice {

// A value, like the string in it.
class RuleName {
 public:
  RuleName() = default;
  explicit RuleName(std::string text) {
    if (!text.empty()) text_ = std::make_unique<const std::string>(std::move(text));
  }
  RuleName(const RuleName& other) : RuleName(other.text()) {}
  RuleName(RuleName&&) = default;
  RuleName& operator=(const RuleName& other) {
    if (this != &other) *this = RuleName(other);
    return *this;
  }
  RuleName& operator=(RuleName&&) = default;
  ~RuleName() = default;

  bool empty() const { return text_ == nullptr; }
  // Empty if the rule has no name.
  const std::string& text() const {
    static const std::string kNone;
    return text_ == nullptr ? kNone : *text_;
  }

  friend bool operator==(const RuleName& a, const RuleName& b) { return a.text() == b.text(); }

 private:
  std::unique_ptr<const std::string> text_;
};

}  // namespace sluice

#endif  // SLUICE_RULE_NAME_H_
