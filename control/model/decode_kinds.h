// The parts of the decoder, one a kind. Each reads the fields of an object whose metadata is read already.
#ifndef SLUICE_CONTROL_MODEL_DECODE_KINDS_H_
#define SLUICE_CONTROL_MODEL_DECODE_KINDS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "model/field.h"
#include "model/objects.h"

namespace sluice {

struct ObjectMeta {
  std::string namespace_name;  // `default` where missing (NP-12), empty for kinds without one
  std::string name;
  Labels labels;  // those that are valid
  bool labels_valid = true;
  std::int64_t created = 0;
};

// An object as far as it is readable. `usable` says whether, if it has errors, it can stand for itself (NP-16): that
// nothing is missing which decides whom policies select.
template <typename T>
struct Readable {
  T object;
  bool usable = true;
};

Readable<Namespace> DecodeNamespace(const Field& root, ObjectMeta meta);
Readable<NodeObject> DecodeNode(const Field& root, ObjectMeta meta);
Readable<Pod> DecodePod(const Field& root, ObjectMeta meta);
// `usable`: the podSelector is readable.
Readable<NetworkPolicy> DecodeNetworkPolicy(const Field& root, ObjectMeta meta);
// What stands for a refused NetworkPolicy that is usable: it isolates its subjects in its directions or, where these
// are not readable, in both (NP-16).
NetworkPolicy RefusedPolicy(const Value& root, NetworkPolicy readable);

// kubernetes.io/metadata.name, which every namespace has (NP-33).
void SetNamespaceNameLabel(Namespace& result);

// Fields of several kinds.
LabelSelector DecodeSelector(const Field& field);
// TCP where absent; nothing for an unknown one, which is an error.
std::optional<std::uint8_t> DecodeProtocol(const Field& field);
// Nothing where absent, empty, or not an address (an error).
std::optional<IpAddress> DecodeAddress(const Field& field);
// Refuses what old validation let pass: leading zeros, IPv4-mapped addresses (NP-15).
std::optional<Prefix> DecodePrefix(const Field& field);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_DECODE_KINDS_H_
