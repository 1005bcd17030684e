// The resolvers whose DNS answers count: addresses from the configuration, and addresses of the pods that it names, as
// the policy in force knows them. Workers are told when they change.
//
// Runs on the control thread.
#ifndef SLUICE_PROGRAMS_SLUICED_TRUSTED_RESOLVERS_H_
#define SLUICE_PROGRAMS_SLUICED_TRUSTED_RESOLVERS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dns/dns_listener.h"
#include "dns/resolvers.h"
#include "store/policy_store.h"

namespace sluice {

class TrustedResolvers {
 public:
  // `texts` were checked before. The store and the listener outlive it.
  TrustedResolvers(const std::vector<std::string>& texts, const PolicyStore& store, DnsListener& listener);

  // Call it a few times a second. It looks for pods if the policy changed, some at a time, so that the policy's writer
  // need not wait for all. Returns news for the log.
  std::optional<std::string> Look();

 private:
  std::vector<IpAddress> Find() const;

  std::vector<Resolver> resolvers_;
  const PolicyStore& store_;
  DnsListener& listener_;
  bool has_pods_ = false;
  std::optional<std::uint64_t> looked_;  // the generation of the last look
  std::vector<IpAddress> found_;
  bool is_told_ = false;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_TRUSTED_RESOLVERS_H_
