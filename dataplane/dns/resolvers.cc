#include "dns/resolvers.h"

#include <algorithm>

namespace sluice {
namespace {

// Calls visit(item) for each item of a comma-separated list.
template <typename Visit>
void ForEachItem(std::string_view list, Visit visit) {
  while (true) {
    const std::size_t comma = list.find(',');
    visit(list.substr(0, comma));
    if (comma == list.npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace

std::variant<Resolver, std::string> Resolver::Parse(std::string_view text) {
  const std::string wants = "wants an address, or NAMESPACE/LABEL=VALUE such as kube-system/k8s-app=kube-dns, not '" +
                            std::string(text) + "'";
  Resolver resolver;
  resolver.address = IpAddress::Parse(text);
  if (resolver.address) return resolver;
  const std::size_t slash = text.find('/');
  if (slash == text.npos || slash == 0) return wants;
  resolver.namespace_name = text.substr(0, slash);
  bool is_right = resolver.namespace_name.find_first_of(".:= ,") == std::string::npos;
  ForEachItem(text.substr(slash + 1), [&](std::string_view label) {
    const std::size_t equal = label.find('=');
    is_right = is_right && equal != label.npos && equal != 0 && label.find_first_of(" \t") == label.npos &&
               label.find('=', equal + 1) == label.npos;
    resolver.labels.emplace_back(label);
  });
  if (!is_right) return wants;
  return resolver;
}

bool Resolver::Is(const Endpoint& endpoint) const {
  if (endpoint.namespace_name != namespace_name) return false;
  return std::all_of(labels.begin(), labels.end(), [&](const std::string& label) {
    bool found = false;
    ForEachItem(endpoint.labels, [&](std::string_view own) { found = found || own == label; });
    return found;
  });
}

void FindResolvers(std::span<const Resolver> resolvers, std::span<const Endpoint> endpoints,
                   std::vector<IpAddress>& addresses) {
  for (const Endpoint& endpoint : endpoints) {
    const auto is = [&](const Resolver& resolver) { return resolver.IsPods() && resolver.Is(endpoint); };
    if (std::none_of(resolvers.begin(), resolvers.end(), is)) continue;
    addresses.insert(addresses.end(), endpoint.addresses.begin(), endpoint.addresses.end());
  }
}

}  // namespace sluice
