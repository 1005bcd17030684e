// sluice.v1.PolicyService: the stream by which a sender keeps the policy up to date.
//
// There is one sender at a time, the newest: a stream that sends Begin takes over, and the stream before it ends with
// ABORTED and that reason. Each stream has one message under way, so a fast sender waits in its own buffers. One thread
// applies all policy: the store's writer. No gRPC thread ever blocks on it.
#ifndef SLUICE_DATAPLANE_API_POLICY_SERVICE_H_
#define SLUICE_DATAPLANE_API_POLICY_SERVICE_H_

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "sluice/v1/policy.grpc.pb.h"
#include "store/policy_intake.h"

namespace sluice {

class PushStream;

class PolicyService final : public v1::PolicyService::WithRawCallbackMethod_Push<v1::PolicyService::Service> {
 public:
  using Say = std::function<void(std::string_view)>;  // a line for the log, from any thread
  // Returns whether a client with these certificates (PEM, its own first) may push. Called from any thread.
  using MayPush = std::function<bool(const std::string&)>;

  // `intake` outlives the service, which is its only writer from here on. `refusal` says why no client may push; empty:
  // clients may. `may_push` is asked for each client that showed a certificate; null: each may.
  PolicyService(PolicyIntake& intake, std::string refusal, Say say, MayPush may_push = nullptr);
  // Requires that the server was shut down. Waits until gRPC is done with every stream.
  ~PolicyService() override;

  // Ends all streams, so that the server can be shut down. Nothing is applied afterwards.
  void Stop();

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Push(grpc::CallbackServerContext* context) override;

  // Returns why this client may not push; empty: it may. Any thread.
  std::string RefusalOf(const grpc::CallbackServerContext& context);

 private:
  friend class PushStream;

  void Post(std::function<void()> job);
  void Run();
  void Waits(const std::shared_ptr<PushStream>& stream);
  void TakeOver(const std::shared_ptr<PushStream>& stream, const std::string& sender);
  void Gone(const PushStream* stream);
  void ForgetSender(const PushStream* stream);

  PolicyIntake& intake_;
  const std::string refusal_;
  const Say say_;
  const MayPush may_push_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool stop_ = false;
  std::chrono::steady_clock::time_point told_of_viewer_{};
  std::size_t streams_ = 0;  // streams that gRPC is not done with
  std::shared_ptr<PushStream> sender_;
  std::deque<std::shared_ptr<PushStream>> waiting_;  // have not sent Begin; oldest first
  std::thread thread_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_POLICY_SERVICE_H_
