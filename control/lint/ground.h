// The data that linting uses: the manifests, their pods as the resolver sees them, and the findings so far. Not safe
// to share between threads.
#ifndef SLUICE_CONTROL_LINT_GROUND_H_
#define SLUICE_CONTROL_LINT_GROUND_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lint/lint.h"
#include "manifest/manifest_reader.h"
#include "resolve/cluster_state.h"
#include "resolve/selections.h"

namespace sluice {

// Sorted by name, as in LintRules().
enum LintRuleNumber : std::size_t {
  kAcceptOfEverything,
  kBaselineNotReached,
  kBlockCoversPods,
  kDnsByUdpAlone,
  kEgressWithoutDns,
  kEmptyPeerList,
  kEncryptedDns,
  kEqualPriority,
  kNamedPortMissing,
  kNamesWithoutDns,
  kNamespaceUnknown,
  kNodeLocalDns,
  kOrMeantAsAnd,
  kPeerMatchesNothing,
  kPortOfNoContainer,
  kRedundantRule,
  kRuleNeverDecides,
  kRulesNotInForce,
  kSelectsNothing,
  kRuleCount,
};

class LintGround {
 public:
  LintGround(const Manifests& manifests, LintScope scope);

  const Manifests& manifests() const { return manifests_; }
  bool all() const { return all_; }  // LintScope::kAll
  bool has_pods() const { return !state_.endpoints().isEmpty(); }
  const ClusterState& state() const { return state_; }
  Selections& selections() { return selections_; }

  struct AddressOfPod {
    IpAddress address;
    const Pod* pod = nullptr;
    std::uint32_t number = 0;  // of the pod in state()
  };
  std::span<const AddressOfPod> addresses() const { return addresses_; }  // of endpoints, sorted

  // By protocol and number; null if not known.
  const std::set<std::pair<std::uint8_t, std::uint16_t>>* ContainerPorts(std::uint32_t pod) const;

  // Sets the object of later findings. False: no manifest has a place for it, or it was refused.
  bool TurnTo(const NetworkPolicy& policy);
  bool TurnTo(const ClusterPolicy& policy);
  const ObjectPlace& place() const { return *place_; }

  void Find(LintRuleNumber rule, const std::string& field, std::string message);
  // Sorted by file and line.
  std::vector<LintFinding> TakeFindings();

  // The labels of a namespace without an object are not known here. A selector treats it as one without labels.
  void LookForUnknownSpaces(const LabelSelector& namespaces, const std::string& path);
  // Reports whether the block holds pods; `advice` ends the message.
  void LookAtBlock(const IpBlock& block, const std::string& path, std::string_view advice);

  PodSet PodsOf(const PodSelection& selection);
  bool SelectsNoNamespace(const LabelSelector& namespaces);
  bool HasNamedPort(const PodSet& pods, std::uint8_t protocol, const std::string& name) const;
  std::string PodsText(const PodSet& pods) const;  // "pod shop/web and 2 more"; requires at least one pod

 private:
  bool TurnTo(std::string title, bool refused);

  const Manifests& manifests_;
  const bool all_;
  ClusterState state_;
  Selections selections_;
  std::map<std::uint32_t, const std::set<std::pair<std::uint8_t, std::uint16_t>>*> container_ports_;  // by pod
  std::vector<AddressOfPod> addresses_;
  std::vector<std::string> unknown_spaces_;  // namespaces that have pods, but no object with labels
  std::vector<LintFinding> findings_;

  const ObjectPlace* place_ = nullptr;
  std::string object_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_LINT_GROUND_H_
