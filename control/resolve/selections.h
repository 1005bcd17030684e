// What policies select: subjects and peer lists. Each distinct one is held once, by its canonical text, as long as
// somebody uses it. A selection's pods are computed from bitmaps when asked for, and a pod's selections are found by
// its labels. Neither is stored, so neither needs updates.
#ifndef SLUICE_CONTROL_RESOLVE_SELECTIONS_H_
#define SLUICE_CONTROL_RESOLVE_SELECTIONS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/objects.h"
#include "resolve/cluster_state.h"
#include "resolve/label_index.h"
#include "resolve/pod_set.h"
#include "resolve/selector_index.h"
#include "sluice/resolved_policy.h"

namespace sluice {

class PortSplit;
struct BoundPolicy;
struct Selection;
using SelectionPtr = std::shared_ptr<const Selection>;

// The namespaces that a pod selector looks into: one namespace by name, or all that a selector selects.
struct Scope {
  std::string text;  // canonical; the name, if it is one namespace
  bool by_name = false;
  IndexedSelector selector;             // over namespaces; unused if by_name
  SelectorIndex<Selection> selections;  // over pods
};

struct Selection : std::enable_shared_from_this<Selection> {
  enum class Kind : std::uint8_t {
    kEveryone,  // every address (NP-22)
    kSelector,  // pods in `scope` that `selector` selects
    kUnion,     // all of `terms`, which are kSelector, and `blocks`
    kListed,    // `pods` and `blocks`: the pods for which a named port stands for the same numbers
  };
  Kind kind = Kind::kSelector;
  std::string text;  // canonical, becomes Group::key

  std::shared_ptr<Scope> scope;
  IndexedSelector selector;
  std::vector<SelectionPtr> terms;
  std::vector<CidrBlock> blocks;  // sorted, unique
  PodSet pods;

  // The users of this selection; each lists itself here while it lives.
  mutable std::vector<const Selection*> unions;
  mutable std::vector<PortSplit*> splits;
  mutable std::vector<BoundPolicy*> policies;  // whose subjects it is
};

// Outlives the selections that it hands out.
class Selections {
 public:
  explicit Selections(ClusterState* state);
  Selections(const Selections&) = delete;
  Selections& operator=(const Selections&) = delete;

  // The pods of `namespace_name` that `selector` selects (NP-13, NP-30).
  SelectionPtr Pods(const std::string& namespace_name, const LabelSelector& selector);
  // The pods whose namespaces and whose own labels are selected.
  SelectionPtr Pods(const LabelSelector& namespaces, const LabelSelector& pods);
  // The union of the terms and the blocks. If both are empty, it selects nobody.
  SelectionPtr Union(std::vector<SelectionPtr> terms, std::vector<CidrBlock> blocks);
  // The union of a policy's from or to.
  SelectionPtr Peers(const std::string& namespace_name, const std::vector<NetworkPolicyPeer>& peers);
  const SelectionPtr& everyone() const { return everyone_; }

  // The pods that it selects by label; everyone selects all endpoints. Does not look at the addresses in its blocks.
  PodSet PodsOf(const Selection& selection);
  // The same, if a set is stored for it; else null. Valid until endpoints, namespaces or the selection change.
  const PodSet* StoredPodsOf(const Selection& selection);

  // Calls `visit(const Selection&)` for each kSelector and kUnion whose pods include this endpoint. A union is visited
  // once for each of its terms that includes the endpoint.
  template <typename Visit>
  void ForEachHolding(std::uint32_t pod, Visit visit) const;

  // The scopes by selector that hold a namespace with these labels, in no order.
  std::vector<const Scope*> ScopesOf(const LabelIds& labels) const;

  // Makes room for the scopes and selections of this many more namespaces.
  void Reserve(std::size_t namespaces) {
    scopes_by_name_.reserve(scopes_by_name_.size() + namespaces);
    selections_.reserve(selections_.size() + namespaces);
  }

  // To be called whenever endpoints or namespaces changed.
  void ForgetPods() { scope_pods_.clear(); }

  // From now on selections only go, and nobody asks for one any more. So nothing is kept up to date.
  void Close() { closed_ = true; }

 private:
  std::shared_ptr<Scope> ScopeByName(const std::string& name);
  std::shared_ptr<Scope> ScopeBySelector(const LabelSelector& selector);
  SelectionPtr InScope(std::shared_ptr<Scope> scope, std::string text, const LabelSelector& selector);
  const PodSet& PodsOf(const Scope& scope);
  void Drop(Scope* scope);
  void Drop(Selection* selection);

  ClusterState& state_;
  std::unordered_map<std::string_view, std::weak_ptr<Scope>> scopes_by_name_;  // keys are the scopes' texts
  std::unordered_map<std::string_view, std::weak_ptr<Scope>> scopes_by_selector_;
  SelectorIndex<Scope> scope_index_;
  std::unordered_map<std::string_view, const Selection*> selections_;  // keys are the selections' texts
  std::unordered_map<const Scope*, PodSet> scope_pods_;                // computed since ForgetPods
  SelectionPtr everyone_;
  bool closed_ = false;
};

template <typename Visit>
void Selections::ForEachHolding(std::uint32_t pod, Visit visit) const {
  const PodEntry& entry = state_.pod(pod);
  const NamespaceEntry& space = state_.space(entry.space);
  const auto visit_scope = [&](const Scope& scope) {
    scope.selections.ForEachSelecting(state_.pod_labels(), entry.labels, [&](const Selection* selection) {
      visit(*selection);
      for (const Selection* whole : selection->unions) visit(*whole);
    });
  };
  const auto own = scopes_by_name_.find(space.name);
  if (own != scopes_by_name_.end()) visit_scope(*own->second.lock());
  scope_index_.ForEachSelecting(state_.namespace_labels(), space.labels,
                                [&](const Scope* scope) { visit_scope(*scope); });
}

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_SELECTIONS_H_
