// What staged policies would change for the traffic that was seen since they were staged. It puts together what the
// workers' judges (core/staged_judge.h) counted, by pair, port and rules, and adds names.
//
// It begins anew whenever something else is staged. When the tables change otherwise, pairs whose ends are still the
// same are judged again, so that a difference that a change has settled is no longer shown. What pods did that are gone
// stays. Its size is bounded: what finds no room is counted.
//
// Collect: one thread at a time. All other functions: any thread.
#ifndef SLUICE_DATAPLANE_OBSERVE_STAGED_LEDGER_H_
#define SLUICE_DATAPLANE_OBSERVE_STAGED_LEDGER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/observation.h"
#include "observe/flow_log.h"
#include "observe/flow_log_record.h"
#include "table/classify.h"

namespace sluice {

struct StagedDifference {
  bool would_allow = false;  // true: it is denied now, and would be allowed; false: the other way round
  IpAddress source;
  IpAddress destination;
  FlowLogOwner source_owner;
  FlowLogOwner destination_owner;
  std::uint8_t protocol = 0;
  std::uint16_t destination_port = 0;
  // For an allowed packet, the rule of each side that has one. For a denied packet, the rules that deny it.
  std::vector<TableRule> in_force;
  std::vector<TableRule> staged;
  std::uint64_t first_unix_ns = 0;
  std::uint64_t last_unix_ns = 0;
  std::uint64_t connections = 0;
  std::uint64_t packets = 0;
};

struct StagedTotals {
  std::uint64_t since_unix_ns = 0;  // when judging began; 0: nothing is staged
  std::uint64_t judged = 0;         // connections and denied packets
  std::uint64_t not_kept = 0;       // differences of which only the number is known
  std::uint64_t would_deny = 0;     // connections
  std::uint64_t would_allow = 0;    // denied packets
};

class StagedLedger {
 public:
  static constexpr std::size_t kMostPairs = 65536;

  // `names` outlives it. `file`: keeps the ledger over a restart; empty: it is not kept.
  explicit StagedLedger(const FlowLogNames& names, std::string file = {}, std::size_t most_pairs = kMostPairs);

  // Fills in the names that an address was learnt for, and returns the time at which to ask them.
  using NamesOf = std::function<std::uint64_t(const IpAddress& address, LearntNames* learnt)>;
  // Lets differences be judged again by names, too. Call it before anything is collected.
  void AskNames(NamesOf names_of) { names_of_ = std::move(names_of); }

  // Takes what the workers have counted. Call it a few times a second, with the same workers in the same order.
  void Collect(const std::vector<Observation>& workers);
  // Takes everything that is left, and saves the ledger. Requires that the workers have ended.
  void CollectLast(const std::vector<Observation>& workers);

  StagedTotals totals() const;
  // Calls `visit` with each difference, until it returns false. It copies some at a time, so that Collect need not wait
  // for a slow visitor. If something else is staged meanwhile, the visit ends.
  void VisitDifferences(const std::function<bool(const StagedDifference&)>& visit) const;
  std::vector<StagedDifference> Differences() const;
  // Whether a pod ("namespace/name") took part in a connection, or tried to open one, since judging began.
  bool HasSeen(const std::string& pod) const;

 private:
  using Clock = std::chrono::steady_clock;

  void Begin(const Table& table);
  void Take(const Table& table, StagedJudge::Half& half);
  void Add(const Table& table, std::span<const StagedJudge::Entry> entries);
  void JudgeAgain(const Table& table);
  void Settle(const Table& table, std::span<const StagedDifference> differences);
  void Load(std::uint64_t staging);
  // Saves a part at a time, since writing everything may take longer than a collection may. False: all is written, or
  // there is nothing to save.
  bool SaveSome();

  const FlowLogNames& names_;
  const std::string file_;
  const std::size_t most_pairs_;
  NamesOf names_of_;
  Classifier classifier_;
  std::vector<bool> asked_;  // by worker: it owes its other half
  std::uint64_t generation_ = 0;
  Clock::time_point judge_due_;
  Clock::time_point save_due_;

  // A file that is being written.
  struct Saving {
    std::ofstream file;
    std::uint64_t staging = 0;
    std::string last;  // the last key that was written: of pairs_, then of seen_
    bool pairs_are_done = false;
  };
  std::unique_ptr<Saving> saving_;

  mutable std::mutex mutex_;
  std::uint64_t staging_ = 0;  // what the ledger is about, as the tables name it; 0: nothing is staged
  StagedTotals totals_;
  std::map<std::string, StagedDifference> pairs_;  // the key has everything that tells two differences apart
  std::map<std::string, std::uint64_t> seen_;      // pods, and when each was last seen
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_STAGED_LEDGER_H_
