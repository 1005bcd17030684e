#include "table/compile_pass.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <unordered_set>

#include "table/bundle.h"

namespace sluice {
namespace {

constexpr std::size_t kMostListedMemberships = std::size_t{1} << 22;  // 16 MB
constexpr std::uint32_t kPodCidrBit = 0xfffffffe;                     // only in CIDR cells: the cell lies in a pod CIDR
// Stands before the patterns of rules by name, among the keys of groups. No group's key begins like this.
constexpr std::string_view kNamesKey("\0names ", 7);
constexpr std::size_t kBlocksTried = 16;  // per address, one by one; if there are more, its cell is looked up

// `key`: the limit's key in the configuration.
// The field is that key: code that passes the diagnostic on then passes the key on as well.
Diagnostic TooLarge(std::string object, std::string_view what, std::uint64_t limit, const char* key) {
  Diagnostic diagnostic;
  diagnostic.object = std::move(object);
  diagnostic.field = key;
  diagnostic.message = "the policy does not fit: with this object it needs more than " + std::to_string(limit) + ' ' +
                       std::string(what) + "; the table in force stays. Raise " + key + " or narrow the policy";
  return diagnostic;
}

}  // namespace

// A group costs nothing until a rule names it as a peer. Then it gets a bit, and two results that were worked
// out without that bit are stale: the member sets that hold the group, and the cells that its blocks cut.
std::uint32_t CompilePass::BitOf(GroupId group, bool bundled) {
  GroupState& state = in_force_.groups[group];
  std::uint32_t& bit = state.bits[bundled];
  if (bit == GroupState::kNoBit) {
    const Group& named = policy_.groups[group];
    bit = interner_.PeerBit(named.key, bundled, table_.generation_);
    state.peer = interner_.rules().Peer(named.key);
    dirty_groups_.push_back(group);
    if (!named.blocks.empty()) new_blocks_.push_back({bit, &named.blocks});
  }
  return bit;
}

// A rule's id includes everything about it that a verdict depends on, and its place
// (policy, index), which counters and answers name. So a section with the same rules
// has the same id, also after it went and came back. A section that differs in anything
// has another id: its subjects' section sets change, and their flows are judged again.
CompilePass::InternedSection CompilePass::Intern(const Section& section) {
  InternedSection interned;
  TableRule rule{section.policy, section.tier, section.direction, Action::kAllow, section.priority, 0, {}};
  const std::uint32_t policy = interner_.rules().Policy(section.policy);
  std::vector<RuleMatch> matches;
  matches.reserve(section.rules.size());
  interned.bits.reserve(section.rules.size());
  interned.port_sets.reserve(section.rules.size());
  const bool bundled = IsBundled(section);
  for (const Rule& source : section.rules) {
    RuleMatch match{RuleMatch::kAnyPeerBit, RuleMatch::kAnyPortSet, kNoRule, section.tier, source.action};
    std::uint32_t peer = RuleInterner::kAnyPeer;
    if (source.peers != kAnyPeer) {
      interned.bits.push_back(match.peer_bit = BitOf(source.peers, bundled));
      peer = in_force_.groups[source.peers].peer;
    }
    if (!source.domain_names.empty()) {
      const std::string key = std::string(kNamesKey) + source.domain_names.ToString();
      interned.bits.push_back(match.peer_bit = interner_.PeerBit(key, bundled, table_.generation_));
      interned.names.emplace_back(match.peer_bit, source.domain_names);
      peer = interner_.rules().Peer(key);
    }
    if (source.any_port) {
      ++interned.any_port;
    } else {
      interned.port_sets.push_back(match.port_set = interner_.rules().PortSet(source.ports));
    }
    rule.action = source.action;
    rule.index = source.index;
    if (rule.name != source.name) rule.name = source.name;
    if (rule.domain_names != source.domain_names) rule.domain_names = source.domain_names;
    match.rule = interner_.rules().Rule(rule, {policy, peer, match.port_set});
    matches.push_back(match);
  }
  RuleId default_deny = kNoRule;
  if (section.isolates) {
    rule.action = Action::kDeny;
    rule.index = -1;
    rule.name = {};
    rule.domain_names = {};
    default_deny = interner_.rules().Rule(rule, {.policy = policy});
  }
  interned.rules = static_cast<std::uint32_t>(matches.size()) + (section.isolates ? 1 : 0);
  interned.id = interner_.Section(matches, default_deny);
  return interned;
}

// Everything that isolates is a section, whatever its tier. Other rules of the tiers
// above and below NetworkPolicy are in bundles. A sender may put both into one section.
template <typename Visit>
void CompilePass::ForEachPart(const Section& section, Visit visit) {
  if (section.tier == Tier::kNetworkPolicy || !section.isolates) return visit(section);
  Section part = section;
  part.isolates = false;
  visit(part);
  part.isolates = true;
  part.rules.clear();
  visit(part);
}

void CompilePass::AddSection(const Section& section) {
  ForEachPart(section, [this](const Section& part) { AddPart(part); });
}

void CompilePass::RemoveSection(const Section& section) {
  ForEachPart(section, [this](const Section& part) { RemovePart(part); });
}

void CompilePass::AddPart(const Section& section) {
  const InternedSection interned = Intern(section);
  in_force_.bit_uses.resize(interner_.BitCount());
  std::vector<std::uint32_t>& port_set_uses = in_force_.port_set_uses[IsBundled(section)];
  port_set_uses.resize(interner_.rules().PortSetCount());
  for (const std::uint32_t bit : interned.bits) ++in_force_.bit_uses[bit];
  for (const std::uint32_t set : interned.port_sets) ports_changed_[IsBundled(section)] |= port_set_uses[set]++ == 0;
  if (IsBundled(section)) in_force_.any_port_bundled += interned.any_port;
  for (const auto& [bit, patterns] : interned.names)
    names_changed_ |= in_force_.names.try_emplace(bit, patterns).second;
  ListOf(section).push_back(interned.id);
  in_force_.rules += interned.rules;
  ++in_force_.sections;
  NoteSubjects(section);
}

void CompilePass::RemovePart(const Section& section) {
  // Interning something again gives the same ids, so a section need not remember them.
  const InternedSection interned = Intern(section);
  for (const std::uint32_t bit : interned.bits) --in_force_.bit_uses[bit];
  std::vector<std::uint32_t>& port_set_uses = in_force_.port_set_uses[IsBundled(section)];
  for (const std::uint32_t set : interned.port_sets) ports_changed_[IsBundled(section)] |= --port_set_uses[set] == 0;
  if (IsBundled(section)) in_force_.any_port_bundled -= interned.any_port;
  for (const auto& [bit, patterns] : interned.names) {
    if (in_force_.bit_uses[bit] == 0) names_changed_ |= in_force_.names.erase(bit) != 0;
  }
  std::vector<SectionId>& sections = ListOf(section);
  sections.erase(std::find(sections.begin(), sections.end(), interned.id));
  in_force_.rules -= interned.rules;
  --in_force_.sections;
  NoteSubjects(section);
}

// A port class is the set of port sets that hold a port. Only the first use of a port set, or the
// end of its last use, changes the classes. So most updates share the map of the table before.
void CompilePass::BuildPorts() {
  const auto sets_in_use = [this](const std::vector<std::uint32_t>& uses) {
    std::vector<std::pair<std::uint32_t, std::span<const PortRange>>> sets;
    for (std::uint32_t set = 0; set < uses.size(); ++set) {
      if (uses[set] > 0) sets.emplace_back(set, interner_.rules().Ranges(set));
    }
    return sets;
  };
  InternedPolicy& interned = interner_.policy();
  const auto same = [this](bool bundled) { return !ports_changed_[bundled] && current_ != nullptr; };
  const auto& [of_sections, of_bundles] = in_force_.port_set_uses;
  table_.ports_ = same(false) ? current_->ports_ : PortMap::Build(sets_in_use(of_sections), interned.port_classes);
  table_.tier_ports_ =
      same(true) ? current_->tier_ports_ : TierPortMap::Build(sets_in_use(of_bundles), interned.tier_port_classes);
  table_.any_port_bundled_ = in_force_.any_port_bundled;
}

void CompilePass::BuildNames() {
  const bool same = !names_changed_ && current_ != nullptr;
  table_.name_rules_ = same ? current_->name_rules_ : std::make_shared<const NameRules>(in_force_.names);
}

void CompilePass::ClaimAddress(const IpAddress& address, NodeId node) {
  const auto [claim, first] = in_force_.node_addresses.try_emplace(address, node);
  if (!first && claim->second != node) claim->second = kSeveralNodes;
}

void CompilePass::AddNode(const Node& node) {
  for (const IpAddress& address : node.addresses) ClaimAddress(address, interner_.NodeOf(node.name));
}

// An address that a node leaves may belong to another node, too, and be that node's own from now on.
void CompilePass::FollowNodes(const PolicyChange& change) {
  std::unordered_set<IpAddress> touched;
  for (const auto& [id, node] : change.nodes_left) {
    touched.insert(node.addresses.begin(), node.addresses.end());
    touched.insert(policy_.nodes[id].addresses.begin(), policy_.nodes[id].addresses.end());
  }
  for (const IpAddress& address : touched) in_force_.node_addresses.erase(address);
  for (const Node& node : policy_.nodes) {
    for (const IpAddress& address : node.addresses) {
      if (touched.contains(address)) ClaimAddress(address, interner_.NodeOf(node.name));
    }
  }
}

void CompilePass::CollectPodCidrs() {
  in_force_.pod_cidrs.clear();
  for (const Node& node : policy_.nodes) {
    in_force_.pod_cidrs.insert(in_force_.pod_cidrs.end(), node.pod_cidrs.begin(), node.pod_cidrs.end());
  }
  std::sort(in_force_.pod_cidrs.begin(), in_force_.pod_cidrs.end());
}

void CompilePass::PartitionAll() {
  std::vector<CidrInput> inputs;
  for (std::size_t group = 0; group < policy_.groups.size(); ++group) {
    if (policy_.groups[group].blocks.empty()) continue;
    for (const std::uint32_t bit : in_force_.groups[group].bits) {
      if (bit != GroupState::kNoBit) inputs.push_back({bit, &policy_.groups[group].blocks});
    }
  }
  std::sort(inputs.begin(), inputs.end(), [](const CidrInput& a, const CidrInput& b) { return a.bit < b.bit; });
  std::vector<CidrBlock> pod_blocks;
  for (const Prefix& prefix : in_force_.pod_cidrs) pod_blocks.push_back({prefix, {}});
  if (!pod_blocks.empty()) inputs.push_back({kPodCidrBit, &pod_blocks});
  in_force_.cells = PartitionCidrs(inputs);
  in_force_.cell_identities.clear();
}

void CompilePass::IdentifyCells() {
  IdSetPool& sets = in_force_.cells.sets;
  for (IdSetId set = static_cast<IdSetId>(in_force_.cell_identities.size()); set < sets.SetCount(); ++set) {
    Identity identity;
    if (sets.Contains(set, kPodCidrBit)) identity.flags = Identity::kInPodCidr;
    identity.peer_class = JoinClasses(kEmptyIdSet, set, false);
    identity.tiers = JoinTiers(0, set);
    in_force_.cell_identities.push_back(interner_.IdentityOf(identity));
  }
}

// A single address becomes a host (HostEntry), so that lists of /128
// blocks make no deep tries. The cells around it close the gap.
void CompilePass::SetCells() {
  std::vector<CidrCell> cells;
  for (const CidrPartition::Cell& cell : in_force_.cells.cells) {
    const IdentityId identity = in_force_.cell_identities[cell.bits];
    const bool follows = !cells.empty() && Next(cells.back().last) == cell.first;
    if (follows && (cell.first == cell.last || cells.back().identity == identity)) {
      cells.back().last = cell.last;
    } else if (cell.first != cell.last) {
      cells.push_back({cell.first, cell.last, identity});
    }
  }
  table_.addresses_.SetCells(std::move(cells));
}

bool CompilePass::ListsSets() const { return in_force_.listed_memberships <= kMostListedMemberships; }

// Worked out once for each distinct member set, not for each endpoint: the pods of a deployment share one set.
const MemberState& CompilePass::Members(IdSetId members) {
  if (members >= in_force_.members.size()) in_force_.members.resize(policy_.member_sets.SetCount());
  MemberState& state = in_force_.members[members];
  if (state.known) return state;
  if (!state.listed && ListsSets()) {
    state.listed = true;
    in_force_.sets_of_groups.resize(policy_.groups.size());
    policy_.member_sets.ForEach(members, [&](GroupId group) {
      in_force_.sets_of_groups[group].push_back(members);
      ++in_force_.listed_memberships;
    });
    if (!ListsSets()) in_force_.sets_of_groups = {};
  }
  InternedPolicy& interned = interner_.policy();
  TierView view;
  for (const Direction direction : {Direction::kEgress, Direction::kIngress}) {
    sorter_.Clear();
    std::vector<std::uint32_t> numbers;
    policy_.member_sets.ForEach(members, [&](GroupId group) {
      const GroupState& subject = in_force_.groups[group];
      for (const SectionId section : subject.sections[static_cast<int>(direction)]) sorter_.Add(section);
      const std::uint32_t number = subject.bundles[static_cast<int>(direction)];
      if (number != GroupState::kNoBundle) numbers.push_back(number);
    });
    const IdSetId sections = interned.section_sets.Intern(sorter_.Sort());
    (direction == Direction::kEgress ? state.egress : state.ingress) = sections;
    std::sort(numbers.begin(), numbers.end());
    view.bundles[static_cast<std::size_t>(direction)] = interned.bundle_sets.Intern(numbers);
  }
  for (const bool bundled : {false, true}) {
    sorter_.Clear();
    policy_.member_sets.ForEach(members, [&](GroupId group) {
      if (const std::uint32_t bit = in_force_.groups[group].bits[bundled]; bit != GroupState::kNoBit) sorter_.Add(bit);
    });
    (bundled ? view.peer_class : state.peer_class) = interned.peer_classes.Intern(sorter_.Sort());
  }
  state.tiers = interner_.TierViewOf(view);
  state.known = true;
  return state;
}

// Adds to the class the cell's bits that are of bundles' rules, or of the
// others. An endpoint is known wherever it is, so a pod CIDR is no peer.
IdSetId CompilePass::JoinClasses(IdSetId peer_class, IdSetId cell_bits, bool bundled) {
  const auto [known, added] = joined_[bundled].try_emplace(std::uint64_t{peer_class} << 32 | cell_bits, kEmptyIdSet);
  if (!added) return known->second;
  IdSetPool& classes = interner_.policy().peer_classes;
  sorter_.Clear();
  classes.ForEach(peer_class, [&](std::uint32_t bit) { sorter_.Add(bit); });
  in_force_.cells.sets.ForEach(cell_bits, [&](std::uint32_t bit) {
    if (bit != kPodCidrBit && interner_.IsBundledBit(bit) == bundled) sorter_.Add(bit);
  });
  return known->second = classes.Intern(sorter_.Sort());
}

std::uint32_t CompilePass::JoinTiers(std::uint32_t tiers, IdSetId cell_bits) {
  TierView view = interner_.policy().tier_views[tiers];
  const IdSetId joined = JoinClasses(view.peer_class, cell_bits, true);
  if (joined == view.peer_class) return tiers;
  view.peer_class = joined;
  return interner_.TierViewOf(view);
}

// The entry of the address as a host: an endpoint's, else a node's, else its own block's; nothing if its cell says
// all. This order is a safety rule: an address that an endpoint claims never gets a node's rights (NP-70, NP-83). A
// host's entry answers alone, without its cell, so the cell's blocks are joined into its peer class here (NP-42).
std::optional<AddressEntry> CompilePass::HostEntry(const IpAddress& address) {
  const CidrPartition::Cell* cell = in_force_.cells.FindCell(address);
  const IdSetId cell_bits = cell == nullptr ? kEmptyIdSet : cell->bits;
  if (const auto owner = in_force_.owners.find(address); owner != in_force_.owners.end()) {
    const Endpoint& endpoint = policy_.endpoints[owner->second];
    const MemberState& members = Members(endpoint.members);
    Identity identity{members.egress, members.ingress, members.peer_class, Identity::kManaged, members.tiers};
    if (cell_bits != kEmptyIdSet) {
      identity.peer_class = JoinClasses(members.peer_class, cell_bits, false);
      identity.tiers = JoinTiers(members.tiers, cell_bits);
    }
    const NodeId node = endpoint.node == kNoNode ? kNoNode : interner_.NodeOf(policy_.nodes[endpoint.node].name);
    return AddressEntry{interner_.IdentityOf(identity), node};
  }
  const IdentityId identity = in_force_.cell_identities[cell_bits];
  if (const auto node = in_force_.node_addresses.find(address); node != in_force_.node_addresses.end()) {
    return AddressEntry{identity, node->second};
  }
  if (cell != nullptr && cell->first == cell->last) return AddressEntry{identity, kNoNode};
  return std::nullopt;
}

std::optional<Diagnostic> CompilePass::Whole() {
  in_force_.groups.resize(policy_.groups.size());
  ports_changed_[0] = ports_changed_[1] = names_changed_ = true;
  std::uint64_t rules = 0;
  for (const Section& section : policy_.sections) {
    rules += section.rules.size() + (section.isolates ? 1 : 0);
    if (rules > limits_.rules) return TooLarge("policy " + section.policy, "rules", limits_.rules, "limits.rules");
  }
  const auto too_many_bytes = [&] { return interner_.TableBytes() > limits_.table_bytes; };
  for (const Section& section : policy_.sections) {
    AddSection(section);
    if (too_many_bytes())
      return TooLarge("policy " + section.policy, "bytes", limits_.table_bytes, "limits.table_bytes");
  }
  MakeBundles();
  BuildPorts();
  BuildNames();
  for (const Node& node : policy_.nodes) AddNode(node);
  CollectPodCidrs();
  PartitionAll();
  IdentifyCells();
  SetCells();

  std::vector<std::pair<IpAddress, AddressEntry>> hosts;
  in_force_.owners.reserve(policy_.endpoints.size());
  std::uint32_t identities = 0;
  for (EndpointId id = 0; id < policy_.endpoints.size(); ++id) {
    const Endpoint& endpoint = policy_.endpoints[id];
    in_force_.holders.Put(id, endpoint.members);
    for (const IpAddress& address : endpoint.addresses) {
      in_force_.owners[address] = id;
      hosts.emplace_back(address, *HostEntry(address));
    }
    // The check is not cheap, and an endpoint that is like others adds next to nothing.
    if (interner_.policy().identities.size() == identities) continue;
    identities = interner_.policy().identities.size();
    const auto object = [&] { return "endpoint " + endpoint.namespace_name + '/' + endpoint.name; };
    if (identities > limits_.identities) {
      return TooLarge(object(), "identities", limits_.identities, "limits.identities");
    }
    if (too_many_bytes()) return TooLarge(object(), "bytes", limits_.table_bytes, "limits.table_bytes");
  }
  for (const auto& [address, node] : in_force_.node_addresses) {
    if (!in_force_.owners.contains(address)) hosts.emplace_back(address, *HostEntry(address));
  }
  for (const CidrPartition::Cell& cell : in_force_.cells.cells) {
    if (cell.first != cell.last || in_force_.owners.contains(cell.first) ||
        in_force_.node_addresses.contains(cell.first)) {
      continue;
    }
    hosts.emplace_back(cell.first, *HostEntry(cell.first));
  }
  table_.addresses_.SetAll(hosts);
  CountStats();
  if (table_.stats_.bytes > limits_.table_bytes) {
    return TooLarge("address map (pods and CIDR cells)", "bytes", limits_.table_bytes, "limits.table_bytes");
  }
  NoteChanges(hosts);
  Publish();
  return std::nullopt;
}

// The member sets in use that hold at least one of the groups.
std::vector<IdSetId> CompilePass::SetsOf(const std::vector<GroupId>& groups) const {
  std::vector<IdSetId> sets;
  if (groups.empty()) return sets;
  const auto is_known = [this](IdSetId set) { return in_force_.members[set].known; };
  if (ListsSets()) {
    for (const GroupId group : groups) {
      if (group >= in_force_.sets_of_groups.size()) continue;
      const std::vector<IdSetId>& of_group = in_force_.sets_of_groups[group];
      std::copy_if(of_group.begin(), of_group.end(), std::back_inserter(sets), is_known);
    }
    std::sort(sets.begin(), sets.end());
    sets.erase(std::unique(sets.begin(), sets.end()), sets.end());
    return sets;
  }
  for (IdSetId set = 0; set < in_force_.members.size(); ++set) {
    const auto holds = [&](GroupId group) { return policy_.member_sets.Contains(set, group); };
    if (is_known(set) && std::any_of(groups.begin(), groups.end(), holds)) sets.push_back(set);
  }
  return sets;
}

// Forgets member sets that hold a dirty group: they are worked out again when next asked for.
void CompilePass::ForgetDirtyMembers() {
  std::sort(dirty_groups_.begin(), dirty_groups_.end());
  dirty_groups_.erase(std::unique(dirty_groups_.begin(), dirty_groups_.end()), dirty_groups_.end());
  dirty_sets_ = SetsOf(dirty_groups_);
  for (const IdSetId set : dirty_sets_) in_force_.members[set].known = false;
}

// Every address whose entry may differ after the update: addresses that came, went or moved;
// addresses of holders of member sets that are worked out anew; and the hosts inside each new
// block. Too many is slow; too few is wrong: a host left out keeps an identity that lacks a bit,
// and a rule would not see it. tests/table compares the outcome with a compilation from scratch.
std::vector<IpAddress> CompilePass::TouchedAddresses(const PolicyChange& change) {
  std::vector<IpAddress> touched;
  const auto touch = [&](const std::vector<IpAddress>& addresses) {
    touched.insert(touched.end(), addresses.begin(), addresses.end());
  };
  for (const auto& [id, endpoint] : change.endpoints_left) touch(endpoint.addresses);
  for (const EndpointId id : change.endpoints_came) touch(policy_.endpoints[id].addresses);
  for (const auto& [id, members] : change.members_left) touch(policy_.endpoints[id].addresses);
  for (const auto& [id, node] : change.nodes_left) {
    touch(node.addresses);
    touch(policy_.nodes[id].addresses);
  }
  std::size_t new_block_count = 0;
  for (const CidrInput& input : new_blocks_) new_block_count += input.blocks->size();
  const auto in_new_blocks = [&](const IpAddress& address) {
    if (new_block_count > kBlocksTried) {
      const CidrPartition::Cell* cell = in_force_.cells.FindCell(address);
      return cell != nullptr && cell->bits >= first_new_cell_set_;
    }
    return std::any_of(new_blocks_.begin(), new_blocks_.end(), [&](const CidrInput& input) {
      return std::any_of(input.blocks->begin(), input.blocks->end(),
                         [&](const CidrBlock& block) { return block.cidr.Contains(address); });
    });
  };
  for (const IdSetId set : dirty_sets_) {
    in_force_.holders.ForEach(set, [&](EndpointId id) { touch(policy_.endpoints[id].addresses); });
  }
  if (!new_blocks_.empty()) {
    for (const Endpoint& endpoint : policy_.endpoints) {
      std::copy_if(endpoint.addresses.begin(), endpoint.addresses.end(), std::back_inserter(touched), in_new_blocks);
    }
    for (const auto& [address, node] : in_force_.node_addresses) touched.push_back(address);
    // A new block may also cut its neighbours down to single addresses.
    for (const CidrPartition::Cell& cell : in_force_.cells.cells) {
      if (cell.first != cell.last) continue;
      const auto host = HostEntry(cell.first);
      if (host && table_.addresses_.Lookup(cell.first) != *host) touched.push_back(cell.first);
    }
  }
  return touched;
}

void CompilePass::FollowHolders(const PolicyChange& change) {
  const auto follow = [this](EndpointId id) { in_force_.holders.Put(id, policy_.endpoints[id].members); };
  for (const auto& [id, endpoint] : change.endpoints_left) follow(id);
  for (const EndpointId id : change.endpoints_came) follow(id);
  for (const auto& [id, members] : change.members_left) follow(id);
}

// The order matters. Sections that left go before groups that left, since they name these groups.
// Groups that left go before sections that came, which may name a new group with the same key.
// Ports, owners and nodes are settled before any address is looked at, as each entry is worked
// out from all of them. Members are forgotten last, when every group has its final bit.
void CompilePass::Update(const PolicyChange& change) {
  in_force_.groups.resize(policy_.groups.size());
  bundles_ = *current_->bundles_;
  FollowHolders(change);
  for (const Section& section : change.sections_left) RemoveSection(section);
  for (const auto& [id, group] : change.groups_left) {
    interner_.ForgetPeerBit(group.key);
    ClearBundles(id);
    in_force_.groups[id] = {};
  }
  for (const Section& section : change.sections_came) AddSection(section);
  for (const Section& section : change.sections_left) {
    if (policy_.sections.Find(section.policy).empty()) interner_.rules().Retire(section.policy);
  }
  MakeBundles();
  BuildPorts();
  BuildNames();

  for (const auto& [id, endpoint] : change.endpoints_left) {
    for (const IpAddress& address : endpoint.addresses) in_force_.owners.erase(address);
  }
  for (const EndpointId id : change.endpoints_came) {
    for (const IpAddress& address : policy_.endpoints[id].addresses) in_force_.owners[address] = id;
  }
  if (!change.nodes_left.empty()) FollowNodes(change);

  table_.addresses_ = current_->addresses_;
  ForgetDirtyMembers();
  first_new_cell_set_ = in_force_.cells.sets.SetCount();
  for (const CidrInput& input : new_blocks_) in_force_.cells.Add(input);
  IdentifyCells();
  if (!new_blocks_.empty()) SetCells();

  table_.changes_.Begin(table_.generation_, current_->changes_);
  for (const IpAddress& address : TouchedAddresses(change)) {
    const auto host = HostEntry(address);
    if (host) {
      table_.addresses_.Set(address, *host);
    } else {
      table_.addresses_.Erase(address);
    }
    Compare(address, current_->Lookup(address), table_.Lookup(address));
  }
  NoteRebundled();
  CountStats();
  Publish();
}

std::uint64_t InForce::MemoryBytes() const {
  constexpr std::uint64_t kNodeBytes = 64;  // of a hash map: links, an address, an id, a share of the buckets
  const auto bytes = [](const auto& list) { return list.capacity() * sizeof(list[0]); };
  return bytes(groups) + 2 * sections * sizeof(SectionId) + bytes(members) + holders.MemoryBytes() +
         bytes(sets_of_groups) + listed_memberships * sizeof(IdSetId) + bytes(bit_uses) + bytes(port_set_uses[0]) +
         bytes(port_set_uses[1]) + (owners.size() + node_addresses.size()) * kNodeBytes + bytes(pod_cidrs) +
         bytes(cells.cells) + cells.sets.MemoryBytes() + bytes(cell_identities);
}

void CompilePass::CountStats() {
  const InternedPolicy& interned = interner_.policy();
  TableStats& stats = table_.stats_;
  stats.addresses = table_.addresses_.host_count();
  stats.cidr_cells = table_.addresses_.cells().size();
  stats.groups = policy_.groups.size();
  stats.sections = in_force_.sections;
  stats.rules = in_force_.rules;
  stats.identities = interned.identities.size();
  stats.section_sets = interned.section_sets.SetCount();
  stats.peer_classes = interned.peer_classes.SetCount();
  stats.port_classes = interned.port_classes.SetCount() + interned.tier_port_classes.SetCount() - 1;  // one empty set
  stats.memberships = interner_.Memberships();
  stats.bytes = interner_.TableBytes() + table_.BundleBytes() + table_.addresses_.MemoryBytes() +
                table_.ports_.MemoryBytes() + table_.tier_ports_.MemoryBytes() + table_.name_rules_->MemoryBytes() +
                sizeof(Table);
}

void CompilePass::Publish() {
  const InternedPolicy& interned = interner_.policy();
  table_.has_policy_ = true;
  table_.interned_ = interner_.shared();
  table_.rule_limit_ = interner_.rules().RuleCount();
  table_.section_limit_ = interned.sections.size();
  table_.identity_limit_ = interned.identities.size();
  table_.node_names_ = interner_.NodeNames();
  table_.pod_cidrs_ = in_force_.pod_cidrs;
}

}  // namespace sluice
