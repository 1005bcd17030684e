// Named ports of policies (NP-51): a selection is split by the numbers that a name stands for on each of its pods. The
// split is kept up to date while pods come, go and change.
#ifndef SLUICE_CONTROL_RESOLVE_PORT_SPLITS_H_
#define SLUICE_CONTROL_RESOLVE_PORT_SPLITS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "resolve/cluster_state.h"
#include "resolve/port_index.h"
#include "resolve/selections.h"

namespace sluice {

// Tells whether any of a list of blocks holds an address, with a look-up for each prefix length in the list.
class BlockFinder {
 public:
  explicit BlockFinder(const std::vector<CidrBlock>& blocks);
  bool Holds(const IpAddress& address) const;

 private:
  std::vector<std::pair<Family, std::uint8_t>> lengths_;
  std::unordered_multimap<Prefix, const CidrBlock*> by_cidr_;
};

class PortSplit {
 public:
  // The pods of the base for which the name stands for the same numbers. If blocks of the base hold only some addresses
  // of a pod (one family of two, for example), only those addresses count (NP-42).
  struct Part {
    std::shared_ptr<Selection> selection;
    std::map<std::uint32_t, std::vector<CidrBlock>> held_in_part;  // by pod
  };

  PortSplit(SelectionPtr base, std::uint8_t protocol, std::string name)
      : base_(std::move(base)), protocol_(protocol), name_(std::move(name)), blocks_(base_->blocks) {}

  const SelectionPtr& base() const { return base_; }
  std::uint8_t protocol() const { return protocol_; }
  const std::string& name() const { return name_; }
  // By numbers. No part is empty after Settle.
  const std::map<PortNumbers, Part>& parts() const { return parts_; }

  std::vector<BoundPolicy*> policies;  // whose rules name it; they list themselves here and remove themselves

 private:
  friend class PortSplits;

  // Adds a pod with these numbers. `by_selector`: the base selects the pod by label. True: the parts have changed.
  bool Join(const ClusterState& state, std::uint32_t pod, const PortNumbers& numbers, bool by_selector);
  bool Leave(std::uint32_t pod, const PortNumbers& numbers);
  bool IsEmpty(const PortNumbers& numbers) const;
  Part& PartOf(const PortNumbers& numbers, bool* changed);
  void Retitle(const PortNumbers& numbers, Part* part) const;

  SelectionPtr base_;
  std::uint8_t protocol_;
  std::string name_;
  BlockFinder blocks_;
  std::map<PortNumbers, Part> parts_;
};
using PortSplitPtr = std::shared_ptr<PortSplit>;

class PortSplits {
 public:
  // `changed` is called for each policy whose named port got other parts.
  PortSplits(const ClusterState* state, Selections* selections, std::function<void(BoundPolicy*)> changed)
      : state_(*state), selections_(*selections), changed_(std::move(changed)) {}
  PortSplits(const PortSplits&) = delete;
  PortSplits& operator=(const PortSplits&) = delete;

  PortSplitPtr Find(const SelectionPtr& base, std::uint8_t protocol, const std::string& name);

  // Join puts an endpoint, as it is now, into all its parts. Before anything of it changes, Leave takes it out.
  void Join(std::uint32_t pod);
  void Leave(std::uint32_t pod);
  // To be called after the pods that left have joined again: removes parts that are still empty.
  void Settle();

  // Calls `visit(const Selection&)` at least once for each part that the endpoint belongs to.
  template <typename Visit>
  void ForEachHolding(std::uint32_t pod, Visit visit) const {
    ForEachPortSplit(pod, [&](PortSplit& split, const PortNumbers& numbers, bool) {
      const auto part = split.parts_.find(numbers);
      if (part != split.parts_.end() && part->second.selection->pods.contains(pod)) visit(*part->second.selection);
    });
  }

 private:
  using Key = std::tuple<const Selection*, std::uint8_t, std::string>;

  template <typename Visit>
  void ForEachPortSplit(std::uint32_t pod, Visit visit) const;
  void Fill(PortSplit* split) const;
  void Drop(PortSplit* split);
  void Tell(const PortSplit& split) const;

  const ClusterState& state_;
  Selections& selections_;
  std::function<void(BoundPolicy*)> changed_;
  std::map<Key, std::weak_ptr<PortSplit>> known_;
  std::vector<PortSplit*> with_blocks_;
  std::vector<std::pair<PortSplit*, PortNumbers>> emptied_;
};

template <typename Visit>
void PortSplits::ForEachPortSplit(std::uint32_t pod, Visit visit) const {
  const std::vector<ContainerPort>& ports = state_.pod(pod).ports;
  if (ports.empty() || known_.empty()) return;
  const auto visit_split = [&](PortSplit* split, bool by_selector) {
    const PortNumbers numbers = NumbersOf(ports, split->protocol_, split->name_);
    if (!numbers.empty()) visit(*split, numbers, by_selector);
  };
  for (PortSplit* split : selections_.everyone()->splits) visit_split(split, true);
  selections_.ForEachHolding(pod, [&](const Selection& selection) {
    for (PortSplit* split : selection.splits) visit_split(split, true);
  });
  for (PortSplit* split : with_blocks_) visit_split(split, false);
}

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_PORT_SPLITS_H_
