#include "table/interner.h"

#include <algorithm>
#include <atomic>
#include <string_view>
#include <utility>

namespace sluice {
namespace {

// Stands before the keys of groups that bundles' rules name. No group's own key begins like this.
constexpr std::string_view kBundledKey("\0bundled ", 9);

// What a node of a map takes besides its key's own memory: links, key, id, a share of the buckets.
constexpr std::uint64_t kNodeBytes = 80;

}  // namespace

std::uint64_t NextNumber() {
  static std::atomic<std::uint64_t> number{0};
  return ++number;
}

std::size_t Interner::IdentityHash::operator()(const Identity& identity) const {
  std::uint64_t hash = (std::uint64_t{identity.egress} << 32 | identity.ingress) * 0x9e3779b97f4a7c15u;
  hash = (hash ^ (hash >> 29) ^ (std::uint64_t{identity.peer_class} << 32 | identity.tiers << 2 | identity.flags)) *
         0xff51afd7ed558ccdu;
  return hash ^ (hash >> 32);
}

Interner::Interner(std::shared_ptr<RuleInterner> rules)
    : rules_(std::move(rules)), shared_(std::make_shared<InternedPolicy>()) {
  shared_->epoch = rules_->epoch();
  shared_->rules = rules_->rules();
  shared_->former_names = rules_->former_names();
  shared_->numbering = NextNumber();
  shared_->tier_views.push_back({});
  tier_view_ids_.emplace(TierView{}, 0);
  shared_->identities.push_back({});
  identity_ids_.emplace(Identity{}, 0);
}

std::uint32_t Interner::PeerBit(const std::string& group_key, bool bundled, std::uint64_t generation) {
  const auto [place, added] =
      peer_bits_.try_emplace(bundled ? std::string(kBundledKey) + group_key : group_key, BitCount());
  if (added) {
    key_bytes_ += kNodeBytes + place->first.size();
    bit_born_.push_back(generation);
    bundled_bits_.push_back(bundled);
  }
  return place->second;
}

void Interner::ForgetPeerBit(const std::string& group_key) {
  for (const std::string& key : {group_key, std::string(kBundledKey) + group_key}) {
    if (peer_bits_.erase(key) != 0) key_bytes_ -= kNodeBytes + key.size();
  }
}

SectionId Interner::Section(const std::vector<RuleMatch>& rules, RuleId default_deny) {
  // Tier and action belong to the rule, but a rule that was rolled back may have had the same id.
  std::uint64_t hash = AddToHash(rules.size(), default_deny);
  for (const RuleMatch& match : rules) {
    hash = AddToHash(hash, std::uint64_t{match.peer_bit} << 32 | match.port_set);
    hash = AddToHash(hash, match.rule);
  }
  const SectionId known = section_ids_.Find(hash, [&](SectionId id) {
    const TableSection& section = shared_->sections[id];
    return section.default_deny == default_deny &&
           std::equal(rules.begin(), rules.end(), section.rules, section.rules + section.count);
  });
  if (known != IdIndex::kNone) return known;
  if (rules.size() > free_match_count_) {
    free_match_count_ = std::max<std::size_t>(rules.size(), shared_->matches.empty() ? 64 : 4096);
    shared_->matches.push_back(std::make_unique<RuleMatch[]>(free_match_count_));
    free_matches_ = shared_->matches.back().get();
    match_bytes_ += free_match_count_ * sizeof(RuleMatch);
  }
  std::copy(rules.begin(), rules.end(), free_matches_);
  const SectionId id =
      shared_->sections.push_back({free_matches_, static_cast<std::uint32_t>(rules.size()), default_deny});
  section_ids_.Add(hash, id);
  free_matches_ += rules.size();
  free_match_count_ -= rules.size();
  return id;
}

std::uint32_t Interner::BundleOf(const std::string& group_key, Direction direction) {
  std::string key = group_key + (direction == Direction::kEgress ? 'e' : 'i');
  const auto [place, added] = bundle_ids_.try_emplace(std::move(key), BundleCount());
  if (added) key_bytes_ += kNodeBytes + place->first.capacity();
  return place->second;
}

std::uint32_t Interner::TierViewOf(const TierView& view) {
  const auto [place, added] = tier_view_ids_.try_emplace(view, shared_->tier_views.size());
  if (added) shared_->tier_views.push_back(view);
  return place->second;
}

IdentityId Interner::IdentityOf(const Identity& identity) {
  const auto [place, added] = identity_ids_.try_emplace(identity, shared_->identities.size());
  if (added) shared_->identities.push_back(identity);
  return place->second;
}

NodeId Interner::NodeOf(const std::string& name) {
  const auto [place, added] = node_ids_.try_emplace(name, static_cast<NodeId>(node_names_.size()));
  if (added) {
    key_bytes_ += 2 * (kNodeBytes + name.size());
    node_names_.push_back(name);
  }
  return place->second;
}

std::shared_ptr<const std::vector<std::string>> Interner::NodeNames() {
  if (shared_node_names_ == nullptr || shared_node_names_->size() != node_names_.size()) {
    shared_node_names_ = std::make_shared<const std::vector<std::string>>(node_names_);
  }
  return shared_node_names_;
}

std::uint64_t Interner::TableBytes() const {
  std::uint64_t bytes = shared_->section_sets.MemoryBytes() + shared_->peer_classes.MemoryBytes() +
                        shared_->port_classes.MemoryBytes() + shared_->identities.MemoryBytes() +
                        shared_->sections.MemoryBytes() + match_bytes_ + rules_->TableBytes();
  if (!bundle_ids_.empty()) {
    bytes += shared_->tier_port_classes.MemoryBytes() + shared_->bundle_sets.MemoryBytes() +
             shared_->tier_views.MemoryBytes();
  }
  return bytes;
}

std::uint64_t Interner::IndexBytes() const {
  return key_bytes_ + section_ids_.MemoryBytes() + (identity_ids_.size() + tier_view_ids_.size()) * kNodeBytes +
         bit_born_.capacity() * sizeof(bit_born_[0]);
}

std::uint64_t Interner::Memberships() const {
  return shared_->section_sets.MembershipCount() + shared_->peer_classes.MembershipCount() +
         shared_->port_classes.MembershipCount() + shared_->tier_port_classes.MembershipCount() +
         shared_->bundle_sets.MembershipCount();
}

}  // namespace sluice
