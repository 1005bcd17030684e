// The words of policy that every layer shares.
#ifndef SLUICE_POLICY_TERMS_H_
#define SLUICE_POLICY_TERMS_H_

#include <cstdint>
#include <string_view>

namespace sluice {

enum class Direction : std::uint8_t { kEgress = 0, kIngress = 1 };

// In the order of evaluation (CNP-01).
enum class Tier : std::uint8_t { kAdmin = 0, kNetworkPolicy = 1, kBaseline = 2 };

enum class Action : std::uint8_t {
  kAllow = 0,  // NetworkPolicy rules, and Accept of ClusterNetworkPolicy
  kDeny = 1,
  kPass = 2,  // leaves the current tier (CNP-03)
};

// Why a packet passes without policy being asked (NP-70, NP-71).
enum class Exemption : std::uint8_t { kNone = 0, kSelf = 1, kNode = 2 };

constexpr std::string_view Name(Direction direction) { return direction == Direction::kEgress ? "egress" : "ingress"; }
constexpr std::string_view Name(Tier tier) {
  constexpr std::string_view kNames[] = {"Admin", "NetworkPolicy", "Baseline"};
  return kNames[static_cast<int>(tier)];
}
constexpr std::string_view Name(Action action) {
  constexpr std::string_view kNames[] = {"allow", "deny", "pass"};
  return kNames[static_cast<int>(action)];
}
constexpr std::string_view Name(Exemption exemption) {
  constexpr std::string_view kNames[] = {"", "self", "node"};
  return kNames[static_cast<int>(exemption)];
}

}  // namespace sluice

#endif  // SLUICE_POLICY_TERMS_H_
