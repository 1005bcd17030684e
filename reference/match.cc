#include "reference/match.h"

#include <string>

namespace sluice::reference {
namespace {

const std::string* FindLabel(const Labels& labels, const std::string& key) {
  for (const auto& [name, value] : labels) {
    if (name == key) return &value;
  }
  return nullptr;
}

bool RequirementMatches(const LabelRequirement& requirement, const Labels& labels) {
  const std::string* value = FindLabel(labels, requirement.key);
  bool listed = false;
  for (const std::string& candidate : requirement.values) {
    if (value != nullptr && *value == candidate) listed = true;
  }
  switch (requirement.op) {
    case LabelRequirement::Operator::kIn:
      return listed;
    case LabelRequirement::Operator::kNotIn:
      return !listed;
    case LabelRequirement::Operator::kExists:
      return value != nullptr;
    case LabelRequirement::Operator::kDoesNotExist:
      return value == nullptr;
  }
  return false;
}

// Bit 0 is the first on the wire.
bool Bit(const IpAddress& address, int index) {
  const int from_right = AddressBits(address.family) - 1 - index;
  return from_right < 64 ? (address.lo >> from_right & 1) != 0 : (address.hi >> (from_right - 64) & 1) != 0;
}

bool InPrefix(const Prefix& prefix, const IpAddress& address) {
  if (prefix.base.family != address.family) return false;
  for (int i = 0; i < prefix.length; ++i) {
    if (Bit(prefix.base, i) != Bit(address, i)) return false;
  }
  return true;
}

}  // namespace

bool SelectorMatches(const LabelSelector& selector, const Labels& labels) {
  for (const LabelRequirement& requirement : selector.requirements) {
    if (!RequirementMatches(requirement, labels)) return false;
  }
  return true;
}

bool BlockMatches(const IpBlock& block, const IpAddress& address) {
  if (!InPrefix(block.cidr, address)) return false;
  for (const Prefix& except : block.excepts) {
    if (InPrefix(except, address)) return false;
  }
  return true;
}

}  // namespace sluice::reference
