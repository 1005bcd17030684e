#include "sluicectl/replay_names.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>
#include <variant>

#include "sluicectl/input.h"

namespace sluice {
namespace {

// sluiced's limits, with room for the known names as well.
NameStore::Limits LimitsWith(const KnownNames& known) {
  NameStore::Limits limits;
  for (const auto& [address, names] : known.by_address()) limits.pairs += names.size();
  limits.addresses_a_name += known.by_address().size();
  return limits;
}

}  // namespace

std::optional<std::vector<Resolver>> ParseResolvers(const std::vector<std::string>& texts) {
  std::vector<Resolver> resolvers;
  bool good = true;
  for (const std::string& text : texts) {
    auto resolver = Resolver::Parse(text);
    if (auto* parsed = std::get_if<Resolver>(&resolver)) {
      resolvers.push_back(std::move(*parsed));
    } else {
      Diagnostic error;
      error.field = "DNS resolver";
      error.message = std::get<std::string>(resolver);
      Report(error);
      good = false;
    }
  }
  if (!good) return std::nullopt;
  return resolvers;
}

ReplayNames::ReplayNames(const Table& table, std::vector<IpAddress> resolvers, std::uint16_t port,
                         const KnownNames& known)
    : resolvers_(std::move(resolvers)), port_(port), store_(LimitsWith(known)) {
  std::sort(resolvers_.begin(), resolvers_.end());
  store_.Follow(table);
  for (const auto& [address, names] : known.by_address()) {
    for (const std::string& name : names) {
      store_.Learn({{&name, 1}, {&address, 1}, std::numeric_limits<std::uint32_t>::max(), "--names"}, {});
    }
  }
}

void ReplayNames::Listen(DnsTap& tap) {
  listener_.Add(tap);
  listener_.Trust(resolvers_);
}

std::size_t ReplayNames::Learner::Learn(const DnsAnswer& answer, const IpAddress& resolver, std::uint64_t clock_ns) {
  const std::string from = resolver.ToString();
  return store_.Learn({answer.names, answer.addresses, answer.ttl_s, from}, {clock_ns, clock_ns}).kept;
}

std::string ReplayNames::Summary() const {
  const DnsTotals dns = listener_.totals();
  std::string answers;
  const auto add = [&](std::uint64_t count, std::string_view outcome) {
    if (count == 0) return;
    answers += (answers.empty() ? "" : ", ") + std::to_string(count) + ' ' + std::string(outcome);
  };
  add(dns.learnt, "learnt");
  add(dns.unlearnt, "unlearnt");
  add(dns.untrusted, "untrusted");
  add(dns.spoofed, "spoofed");
  add(dns.malformed, "malformed");
  add(dns.truncated, "truncated");
  add(dns.fragmented, "in fragments");
  const NameCounters names = store_.counters();
  return "DNS: " + std::to_string(dns.queries) + " queries; answers: " + (answers.empty() ? "none" : answers) + "; " +
         std::to_string(names.names) + " names with " + std::to_string(names.kept_pairs) + " addresses";
}

}  // namespace sluice
