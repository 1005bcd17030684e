// One call of PolicyService.Push: a stream that one thread writes and reads. It reports when the stream ends.
#ifndef SLUICE_CONTROL_PUSH_PUSH_CALL_H_
#define SLUICE_CONTROL_PUSH_PUSH_CALL_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>

#include "sluice/v1/policy.grpc.pb.h"

namespace sluice {

// What a pusher's thread waits for, and how. To change what it waits for, a thread must hold the mutex.
struct PushSignal {
  std::mutex mutex;
  std::condition_variable changed;
  bool stop = false;
  bool news = false;  // the feed has something
};

// The pusher's thread makes, uses and destroys it. A `stop` of the signal ends every wait.
class PushCall : private grpc::ClientBidiReactor<v1::PushRequest, v1::PushResponse> {
 public:
  using Clock = std::chrono::steady_clock;

  // Both must outlive it.
  PushCall(v1::PolicyService::StubInterface& stub, PushSignal& signal);
  // Cancels what is in progress, and waits until gRPC is done with it.
  ~PushCall() override;

  // Returns once gRPC took the request. gRPC takes it when it can be sent, so a slow receiver makes us wait. False: the
  // stream is over, or nothing moved until `deadline`.
  bool Write(const v1::PushRequest& request, Clock::time_point deadline);
  // Returns the next answer, or nothing if the stream is over or no answer came until `deadline`.
  std::optional<v1::PushResponse> Read(Clock::time_point deadline);
  // Requires the signal's mutex.
  bool over() const { return over_; }
  // Ends the call, and returns why it ended.
  grpc::Status Finish();

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  PushSignal& signal_;
  grpc::ClientContext context_;
  v1::PushResponse answer_;  // gRPC owns it until answered_
  // Guarded by the signal's mutex.
  bool answered_ = false;
  bool writing_ = false;
  bool over_ = false;
  std::optional<grpc::Status> status_;
  bool released_ = false;  // the pusher's thread only
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_PUSH_PUSH_CALL_H_
