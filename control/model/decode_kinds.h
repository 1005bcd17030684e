// The parts of the decoder, one a kind. Each reads the fields of an object whose metadata is read already.
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
  std::string namespace_name;  // `default` where missing (NP-12), empty for kinds without one
  std::string name;
  Labels labels;
  bool labels_readable = true;  // false: what is there is no map
  std::int64_t created = 0;
};

ObjectMeta DecodeMeta(const Field& root, const ObjectKey& key);

// Each returns the object as far as it is readable; what is not is an error.
Namespace DecodeNamespace(const Field& root, ObjectMeta meta);
NodeObject DecodeNode(const Field& root, ObjectMeta meta);
Pod DecodePod(const Field& root, ObjectMeta meta);
NetworkPolicy DecodeNetworkPolicy(const Field& root, ObjectMeta meta);
// Of both kinds that stage a NetworkPolicy.
StagedNetworkPolicy DecodeStagedPolicy(const Field& root, std::string_view kind, ObjectMeta meta);
// What stands for a refused NetworkPolicy: it isolates its subjects in its directions or, where these are not readable,
// in both (NP-16).
NetworkPolicy RefusedPolicy(const Value& root, NetworkPolicy readable);

// Of all three kinds (CNP-12).
ClusterPolicy DecodeClusterPolicy(const Field& root, ClusterPolicyKind kind, ObjectMeta meta);
StagedClusterPolicy DecodeStagedClusterPolicy(const Field& root, ObjectMeta meta);
// What stands for a refused ClusterPolicy: no Accept, and a Deny of everything for each rule that is, or may have been,
// a Deny or Pass. Nothing: its subject or its tier cannot be read.
std::optional<ClusterPolicy> RefusedClusterPolicy(const Value& root, ClusterPolicy readable);

// kubernetes.io/metadata.name, which every namespace has (NP-33).
void SetNamespaceNameLabel(Namespace& result);

// Fields of several kinds.

// Of a staged kind of ours: Set where it is absent.
StagedAction DecodeStagedAction(const Field& field);

// Of a selector that is refused, requirements that cannot be read are left out, so that it selects more than it names,
// never less. A number or boolean where a string belongs is read as it was written.
LabelSelector DecodeSelector(const Field& field);
// TCP where absent; nothing for an unknown one, which is an error.
std::optional<std::uint8_t> DecodeProtocol(const Field& field);
// Nothing where absent, empty, or not an address (an error). An IPv4-mapped one is an error, and read as IPv4.
std::optional<IpAddress> DecodeAddress(const Field& field);
// Refuses what old validation let pass: leading zeros, IPv4-mapped addresses (NP-15).
std::optional<Prefix> DecodePrefix(const Field& field);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_DECODE_KINDS_H_
