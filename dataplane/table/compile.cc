#include "table/compile.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <map>
#include <numeric>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "table/cidr_cells.h"

namespace sluice {
namespace {

constexpr std::uint32_t kPodCidrBit = 0xfffffffe;  // in CIDR cells only: the cell lies in a pod CIDR

struct IdentityHash {
  std::size_t operator()(const Identity& identity) const {
    std::uint64_t hash = (std::uint64_t{identity.egress} << 32 | identity.ingress) * 0x9e3779b97f4a7c15u;
    hash = (hash ^ (hash >> 29) ^ (std::uint64_t{identity.peer_class} << 8 | identity.flags)) * 0xff51afd7ed558ccdu;
    return hash ^ (hash >> 32);
  }
};

template <typename... Values>
std::string Bytes(Values... values) {
  std::string bytes;
  (bytes.append(reinterpret_cast<const char*>(&values), sizeof(values)), ...);
  return bytes;
}

std::uint64_t NextEpoch() {
  static std::atomic<std::uint64_t> epoch{0};
  return ++epoch;
}

// Ascending ids out of ids in any order, without duplicates. Long lists go through a bitmap: a subject under a thousand
// policies costs a thousand bit sets, not a sort.
class IdSorter {
 public:
  void Add(std::uint32_t id) { ids_.push_back(id); }
  const std::vector<std::uint32_t>& Sort() {
    if (std::is_sorted(ids_.begin(), ids_.end(), std::less_equal<>())) return ids_;
    const std::uint32_t largest = *std::max_element(ids_.begin(), ids_.end());
    if (ids_.size() < 32 || largest / 64 > ids_.size() * 8) {
      std::sort(ids_.begin(), ids_.end());
      ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
      return ids_;
    }
    words_.assign(largest / 64 + 1, 0);
    for (const std::uint32_t id : ids_) words_[id / 64] |= std::uint64_t{1} << (id % 64);
    ids_.clear();
    for (std::uint32_t word = 0; word < words_.size(); ++word) {
      for (std::uint64_t bits = words_[word]; bits != 0; bits &= bits - 1) {
        ids_.push_back(word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits)));
      }
    }
    return ids_;
  }
  void Clear() { ids_.clear(); }

 private:
  std::vector<std::uint32_t> ids_;
  std::vector<std::uint64_t> words_;
};

}  // namespace

// What one epoch has interned, and how to find it again by content.
struct Compiler::State {
  State() : interned(std::make_shared<InternedPolicy>()) {
    interned->epoch = NextEpoch();
    interned->identities.push_back({});
    interned->rules.push_back({});
    identity_ids.emplace(Identity{}, 0);
  }

  std::uint64_t InternedBytes() const {
    return interned->section_sets.MemoryBytes() + interned->peer_classes.MemoryBytes() +
           interned->port_classes.MemoryBytes() + interned->identities.MemoryBytes() + interned->rules.MemoryBytes() +
           interned->section_rules.MemoryBytes() + heap_bytes;
  }

  std::shared_ptr<InternedPolicy> interned;
  std::unordered_map<std::string, std::uint32_t> peer_bits;      // by group key
  std::map<std::vector<PortRange>, std::uint32_t> port_set_ids;  // by ranges, merged
  std::unordered_map<std::string, RuleId> rule_ids;              // by every field
  std::unordered_map<std::string, SectionId> section_ids;        // by its rule ids
  std::unordered_map<Identity, IdentityId, IdentityHash> identity_ids;
  std::unordered_map<std::string, NodeId> node_ids;
  std::vector<std::string> node_names;
  std::uint64_t heap_bytes = 0;  // behind rules' names and sections' lists

  // The generation in force; its bits, port sets and pod CIDRs tell what the next one changes.
  std::shared_ptr<const Table> current;
  std::vector<std::uint8_t> bits_in_force;
  std::vector<std::uint32_t> port_sets_in_force;
  std::vector<Prefix> pod_cidrs;
  std::uint64_t live_memberships = 0;
};

namespace {

Diagnostic TooLarge(std::string object, std::string_view what, std::uint64_t limit) {
  Diagnostic diagnostic;
  diagnostic.object = std::move(object);
  diagnostic.message = "the policy does not fit: with this object it needs more than " + std::to_string(limit) + ' ' +
                       std::string(what) + "; the table in force stays. Raise the limit or narrow the policy";
  return diagnostic;
}

}  // namespace

// One compilation. Each step reads what the steps before it left here.
class CompilePass {
 public:
  CompilePass(Compiler::State& state, const CompileLimits& limits, const ResolvedPolicy& policy, Table& table)
      : state_(state), limits_(limits), policy_(policy), table_(table), interned_(*state.interned) {}

  std::optional<Diagnostic> Run() {
    InternPeerBits();
    if (auto error = InternSections()) return error;
    BuildPorts();
    BuildNodes();
    BuildCells();
    if (auto error = BuildEndpoints()) return error;
    BuildHosts();
    CountStats();
    if (table_.stats_.bytes > limits_.table_bytes) {
      return TooLarge("address map (pods and CIDR cells)", "bytes", limits_.table_bytes);
    }
    Commit();
    return std::nullopt;
  }

 private:
  void InternPeerBits();
  std::optional<Diagnostic> InternSections();
  RuleId InternRule(TableRule rule);
  std::uint32_t InternPortSet(std::vector<PortRange> ports);
  IdentityId InternIdentity(const Identity& identity);
  void BuildPorts();
  void BuildNodes();
  void BuildCells();
  std::optional<Diagnostic> BuildEndpoints();
  void BuildHosts();
  void CountStats();
  void Commit();
  void BumpStripes(std::uint32_t generation);
  bool Concerns(IdentityId before, IdentityId after);

  Compiler::State& state_;
  const CompileLimits& limits_;
  const ResolvedPolicy& policy_;
  Table& table_;
  InternedPolicy& interned_;

  std::vector<std::uint32_t> bit_of_group_;  // kAnyPeerBit: no rule names the group as a peer
  std::vector<std::uint8_t> bits_in_force_;
  std::vector<std::vector<SectionId>> sections_of_group_[2];  // by direction
  std::map<std::uint32_t, const std::vector<PortRange>*> port_sets_;
  std::vector<std::uint32_t> port_sets_in_force_;
  std::vector<NodeId> node_ids_;
  std::vector<Prefix> pod_cidrs_;
  CidrPartition partition_;
  std::vector<IdentityId> identity_of_bits_;  // by IdSetId of partition_.sets
  std::vector<std::pair<IpAddress, AddressEntry>> hosts_;
  std::unordered_map<std::uint64_t, bool> concerns_;
  std::uint64_t live_memberships_ = 0;
  std::uint64_t rules_in_force_ = 0;
};

void CompilePass::InternPeerBits() {
  bit_of_group_.assign(policy_.groups.size(), TableRule::kAnyPeerBit);
  for (const Section& section : policy_.sections) {
    for (const Rule& rule : section.rules) {
      if (rule.peers == kAnyPeer || bit_of_group_[rule.peers] != TableRule::kAnyPeerBit) continue;
      const auto next = static_cast<std::uint32_t>(state_.peer_bits.size());
      const auto [place, added] = state_.peer_bits.try_emplace(policy_.groups[rule.peers].key, next);
      bit_of_group_[rule.peers] = place->second;
    }
  }
  bits_in_force_.resize(state_.peer_bits.size());
  for (const std::uint32_t bit : bit_of_group_) {
    if (bit != TableRule::kAnyPeerBit) bits_in_force_[bit] = 1;
  }
}

std::uint32_t CompilePass::InternPortSet(std::vector<PortRange> ports) {
  std::sort(ports.begin(), ports.end());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (kept > 0 && ports[i].protocol == ports[kept - 1].protocol && ports[i].first <= ports[kept - 1].last + 1) {
      ports[kept - 1].last = std::max(ports[kept - 1].last, ports[i].last);
    } else {
      ports[kept++] = ports[i];
    }
  }
  ports.resize(kept);
  const auto next = static_cast<std::uint32_t>(state_.port_set_ids.size());
  const auto place = state_.port_set_ids.try_emplace(std::move(ports), next).first;
  port_sets_.emplace(place->second, &place->first);
  return place->second;
}

RuleId CompilePass::InternRule(TableRule rule) {
  std::string key =
      Bytes(rule.tier, rule.direction, rule.action, rule.priority, rule.index, rule.peer_bit, rule.port_set);
  key += rule.policy;
  const auto [place, added] = state_.rule_ids.try_emplace(std::move(key), interned_.rules.size());
  if (added) {
    if (rule.policy.size() > 15) state_.heap_bytes += rule.policy.size() + 1;
    interned_.rules.push_back(std::move(rule));
  }
  return place->second;
}

std::optional<Diagnostic> CompilePass::InternSections() {
  for (auto& sections : sections_of_group_) sections.resize(policy_.groups.size());
  for (const Section& section : policy_.sections) {
    TableRule rule;
    rule.policy = section.policy;
    rule.tier = section.tier;
    rule.direction = section.direction;
    rule.priority = section.priority;
    std::vector<RuleId> rules;
    for (const Rule& source : section.rules) {
      rule.action = source.action;
      rule.index = source.index;
      rule.peer_bit = source.peers == kAnyPeer ? TableRule::kAnyPeerBit : bit_of_group_[source.peers];
      rule.port_set = source.any_port ? TableRule::kAnyPortSet : InternPortSet(source.ports);
      rules.push_back(InternRule(rule));
    }
    if (section.isolates) {
      rule.action = Action::kDeny;
      rule.index = -1;
      rule.peer_bit = TableRule::kAnyPeerBit;
      rule.port_set = TableRule::kAnyPortSet;
      rules.push_back(InternRule(rule));
    }
    rules_in_force_ += rules.size();
    if (interned_.rules.size() > limits_.rules) return TooLarge("policy " + section.policy, "rules", limits_.rules);
    std::string key(reinterpret_cast<const char*>(rules.data()), rules.size() * sizeof(RuleId));
    const auto [place, added] = state_.section_ids.try_emplace(std::move(key), interned_.section_rules.size());
    if (added) {
      state_.heap_bytes += rules.size() * sizeof(RuleId);
      interned_.section_rules.push_back(std::move(rules));
      if (state_.InternedBytes() > limits_.table_bytes) {
        return TooLarge("policy " + section.policy, "bytes", limits_.table_bytes);
      }
    }
    sections_of_group_[static_cast<int>(section.direction)][section.subjects].push_back(place->second);
  }
  return std::nullopt;
}

void CompilePass::BuildPorts() {
  for (const auto& [id, ranges] : port_sets_) port_sets_in_force_.push_back(id);
  if (state_.current != nullptr && port_sets_in_force_ == state_.port_sets_in_force) {
    table_.ports_ = state_.current->ports_;
    return;
  }
  const std::vector<std::pair<std::uint32_t, const std::vector<PortRange>*>> sets(port_sets_.begin(), port_sets_.end());
  table_.ports_ = PortMap::Build(sets, interned_.port_classes);
}

void CompilePass::BuildNodes() {
  for (const Node& node : policy_.nodes) {
    const auto next = static_cast<NodeId>(state_.node_names.size());
    const auto [place, added] = state_.node_ids.try_emplace(node.name, next);
    if (added) state_.node_names.push_back(node.name);
    node_ids_.push_back(place->second);
    pod_cidrs_.insert(pod_cidrs_.end(), node.pod_cidrs.begin(), node.pod_cidrs.end());
  }
  std::sort(pod_cidrs_.begin(), pod_cidrs_.end());
}

IdentityId CompilePass::InternIdentity(const Identity& identity) {
  const auto [place, added] = state_.identity_ids.try_emplace(identity, interned_.identities.size());
  if (added) interned_.identities.push_back(identity);
  return place->second;
}

void CompilePass::BuildCells() {
  std::vector<CidrInput> inputs;
  for (std::size_t group = 0; group < policy_.groups.size(); ++group) {
    if (bit_of_group_[group] == TableRule::kAnyPeerBit || policy_.groups[group].blocks.empty()) continue;
    inputs.push_back({bit_of_group_[group], &policy_.groups[group].blocks});
  }
  std::sort(inputs.begin(), inputs.end(), [](const CidrInput& a, const CidrInput& b) { return a.bit < b.bit; });
  std::vector<CidrBlock> pod_blocks;
  for (const Prefix& prefix : pod_cidrs_) pod_blocks.push_back({prefix, {}});
  if (!pod_blocks.empty()) inputs.push_back({kPodCidrBit, &pod_blocks});
  partition_ = PartitionCidrs(inputs);

  identity_of_bits_.resize(partition_.sets.SetCount());
  for (IdSetId set = 1; set < partition_.sets.SetCount(); ++set) {
    std::vector<std::uint32_t> bits = partition_.sets.ToVector(set);
    Identity identity;
    if (bits.back() == kPodCidrBit) {
      identity.flags = Identity::kInPodCidr;
      bits.pop_back();
    }
    identity.peer_class = interned_.peer_classes.Intern(bits);
    identity_of_bits_[set] = InternIdentity(identity);
    live_memberships_ += bits.size();
  }

  // A single address becomes a host, so that lists of /128 do not dig deep tries; the cells around it close over it.
  std::vector<CidrCell> cells;
  for (const CidrPartition::Cell& cell : partition_.cells) {
    const IdentityId identity = identity_of_bits_[cell.bits];
    const bool follows = !cells.empty() && Next(cells.back().last) == cell.first;
    if (cell.first == cell.last) {
      hosts_.emplace_back(cell.first, AddressEntry{identity, kNoNode});
      if (follows) cells.back().last = cell.last;
    } else if (follows && cells.back().identity == identity) {
      cells.back().last = cell.last;
    } else {
      cells.push_back({cell.first, cell.last, identity});
    }
  }
  table_.addresses_.SetCells(std::move(cells));
}

std::optional<Diagnostic> CompilePass::BuildEndpoints() {
  for (std::size_t i = 0; i < policy_.nodes.size(); ++i) {
    for (const IpAddress& address : policy_.nodes[i].addresses) {
      hosts_.emplace_back(address, AddressEntry{identity_of_bits_[partition_.Find(address)], node_ids_[i]});
    }
  }
  // Endpoints with the same members share all but their CIDR cells: those are worked out once.
  std::vector<std::uint32_t> order(policy_.endpoints.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return policy_.endpoints[a].members < policy_.endpoints[b].members;
  });
  std::vector<std::pair<IdSetId, IdentityId>> of_cell;  // of these members, by the cell's bits
  Identity identity;
  std::vector<std::uint32_t> member_bits;
  IdSorter sorter;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Endpoint& endpoint = policy_.endpoints[order[i]];
    if (i == 0 || endpoint.members != policy_.endpoints[order[i - 1]].members) {
      of_cell.clear();
      identity = {};
      identity.flags = Identity::kManaged;
      for (const Direction direction : {Direction::kEgress, Direction::kIngress}) {
        const auto& sections_of_group = sections_of_group_[static_cast<int>(direction)];
        sorter.Clear();
        policy_.member_sets.ForEach(endpoint.members, [&](GroupId group) {
          for (const SectionId section : sections_of_group[group]) sorter.Add(section);
        });
        const auto& sections = sorter.Sort();
        live_memberships_ += sections.size();
        (direction == Direction::kEgress ? identity.egress : identity.ingress) =
            interned_.section_sets.Intern(sections);
      }
      sorter.Clear();
      policy_.member_sets.ForEach(endpoint.members, [&](GroupId group) {
        if (bit_of_group_[group] != TableRule::kAnyPeerBit) sorter.Add(bit_of_group_[group]);
      });
      member_bits = sorter.Sort();
      if (state_.InternedBytes() > limits_.table_bytes) {
        return TooLarge("endpoint " + endpoint.namespace_name + '/' + endpoint.name, "bytes", limits_.table_bytes);
      }
    }
    const NodeId node = endpoint.node == kNoNode ? kNoNode : node_ids_[endpoint.node];
    for (const IpAddress& address : endpoint.addresses) {
      const IdSetId cell = partition_.Find(address);
      auto known = std::find_if(of_cell.begin(), of_cell.end(), [&](const auto& pair) { return pair.first == cell; });
      if (known == of_cell.end()) {
        sorter.Clear();
        for (const std::uint32_t bit : member_bits) sorter.Add(bit);
        partition_.sets.ForEach(cell, [&](std::uint32_t bit) {
          if (bit != kPodCidrBit) sorter.Add(bit);  // an endpoint is known, wherever it is
        });
        const auto& bits = sorter.Sort();
        live_memberships_ += bits.size();
        identity.peer_class = interned_.peer_classes.Intern(bits);
        known = of_cell.insert(of_cell.end(), {cell, InternIdentity(identity)});
        if (interned_.identities.size() > limits_.identities) {
          return TooLarge("endpoint " + endpoint.namespace_name + '/' + endpoint.name, "identities",
                          limits_.identities);
        }
      }
      hosts_.emplace_back(address, AddressEntry{known->second, node});
    }
  }
  return std::nullopt;
}

// Whether an address that went from one identity to the other can be judged differently by a rule that was there
// before. Rules that came or went changed the sections of their own subjects, which is seen there.
bool CompilePass::Concerns(IdentityId before_id, IdentityId after_id) {
  if (before_id == after_id) return false;
  const Identity& before = interned_.identities[before_id];
  const Identity& after = interned_.identities[after_id];
  if (before.egress != after.egress || before.ingress != after.ingress || before.flags != after.flags) return true;
  const auto [known, added] = concerns_.try_emplace(std::uint64_t{before.peer_class} << 32 | after.peer_class, false);
  if (!added) return known->second;
  const auto differs = [&](IdSetId from, IdSetId in) {
    bool found = false;
    interned_.peer_classes.ForEach(from, [&](std::uint32_t bit) {
      const bool in_both = bit < state_.bits_in_force.size() && state_.bits_in_force[bit] && bits_in_force_[bit];
      found = found || (in_both && !interned_.peer_classes.Contains(in, bit));
    });
    return found;
  };
  return known->second = differs(before.peer_class, after.peer_class) || differs(after.peer_class, before.peer_class);
}

void CompilePass::BumpStripes(std::uint32_t generation) {
  if (state_.current == nullptr || pod_cidrs_ != state_.pod_cidrs) {
    table_.stripes_.fill(generation);
    return;
  }
  table_.stripes_ = state_.current->stripes_;
  const auto compare = [&](const IpAddress& address, const AddressEntry& before, const AddressEntry& after) {
    if (before.node != after.node || Concerns(before.identity, after.identity)) {
      table_.stripes_[Table::Stripe(address)] = generation;
    }
  };
  const AddressMap& before = state_.current->addresses_;
  for (const auto& [address, entry] : hosts_) compare(address, before.Lookup(address), entry);
  before.ForEachHost([&](const IpAddress& address, const AddressEntry& entry) {
    compare(address, entry, table_.addresses_.Lookup(address));
  });
}

void CompilePass::BuildHosts() {
  // Where an address was given more than once, the last one stands: endpoint over node over block.
  std::stable_sort(hosts_.begin(), hosts_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    if (kept > 0 && hosts_[kept - 1].first == hosts_[i].first) --kept;
    hosts_[kept++] = hosts_[i];
  }
  hosts_.resize(kept);
  table_.addresses_.SetAll(hosts_);
}

void CompilePass::CountStats() {
  TableStats& stats = table_.stats_;
  stats.addresses = table_.addresses_.host_count();
  stats.cidr_cells = table_.addresses_.cells().size();
  stats.groups = policy_.groups.size();
  stats.sections = policy_.sections.size();
  stats.rules = rules_in_force_;
  stats.identities = interned_.identities.size();
  stats.section_sets = interned_.section_sets.SetCount();
  stats.peer_classes = interned_.peer_classes.SetCount();
  stats.port_classes = interned_.port_classes.SetCount();
  stats.memberships = interned_.section_sets.MembershipCount() + interned_.peer_classes.MembershipCount() +
                      interned_.port_classes.MembershipCount();
  stats.bytes = state_.InternedBytes() + table_.addresses_.MemoryBytes() + table_.ports_.MemoryBytes() + sizeof(Table);
}

// From here on nothing is refused: the table becomes the one that the next is compared with.
void CompilePass::Commit() {
  table_.has_policy_ = true;
  table_.interned_ = state_.interned;
  table_.rule_limit_ = interned_.rules.size();
  table_.section_limit_ = interned_.section_rules.size();
  table_.identity_limit_ = interned_.identities.size();
  table_.node_names_ = state_.node_names;
  BumpStripes(static_cast<std::uint32_t>(table_.generation_));
  state_.bits_in_force = std::move(bits_in_force_);
  state_.port_sets_in_force = std::move(port_sets_in_force_);
  state_.pod_cidrs = std::move(pod_cidrs_);
  state_.live_memberships = live_memberships_;
}

Compiler::Compiler(CompileLimits limits) : state_(std::make_unique<State>()), limits_(limits) {}
Compiler::~Compiler() = default;

std::shared_ptr<const Table> Compiler::EmptyTable() {
  auto table = std::make_shared<Table>();
  table->interned_ = state_->interned;
  return table;
}

std::variant<std::shared_ptr<const Table>, Diagnostic> Compiler::Compile(const ResolvedPolicy& policy) {
  const auto attempt = [&](State& state) -> std::variant<std::shared_ptr<const Table>, Diagnostic> {
    auto table = std::make_shared<Table>();
    table->generation_ = generation_ + 1;
    if (auto error = CompilePass(state, limits_, policy, *table).Run()) return std::move(*error);
    generation_ = table->generation_;
    state.current = table;
    return std::shared_ptr<const Table>(std::move(table));
  };
  // Interning keeps what earlier generations left behind; a new epoch sheds it, at the price of judging all flows
  // again.
  const std::uint64_t interned =
      state_->interned->section_sets.MembershipCount() + state_->interned->peer_classes.MembershipCount();
  const bool mostly_garbage = interned > 4 * state_->live_memberships + (1u << 20);
  if (!mostly_garbage) {
    auto result = attempt(*state_);
    if (state_->current == nullptr || std::holds_alternative<std::shared_ptr<const Table>>(result)) return result;
  }
  auto fresh = std::make_unique<State>();
  auto result = attempt(*fresh);
  if (std::holds_alternative<std::shared_ptr<const Table>>(result)) state_ = std::move(fresh);
  return result;
}

}  // namespace sluice
