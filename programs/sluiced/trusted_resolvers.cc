#include "sluiced/trusted_resolvers.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <variant>

namespace sluice {
namespace {

constexpr std::size_t kEndpointsALook = 4096;

}  // namespace

TrustedResolvers::TrustedResolvers(const std::vector<std::string>& texts, const PolicyStore& store,
                                   DnsListener& listener)
    : store_(store), listener_(listener) {
  for (const std::string& text : texts) {
    auto resolver = Resolver::Parse(text);
    if (auto* parsed = std::get_if<Resolver>(&resolver)) resolvers_.push_back(std::move(*parsed));
  }
  has_pods_ = std::any_of(resolvers_.begin(), resolvers_.end(), [](const Resolver& one) { return one.IsPods(); });
}

std::optional<std::string> TrustedResolvers::Look() {
  const std::uint64_t generation = store_.table()->generation();
  std::optional<std::string> news;
  if (!looked_ || (has_pods_ && *looked_ != generation)) {
    looked_ = generation;
    std::vector<IpAddress> found = Find();
    if (found != found_) {
      found_ = std::move(found);
      is_told_ = false;
      news = "DNS is read of " + std::to_string(found_.size()) + (found_.size() == 1 ? " resolver:" : " resolvers:");
      for (std::size_t i = 0; i < std::min<std::size_t>(found_.size(), 8); ++i) *news += " " + found_[i].ToString();
      if (found_.size() > 8) *news += " ...";
      if (found_.empty()) news = "DNS is read of no resolver: no pod is one of dns.resolvers";
    }
  }
  if (!is_told_) is_told_ = listener_.Trust(found_);
  return news;
}

std::vector<IpAddress> TrustedResolvers::Find() const {
  std::vector<IpAddress> found;
  for (const Resolver& resolver : resolvers_) {
    if (resolver.address) found.push_back(*resolver.address);
  }
  bool more = has_pods_;
  for (std::size_t begin = 0; more; begin += kEndpointsALook) {
    store_.Read([&](const ResolvedPolicy& policy, const Table&) {
      const std::span<const Endpoint> all(policy.endpoints);
      more = begin + kEndpointsALook < all.size();
      if (begin >= all.size()) return;
      FindResolvers(resolvers_, all.subspan(begin, std::min(kEndpointsALook, all.size() - begin)), found);
    });
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace sluice
