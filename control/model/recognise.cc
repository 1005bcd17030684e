#include "model/recognise.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "model/names.h"

namespace sluice {
namespace {

constexpr std::string_view kCore = "v1";
constexpr std::string_view kNetworking = "networking.k8s.io/v1";
constexpr std::string_view kPolicyKind = "NetworkPolicy";
// Versions that a NetworkPolicy had before, or that people believe it had, with exactly the same fields.
constexpr std::array<std::string_view, 2> kOldNetworking = {"extensions/v1beta1", "networking.k8s.io/v1beta1"};
constexpr std::array<std::string_view, 3> kCoreKinds = {"Namespace", "Node", "Pod"};
constexpr std::array<std::string_view, 1> kNetworkingKinds = {kPolicyKind};
constexpr std::array<std::string_view, 3> kClusterPolicyKinds = {Name(ClusterPolicyKind::kClusterNetworkPolicy),
                                                                 Name(ClusterPolicyKind::kAdminNetworkPolicy),
                                                                 Name(ClusterPolicyKind::kBaselineAdminNetworkPolicy)};
constexpr std::string_view kClusterPolicyGroup = "policy.networking.k8s.io";
constexpr std::array<std::string_view, 4> kClusterPolicyGroups = {kClusterPolicyGroup, "networking.k8s.io",
                                                                  "extensions", kCore};
// The versions of ClusterNetworkPolicy, which have the same fields; then the version of the two older kinds.
constexpr std::array<std::string_view, 2> kClusterPolicyVersions = {"policy.networking.k8s.io/v1alpha2",
                                                                    "policy.networking.k8s.io/v1beta1"};
constexpr std::string_view kAdminPolicyVersion = "policy.networking.k8s.io/v1alpha1";
constexpr std::string_view kStagedVersion = "policy.sluice.internal/v1alpha1";
constexpr std::array<std::string_view, 1> kStagedGroups = {"policy.sluice.internal"};
constexpr std::array<std::string_view, 2> kStagedKinds = {kStagedKind, kStagedClusterKind};
// The API server's version, and that of the CustomResourceDefinition behind it.
constexpr std::array<std::string_view, 2> kCalicoVersions = {"projectcalico.org/v3", "crd.projectcalico.org/v1"};
// Groups in which a NetworkPolicy is ours, or was meant to be. The last one stands for an apiVersion without a group.
constexpr std::array<std::string_view, 3> kPolicyGroups = {"networking.k8s.io", "extensions", kCore};

template <std::size_t N>
std::optional<std::string_view> Meant(std::string_view text, const std::array<std::string_view, N>& names) {
  const auto exact = std::find(names.begin(), names.end(), text);
  return exact != names.end() ? std::optional(*exact) : Nearest(text, names);
}

std::string Quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

bool SpecHas(const Value& object, std::string_view field) {
  const Value* spec = object.Find("spec");
  return spec != nullptr && spec->Find(field) != nullptr;
}

// The version that messages name.
std::string_view VersionOf(std::string_view kind) {
  if (const auto cluster_kind = ClusterPolicyKindOf(kind)) {
    return *cluster_kind == ClusterPolicyKind::kClusterNetworkPolicy ? kClusterPolicyVersions[0] : kAdminPolicyVersion;
  }
  if (kind == kStagedKind || kind == kStagedClusterKind) return kStagedVersion;
  if (kind == kCalicoStagedKind) return kCalicoVersions[0];
  return kind == kPolicyKind ? kNetworking : kCore;
}

bool IsVersion(std::string_view version, std::string_view kind) {
  if (kind == kCalicoStagedKind) return true;
  return version == VersionOf(kind) || (kind == Name(ClusterPolicyKind::kClusterNetworkPolicy) &&
                                        std::find(kClusterPolicyVersions.begin(), kClusterPolicyVersions.end(),
                                                  version) != kClusterPolicyVersions.end());
}

bool IsOldVersion(std::string_view version, std::string_view kind) {
  return kind == kPolicyKind &&
         std::find(kOldNetworking.begin(), kOldNetworking.end(), version) != kOldNetworking.end();
}

}  // namespace

std::optional<ClusterPolicyKind> ClusterPolicyKindOf(std::string_view kind) {
  const auto found = std::find(kClusterPolicyKinds.begin(), kClusterPolicyKinds.end(), kind);
  if (found == kClusterPolicyKinds.end()) return std::nullopt;
  return static_cast<ClusterPolicyKind>(found - kClusterPolicyKinds.begin());
}

Recognised Recognise(const Value& object, const TypeMeta& type) {
  const std::string_view version = type.api_version;
  const std::string_view group = version.substr(0, version.find('/'));
  // That group has two kinds, and only one of them has a subject.
  const bool is_ours = std::find(kStagedKinds.begin(), kStagedKinds.end(), type.kind) != kStagedKinds.end();
  if (Meant(group, kStagedGroups) || (version.empty() && is_ours)) {
    const std::string_view other = SpecHas(object, "subject") ? kStagedClusterKind : kStagedKind;
    const std::string_view kind = Meant(type.kind, kStagedKinds).value_or(other);
    return {type.kind == kind && version == kStagedVersion ? Ours::kYes : Ours::kMeant, kind};
  }
  if (type.kind == kCalicoStagedKind &&
      std::find(kCalicoVersions.begin(), kCalicoVersions.end(), version) != kCalicoVersions.end()) {
    return {Ours::kYes, kCalicoStagedKind};
  }
  if (version.empty() || Meant(group, kClusterPolicyGroups)) {
    if (const auto kind = Meant(type.kind, kClusterPolicyKinds)) {
      return {type.kind == *kind && IsVersion(version, *kind) ? Ours::kYes : Ours::kMeant, *kind};
    }
  }
  // No other kind of this group has a subject.
  if (Meant(group, std::array{kClusterPolicyGroup}) && SpecHas(object, "subject")) {
    return {Ours::kMeant, Name(ClusterPolicyKind::kClusterNetworkPolicy)};
  }
  const bool policy_group = version.empty() || Meant(group, kPolicyGroups);
  // No other kind of these groups has a podSelector.
  const bool is_policy =
      policy_group && (Meant(type.kind, kNetworkingKinds) || (group != kCore && SpecHas(object, "podSelector")));
  const bool core_group = version.find('/') == version.npos;
  const auto core_kind = core_group && !is_policy ? Meant(type.kind, kCoreKinds) : std::nullopt;
  if (!is_policy && !core_kind) return {type.kind.empty() || version.empty() ? Ours::kUnknown : Ours::kNo, {}};
  const std::string_view kind = is_policy ? kPolicyKind : *core_kind;
  const bool is_version = IsVersion(version, kind) || IsOldVersion(version, kind);
  return {type.kind == kind && is_version ? Ours::kYes : Ours::kMeant, kind};
}

void ReportType(const Field& root, const TypeMeta& type, const Recognised& recognised) {
  const Field kind = root.Get("kind");
  const Field version = root.Get("apiVersion");
  const std::string meant(recognised.kind);
  // If it is no text, String() reports that.
  if (type.kind.empty()) {
    if (!kind.present() || kind.String() == "") kind.Error("is required");
  } else if (!meant.empty() && type.kind != meant) {
    kind.Error("unknown kind " + Quoted(type.kind) + "; did you mean " + meant + "?");
  }
  if (type.api_version.empty()) {
    if (!version.present() || version.String() == "") version.Error("is required");
  } else if (IsOldVersion(type.api_version, meant)) {
    version.Warning("is an old one, which no API server takes any more; read as " + std::string(VersionOf(meant)));
  } else if (!meant.empty() && !IsVersion(type.api_version, meant)) {
    version.Error("must be " + std::string(VersionOf(meant)) + " for a " + meant + ", is " + Quoted(type.api_version));
  }
}

}  // namespace sluice
