// Pods as numbers, with the addresses that are theirs.
//
// A pod of the pod network that isn't finished is an endpoint; its number is its place among them, sorted by namespace
// and name, so that a namespace is one contiguous range (NP-32, NP-82).
#ifndef SLUICE_CONTROL_RESOLVE_POD_TABLE_H_
#define SLUICE_CONTROL_RESOLVE_POD_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/objects.h"
#include "resolve/pod_set.h"
#include "sluice/address.h"
#include "sluice/diagnostic.h"
#include "sluice/resolved_policy.h"

namespace sluice {

// Holds pointers into the cluster.
class PodTable {
 public:
  // An address that two pods claim goes to the newer one, then to the first by namespace and name; the other loses just
  // that address, with a warning (NP-83).
  PodTable(const Cluster& cluster, Diagnostics* diagnostics);

  std::uint32_t size() const { return static_cast<std::uint32_t>(pods_.size()); }
  const Pod& pod(std::uint32_t number) const { return *pods_[number]; }

  // Empty for a namespace without endpoints.
  PodRange InNamespace(std::string_view name) const;

  // Each address once, ascending, with the pod that holds it.
  struct Claim {
    IpAddress address;
    std::uint32_t pod;
  };
  const std::vector<Claim>& claims() const { return claims_; }
  // Addresses that the pod holds.
  std::size_t AddressCount(std::uint32_t number) const { return address_counts_[number]; }

  // Nodes by name, those included that only pods name; an address that an endpoint claims is no node's, so that no pod
  // gains a node's rights (NP-70).
  std::vector<Node> Nodes(const Cluster& cluster, Diagnostics* diagnostics) const;

  // All but `members`. `nodes` is sorted by name.
  std::vector<Endpoint> Endpoints(const std::vector<Node>& nodes) const;

 private:
  void SettleClaims(Diagnostics* diagnostics);
  bool IsClaimed(const IpAddress& address) const;

  std::vector<const Pod*> pods_;
  std::unordered_map<std::string_view, PodRange> ranges_;
  std::vector<Claim> claims_;
  std::vector<std::uint32_t> address_counts_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_POD_TABLE_H_
