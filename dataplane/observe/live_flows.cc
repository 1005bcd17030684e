#include "observe/live_flows.h"

#include <algorithm>
#include <functional>

#include "core/flow_state.h"

namespace sluice {

std::size_t LiveFlows::HashId::operator()(const Id& id) const noexcept {
  const std::hash<IpAddress> hash;
  const std::uint64_t ports =
      std::uint64_t{id.source.port} << 24 | std::uint64_t{id.destination.port} << 8 | id.protocol;
  return (hash(id.source.address) * 31 + hash(id.destination.address)) ^ (ports * 0x9e3779b97f4a7c15u);
}

// The end of a flow may still be in a worker's ring, so what was told of it is kept for one more round.
void LiveFlows::Gather(const std::vector<Observation>& workers) {
  ++round_;
  due_.clear();
  next_ = 0;
  for (const Observation& worker : workers) {
    worker.reader.ForEachFlow([&](const FlowView& flow) {
      if (flow.state == FlowState::kCut) return;  // its end has a record
      const auto known = told_.find(IdOf(flow));
      if (known != told_.end()) known->second.round = round_;
      const std::uint64_t told = known == told_.end() ? 0 : known->second.traffic.all.packets;
      if (flow.traffic.packets == told || due_.size() == most_) return;
      due_.push_back({flow, static_cast<std::uint32_t>(worker.reader.IdleMs(flow)), worker.reader.AgeMs(flow)});
    });
  }
  std::erase_if(told_, [&](const auto& entry) { return entry.second.round + 1 < round_; });
}

std::span<const LiveFlow> LiveFlows::TakeDue(std::size_t most) {
  const std::span<const LiveFlow> due = std::span<const LiveFlow>(due_).subspan(next_);
  const std::span<const LiveFlow> taken = due.first(std::min(most, due.size()));
  next_ += taken.size();
  return taken;
}

// A new connection between the same ends counts from zero again.
ToldTraffic LiveFlows::Tell(const FlowView& flow) {
  auto known = told_.find(IdOf(flow));
  if (known == told_.end()) {
    if (told_.size() >= 2 * most_) return {};
    known = told_.emplace(IdOf(flow), Told()).first;
  }
  Told& told = known->second;
  const ToldTraffic before = told.traffic.all.packets <= flow.traffic.packets ? told.traffic : ToldTraffic();
  told = {{flow.traffic, flow.reply}, round_};
  return before;
}

ToldTraffic LiveFlows::Forget(const FlowView& flow) {
  const auto known = told_.find(IdOf(flow));
  if (known == told_.end()) return {};
  const ToldTraffic told = known->second.traffic;
  told_.erase(known);
  return told.all.packets <= flow.traffic.packets ? told : ToldTraffic();
}

}  // namespace sluice
