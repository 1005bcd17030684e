// Keeps one resource in step with the API server: lists it, then watches it, for as long as it takes.
//
//   streaming list --(initial-events-end)--> watch --(it ends, connection lost)--> watch again from the last version
//         | refused (400, 422, an ERROR event)      \--(410 Gone: that version is forgotten)--> list again
//         v
//   paged list --(last page)--> watch
//
// Whatever else goes wrong is tried again after a back-off, from where we were. Within one thread, that of its
// ApiClient.
#ifndef SLUICE_CONTROL_KUBE_LIST_WATCH_H_
#define SLUICE_CONTROL_KUBE_LIST_WATCH_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kube/api_client.h"
#include "kube/api_status.h"
#include "kube/backoff.h"
#include "kube/json_framer.h"
#include "kube/object_reader.h"
#include "kube/object_sink.h"
#include "kube/resource.h"

namespace sluice {

struct WatchOptions {
  std::string field_selector;  // "spec.nodeName=node-1"; empty: all
  std::string label_selector;
  bool streaming_list = true;  // ask for it; a server that hasn't it gets paged lists all the same
  int page_size = 500;
  // After which the server is asked to end a watch (less a random fifth), so that none lasts for ever.
  std::chrono::seconds watch_timeout{300};
  // How much later than asked a server may end a watch. One without bookmarks may be silent until then.
  std::chrono::milliseconds timeout_margin{15'000};
  // An answer that has not begun by then, or a list that pauses for so long, is given up.
  std::chrono::milliseconds answer_timeout{60'000};
  // A watch that has had a bookmark gets one a minute; without a byte for so long it is dead.
  std::chrono::milliseconds bookmark_timeout{90'000};
  std::chrono::milliseconds backoff_least{200};
  std::chrono::milliseconds backoff_most{10'000};
};

// For metrics and health checks; any thread may read it at any time.
struct WatchHealth {
  std::atomic<bool> synced = false;               // a list has been whole since the start
  std::atomic<std::int64_t> last_contact_ns = 0;  // steady clock; of the last byte; 0: never
  std::atomic<std::uint64_t> lists = 0;           // begun
  std::atomic<std::uint64_t> relists = 0;         // begun since the version that we had was gone (410)
  std::atomic<std::uint64_t> watches = 0;         // begun, streaming lists not counted
  std::atomic<std::uint64_t> errors = 0;          // whatever OnTrouble could say, repeated or not
  std::atomic<std::uint64_t> upserts = 0;
  std::atomic<std::uint64_t> deletes = 0;
  std::atomic<std::uint64_t> bytes = 0;
};

class ListWatch : public ApiHandler {
 public:
  using Clock = std::chrono::steady_clock;

  // All must outlive it.
  ListWatch(Resource resource, const WatchOptions& options, ApiClient& client, ObjectSink& sink, WatchHealth& health,
            std::uint64_t seed);
  ~ListWatch() override;

  // Starts what is due and gives up what is late.
  void Tick(Clock::time_point now);
  // When Tick is due next.
  Clock::time_point Due() const { return under_way_ ? deadline_ : next_attempt_; }
  bool synced() const { return health_.synced.load(std::memory_order_relaxed); }

  void OnHeaders(long status) override;
  bool OnBody(std::string_view bytes) override;
  void OnDone(const ApiResult& result) override;

 private:
  enum class Stage { kStreamingList, kPagedList, kWatch };

  std::string PathOf(Stage stage);
  void Start();
  // Something came: notes when, and when to give up the next.
  void Contact();
  void BeginReplace();
  void EndReplace(const std::string& resource_version);
  bool OnListBytes(std::string_view bytes, const Arrival& arrival);
  bool OnWatchBytes(std::string_view bytes, const Arrival& arrival);
  // False: the watch is of no more use.
  bool OnEvent(WatchEvent event, const Arrival& arrival);
  void Upsert(ReceivedObject object, const Arrival& arrival);

  // How a request ended, and what to do then.
  void OnPageEnded();
  void OnRefused(const ApiStatus& status);
  void ListInPages();
  void OnGone();
  void Relist();
  void RetryAfter(std::chrono::milliseconds wait);
  void Trouble(const std::string& message);

  const Resource resource_;
  const WatchOptions options_;
  ApiClient& client_;
  ObjectSink& sink_;
  WatchHealth& health_;
  Backoff backoff_;
  ObjectReader reader_;

  Stage stage_;
  std::string resource_version_;  // of the last object or bookmark; where a watch goes on
  std::string continue_token_;    // of a paged list: where the next page begins
  int expired_pages_ = 0;         // how often, in a row, a paged list took longer than its token lived
  bool replacing_ = false;        // between OnReplaceBegin and OnReplaceEnd

  // Of the request under way.
  bool under_way_ = false;
  Clock::time_point started_;
  long status_ = 0;
  bool bookmarked_ = false;  // this watch sends bookmarks
  std::chrono::seconds watch_timeout_{0};
  LineFramer lines_;
  ListFramer list_;
  std::string refusal_body_;
  std::optional<ApiStatus> error_event_;
  std::string unreadable_;  // why what came is of no use
  Clock::time_point deadline_;

  Clock::time_point next_attempt_;
  std::string trouble_;  // the last that was told; empty: none
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_LIST_WATCH_H_
