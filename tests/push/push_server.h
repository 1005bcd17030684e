// A PolicyService that holds what it was pushed, as sluiced's does, and that a test can make refuse, stall or go away.
#ifndef SLUICE_TESTS_PUSH_PUSH_SERVER_H_
#define SLUICE_TESTS_PUSH_PUSH_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "sluice/diagnostic.h"
#include "sluice/policy_update.h"
#include "sluice/resolved_policy.h"
#include "sluice/v1/policy.grpc.pb.h"

namespace sluice {

class PushServer : private v1::PolicyService::Service {
 public:
  using Refuse = std::function<std::optional<Diagnostic>(const ResolvedPolicy&)>;

  // `address` as gRPC takes it: "unix:PATH".
  explicit PushServer(std::string address);
  ~PushServer() override { Stop(); }

  void Start();
  // Ends the streams. What was pushed is kept, unless it is forgotten.
  void Stop();
  void Forget();

  // Which api_minor the next Hello says; 0 at first, which is older than everything.
  void SpeakMinor(std::uint32_t api_minor) {
    const std::lock_guard lock(mutex_);
    api_minor_ = api_minor;
  }
  // Says whether the policy that a batch would make is refused.
  void RefuseWhere(Refuse refuse);
  // Ends the stream at each update, without an answer.
  void BreakAtUpdates(bool breaks);
  // Applies no more batches until told otherwise, and does not answer.
  void Stall(bool stall);
  // A message waits for the end of the stall. False: none came within a while.
  bool WaitUntilStalled();

  // False: it did not come true within `timeout`. `holds` is called under the lock, after each batch.
  bool WaitUntil(const std::function<bool(const ResolvedPolicy&)>& holds,
                 std::chrono::milliseconds timeout = std::chrono::seconds(20));
  std::string Dump();
  int full_states();
  int updates();
  int refused();

 private:
  using Stream = grpc::ServerReaderWriter<v1::PushResponse, v1::PushRequest>;

  grpc::Status Push(grpc::ServerContext* context, Stream* stream) override;
  v1::BatchResult Finish(std::uint64_t batch, const std::optional<Diagnostic>& problem);
  std::optional<Diagnostic> Replace(ResolvedPolicy policy, std::uint64_t state_id, std::uint64_t batch);
  std::optional<Diagnostic> Update(const v1::Update& message, bool* full_state_needed);

  const std::string address_;
  std::unique_ptr<grpc::Server> server_;

  std::mutex mutex_;
  std::condition_variable changed_;
  Refuse refuse_;
  bool breaks_ = false;
  bool stall_ = false;
  int stalled_ = 0;  // messages that wait
  bool stopping_ = false;
  ResolvedPolicy policy_;
  std::uint64_t state_id_ = 0;
  std::uint64_t batch_ = 0;
  std::uint64_t generation_ = 0;
  std::uint32_t api_minor_ = 0;
  int full_states_ = 0;
  int updates_ = 0;
  int refused_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_PUSH_PUSH_SERVER_H_
