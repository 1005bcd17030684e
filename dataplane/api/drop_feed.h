// Carries drops from the workers' rings to watchers: turns ids into names, and gives each watcher what it asked for.
//
// It has no thread of its own: the watcher that comes for its drops empties the rings on behalf of all watchers. While
// nobody watches, the workers record nothing. Any thread may call it.
#ifndef SLUICE_DATAPLANE_API_DROP_FEED_H_
#define SLUICE_DATAPLANE_API_DROP_FEED_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "api/end_filter.h"
#include "core/drop_ring.h"
#include "observe/dataplane_view.h"
#include "sluice/v1/observe.pb.h"
#include "store/policy_store.h"
#include "table/isolating_policies.h"

namespace sluice {

struct DropFilter {
  // Returns the filter, or what is wrong with the request.
  static std::variant<DropFilter, std::string> Of(const v1::WatchDropsRequest& request);

  std::uint64_t reasons = 0;  // as in DropRing::Watch
  EndFilter ends;
  std::string policy;
  std::uint32_t drops_per_second = 0;
};

class DropFeed {
 public:
  // Both arguments outlive the feed.
  DropFeed(const PolicyStore& store, const DataplaneView& plane) : store_(store), plane_(plane) {}

  // Drops that a watcher did not get: it had reached its limit a second, or was slow to take them. Any thread.
  std::uint64_t not_shown() const { return not_shown_.load(std::memory_order_relaxed); }

  // A watcher, from its construction to its end.
  class Watcher {
   public:
    Watcher(DropFeed& feed, DropFilter filter);
    ~Watcher();
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

    // False: there are already as many watchers as limits.h allows, and this one sees nothing.
    bool accepted() const { return accepted_; }
    // Fills an empty message with the drops since the last call. False: there were none. One thread at a time.
    bool Take(v1::WatchDropsResponse* message);

   private:
    friend class DropFeed;

    bool HasCredit(std::chrono::steady_clock::time_point now);

    DropFeed& feed_;
    const DropFilter filter_;
    bool accepted_ = false;
    std::deque<v1::DropEvent> waiting_;
    std::uint64_t not_shown_ = 0;
    std::uint64_t not_recorded_ = 0;
    double credit_ = 0;  // drops that it may get now
    std::chrono::steady_clock::time_point credit_time_;
  };

 private:
  struct Record {
    DropRecord drop;
    std::uint32_t worker;
  };
  // The pod or node that has an address; both empty: none has.
  struct Owner {
    std::string pod;
    std::string node;
  };

  void Withhold(Watcher& watcher);
  void ToldWhatToWatch();
  std::vector<Record> TakeRecords();
  void EmptyRings();
  const Table* TableOf(std::uint64_t epoch) const;
  v1::DropEvent Describe(const Record& record);
  void FindOwners(const std::vector<Record>& records, std::vector<Owner>* owners) const;

  const PolicyStore& store_;
  const DataplaneView& plane_;

  std::atomic<std::uint64_t> not_shown_ = 0;

  std::mutex mutex_;  // protects all members below, and the watchers' members
  std::vector<Watcher*> watchers_;
  std::vector<std::shared_ptr<const Table>> tables_;  // the newest of each of the last epochs, newest first
  IsolatingPolicies isolating_;
  std::vector<std::uint64_t> overflowed_;  // by worker, as last seen
  std::vector<std::string> devices_;       // by port
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_DROP_FEED_H_
