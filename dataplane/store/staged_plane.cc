#include "store/staged_plane.h"

#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "sluice/port_ranges.h"
#include "store/policy_copier.h"

namespace sluice {
namespace {

using Changed = StagedTable::Changed;

// The sections that the policy would have.
std::vector<Section> SectionsOf(const ResolvedPolicy& policy, const std::string& name) {
  const auto staged = policy.staged.find(name);
  if (staged != policy.staged.end()) return staged->second;
  const auto sections = policy.sections.Find(name);
  return {sections.begin(), sections.end()};
}

// Names what is staged: equal changes get the same name, in any numbering and after a restart.
std::uint64_t Fingerprint(const ResolvedPolicy& policy) {
  std::string text;
  const auto add = [&text](const auto& part) {
    if constexpr (std::is_arithmetic_v<std::decay_t<decltype(part)>>) {
      text += std::to_string(part);
    } else {
      text += part;
    }
    text += '\0';
  };
  const auto add_group = [&](GroupId group) {
    if (group == kAnyPeer) return add("");
    add(policy.groups[group].key);
  };
  for (const auto& [name, sections] : policy.staged) {
    add(name);
    for (const Section& section : sections) {
      add(static_cast<int>(section.direction));
      add(static_cast<int>(section.isolates));
      add_group(section.subjects);
      const bool is_cluster = section.tier != Tier::kNetworkPolicy;
      if (is_cluster) {
        add(static_cast<int>(section.tier));
        add(section.priority);
      }
      for (const Rule& rule : section.rules) {
        if (is_cluster) add(static_cast<int>(rule.action));
        add(rule.index);
        add_group(rule.peers);
        add(static_cast<int>(rule.any_port));
        for (const PortRange& range : rule.ports) add(ToText(range));
        for (const std::string& pattern : rule.domain_names.list()) add(pattern);
      }
    }
  }
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a, which stays the same after an upgrade
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211u;
  return hash;
}

std::set<std::string> PoliciesOf(const PolicyUpdate& update) {
  std::set<std::string> names(update.removed_policies.begin(), update.removed_policies.end());
  for (const SectionsUpdate& sections : update.sections) names.insert(sections.policy);
  names.insert(update.removed_staged.begin(), update.removed_staged.end());
  for (const SectionsUpdate& sections : update.staged) names.insert(sections.policy);
  return names;
}

// Returns the change that `update`, which made `policy`, makes to the policy with the staged changes.
PolicyUpdate WithStaged(const PolicyUpdate& update, const ResolvedPolicy& policy) {
  PolicyUpdate staged = update;
  staged.removed_policies.clear();
  staged.sections.clear();
  staged.removed_staged.clear();
  staged.staged.clear();
  for (const std::string& name : PoliciesOf(update)) {
    std::vector<Section> sections = SectionsOf(policy, name);
    if (sections.empty()) {
      staged.removed_policies.push_back(name);
    } else {
      staged.sections.push_back({name, std::move(sections)});
    }
  }
  return staged;
}

Diagnostic DoesNotFit(std::uint64_t staged, std::uint64_t in_force, std::uint64_t limit) {
  Diagnostic diagnostic;
  diagnostic.object = "staged policies";
  diagnostic.message = "the table that they would make takes " + std::to_string(staged >> 20) +
                       " MB beside that in force of " + std::to_string(in_force >> 20) + " MB, more than " +
                       std::to_string(limit >> 20) + " MB in all; stage fewer at once";
  return diagnostic;
}

}  // namespace

ResolvedPolicy WithStaged(const ResolvedPolicy& policy) {
  PolicyCopier copier;
  while (!copier.Step(policy)) continue;
  ResolvedPolicy staged = copier.Take();
  staged.staged.clear();
  for (const auto& [name, sections] : policy.staged) {
    staged.sections.Remove(name);
    if (!sections.empty()) staged.sections.Insert(sections);
  }
  return staged;
}

void StagedPlane::Replace(const ResolvedPolicy& policy, const Table& table) {
  staging_ = Fingerprint(policy);
  Build(policy, table);
}

void StagedPlane::Build(const ResolvedPolicy& policy, const Table& table) {
  is_staged_ = !policy.staged.empty();
  refused_.reset();
  if (!is_staged_) {
    plane_.reset();
    return;
  }
  if (plane_ == nullptr) {
    plane_ = std::make_unique<Plane>(limits_);
    changed_ = Changed::kAll;
  }
  plane_->policy = WithStaged(policy);
  plane_->index = UpdateIndex(plane_->policy);
  Accept(plane_->compiler.Compile(plane_->policy), table);
}

void StagedPlane::Update(const PolicyUpdate& update, const ResolvedPolicy& policy, const Table& table) {
  const bool restaged = !update.staged.empty() || !update.removed_staged.empty();
  if (restaged) staging_ = Fingerprint(policy);
  if (plane_ == nullptr) {
    // A refused plane may fit once policies have changed. To try at each change of a pod would cost too much.
    if (restaged || !update.sections.empty() || !update.removed_policies.empty()) Build(policy, table);
    return;
  }
  PolicyUpdate staged = WithStaged(update, policy);
  if (policy.staged.empty() || Check(plane_->policy, staged, &plane_->index)) return Build(policy, table);
  const PolicyChange change = Apply(std::move(staged), plane_->policy, &plane_->index);
  plane_->index.Follow(change, plane_->policy);
  Accept(plane_->compiler.Update(plane_->policy, change), table);
}

void StagedPlane::Accept(Compiler::Result result, const Table& in_force) {
  if (auto* error = std::get_if<Diagnostic>(&result)) {
    refused_ = std::move(*error);
    plane_.reset();
    return;
  }
  plane_->table = std::get<std::shared_ptr<const Table>>(std::move(result));
  const std::uint64_t bytes = plane_->table->stats().bytes;
  const std::uint64_t bytes_in_force = in_force.stats().bytes;
  if (bytes + bytes_in_force > limits_.table_bytes) {
    refused_ = DoesNotFit(bytes, bytes_in_force, limits_.table_bytes);
    plane_.reset();
    return;
  }
  refused_.reset();
  if (changed_ == Changed::kNothing) changed_ = Changed::kSome;
}

StagedTable StagedPlane::TakeTable() {
  const Changed changed = std::exchange(changed_, Changed::kNothing);
  if (plane_ == nullptr) return {};
  return {plane_->table, staging_, changed};
}

bool StagedPlane::RenewIfDue() {
  if (plane_ == nullptr || !plane_->compiler.IsRenewalDue(plane_->policy)) return false;
  CompactMemberSets(plane_->policy);
  plane_->table = plane_->compiler.Renew(plane_->policy);
  return true;
}

}  // namespace sluice
