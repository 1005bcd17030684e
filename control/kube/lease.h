// A Lease (coordination.k8s.io/v1), by which several processes agree on which of them does something: the holder does
// it. A holder that does not renew the Lease loses it to another process.
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
  std::string holder;  // our name; no other process has the same
  std::chrono::milliseconds duration{15'000};
  std::chrono::milliseconds interval{5'000};  // from a renewal, or a look at another's, to the next
};

class Lease : public ApiHandler {
 public:
  using Clock = std::chrono::steady_clock;
  using Trouble = std::function<void(const std::string&)>;

  // The client must outlive it. `trouble` is told why the Lease cannot be held, with the remedy; not
  // repeated while it is the same.
  Lease(const LeaseOptions& options, ApiClient& client, Trouble trouble);
  ~Lease() override;

  void Tick(Clock::time_point now);
  Clock::time_point Due() const { return next_; }

  // True: nobody else holds it until this process gives it up, which is some time before another may take it.
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
  // As it was last seen, and how long it has been so by our clock: the holder's clock is not trusted.
  std::string version_;
  Clock::time_point seen_;
  long transitions_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_LEASE_H_
