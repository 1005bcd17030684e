// Which kind of ours an object is, or was meant to be.
#ifndef SLUICE_CONTROL_MODEL_RECOGNISE_H_
#define SLUICE_CONTROL_MODEL_RECOGNISE_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/decode.h"
#include "model/field.h"

namespace sluice {

inline constexpr std::string_view kStagedKind = "StagedNetworkPolicy";
inline constexpr std::string_view kStagedClusterKind = "StagedClusterNetworkPolicy";
inline constexpr std::string_view kCalicoStagedKind = "StagedKubernetesNetworkPolicy";
// Those that stage a NetworkPolicy.
constexpr bool IsStagedKind(std::string_view kind) { return kind == kStagedKind || kind == kCalicoStagedKind; }

enum class Ours : std::uint8_t {
  kYes,      // also by an old apiVersion
  kMeant,    // not as it stands; it is refused as an object of that kind
  kNo,       // a kind that Sluice does not read
  kUnknown,  // it says too little of what it is
};

struct Recognised {
  Ours ours;
  std::string_view kind;  // kYes, kMeant: Namespace, Node, Pod, NetworkPolicy or one of ClusterPolicyKind
};

// Nothing of any other kind.
std::optional<ClusterPolicyKind> ClusterPolicyKindOf(std::string_view kind);

// `type` is the object's, or its list's where it has none; empty texts where they are none. Only the groups
// networking.k8s.io and extensions have a NetworkPolicy that is ours; one of v1, or of a group that is a slip of the
// pen away from these, was meant to be. Cluster policy is ours in the group policy.networking.k8s.io, and was meant to
// be there in these groups, too.
Recognised Recognise(const Value& object, const TypeMeta& type);

// Says what is wrong with the type, or old, of an object that is not kNo.
void ReportType(const Field& root, const TypeMeta& type, const Recognised& recognised);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_RECOGNISE_H_
