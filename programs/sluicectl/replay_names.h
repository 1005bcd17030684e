// Learns names from the DNS answers in a replay's capture, with the same code as sluiced.
//
// Not safe to share between threads. There is no names' thread: what the pipeline copied is read at once, so no answer
// waits longer than the packet that brought it.
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

// Returns nothing if a text is wrong, which was reported.
std::optional<std::vector<Resolver>> ParseResolvers(const std::vector<std::string>& texts);

class ReplayNames {
 public:
  // Answers of these resolvers, from this port, count. `known` stays in force, whatever the capture says.
  ReplayNames(const Table& table, std::vector<IpAddress> resolvers, std::uint16_t port, const KnownNames& known);
  ReplayNames(const ReplayNames&) = delete;
  ReplayNames& operator=(const ReplayNames&) = delete;

  // The port, for the pipeline's configuration.
  std::uint16_t port() const { return port_; }
  const LearntNames& learnt() const { return store_.learnt(); }
  // Call it once, before the first packet. The pipeline with the tap must be gone before this object.
  void Listen(DnsTap& tap);
  // Reads what the pipeline copied; afterwards its addresses are in force.
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
