// Keeps one dataplane in step with the feed, for as long as it takes: a thread, a stream, one batch under way.
//
//   connect -> Begin, Hello --(it holds our state)--> updates, as there are changes
//                  |                                      | it does not know our state; its numbers are worn out
//                  \--(it holds another)--> full state <--/
//
// A message is never larger than the dataplane takes: a large request travels in parts, and where the dataplane knows
// none, an update becomes a full state. An object that fits no message is held back like one that is refused (fit.h).
// An update on which the stream ends again and again is given up for a full state.
//
// A batch that is refused for a policy is sent again with that policy held back (held_policies.h); one that is refused
// for anything else leaves in force what was, and a full state is tried again, later and later. A stream that breaks is
// opened again after a back-off. Meanwhile changes gather in the receiver's view, where they take no more memory than
// the objects do.
#ifndef SLUICE_CONTROL_PUSH_PUSHER_H_
#define SLUICE_CONTROL_PUSH_PUSHER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "codec/limits.h"
#include "push/policy_feed.h"
#include "push/progress.h"
#include "push/target.h"
#include "sluice/diagnostic.h"

namespace sluice {

struct PushOptions {
  std::string sender = "sluice-sync";  // Begin.sender
  std::string node;                    // only what its pods need; empty: all
  TargetSecurity security;
  std::chrono::milliseconds backoff_least{100};
  std::chrono::milliseconds backoff_most{5'000};
  std::chrono::milliseconds refused_backoff_most{60'000};  // between full states that are refused
  // An answer that is not there by then, or a message that did not go out, is taken for a broken stream.
  std::chrono::milliseconds answer_timeout{60'000};
  std::chrono::milliseconds hold_time{300'000};  // held policies get another try after so long
  std::size_t most_message_bytes = kMaxMessageBytes;
  std::size_t most_gathered_bytes = kMaxGatheredBytes;  // of a message in parts
  std::uint64_t seed = 0;  // of the back-offs' randomness and the state's names; 0: a random one
};

// The policies that a target refused, and why: the pusher's thread tells, any thread asks.
class HeldReasons {
 public:
  using Reasons = std::map<std::string, std::string>;  // by policy

  void Tell(const Reasons& reasons) {
    const std::lock_guard lock(mutex_);
    reasons_ = reasons;
  }
  Reasons Get() const {
    const std::lock_guard lock(mutex_);
    return reasons_;
  }

 private:
  mutable std::mutex mutex_;
  Reasons reasons_;
};

// Any thread may read it.
struct PushHealth {
  std::atomic<bool> connected = false;
  std::atomic<bool> in_step = false;  // a full state of ours was applied, and the stream stands
  std::atomic<std::uint64_t> connects = 0;
  std::atomic<std::uint64_t> full_states = 0;  // applied
  std::atomic<std::uint64_t> updates = 0;      // applied
  std::atomic<std::uint64_t> refused = 0;      // batches of either kind
  std::atomic<std::uint64_t> held_policies = 0;
  HeldReasons held_reasons;                   // of them
  std::atomic<std::uint64_t> generation = 0;  // of the dataplane's table after the last batch that was applied
  Progress progress;
};

struct AppliedBatch {
  bool full = false;
  ChangeTimes changes;  // none where it is the first state, which is no change
  // Since 1970: as the dataplane says, but no sooner than the batch was sent nor later than its answer came by our
  // clock, should the two differ. The time of the next answer where the batch's own was lost.
  std::int64_t live_ns = 0;
  std::uint64_t generation = 0;
  std::string not_kept;                 // why the dataplane, started again, would not begin with it; empty: it would
  std::chrono::nanoseconds sending{0};  // from its first byte to the answer, of which the dataplane spent:
  std::chrono::nanoseconds decoding{0};
  std::chrono::nanoseconds compiling{0};
  std::chrono::nanoseconds publishing{0};
};

// Called in the pusher's thread; must not throw.
class PushObserver {
 public:
  virtual ~PushObserver() = default;
  virtual void OnApplied(const std::string& target, const AppliedBatch& batch) = 0;
  // The dataplane refused an object, or no message can carry it; `refusal.object` as in v1.Problem. `held`: everything
  // else went on without it.
  virtual void OnRefused(const std::string& target, const Diagnostic& refusal, bool held) = 0;
  virtual void OnConnected(const std::string& target) = 0;
  // No connection: what is in force there stays in force. Not repeated while it is the same.
  virtual void OnTrouble(const std::string& target, const std::string& message) = 0;
  // The dataplane does not know something of the policy, and got the rest. Once a connection's full state.
  virtual void OnOlder(const std::string& /*target*/, const std::string& /*message*/) {}
};

class Pusher {
 public:
  // Starts at once. Feed and observer outlive it.
  Pusher(PolicyFeed& feed, std::string target, PushOptions options, PushObserver& observer);
  // Stops; what is under way may or may not be applied.
  ~Pusher();
  Pusher(const Pusher&) = delete;
  Pusher& operator=(const Pusher&) = delete;

  const std::string& target() const { return target_; }
  const PushHealth& health() const { return health_; }
  // The feed's revision that the dataplane has in force; 0: it is not known. Any thread.
  std::uint64_t in_force() const;

 private:
  class Run;

  const std::string target_;
  PushHealth health_;
  std::unique_ptr<Run> run_;
  std::thread thread_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_PUSH_PUSHER_H_
