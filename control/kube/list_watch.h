// Keeps one resource in step with the API server, for as long as needed: lists it, then watches it.
//
//   streaming list --(initial-events-end)--> watch --(ends as asked)--> watch again from the last version
//     |                                       | |
//     | refused (400, 422, an ERROR event),   | +--(breaks off)--> present version? --(not older)--> watch again
//     | silent, or in vain three times        |                         |
//     v                                       |                         | older than ours: the state was set back
//   paged list --(last page)--> watch         v                         v
//                                            list again: our version is gone (410), or an answer was no event
//
// - A list that is asked for without a continue token is a new list, however the one before ended. An object that only
//   the one before has named counts as not named.
// - An answer counts only if it has the type that was asked for (ObjectReader).
// - A list that would remove more than half of the known objects is asked for once more, over another connection.
// - Any other failure is tried again after a back-off, from the same place. After three in a row the list begins anew.
//
// Within one thread, that of its ApiClient.
#ifndef SLUICE_CONTROL_KUBE_LIST_WATCH_H_
#define SLUICE_CONTROL_KUBE_LIST_WATCH_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kube/api_client.h"
#include "kube/api_status.h"
#include "kube/backoff.h"
#include "kube/json_framer.h"
#include "kube/object_reader.h"
#include "kube/object_sink.h"
#include "kube/resource.h"

namespace sluice {

struct WatchOptions {
  std::string api_version;     // "policy.networking.k8s.io/v1beta1"; empty: as in InfoOf
  std::string field_selector;  // "spec.nodeName=node-1"; empty: all
  std::string label_selector;
  bool streaming_list = true;  // ask for it; if a server lacks it, lists are paged
  int page_size = 500;
  // The server is asked to end a watch after this time (less a random fifth), so that no watch lasts for ever.
  std::chrono::seconds watch_timeout{300};
  // If a server ends a watch this much too late, we end it. A watch without bookmarks may be silent until then.
  std::chrono::milliseconds timeout_margin{15'000};
  // An answer that has not begun by then, or a list that pauses so long (or brings under 1 KiB), is given up.
  std::chrono::milliseconds answer_timeout{60'000};
  // A watch that has had a bookmark gets one each minute. Without a byte for this long, it is dead.
  std::chrono::milliseconds bookmark_timeout{90'000};
  std::chrono::milliseconds backoff_least{200};
  std::chrono::milliseconds backoff_most{10'000};
  // A Retry-After is obeyed up to this time.
  std::chrono::milliseconds longest_wait{60'000};
  // The time from a list that would remove more than half of the known objects to the second list.
  std::chrono::milliseconds ask_again_after{1'000};
  // The time from a list that did remove so many, or from an empty first list, to one more list. So an answer that was
  // wrong twice, or at the start, does harm only this long.
  std::chrono::milliseconds look_again_after{60'000};
};

// For metrics and health checks; any thread may read this at any time.
struct WatchHealth {
  std::atomic<bool> synced = false;               // a list was whole since the start
  std::atomic<bool> forbidden = false;            // the last answer: our user may not read it
  std::atomic<std::int64_t> last_contact_ns = 0;  // steady clock; of the last byte; 0: never
  std::atomic<std::uint64_t> lists = 0;           // begun
  std::atomic<std::uint64_t> relists = 0;         // begun because the version that we had was gone (410) or set back
  std::atomic<std::uint64_t> watches = 0;         // begun, without streaming lists
  std::atomic<std::uint64_t> errors = 0;          // all that OnTrouble could report, repeated or not
  std::atomic<std::uint64_t> doubted_lists = 0;   // asked for once more, because they would remove more than half
  std::atomic<std::uint64_t> large_removals = 0;  // those of them whose second list removed as much
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

  // Starts what is due, and gives up what is late.
  void Tick(Clock::time_point now);
  // When Tick is due next.
  Clock::time_point Due() const;
  bool synced() const { return health_.synced.load(std::memory_order_relaxed); }

  void OnHeaders(long status) override;
  bool OnBody(std::string_view bytes) override;
  void OnDone(const ApiResult& result) override;

 private:
  // kVersion asks: what is the present version?
  enum class Stage { kStreamingList, kPagedList, kVersion, kWatch };
  // kCounts: a failed request counts towards the failures in a row after which something else is tried.
  enum class Failure { kPassing, kCounts };
  // What ends a trouble: any answer (kConnection), or only a right answer (kAnswer).
  enum class TroubleOf { kConnection, kAnswer };

  bool listing() const { return stage_ == Stage::kStreamingList || stage_ == Stage::kPagedList; }
  std::string PathOf(Stage stage);
  void Start();
  // `bytes` came, or (0) the answer's head. Notes the time, and when to give up waiting for the next bytes.
  void Contact(std::size_t bytes);

  // The parts of a list.
  void BeginReplace();
  // False: the list removes so much that it must first be asked for once more.
  bool EndReplace(const std::string& resource_version);
  bool OnListBytes(std::string_view bytes, const Arrival& arrival);
  bool AddItem(std::string_view item);
  void DeliverPage();
  bool OnVersionBytes(std::string_view bytes);

  bool OnWatchBytes(std::string_view bytes, const Arrival& arrival);
  // False: the watch is no longer useful.
  bool OnEvent(WatchEvent event, const Arrival& arrival);
  bool OnBookmark(const WatchEvent& event);
  // False: the version is older than the ones before. Otherwise the watch goes on from it.
  bool Advance(const std::string& version);
  void Upsert(ReceivedObject object, const Arrival& arrival);

  // How a request ended, and what happens then.
  void OnLate(Clock::time_point now);
  void OnUnreadable();
  void OnListEnded();
  void OnPage(const ListMeta& meta);
  void OnVersion(const std::string& present);
  void OnWatchEnded();
  void OnRefused(ApiStatus status);
  void OnGone();
  // Begins a list anew, because a watch cannot go on.
  void Relist(std::chrono::milliseconds wait);
  void ListAnew(Stage stage, std::chrono::milliseconds wait);
  void TryAgain(Failure failure, std::chrono::milliseconds wait);
  void RetryAfter(std::chrono::milliseconds wait);

  void Trouble(const std::string& message, TroubleOf of);
  void Recovered();

  const Resource resource_;
  const WatchOptions options_;
  ApiClient& client_;
  ObjectSink& sink_;
  WatchHealth& health_;
  Backoff backoff_;
  ObjectReader reader_;

  Stage stage_;
  std::string resource_version_;  // of the last object or bookmark; a watch goes on from it
  int failures_ = 0;              // in a row, for the present request

  // For the list in progress.
  std::string continue_token_;  // in a paged list: where the next page begins
  std::string list_version_;    // of its first page, and so of all pages
  std::size_t listed_ = 0;      // objects
  bool replacing_ = false;      // between OnReplaceBegin and OnReplaceEnd
  bool asked_again_ = false;    // it is the second list, after one that would have removed much
  int expired_pages_ = 0;       // how often in a row a paged list took longer than its token lived

  // For the request in progress.
  bool under_way_ = false;
  Clock::time_point started_;
  Clock::time_point contact_;  // the last one
  long status_ = 0;
  std::size_t unextended_ = 0;  // bytes since the deadline was last moved
  bool events_came_ = false;    // in this watch
  bool bookmarked_ = false;     // this watch sends bookmarks
  std::chrono::seconds watch_timeout_{0};
  LineFramer lines_;
  ListFramer list_;
  // A page is delivered only when it is known to be one: the content of a wrong answer must change nothing.
  std::vector<ReceivedObject> page_;
  ListMeta::Type page_type_ = ListMeta::Type::kUnknown;
  std::optional<Arrival> page_arrival_;
  std::string refusal_body_;
  std::optional<ApiStatus> error_event_;
  bool doubted_ = false;    // the list is whole, and must be asked for once more
  std::string unreadable_;  // why the answer is useless
  Clock::time_point deadline_;

  Clock::time_point next_attempt_;
  std::optional<Clock::time_point> look_again_;  // when to list anew although nothing is wrong
  std::string trouble_;                          // the last one that was reported; empty: none
  TroubleOf trouble_of_ = TroubleOf::kConnection;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_LIST_WATCH_H_
