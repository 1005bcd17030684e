// Keeps one dataplane in step with the feed for as long as needed: one thread, one stream, one batch in progress.
//
//   connect -> Begin, Hello --(it holds our state)--> updates, as there are changes
//                  |                                      | it does not know our state; its numbers are worn out
//                  \--(it holds another)--> full state <--/
//
// A message is never larger than the dataplane accepts. A large request travels in parts; if the dataplane knows no
// parts, an update becomes a full state. An object that fits no message is held back like a refused one (fit.h). If the
// stream ends on an update again and again, a full state replaces the update.
//
// If a batch is refused because of a policy, it is sent again with that policy held back (held_policies.h). If it is
// refused for another reason, the policy in force stays, and a full state is tried again, after longer and longer
// waits. A broken stream is opened again after a back-off. Meanwhile changes gather in the receiver's view, where they
// take no more memory than the objects do.
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
  std::string node;                    // only what the node's pods need; empty: everything
  TargetSecurity security;
  std::chrono::milliseconds backoff_least{100};
  std::chrono::milliseconds backoff_most{5'000};
  std::chrono::milliseconds refused_backoff_most{60'000};  // between full states that are refused
  // If no answer comes within this time, or a message cannot be sent, the stream counts as broken.
  std::chrono::milliseconds answer_timeout{60'000};
  std::chrono::milliseconds hold_time{300'000};  // after this time, held policies get another try
  std::size_t most_message_bytes = kMaxMessageBytes;
  std::size_t most_gathered_bytes = kMaxGatheredBytes;  // of a message in parts
  std::uint64_t seed = 0;  // for the randomness of back-offs and state names; 0: a random seed
};

// The policies that a target refused, and why. The pusher's thread sets them, any thread reads them.
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
  HeldReasons held_reasons;                   // of held policies
  std::atomic<std::uint64_t> generation = 0;  // of the dataplane's table after the last applied batch
  Progress progress;
};

struct AppliedBatch {
  bool full = false;
  ChangeTimes changes;  // empty for the first state, which is no change
  // Nanoseconds since 1970, by the dataplane. If its clock and ours differ, not before we sent the batch and not after
  // its answer came. If the batch's own answer was lost: the time of the next answer.
  std::int64_t live_ns = 0;
  std::uint64_t generation = 0;
  std::string not_kept;                 // why a restarted dataplane would not begin with it; empty: it would
  std::chrono::nanoseconds sending{0};  // from first byte to answer; of this, the dataplane spent:
  std::chrono::nanoseconds decoding{0};
  std::chrono::nanoseconds compiling{0};
  std::chrono::nanoseconds publishing{0};
};

// Called in the pusher's thread; must not throw.
class PushObserver {
 public:
  virtual ~PushObserver() = default;
  virtual void OnApplied(const std::string& target, const AppliedBatch& batch) = 0;
  // The dataplane refused an object, or no message can carry it; `refusal.object` is as in v1.Problem. `held`:
  // everything else went on without the object.
  virtual void OnRefused(const std::string& target, const Diagnostic& refusal, bool held) = 0;
  virtual void OnConnected(const std::string& target) = 0;
  // There is no connection. What is in force at the dataplane stays in force. Not repeated for the same message.
  virtual void OnTrouble(const std::string& target, const std::string& message) = 0;
  // The dataplane does not know a part of the policy, and got the rest. Called at most once for each full state.
  virtual void OnOlder(const std::string& /*target*/, const std::string& /*message*/) {}
};

class Pusher {
 public:
  // Starts at once. Feed and observer must outlive it.
  Pusher(PolicyFeed& feed, std::string target, PushOptions options, PushObserver& observer);
  // Stops. A batch in progress may or may not be applied.
  ~Pusher();
  Pusher(const Pusher&) = delete;
  Pusher& operator=(const Pusher&) = delete;

  const std::string& target() const { return target_; }
  const PushHealth& health() const { return health_; }
  // The feed's revision that is in force at the dataplane; 0: not known. Any thread.
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
