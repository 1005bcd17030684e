// A Lease (coordination.k8s.io/v1), by which several processes agree which of them does something: the one that holds
// it. A holder that does not renew it loses it to another.
//
// Within one thread, that of its ApiClient.
#ifndef SLUICE_CONTROL_KUBE_LEASE_H_
#define SLUICE_CONTROL_KUBE_LEASE_H_

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "kube/api_client.h"

namespace sluice {

struct LeaseOptions {
  std::string namespace_name = "sluice-system";
  std::string name = "sluice-sync-status";
  std::string holder;  // ours: no other process' is the same
  std::chrono::milliseconds duration{15'000};
  std::chrono::milliseconds interval{5'000};  // from one renewal, or look at another's, to the next
};

class Lease : public ApiHandler {
 public:
  using Clock = std::chrono::steady_clock;
  using Trouble = std::function<void(const std::string&)>;

  // The client must outlive it. `trouble` hears why it cannot be held, with the remedy; not repeated while it is the
  // same.
  Lease(const LeaseOptions& options, ApiClient& client, Trouble trouble);
  ~Lease() override;

  void Tick(Clock::time_point now);
  Clock::time_point Due() const { return next_; }

  // Nobody else holds it before this one gives it up: it does so some time before another may take it.
  bool held(Clock::time_point now) const { return now < held_until_; }

  void OnHeaders(long status) override;
  bool OnBody(std::string_view bytes) override;
  void OnDone(const ApiResult& result) override;

 private:
  enum class Request { kNone, kLook, kCreate, kUpdate };

  void Send(Request kind, Clock::time_point now);
  std::string Body(Clock::time_point now) const;
  void ReadLooked(Clock::time_point now);
  void Fail(const std::string& why);

  const LeaseOptions options_;
  ApiClient& client_;
  const Trouble trouble_;
  Request under_way_ = Request::kNone;
  Clock::time_point started_;
  Clock::time_point next_;
  Clock::time_point held_until_;
  long status_ = 0;
  std::string answer_;
  std::string told_;
  // As it was last seen, and since when it has been like that: the holder's clock is not trusted.
  std::string version_;
  Clock::time_point seen_;
  long transitions_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_LEASE_H_
