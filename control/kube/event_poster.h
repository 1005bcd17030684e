// Posts Kubernetes Events (core/v1) on objects, so that `kubectl describe` shows what Sluice says about them. Best
// effort: an Event that the API server does not take is counted and dropped, and a flood is limited here.
//
// An Event's name is made from the object, the reason and the message. So if a thousand nodes run sluice-sync and one
// has said something, the API server refuses it from the others while it keeps the Event (an hour, by default).
#ifndef SLUICE_CONTROL_KUBE_EVENT_POSTER_H_
#define SLUICE_CONTROL_KUBE_EVENT_POSTER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>

#include "kube/api_client.h"
#include "kube/resource.h"

namespace sluice {

// core/v1 ObjectReference of the object that an Event is about.
struct EventSubject {
  Resource resource = Resource::kNetworkPolicies;
  std::string namespace_name;  // empty if the kind has none
  std::string name;
  std::string uid;
  std::string resource_version;
};

struct EventOptions {
  std::string component = "sluice-sync";  // source.component
  std::string host;                       // source.host: the node's name
  // Within this time, the same object, reason and message is only counted, and reported with the next Event.
  std::chrono::seconds repeat_after{600};
  // At most this many at once, and in the long run one each `interval`. Further Events wait for their turn.
  int burst = 25;
  std::chrono::milliseconds interval{1000};
};

// Any thread may read this.
struct EventHealth {
  std::atomic<std::uint64_t> posted = 0;
  std::atomic<std::uint64_t> repeated = 0;  // counted here, not posted; or another process had posted it
  std::atomic<std::uint64_t> dropped = 0;   // too many waited, or the API server did not take them
};

// For one thread, that of its ApiClient.
class EventPoster : public ApiHandler {
 public:
  using Clock = std::chrono::steady_clock;

  // All must outlive it.
  EventPoster(const EventOptions& options, ApiClient& client, EventHealth& health);
  ~EventPoster() override;

  // Posts an Event of type Warning. `reason` is a short word in CamelCase; a `message` over 1,024 bytes is cut.
  void Post(const EventSubject& subject, const std::string& reason, const std::string& message);
  // Sends what may be sent now.
  void Tick(Clock::time_point now);

  void OnHeaders(long status) override;
  bool OnBody(std::string_view bytes) override;
  void OnDone(const ApiResult& result) override;

 private:
  struct Told {
    Clock::time_point at;
    std::int64_t first_s;  // wall clock, seconds since 1970
    std::uint64_t count;   // how often it happened
  };
  struct Waiting {
    EventSubject subject;
    std::string reason;
    std::string message;
    std::int64_t first_s;
    std::uint64_t count;
  };

  void ForgetOld(Clock::time_point now);
  ApiRequest RequestFor(const Waiting& event);

  const EventOptions options_;
  ApiClient& client_;
  EventHealth& health_;
  std::unordered_map<std::string, Told> told_;  // by object, reason, message
  std::deque<Waiting> waiting_;
  double tokens_;
  Clock::time_point refilled_;
  bool under_way_ = false;
  Clock::time_point started_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_EVENT_POSTER_H_
