// Finds policy that is valid but still not what its author meant: it binds nobody, admits nobody, says the same twice,
// or opens more or less than it seems to. Refused objects are reported by the reader.
//
// A pure function of the manifests; any thread. It evaluates each policy's selectors by bitmap, and never
// costs pods times policies.
#ifndef SLUICE_CONTROL_LINT_LINT_H_
#define SLUICE_CONTROL_LINT_LINT_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "manifest/manifest_reader.h"
#include "sluice/address.h"

namespace sluice {

struct LintRule {
  std::string_view name;  // "selects-nothing"; stable, because people switch rules off by it
  std::string_view text;  // what it finds, in a sentence
};

struct LintFinding {
  const LintRule* rule = nullptr;
  std::string file;
  std::uint32_t line = 0;
  std::string object;   // "NetworkPolicy shop/web"
  std::string field;    // "spec.ingress[0].from[1]"
  std::string message;  // what was found, and what helps
};

// All rules, sorted by name.
std::span<const LintRule> LintRules();

struct LintResult {
  std::vector<LintFinding> findings;  // sorted by file and line
  bool has_pods = true;               // false: the rules that compare policy with pods had no pods to look at
};

// What the configuration says about the resolvers whose answers count (dns.resolvers).
struct LintResolver {
  std::string text;  // as in the configuration
  std::optional<IpAddress> address;
  // If there is no address: pods.
  std::string namespace_name;
  std::vector<std::pair<std::string, std::string>> labels;
};

struct LintDns {
  std::vector<LintResolver> resolvers;
  std::uint16_t port = 53;
  bool at_pods = false;  // the filter is at the pods' interfaces, not at the node's uplink
};

enum class LintScope : std::uint8_t {
  kAll,
  // Only what policy names and nothing answers to: named-port-missing, namespace-unknown, selects-nothing. Code that
  // judges traffic by these manifests should know of it.
  kUnanswered,
};

// With kAll, staged policies are checked as if they were in force. Requires manifests that were read with
// ReadSettings::keep_lines. `dns`: null if it is not known.
LintResult Lint(const Manifests& manifests, LintScope scope = LintScope::kAll, const LintDns* dns = nullptr);

}  // namespace sluice

#endif  // SLUICE_CONTROL_LINT_LINT_H_
