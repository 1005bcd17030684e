// What staged policies would change of the traffic that was seen since they were staged: what the workers' judges
// (core/staged_judge.h) counted, put together by pair, port and rules, with names.
//
// It begins anew whenever something else is staged. When the tables change otherwise, pairs that are still what they
// were are judged again, so that what a change has settled is told of no more; of pods that are gone, what they did
// stays. Bounded: what finds no room is counted.
//
// Collect: one thread at a time. All else: any thread.
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
  bool would_allow = false;  // it is denied, and would be allowed; else it is allowed, and would be denied
  IpAddress source;
  IpAddress destination;
  FlowLogOwner source_owner;
  FlowLogOwner destination_owner;
  std::uint8_t protocol = 0;
  std::uint16_t destination_port = 0;
  // Of what allows, the rule of each side that has one; of what denies, those that deny.
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
  std::uint64_t not_kept = 0;       // those that differed, and of which no more is known
  std::uint64_t would_deny = 0;     // connections
  std::uint64_t would_allow = 0;    // denied packets
};

class StagedLedger {
 public:
  static constexpr std::size_t kMostPairs = 65536;

  // `names` outlives it. `file`: where it is kept over a restart; empty: nowhere.
  explicit StagedLedger(const FlowLogNames& names, std::string file = {}, std::size_t most_pairs = kMostPairs);

  // Fills in what an address was learnt to be called, and returns the time to ask it by.
  using NamesOf = std::function<std::uint64_t(const IpAddress& address, LearntNames* learnt)>;
  // Differences are judged again by names, too. Before anything is collected.
  void AskNames(NamesOf names_of) { names_of_ = std::move(names_of); }

  // Takes what the workers have counted, always the same ones in the same order; to be called a few times a second.
  void Collect(const std::vector<Observation>& workers);
  // The same of all that is left, and keeps it. Requires that the workers have ended.
  void CollectLast(const std::vector<Observation>& workers);

  StagedTotals totals() const;
  // Calls `visit` with each difference, until it returns false. Some are copied at a time, so that whoever collects
  // need not wait for a slow visitor; when something else is staged meanwhile, that is the end.
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
  // Some of it at a time: to write all may take longer than a collection may. False: it is done, or there is nothing
  // to keep.
  bool SaveSome();

  const FlowLogNames& names_;
  const std::string file_;
  const std::size_t most_pairs_;
  NamesOf names_of_;
  Classifier classifier_;
  std::vector<bool> asked_;  // by worker: its other half is due
  std::uint64_t generation_ = 0;
  Clock::time_point judge_due_;
  Clock::time_point save_due_;

  // A file that is being written.
  struct Saving {
    std::ofstream file;
    std::uint64_t staging = 0;
    std::string last;  // what was written last: a key of pairs_, then of seen_
    bool pairs_are_done = false;
  };
  std::unique_ptr<Saving> saving_;

  mutable std::mutex mutex_;
  std::uint64_t staging_ = 0;  // of the table whose traffic this is; 0: nothing is staged
  StagedTotals totals_;
  std::map<std::string, StagedDifference> pairs_;  // by what makes two of them different
  std::map<std::string, std::uint64_t> seen_;      // pods, and when they were last seen
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_STAGED_LEDGER_H_
