// A resolved cluster and the questions that tests ask of it, in names rather than numbers.
#ifndef SLUICE_TESTS_CONTROL_RESOLVED_H_
#define SLUICE_TESTS_CONTROL_RESOLVED_H_

#include <string>
#include <string_view>
#include <vector>

#include "model/objects.h"
#include "sluice/diagnostic.h"
#include "sluice/resolved_policy.h"
#include "support/cluster_builder.h"

namespace sluice {

using Names = std::vector<std::string>;

inline constexpr Direction kIngress = Direction::kIngress;
inline constexpr Direction kEgress = Direction::kEgress;

class Resolved {
 public:
  explicit Resolved(const Cluster& cluster);
  explicit Resolved(const ClusterBuilder& builder) : Resolved(builder.Build()) {}

  const ResolvedPolicy& policy() const { return policy_; }
  const Diagnostics& diagnostics() const { return diagnostics_; }

  // "namespace/name" of a group's endpoints, sorted. Of kAnyPeer: {"any"}.
  Names Members(GroupId group) const;
  // A group's blocks as text.
  Names Blocks(GroupId group) const;

  // The sections of one direction of a policy, in order.
  std::vector<const Section*> Sections(std::string_view policy, Direction direction) const;
  // Its section that isolates; fails the test where there isn't exactly one.
  const Section& Isolating(std::string_view policy, Direction direction) const;
  Names Subjects(std::string_view policy, Direction direction) const;
  // Of the first rule of the section that isolates.
  Names Peers(std::string_view policy, Direction direction) const;
  Names PeerBlocks(std::string_view policy, Direction direction) const;

  // "subjects <- peers : ports #index" (-> for egress), a line a rule of all sections of the policy's direction.
  Names Rules(std::string_view policy, Direction direction) const;

  // Null if there is none.
  const Endpoint* FindEndpoint(std::string_view path) const;
  // Addresses as text; empty for one that doesn't exist.
  Names EndpointAddresses(std::string_view path) const;
  Names NodeAddresses(std::string_view name) const;

 private:
  Diagnostics diagnostics_;  // made before policy_, which fills it
  ResolvedPolicy policy_;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_CONTROL_RESOLVED_H_
