// What the page shows, as JSON. Names are not escaped: the page shows text, never markup. Pure; any thread.
#ifndef SLUICE_PROGRAMS_PAGE_PAGE_JSON_H_
#define SLUICE_PROGRAMS_PAGE_PAGE_JSON_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "page/target.h"
#include "sluice/v1/observe.pb.h"

namespace sluice {

using PageJson = nlohmann::ordered_json;

// Returns it as text; bytes that are not UTF-8 are replaced.
std::string ToText(const PageJson& json);

std::string TextOfProtocol(std::uint32_t protocol);
// Returns null if it names no rule.
PageJson RuleJson(const v1::RuleName& rule, Direction direction);

PageJson ToPage(const v1::Status& status);
PageJson ToPage(const v1::DropEvent& drop, std::size_t dataplane);
PageJson ToPage(const v1::Explanation& explanation);

// Policies of several dataplanes as one list: a rule's counts are added up, and its last hit is the latest of all.
class PolicyList {
 public:
  static constexpr std::size_t kShown = 200;
  static constexpr int kRulesShown = 100;  // of a policy
  enum class Show : std::uint8_t { kAll, kHit, kUnused, kCovered };

  void Add(const PageTarget::PoliciesAnswer& answer);
  // The policies whose names contain `text`: the first kShown by name, and how many there are.
  PageJson Shown(std::string_view text, Show show) const;

 private:
  bool HasCovered(const v1::PolicyInfo& policy) const;
  PageJson Json(const v1::PolicyInfo& policy) const;

  std::map<std::string, v1::PolicyInfo> policies_;
  std::map<std::string, double> packets_per_second_;
  std::map<RulePlace, CoveringRule> covered_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_PAGE_PAGE_JSON_H_
