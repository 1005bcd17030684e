// The parts of the decoder, one for each kind. Each reads the fields of an object whose metadata was already read.
#ifndef SLUICE_CONTROL_MODEL_DECODE_KINDS_H_
#define SLUICE_CONTROL_MODEL_DECODE_KINDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/decode.h"
#include "model/field.h"
#include "model/objects.h"

namespace sluice {

struct ObjectMeta {
  std::string namespace_name;  // `default` if missing (NP-12), empty for kinds without one
  std::string name;
  Labels labels;
  bool labels_readable = true;  // false: the labels are not a map
  std::int64_t created = 0;
};

ObjectMeta DecodeMeta(const Field& root, const ObjectKey& key);

// Each returns the object as far as it can be read. What cannot be read is an error.
Namespace DecodeNamespace(const Field& root, ObjectMeta meta);
NodeObject DecodeNode(const Field& root, ObjectMeta meta);
Pod DecodePod(const Field& root, ObjectMeta meta);
NetworkPolicy DecodeNetworkPolicy(const Field& root, ObjectMeta meta);
// For both kinds that stage a NetworkPolicy.
StagedNetworkPolicy DecodeStagedPolicy(const Field& root, std::string_view kind, ObjectMeta meta);
// The stand-in for a refused NetworkPolicy. It isolates its subjects in its directions; if these cannot be read, in
// both directions (NP-16).
NetworkPolicy RefusedPolicy(const Value& root, NetworkPolicy readable);

// For all three kinds (CNP-12).
ClusterPolicy DecodeClusterPolicy(const Field& root, ClusterPolicyKind kind, ObjectMeta meta);
StagedClusterPolicy DecodeStagedClusterPolicy(const Field& root, ObjectMeta meta);
// The stand-in for a refused ClusterPolicy. It has no Accept, and a Deny of everything for each rule that is, or may
// have been, a Deny or Pass. Returns nothing if the subject or the tier cannot be read.
std::optional<ClusterPolicy> RefusedClusterPolicy(const Value& root, ClusterPolicy readable);

// Sets kubernetes.io/metadata.name, which every namespace has (NP-33).
void SetNamespaceNameLabel(Namespace& result);

// Fields that several kinds have.

// For a staged kind of ours. Set if the field is absent.
StagedAction DecodeStagedAction(const Field& field);

// If a selector is refused, its unreadable requirements are left out, so that it selects more than it says, never less.
// A number or boolean in place of a string is read as it was written.
LabelSelector DecodeSelector(const Field& field);
// TCP if absent. Returns nothing for an unknown protocol, which is an error.
std::optional<std::uint8_t> DecodeProtocol(const Field& field);
// Returns nothing if absent, empty, or not an address (an error). An IPv4-mapped one is an error, and read as IPv4.
std::optional<IpAddress> DecodeAddress(const Field& field);
// Refuses what old API servers' validation accepted: leading zeros, IPv4-mapped addresses (NP-15).
std::optional<Prefix> DecodePrefix(const Field& field);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_DECODE_KINDS_H_
