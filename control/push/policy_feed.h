// The cluster's policy between those who change it (the source's thread) and those who send it (a thread a target):
// the resolver behind a lock, and for each target a receiver of its own, so that a slow one delays nobody.
//
// Lock order: the feed's lock is taken first, then whatever a receiver's wake takes.
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

// When a change was made and heard of; 0: not known.
struct ChangeTime {
  std::int64_t changed_s = 0;    // by the API server's clock, whole seconds since 1970
  std::int64_t received_ns = 0;  // nanoseconds since 1970
  // Of what no API server dates.
  static ChangeTime Now();
  friend bool operator==(const ChangeTime&, const ChangeTime&) = default;
};

// The times of all changes in a batch, in the order in which they were heard of. Bounded: once it is full, another one
// counts as old as the last that was kept, so that nothing seems faster than it was.
class ChangeTimes {
 public:
  static constexpr std::size_t kMost = std::size_t{1} << 14;

  struct Entry {
    ChangeTime time;
    std::uint64_t changes = 0;
  };

  // One of which nobody knows when it was heard of does not count.
  void Add(const ChangeTime& time, std::uint64_t changes = 1);
  // Those of later changes.
  void Append(const ChangeTimes& later);

  const std::vector<Entry>& entries() const { return entries_; }
  // When the first was heard of; 0: there is none.
  std::int64_t oldest_ns() const { return entries_.empty() ? 0 : entries_.front().time.received_ns; }

 private:
  std::vector<Entry> entries_;
};

class PolicyFeed {
 public:
  class Receiver;
  using Wake = std::function<void()>;

  // A receiver hears of nothing before the first Publish. `wake` is called under the feed's lock, by Publish and (after
  // the first) by this, when there is something for the receiver. With a node's name: only what the pods on that node
  // need. The feed outlives it.
  std::unique_ptr<Receiver> MakeReceiver(const std::string& node, Wake wake);

  // Changes what is known of the cluster. Returns the revision that this makes: 1, and one more each time. Any thread.
  std::uint64_t Change(const ChangeTime& time, const std::function<void(ClusterResolver&)>& change);
  // What is known is worth sending: once all was listed, and then after each round of changes. Any thread.
  void Publish();

  // Wait for what comes by other threads, each at most until `deadline`. Any thread; false: it did not come.
  //
  // For `done`, which is called under the feed's lock: at once if something was published, and at each change.
  bool Await(std::chrono::steady_clock::time_point deadline, const std::function<bool()>& done);
  // Until every receiver holds all changes that were made before the call; see Receiver::Confirm.
  bool AwaitInForce(std::chrono::steady_clock::time_point deadline);

  Diagnostics Conflicts() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  ClusterResolver resolver_;
  std::vector<Receiver*> receivers_;
  bool published_ = false;
  std::uint64_t revision_ = 0;  // of what is known
};

// Of one thread, but for what the feed does under its lock, and revision_in_force.
class PolicyFeed::Receiver {
 public:
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  // There may be something to take.
  bool HasNews() const;
  // The numbering is worn out, or was never begun: Full is due.
  bool FullDue() const;

  // `times` are of the changes in it that were not taken before.
  ResolvedPolicy Full(ChangeTimes* times);
  // To be called where nobody waits, once after Full: does what the first change would otherwise pay for.
  void PrepareForChanges();
  // Nothing: no change concerns this receiver. Requires a Full before.
  std::optional<PolicyUpdate> TakeChanges(ChangeTimes* times);

  // Whoever it was taken for holds all that was taken, and it is in force there.
  void Confirm();
  // What it holds is not known, until the next Confirm.
  void Doubt();
  // The feed's revision that is in force there: the newest all of whose changes were confirmed, or do not concern this
  // receiver. 0: it is not known. Any thread.
  std::uint64_t revision_in_force() const;

 private:
  friend class PolicyFeed;

  Receiver(PolicyFeed& feed, const std::string& node, Wake wake);

  void NoteTaken();

  PolicyFeed& feed_;
  const Wake wake_;
  std::unique_ptr<PolicyView> view_;
  std::uint64_t heard_ = 0;  // the view's, after the last change
  ChangeTimes times_;        // of what was not taken yet
  // Changes that concern it, counted: those there are (what there was when it was made is one), those of them that were
  // taken, and those that are in force.
  std::uint64_t concerned_ = 1;
  std::uint64_t taken_ = 0;
  std::uint64_t in_force_ = 0;
  // The revisions of the first change that concerns it and was not taken, and of the first that was taken and not
  // confirmed; 0: there is none.
  std::uint64_t first_untaken_ = 0;
  std::uint64_t first_unconfirmed_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_PUSH_POLICY_FEED_H_
