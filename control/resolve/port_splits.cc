#include "resolve/port_splits.h"

#include <algorithm>
#include <utility>

#include "resolve/selection_text.h"

namespace sluice {
namespace {

CidrBlock BlockOf(const IpAddress& address) {
  return {Prefix::Make(address, static_cast<std::uint8_t>(AddressBits(address.family))), {}};
}

}  // namespace

BlockFinder::BlockFinder(const std::vector<CidrBlock>& blocks) {
  for (const CidrBlock& block : blocks) {
    lengths_.emplace_back(block.cidr.base.family, block.cidr.length);
    by_cidr_.emplace(block.cidr, &block);
  }
  std::sort(lengths_.begin(), lengths_.end());
  lengths_.erase(std::unique(lengths_.begin(), lengths_.end()), lengths_.end());
}

bool BlockFinder::Holds(const IpAddress& address) const {
  return std::any_of(lengths_.begin(), lengths_.end(), [&](const auto& length) {
    if (length.first != address.family) return false;
    const auto [first, last] = by_cidr_.equal_range(Prefix::Make(address, length.second));
    return std::any_of(first, last, [&](const auto& entry) {
      const std::vector<Prefix>& excepts = entry.second->excepts;
      return std::none_of(excepts.begin(), excepts.end(),
                          [&](const Prefix& except) { return except.Contains(address); });
    });
  });
}

PortSplit::Part& PortSplit::PartOf(const PortNumbers& numbers, bool* changed) {
  const auto [part, added] = parts_.try_emplace(numbers);
  if (added) {
    Retitle(numbers, &part->second);
    *changed = true;
  }
  return part->second;
}

// The text of a part names its blocks and becomes a group's key, and equal keys mean equal groups. So when the blocks
// change, the selection is replaced, not changed. Receivers that have the old group keep a group that fits its key,
// until their policies name the new one.
void PortSplit::Retitle(const PortNumbers& numbers, Part* part) const {
  auto selection = std::make_shared<Selection>();
  selection->kind = Selection::Kind::kListed;
  if (part->selection) selection->pods = part->selection->pods;
  for (const auto& [pod, blocks] : part->held_in_part) {
    selection->blocks.insert(selection->blocks.end(), blocks.begin(), blocks.end());
  }
  std::sort(selection->blocks.begin(), selection->blocks.end());
  selection->text = '(' + base_->text + ") with " + NamedPortText(protocol_, name_, numbers);
  if (!selection->blocks.empty()) selection->text += " or of those " + BlocksText(selection->blocks);
  part->selection = std::move(selection);
}

// A pod that joins a part does not change the part's text. So policies that name the part need no update: the pod's
// update carries its membership. A new part, or a part with other blocks, changes each policy that names the port.
bool PortSplit::Join(const ClusterState& state, std::uint32_t pod, const PortNumbers& numbers, bool by_selector) {
  bool changed = false;
  if (by_selector) {
    PartOf(numbers, &changed).selection->pods.add(pod);
    return changed;
  }
  const auto known = parts_.find(numbers);
  if (known != parts_.end() && known->second.selection->pods.contains(pod)) return false;
  const std::vector<IpAddress> addresses = state.HeldAddresses(pod);
  std::vector<CidrBlock> held;
  for (const IpAddress& address : addresses) {
    if (blocks_.Holds(address)) held.push_back(BlockOf(address));
  }
  if (held.empty()) return false;
  Part& part = PartOf(numbers, &changed);
  if (held.size() == addresses.size()) {
    part.selection->pods.add(pod);
    return changed;
  }
  part.held_in_part[pod] = std::move(held);
  Retitle(numbers, &part);
  return true;
}

bool PortSplit::IsEmpty(const PortNumbers& numbers) const {
  const auto part = parts_.find(numbers);
  return part != parts_.end() && part->second.selection->pods.isEmpty() && part->second.held_in_part.empty();
}

bool PortSplit::Leave(std::uint32_t pod, const PortNumbers& numbers) {
  const auto found = parts_.find(numbers);
  if (found == parts_.end()) return false;
  Part& part = found->second;
  part.selection->pods.remove(pod);
  const bool held_in_part = part.held_in_part.erase(pod) > 0;
  if (held_in_part) Retitle(numbers, &part);
  return held_in_part;
}

PortSplitPtr PortSplits::Find(const SelectionPtr& base, std::uint8_t protocol, const std::string& name) {
  const auto [known, added] = known_.try_emplace({base.get(), protocol, name});
  if (!added) return known->second.lock();
  PortSplitPtr split(new PortSplit(base, protocol, name), [this](PortSplit* gone) { Drop(gone); });
  known->second = split;
  base->splits.push_back(split.get());
  if (!base->blocks.empty()) with_blocks_.push_back(split.get());
  Fill(split.get());
  return split;
}

void PortSplits::Drop(PortSplit* split) {
  known_.erase({split->base_.get(), split->protocol_, split->name_});
  std::erase(split->base_->splits, split);
  std::erase(with_blocks_, split);
  delete split;
}

void PortSplits::Fill(PortSplit* split) const {
  const PortIndex::Resolutions* resolutions = state_.ports().Find(split->protocol_, split->name_);
  if (resolutions == nullptr) return;
  bool ignored = false;
  const PodSet pods = selections_.PodsOf(*split->base_);
  // Takes the shorter way: pod by pod, or set by set of the pods that have the name.
  if (resolutions->size() > pods.cardinality()) {
    for (const std::uint32_t pod : ToVector(pods)) {
      const PortNumbers numbers = NumbersOf(state_.pod(pod).ports, split->protocol_, split->name_);
      if (!numbers.empty()) split->PartOf(numbers, &ignored).selection->pods.add(pod);
    }
  } else {
    for (const auto& [numbers, holders] : *resolutions) {
      PodSet part = holders & pods;
      if (!part.isEmpty()) split->PartOf(numbers, &ignored).selection->pods = std::move(part);
    }
  }
  if (split->base_->blocks.empty()) return;
  for (const auto& [numbers, holders] : *resolutions) {
    for (const std::uint32_t pod : ToVector(holders)) split->Join(state_, pod, numbers, false);
  }
}

void PortSplits::Join(std::uint32_t pod) {
  ForEachPortSplit(pod, [&](PortSplit& split, const PortNumbers& numbers, bool by_selector) {
    if (split.Join(state_, pod, numbers, by_selector)) Tell(split);
  });
}

void PortSplits::Leave(std::uint32_t pod) {
  ForEachPortSplit(pod, [&](PortSplit& split, const PortNumbers& numbers, bool) {
    if (split.Leave(pod, numbers)) Tell(split);
    if (split.IsEmpty(numbers)) emptied_.emplace_back(&split, numbers);
  });
}

// Leave itself does not do this. Most pods that leave join again at once. Leave would remove the part and Join make it
// anew, and each policy that names the part would be sent twice.
void PortSplits::Settle() {
  for (const auto& [split, numbers] : emptied_) {
    if (!split->IsEmpty(numbers)) continue;
    split->parts_.erase(numbers);
    Tell(*split);
  }
  emptied_.clear();
}

void PortSplits::Tell(const PortSplit& split) const {
  for (BoundPolicy* policy : split.policies) changed_(policy);
}

}  // namespace sluice
