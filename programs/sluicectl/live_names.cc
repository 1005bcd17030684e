#include "sluicectl/live_names.h"

#include <limits>
#include <vector>

#include "codec/codec.h"
#include "sluicectl/commands.h"

namespace sluice {

int LiveNames::Fetch(const LiveOptions& live, v1::ObserveService::Stub& stub, const ResolvedPolicy& in_force) {
  for (const Section& section : in_force.sections) {
    for (const Rule& rule : section.rules) {
      if (!rule.domain_names.empty()) rules_.try_emplace({section.policy, rule.index}, rule.domain_names);
    }
  }
  if (rules_.empty()) return kExitFine;
  v1::ListNamesRequest request;
  request.set_lapsed(true);
  Call call(live);
  const auto reader = call.Open([&](Call* opened) { return stub.ListNames(opened, request); });
  std::map<IpAddress, std::vector<LearntName>> names;
  v1::LearntName message;
  while (call.Read(*reader, &message)) {
    const auto address = DecodeAddress(message.address());
    if (!address) continue;
    names[*address].push_back({message.name(), message.lapsed() ? 0 : std::numeric_limits<std::uint64_t>::max()});
  }
  if (const int code = Finish(live, call.Finish(*reader)); code != kExitFine) return code;
  for (auto& [address, learnt] : names) learnt_.Put(address, std::move(learnt));
  return kExitFine;
}

const DomainPatterns* LiveNames::BeganBy(const v1::RuleName& egress_rule) const {
  const auto rule = rules_.find({egress_rule.policy(), egress_rule.index()});
  return rule == rules_.end() ? nullptr : &rule->second;
}

}  // namespace sluice
