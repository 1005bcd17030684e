// sluicectl does not wait for ever, whatever is at the other end.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <string>

#include "api/api_fixture.h"
#include "api/run_command.h"
#include "sluice/v1/observe.grpc.pb.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

// Every command that asks a running sluiced; FILE is a manifest.
constexpr const char* kCommands[] = {"status",
                                     "version",
                                     "get endpoints",
                                     "get policies",
                                     "get rules",
                                     "get flows",
                                     "get ports",
                                     "get workers",
                                     "get drops",
                                     "get drops --watch",
                                     "drops",
                                     "drops --follow",
                                     "top",
                                     "unused",
                                     "explain --src 10.0.0.1 --dst 10.0.0.2 --proto tcp --dport 80",
                                     "diff --manifests FILE"};

class DeadlineTest : public testing::Test {
 protected:
  DeadlineTest() { std::ofstream(File()) << "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"; }

  std::string Path() const { return folder_.path() + "/s.sock"; }
  std::string Target() const { return "unix:" + Path(); }
  std::string File() const { return folder_.path() + "/manifest.yaml"; }

  // Each ends soon, with an error that names the target.
  void ExpectEachEnds(const testing::Matcher<std::string>& says) {
    for (std::string command : kCommands) {
      if (const std::size_t at = command.find("FILE"); at != std::string::npos) command.replace(at, 4, File());
      const auto begin = Clock::now();
      const auto end = RunSluicectl(Target(), command + " --timeout 0.5");
      EXPECT_LT(Clock::now() - begin, std::chrono::seconds(10)) << command;
      EXPECT_EQ(end.code, command == "version" ? 1 : 2) << command << end.out;
      EXPECT_THAT(end.out, AllOf(HasSubstr(Target()), says)) << command;
    }
  }

  TempFolder folder_;
};

// As a sluiced that is stopped in its tracks.
TEST_F(DeadlineTest, WhereConnectionsAreTakenAndNothingIsSaidEveryCommandEnds) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  Path().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(fd, 100), 0);
  ExpectEachEnds(HasSubstr(
      "for 0.5 s: sluiced hangs, is stopped or is overloaded; its log says more, and --timeout waits longer"));
  close(fd);
}

// Takes every call and answers none.
class Silent final : public v1::ObserveService::Service {
 public:
  void Stop() {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*, v1::Status*) override { return Wait(); }
  grpc::Status ListEndpoints(grpc::ServerContext*, const v1::ListEndpointsRequest*,
                             grpc::ServerWriter<v1::EndpointInfo>*) override {
    return Wait();
  }
  grpc::Status ListPolicies(grpc::ServerContext*, const v1::ListPoliciesRequest*,
                            grpc::ServerWriter<v1::PolicyInfo>*) override {
    return Wait();
  }
  grpc::Status ListFlows(grpc::ServerContext*, const v1::ListFlowsRequest*, grpc::ServerWriter<v1::Flow>*) override {
    return Wait();
  }
  grpc::Status ListPorts(grpc::ServerContext*, const v1::ListPortsRequest*,
                         grpc::ServerWriter<v1::PortInfo>*) override {
    return Wait();
  }
  grpc::Status ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest*,
                           grpc::ServerWriter<v1::WorkerInfo>*) override {
    return Wait();
  }
  grpc::Status ListDrops(grpc::ServerContext*, const v1::ListDropsRequest*,
                         grpc::ServerWriter<v1::DropCounter>*) override {
    return Wait();
  }
  grpc::Status WatchDrops(grpc::ServerContext*, const v1::WatchDropsRequest*,
                          grpc::ServerWriter<v1::WatchDropsResponse>* writer) override {
    if (begins_) writer->SendInitialMetadata();
    if (!begins_) return Wait();
    std::this_thread::sleep_for(std::chrono::seconds(2));
    v1::WatchDropsResponse message;
    message.add_drops()->set_reason("late_but_here");
    writer->Write(message);
    return grpc::Status::OK;
  }
  grpc::Status Explain(grpc::ServerContext*, const v1::ExplainRequest*, v1::Explanation*) override { return Wait(); }
  grpc::Status GetPolicy(grpc::ServerContext*, const v1::GetPolicyRequest*,
                         grpc::ServerWriter<v1::FullStateChunk>*) override {
    return Wait();
  }

  bool begins_ = false;

 private:
  grpc::Status Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stop_; });
    return grpc::Status::OK;
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
};

class SilentServer : public DeadlineTest {
 protected:
  SilentServer() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(Target(), grpc::InsecureServerCredentials());
    builder.RegisterService(&silent_);
    server_ = builder.BuildAndStart();
  }
  ~SilentServer() override {
    silent_.Stop();
    server_->Shutdown(std::chrono::system_clock::now());
  }

  Silent silent_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(SilentServer, WhereCallsAreTakenAndNotAnsweredEveryCommandEnds) {
  ExpectEachEnds(HasSubstr("for 0.5 s: sluiced hangs"));
}

TEST_F(SilentServer, WhoFollowsWaitsForDropsAsLongAsItTakes) {
  silent_.begins_ = true;
  const auto end = RunSluicectl(Target(), "drops --follow --timeout 0.5");
  EXPECT_EQ(end.code, 0) << end.out;
  EXPECT_THAT(end.out, HasSubstr("late_but_here"));
}

TEST_F(DeadlineTest, WhereNobodyListensEveryCommandSaysSo) { ExpectEachEnds(HasSubstr("nobody answers at")); }

TEST_F(DeadlineTest, ATimeoutThatIsNoneIsRefused) {
  const auto end = RunSluicectl(Target(), "status --timeout 0");
  EXPECT_EQ(end.code, 2);
  EXPECT_THAT(end.out, HasSubstr("--timeout"));
}

}  // namespace
}  // namespace sluice
