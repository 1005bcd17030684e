// Checks whether each object of a policy fits a message. Few objects come near the limit. So their size is estimated,
// and only an object that may be too large is encoded.
#include <algorithm>
#include <string>
#include <utility>

#include "codec/codec.h"

namespace sluice {
namespace {

// Upper bounds of bytes on the wire, tags and lengths included.
constexpr std::size_t kAddress = 18;
constexpr std::size_t kPrefix = 26;
constexpr std::size_t kNumber = 12;
constexpr std::size_t kObject = 64;  // its lengths and numbers

std::size_t BytesOf(const Group& group) {
  std::size_t bytes = kObject + group.key.size();
  for (const CidrBlock& block : group.blocks) bytes += kNumber + kPrefix * (1 + block.excepts.size());
  return bytes;
}

std::size_t BytesOf(const Node& node) {
  return kObject + node.name.size() + kAddress * node.addresses.size() + kPrefix * node.pod_cidrs.size();
}

std::size_t BytesOf(const Endpoint& endpoint) {
  std::size_t bytes = kObject + endpoint.namespace_name.size() + endpoint.name.size() + endpoint.labels.size() +
                      endpoint.workload.size() + kAddress * endpoint.addresses.size();
  for (const NamedPort& port : endpoint.ports) bytes += 2 * kNumber + port.name.size();
  return bytes;
}

std::size_t BytesOf(const Section& section) {
  std::size_t bytes = kObject + section.held.size();
  for (const Rule& rule : section.rules) {
    bytes += 4 * kNumber + 2 * kNumber * rule.ports.size();
    for (const std::string& name : rule.domain_names.list()) bytes += kNumber + name.size();
  }
  return bytes;
}

// The bytes that the largest of these objects takes, each in a message by itself.
std::size_t ExactBytes(const ResolvedPolicy& objects) {
  std::size_t largest = 0;
  EncodeFullState(objects, 0, 0, 1, [&](const v1::FullStateChunk& chunk) {
    largest = std::max(largest, chunk.ByteSizeLong());
    return true;
  });
  return largest;
}

Diagnostic TooLarge(std::string object, std::string field, std::size_t bytes, std::size_t most_bytes) {
  Diagnostic diagnostic;
  diagnostic.object = std::move(object);
  diagnostic.field = std::move(field);
  diagnostic.message = "takes " + std::to_string(bytes >> 20) + " MB, and a dataplane takes at most " +
                       std::to_string(most_bytes >> 20) + " MB for one object: divide it into several";
  return diagnostic;
}

// Where the section names the group: in a rule's peers, or as its subjects. Empty: nowhere.
std::string PlaceOf(GroupId group, const Section& section) {
  for (const Rule& rule : section.rules) {
    if (rule.peers != group) continue;
    return std::string(Name(section.direction)) + '[' + std::to_string(rule.index) + "] peers";
  }
  return section.subjects == group ? "subjects" : "";
}

// Blames the object that names the group: first a policy in force, then a staged one, else the group itself.
Diagnostic BlameFor(GroupId group, const ResolvedPolicy& policy, std::size_t bytes, std::size_t most_bytes) {
  for (const Section& section : policy.sections) {
    const std::string place = PlaceOf(group, section);
    if (!place.empty()) return TooLarge("policy " + section.policy, place, bytes, most_bytes);
  }
  for (const auto& [name, sections] : policy.staged) {
    for (const Section& section : sections) {
      const std::string place = PlaceOf(group, section);
      if (!place.empty()) return TooLarge("staged policy " + name, place, bytes, most_bytes);
    }
  }
  return TooLarge("group {" + policy.groups[group].key + '}', "blocks", bytes, most_bytes);
}

}  // namespace

std::optional<Diagnostic> FindTooLarge(const ResolvedPolicy& policy, std::size_t most_bytes) {
  ResolvedPolicy one;
  for (const Node& node : policy.nodes) {
    if (BytesOf(node) <= most_bytes) continue;
    one.nodes = {node};
    const std::size_t bytes = ExactBytes(one);
    if (bytes > most_bytes) return TooLarge("node " + node.name, "", bytes, most_bytes);
  }
  one.nodes.clear();
  for (GroupId group = 0; group < policy.groups.size(); ++group) {
    if (BytesOf(policy.groups[group]) <= most_bytes) continue;
    one.groups = {policy.groups[group]};
    const std::size_t bytes = ExactBytes(one);
    if (bytes > most_bytes) return BlameFor(group, policy, bytes, most_bytes);
  }
  one.groups.clear();
  for (const Endpoint& endpoint : policy.endpoints) {
    if (BytesOf(endpoint) + kNumber <= most_bytes) continue;
    one.endpoints = {endpoint};
    one.endpoints[0].node = kNoNode;
    const std::size_t bytes = ExactBytes(one);
    if (bytes > most_bytes) {
      return TooLarge("endpoint " + endpoint.namespace_name + '/' + endpoint.name, "", bytes, most_bytes);
    }
  }
  for (IdSetId set = 1; set < policy.member_sets.SetCount(); ++set) {
    const std::size_t bytes = 5 * std::size_t{policy.member_sets.Size(set)};
    if (bytes > most_bytes) return TooLarge("member set " + std::to_string(set), "", bytes, most_bytes);
  }
  for (auto section = policy.sections.begin(); section != policy.sections.end();) {
    const std::string& name = section->policy;
    std::size_t bytes = kObject + name.size();
    for (; section != policy.sections.end() && section->policy == name; ++section) bytes += BytesOf(*section);
    if (bytes <= most_bytes) continue;
    ResolvedPolicy whole;
    for (const Section& of_policy : policy.sections.Find(name)) whole.sections.push_back(of_policy);
    bytes = ExactBytes(whole);
    if (bytes > most_bytes) return TooLarge("policy " + name, "rules", bytes, most_bytes);
  }
  for (const auto& [name, sections] : policy.staged) {
    std::size_t bytes = kObject + name.size();
    for (const Section& section : sections) bytes += BytesOf(section);
    if (bytes <= most_bytes) continue;
    ResolvedPolicy whole;
    whole.staged = {{name, sections}};
    bytes = ExactBytes(whole);
    if (bytes > most_bytes) return TooLarge("staged policy " + name, "rules", bytes, most_bytes);
  }
  return std::nullopt;
}

}  // namespace sluice
