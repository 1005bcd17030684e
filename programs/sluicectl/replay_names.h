// What a replay learns of names from the DNS answers in its capture, by the very code by which sluiced does.
//
// Not safe to share between threads. There is no names' thread: what the pipeline copied is read at once, so that no
// answer waits longer than the packet that brought it.
#ifndef SLUICE_PROGRAMS_SLUICECTL_REPLAY_NAMES_H_
#define SLUICE_PROGRAMS_SLUICECTL_REPLAY_NAMES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/dns_tap.h"
#include "core/dns_totals.h"
#include "dns/answer_watcher.h"
#include "dns/dns_listener.h"
#include "dns/resolvers.h"
#include "names/name_store.h"
#include "sluice/resolved_policy.h"
#include "sluicectl/known_names.h"
#include "table/table.h"

namespace sluice {

// Nothing where a text is wrong, which was reported.
std::optional<std::vector<Resolver>> ParseResolvers(const std::vector<std::string>& texts);

class ReplayNames {
 public:
  // Answers of these resolvers, from this port, count. `known`: in force for good, whatever the capture says.
  ReplayNames(const Table& table, std::vector<IpAddress> resolvers, std::uint16_t port, const KnownNames& known);
  ReplayNames(const ReplayNames&) = delete;
  ReplayNames& operator=(const ReplayNames&) = delete;

  // For the pipeline's configuration.
  std::uint16_t port() const { return port_; }
  const LearntNames& learnt() const { return store_.learnt(); }
  // Once, before the first packet. The pipeline that has the tap is gone before this.
  void Listen(DnsTap& tap);
  // Reads what the pipeline copied: what it says is in force then.
  void Turn() { listener_.Turn(); }

  // "DNS: 12 queries; answers: 10 learnt, 1 unlearnt; 3 names with 7 addresses".
  std::string Summary() const;

 private:
  class Learner final : public AnswerSink {
   public:
    explicit Learner(NameStore& store) : store_(store) {}
    std::size_t Learn(const DnsAnswer& answer, const IpAddress& resolver, std::uint64_t clock_ns) override;

   private:
    NameStore& store_;
  };

  std::vector<IpAddress> resolvers_;  // sorted
  const std::uint16_t port_;
  NameStore store_;
  Learner learner_{store_};
  DnsListener listener_{learner_};
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_REPLAY_NAMES_H_
