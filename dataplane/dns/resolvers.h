// Whose answers count (FQ-03): resolvers as the configuration names them, by address or as pods.
//
// Plain values; any thread.
#ifndef SLUICE_DATAPLANE_DNS_RESOLVERS_H_
#define SLUICE_DATAPLANE_DNS_RESOLVERS_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sluice/resolved_policy.h"

namespace sluice {

// An address, or pods of a namespace that have all of some labels.
struct Resolver {
  std::optional<IpAddress> address;
  std::string namespace_name;
  std::vector<std::string> labels;  // "k8s-app=kube-dns"; one at least

  // "10.96.0.10", or "kube-system/k8s-app=kube-dns,tier=control". The error says what would be right.
  static std::variant<Resolver, std::string> Parse(std::string_view text);

  bool IsPods() const { return !address; }
  // Requires IsPods. Of senders that tell no labels, no pod is one.
  bool Is(const Endpoint& endpoint) const;
};

// Appends the addresses of those that are among `endpoints`.
void FindResolvers(std::span<const Resolver> resolvers, std::span<const Endpoint> endpoints,
                   std::vector<IpAddress>& addresses);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_DNS_RESOLVERS_H_
