// Subjects and peer lists, each distinct one evaluated once, and the groups made of those that a rule or section uses.
#ifndef SLUICE_CONTROL_RESOLVE_SELECTIONS_H_
#define SLUICE_CONTROL_RESOLVE_SELECTIONS_H_

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "model/objects.h"
#include "resolve/label_index.h"
#include "resolve/pod_table.h"
#include "resolve/port_index.h"
#include "sluice/resolved_policy.h"

namespace sluice {

// Holds views into the cluster and the pod table.
class Selections {
 public:
  using Id = std::uint32_t;
  static constexpr Id kEveryone = 0;  // from / to left empty: every address (NP-22)

  Selections(const Cluster& cluster, const PodTable& pods);

  // The pods of `namespace_name` that `selector` selects (NP-13, NP-30).
  Id Pods(const std::string& namespace_name, const LabelSelector& selector);

  // The union of a policy's from or to.
  Id Peers(const std::string& namespace_name, const std::vector<NetworkPolicyPeer>& peers);

  // The part of a selection for which a named port stands for the same numbers.
  struct Narrowed {
    std::vector<std::uint16_t> numbers;
    Id selection;
  };
  // By numbers, ascending. An address that only a block holds counts where it is a pod's (NP-42, NP-51).
  const std::vector<Narrowed>& WithNamedPort(Id selection, std::uint8_t protocol, const std::string& name);

  // The group of a selection, made when first asked for; kAnyPeer for everyone. Ids are dense, in that order.
  GroupId Group(Id selection);

  // Writes all groups, and into endpoint i the set of those that hold pod i.
  void Finish(ResolvedPolicy* policy);

 private:
  struct Selection {
    const std::string* text = nullptr;  // canonical; owned by ids_
    PodSet pods;
    std::vector<CidrBlock> blocks = {};  // sorted, unique
    GroupId group = kAnyPeer;            // kAnyPeer: not asked for yet
  };

  template <typename Make>
  Id Intern(std::string text, Make make);
  Id PodsIn(const LabelSelector& namespaces, const LabelSelector& selector);
  const PodSet& InNamespaces(const LabelSelector& selector);
  PodSet Union(const std::vector<Id>& selections) const;
  std::vector<Narrowed> Narrow(Id selection, std::uint8_t protocol, const std::string& name);

  const PodTable& pods_;
  LabelIndex pod_labels_;
  LabelIndex namespace_labels_;
  PortIndex ports_;
  std::vector<PodRange> namespaces_;  // sorted by name; numbers of namespace_labels_ index it
  std::unordered_map<std::string, Id> ids_;
  std::vector<Selection> selections_;
  std::unordered_map<std::string, PodSet> in_namespaces_;  // by selector text
  std::map<std::tuple<Id, std::uint8_t, std::string>, std::vector<Narrowed>> narrowed_;
  std::vector<Id> groups_;  // by GroupId
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_SELECTIONS_H_
