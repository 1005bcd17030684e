// Tells which kind of ours an object is, or was meant to be.
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
// The kinds that stage a NetworkPolicy.
constexpr bool IsStagedKind(std::string_view kind) { return kind == kStagedKind || kind == kCalicoStagedKind; }

enum class Ours : std::uint8_t {
  kYes,      // also with an old apiVersion
  kMeant,    // not as it is written; it is refused as an object of that kind
  kNo,       // a kind that Sluice does not read
  kUnknown,  // the object says too little about what it is
};

struct Recognised {
  Ours ours;
  std::string_view kind;  // kYes, kMeant: Namespace, Node, Pod, NetworkPolicy or one of ClusterPolicyKind
};

// Nothing for any other kind.
std::optional<ClusterPolicyKind> ClusterPolicyKindOf(std::string_view kind);

// `type` is the object's, or its list's if the object has none; texts are empty if there are none. A NetworkPolicy is
// ours only in the groups networking.k8s.io and extensions. If its group is v1, or differs from these by a slip of the
// pen, it was meant to be ours. Cluster policy is ours in the group policy.networking.k8s.io; in the groups above it
// was meant to be ours, too.
Recognised Recognise(const Value& object, const TypeMeta& type);

// For an object that is not kNo: reports what is wrong with its type, or that the type is old.
void ReportType(const Field& root, const TypeMeta& type, const Recognised& recognised);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_RECOGNISE_H_
