// The resolvers whose answers count (FQ-03), as the configuration names them: by address or as pods.
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

// An address, or the pods of a namespace that have all of the given labels.
struct Resolver {
  std::optional<IpAddress> address;
  std::string namespace_name;
  std::vector<std::string> labels;  // "k8s-app=kube-dns"; at least one

  // Parses "10.96.0.10", or "kube-system/k8s-app=kube-dns,tier=control". The error says what would be right.
  static std::variant<Resolver, std::string> Parse(std::string_view text);

  bool IsPods() const { return !address; }
  // Requires IsPods. If a sender gives no labels, none of its pods is a resolver.
  bool Is(const Endpoint& endpoint) const;
};

// Appends the addresses of the resolvers that are among `endpoints`.
void FindResolvers(std::span<const Resolver> resolvers, std::span<const Endpoint> endpoints,
                   std::vector<IpAddress>& addresses);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_DNS_RESOLVERS_H_
