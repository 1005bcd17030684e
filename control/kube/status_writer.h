// Writes conditions (metav1.Condition) into the status of cluster policies, by server-side apply. An object's other
// conditions stay. A condition of ours that is left out is removed, and one that somebody else writes is left to them.
// If there are several processes, the one that holds the Lease writes.
//
// Best effort, at a bounded rate. If the API server refuses something, this is reported once, with the remedy, and
// tried again later if that may help. Following the cluster never waits for it.
//
// Within one thread, that of its ApiClient.
#ifndef SLUICE_CONTROL_KUBE_STATUS_WRITER_H_
#define SLUICE_CONTROL_KUBE_STATUS_WRITER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kube/api_client.h"
#include "kube/backoff.h"
#include "kube/event_poster.h"
#include "kube/lease.h"
#include "kube/resource.h"

namespace sluice {

struct Condition {
  std::string type;
  bool holds = false;
  std::string reason;  // one word in CamelCase
  std::string message;

  friend bool operator==(const Condition&, const Condition&) = default;
};

struct ObjectStatus {
  std::int64_t generation = 0;        // of the object's version that the status is about
  std::vector<Condition> conditions;  // all that are ours

  friend bool operator==(const ObjectStatus&, const ObjectStatus&) = default;
};

struct StatusOptions {
  LeaseOptions lease;  // without a holder, nothing is written
  std::string manager = "sluice-sync";
  // The types of all conditions that we ever write.
  std::vector<std::string> types;
  // At most this many requests at once, and in the long run one each `interval`.
  int burst = 50;
  std::chrono::milliseconds interval{100};
  // If an object is not found, and no deletion comes within this time, it has no status subresource.
  std::chrono::milliseconds gone_after{10'000};
  std::chrono::milliseconds backoff_least{1'000};
  std::chrono::milliseconds backoff_most{300'000};
};

// Any thread may read this.
struct StatusHealth {
  std::atomic<std::uint64_t> written = 0;
  std::atomic<std::uint64_t> same = 0;    // the object already had it
  std::atomic<std::uint64_t> failed = 0;  // requests that the API server did not carry out
};

class StatusWriter : public ApiHandler {
 public:
  using Clock = std::chrono::steady_clock;
  using Trouble = std::function<void(Resource, const std::string&)>;

  // All must outlive it. `version_of`: the apiVersion with which a resource is followed; empty: it is not followed.
  StatusWriter(const StatusOptions& options, ApiClient& client, StatusHealth& health,
               std::function<std::string(Resource)> version_of, Trouble trouble, std::uint64_t seed);
  ~StatusWriter() override;

  // From now on, the object must have this status. `subject` names the object by its uid: a later object with the
  // same name is left alone.
  void Want(const EventSubject& subject, const ObjectStatus& status);
  void Forget(Resource resource, const std::string& name);

  // Whether it competes for the Lease although nothing is wanted yet [no], and whether it writes what is wanted while
  // it holds the Lease [yes].
  void Compete(bool competes, bool writes);
  // It holds the Lease.
  bool leads() const { return led_; }

  // Sends what may be sent now.
  void Tick(Clock::time_point now);
  Clock::time_point Due() const;

  void OnHeaders(long status) override;
  bool OnBody(std::string_view bytes) override;
  void OnDone(const ApiResult& result) override;

 private:
  using Key = std::pair<Resource, std::string>;
  struct Wanted {
    EventSubject subject;
    ObjectStatus status;
    bool waits = false;                  // its key is in waiting_
    Clock::time_point looked_for_until;  // for one that was not found; time 0: it was found
  };
  enum class Request { kNone, kLook, kApply };

  bool idle() const { return options_.lease.holder.empty() || (wanted_.empty() && !competes_); }
  void Wait(const Key& key, Wanted& wanted);
  bool TakeToken(Clock::time_point now);
  void Look(const Key& key, const std::string& version, Clock::time_point now);
  void Compare(Clock::time_point now);
  void Fail(const ApiResult& result, Clock::time_point now);
  void LookForAgain(Clock::time_point now);
  void TellOnce(const std::string& what);

  const StatusOptions options_;
  ApiClient& client_;
  StatusHealth& health_;
  const std::function<std::string(Resource)> version_of_;
  const Trouble trouble_;
  Lease lease_;
  Backoff backoff_;
  bool led_ = false;
  bool competes_ = false;
  bool writes_ = true;

  std::map<Key, Wanted> wanted_;
  std::deque<Key> waiting_;
  std::deque<Key> not_found_;   // not found once; they are looked for again, in this order
  std::string trouble_told_;    // since the last success
  std::set<std::string> told_;  // about single objects

  Request under_way_ = Request::kNone;
  long status_ = 0;
  Key current_;
  std::string version_;
  std::string answer_;
  Clock::time_point started_;
  Clock::time_point not_before_;
  double tokens_;
  Clock::time_point refilled_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_STATUS_WRITER_H_
