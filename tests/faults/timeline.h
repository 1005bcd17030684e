// What a packet was allowed to do, and when: holds each that came through against the policies of its time.
//
// The exact invariant. Edits of the cluster are numbered as they are made. Edit k is *begun* when its request goes to
// the API server, and *acknowledged* once all of these hold: every verdict of the dataplane equals what the reference
// evaluator says of the objects after k, and the dataplane has answered for the batch that made it so (or has it from
// its state file). A packet that was sent at s and came through at c may have met policy j for any j from the last edit
// acknowledged before s to the last one begun before c: between the two, nobody was promised the newer or the older
// one. If none of these allows it, policy denied it and it passed all the same. Before the first edit is acknowledged
// there is no policy, and nothing may pass (fail closed).
#ifndef SLUICE_TESTS_FAULTS_TIMELINE_H_
#define SLUICE_TESTS_FAULTS_TIMELINE_H_

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "faults/veth_wire.h"

namespace sluice {

class Timeline {
 public:
  // For each kind of packet, whether policy allows it.
  using Verdicts = std::vector<bool>;

  explicit Timeline(std::size_t kinds) : edits_{{Now(), Now(), Verdicts(kinds, false)}} {}

  // An edit is about to be made. What it allows is told afterwards, when the cluster's objects are known.
  void Begin() { edits_.push_back({Now(), {}, {}}); }
  void Told(Verdicts verdicts) { edits_.back().verdicts = std::move(verdicts); }
  // The last edit, and so all before it.
  void Acknowledge() { edits_.back().acknowledged = Now(); }
  const Verdicts& last() const { return edits_.back().verdicts; }

  // From the prober's thread.
  void Add(const Passage& passage) {
    const std::lock_guard lock(mutex_);
    passages_.push_back(passage);
  }
  // Of what passed so far, how many packets no policy of their time allowed, and a word on the first. Forgets them.
  struct Findings {
    std::size_t passed = 0;
    std::size_t denied = 0;
    std::string first;
  };
  Findings Judge(const std::vector<ProbeKind>& kinds);

 private:
  struct Edit {
    ProbeClock::time_point begun;
    std::optional<ProbeClock::time_point> acknowledged;
    Verdicts verdicts;
  };
  static ProbeClock::time_point Now() { return ProbeClock::now(); }
  bool Allowed(const Passage& passage) const;

  std::vector<Edit> edits_;
  std::mutex mutex_;
  std::vector<Passage> passages_;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_FAULTS_TIMELINE_H_
