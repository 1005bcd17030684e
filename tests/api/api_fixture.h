// A server with the real store behind a Unix socket in a folder of its own, and a sender to talk to it.
#ifndef SLUICE_TESTS_API_API_FIXTURE_H_
#define SLUICE_TESTS_API_API_FIXTURE_H_

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "api/names_service.h"
#include "api/observe_service.h"
#include "api/policy_service.h"
#include "api/server.h"
#include "observe/dataplane_view.h"
#include "sluice/v1/policy.grpc.pb.h"
#include "store/policy_intake.h"
#include "table/policy_builder.h"

namespace sluice {

// A folder that goes with its owner.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A stream of PolicyService.Push.
class Sender {
 public:
  Sender(const std::shared_ptr<grpc::Channel>& channel, const std::string& name);
  ~Sender();

  const v1::Hello& hello() const { return hello_; }
  bool Write(const v1::PushRequest& request) { return stream_->Write(request); }
  // The next answer; fails the test where none comes.
  v1::BatchResult Result();
  v1::BatchResult SendFullState(const ResolvedPolicy& policy, std::uint64_t state_id, std::uint64_t batch,
                                std::size_t chunk_bytes = 1000);
  v1::BatchResult SendUpdate(const v1::Update& update);
  // Closes this side and returns the stream's status.
  grpc::Status Finish();
  // Waits for the server to end the stream.
  grpc::Status WaitForEnd();

 private:
  grpc::ClientContext context_;
  std::unique_ptr<v1::PolicyService::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::PushRequest, v1::PushResponse>> stream_;
  v1::Hello hello_;
  bool finished_ = false;
};

class ApiFixture : public testing::Test {
 protected:
  // With a state folder: what it holds is loaded first.
  void StartServer(const std::string& state_folder = "", const std::string& push_refusal = "");
  void StopServer();
  // Also served, once StartServer is called: what is observed through this view.
  void Serve(const DataplaneView& view) { view_ = &view; }
  std::shared_ptr<grpc::Channel> Connect() const;
  std::string Socket() const { return folder_.path() + "/s.sock"; }
  std::string RunFolder() const { return folder_.path() + "/run"; }
  std::string PolicyDump() const;
  // Whether 192.0.2.1 may reach TCP port 80 of `destination`.
  bool Allows(std::string_view destination) const;
  // What was said to the log.
  std::vector<std::string> said() const;

  void Say(std::string_view line);

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> said_;  // streams say that they are gone until the server is

 protected:
  TempFolder folder_;
  CompileLimits limits_;
  std::uint64_t last_generation_ = 0;                    // before the first policy's
  NameStore learnt_names_;                               // follows what is in force
  NameTime names_now_{1000, 1'700'000'000'000'000'000};  // when names are learnt
  std::unique_ptr<PolicyIntake> intake_;
  std::unique_ptr<PolicyService> policy_;
  std::unique_ptr<NamesService> names_service_;
  std::unique_ptr<ObserveService> observe_;
  std::unique_ptr<ApiServer> server_;
  std::string load_error_;
  const DataplaneView* view_ = nullptr;
  ReadLimits read_limits_;
};

// Pod 10.0.0.1 (e0) in group web, which policy default/web isolates.
ResolvedPolicy WebIsolated();
// The pod of that number and address joins group 0.
v1::Update PodComes(std::uint64_t state_id, std::uint64_t batch, std::uint32_t id, const std::string& address);

}  // namespace sluice

#endif  // SLUICE_TESTS_API_API_FIXTURE_H_
