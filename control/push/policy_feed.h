// The cluster's policy between the source's thread, which changes it, and one thread for each target, which sends it:
// the resolver behind a lock, and a receiver for each target, so that a slow target delays no other.
//
// Lock order: the feed's lock is taken first, then any lock that a receiver's wake takes.
#ifndef SLUICE_CONTROL_PUSH_POLICY_FEED_H_
#define SLUICE_CONTROL_PUSH_POLICY_FEED_H_

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "resolve/cluster_resolver.h"
#include "resolve/policy_view.h"
#include "sluice/diagnostic.h"
#include "sluice/policy_update.h"
#include "sluice/resolved_policy.h"

namespace sluice {

// When a change was made and when it reached us; 0: not known.
struct ChangeTime {
  std::int64_t changed_s = 0;    // by the API server's clock, whole seconds since 1970
  std::int64_t received_ns = 0;  // nanoseconds since 1970
  // For a change that no API server dates.
  static ChangeTime Now();
  friend bool operator==(const ChangeTime&, const ChangeTime&) = default;
};

// The times of all changes in a batch, in the order in which they reached us. Bounded: once it is full, another change
// counts as old as the last one kept, so that nothing seems faster than it was.
class ChangeTimes {
 public:
  static constexpr std::size_t kMost = std::size_t{1} << 14;

  struct Entry {
    ChangeTime time;
    std::uint64_t changes = 0;
  };

  // A change does not count if nobody knows when it reached us.
  void Add(const ChangeTime& time, std::uint64_t changes = 1);
  // Appends the times of later changes.
  void Append(const ChangeTimes& later);

  const std::vector<Entry>& entries() const { return entries_; }
  // When the first change reached us; 0: there is none.
  std::int64_t oldest_ns() const { return entries_.empty() ? 0 : entries_.front().time.received_ns; }

 private:
  std::vector<Entry> entries_;
};

class PolicyFeed {
 public:
  class Receiver;
  using Wake = std::function<void()>;

  // A receiver gets nothing before the first Publish. Publish calls `wake` under the feed's lock when there is
  // something for the receiver; after the first Publish, MakeReceiver does so, too. With a node's name, the receiver
  // gets only what the pods on that node need. The feed must outlive the receiver.
  std::unique_ptr<Receiver> MakeReceiver(const std::string& node, Wake wake);

  // Changes what is known of the cluster. Returns the new revision; the first is 1, and each change adds 1. Any thread.
  std::uint64_t Change(const ChangeTime& time, const std::function<void(ClusterResolver&)>& change);
  // Says that what is known is worth sending: once all is listed, then after each round of changes. Any thread.
  void Publish();

  // The next two wait for other threads, each at most until `deadline`. False: the deadline came first. Any thread.
  //
  // Waits for `done`, which is called under the feed's lock: at once if something was published, and at each change.
  bool Await(std::chrono::steady_clock::time_point deadline, const std::function<bool()>& done);
  // Waits until every receiver holds all changes that were made before the call; see Receiver::Confirm.
  bool AwaitInForce(std::chrono::steady_clock::time_point deadline);

  Diagnostics Conflicts() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  ClusterResolver resolver_;
  std::vector<Receiver*> receivers_;
  bool published_ = false;
  std::uint64_t revision_ = 0;  // of the cluster's known state
};

// Used by one thread, except what the feed does under its lock, and revision_in_force.
class PolicyFeed::Receiver {
 public:
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  // True: there may be something to take.
  bool HasNews() const;
  // True: Full is due, because the numbering is worn out or was never begun.
  bool FullDue() const;

  // `times` gets the times of those changes in it that were not taken before.
  ResolvedPolicy Full(ChangeTimes* times);
  // To be called once after Full, while nobody waits. Does the work that the first change would have to do otherwise.
  void PrepareForChanges();
  // Returns nothing if no change concerns this receiver. Requires an earlier Full.
  std::optional<PolicyUpdate> TakeChanges(ChangeTimes* times);

  // Says that the target holds everything that was taken, and has it in force.
  void Confirm();
  // Says that nobody knows what the target holds, until the next Confirm.
  void Doubt();
  // The newest revision of the feed that is in force at the target: all its changes were confirmed, or do not concern
  // this receiver. 0: not known. Any thread.
  std::uint64_t revision_in_force() const;

 private:
  friend class PolicyFeed;

  Receiver(PolicyFeed& feed, const std::string& node, Wake wake);

  void NoteTaken();

  PolicyFeed& feed_;
  const Wake wake_;
  std::unique_ptr<PolicyView> view_;
  std::uint64_t heard_ = 0;  // the view's heard(), after the last change
  ChangeTimes times_;        // of changes that were not taken yet
  // Numbers of changes that concern this receiver: all of them (what there was when it was made counts as one), those
  // that were taken, and those that are in force.
  std::uint64_t concerned_ = 1;
  std::uint64_t taken_ = 0;
  std::uint64_t in_force_ = 0;
  // The revision of the first change that concerns it and was not taken; then, of the first that was taken and not
  // confirmed. 0: there is none.
  std::uint64_t first_untaken_ = 0;
  std::uint64_t first_unconfirmed_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_PUSH_POLICY_FEED_H_
