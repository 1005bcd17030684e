// ObserveService.WatchFlows: what its watchers are shown of flows that ended and of denials.
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "api/observed_plane.h"
#include "observe/flow_log.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class StoreOwners final : public FlowLogNames {
 public:
  explicit StoreOwners(const PolicyStore& store) : store_(store) {}
  std::vector<FlowLogOwner> OwnersOf(std::span<const IpAddress> addresses) const override {
    return std::vector<FlowLogOwner>(addresses.size());
  }
  std::shared_ptr<const Table> table() const override { return store_.table(); }

 private:
  const PolicyStore& store_;
};

class WatchFlowsTest : public ObservedFixture {
 protected:
  WatchFlowsTest() {
    names_ = std::make_unique<StoreOwners>(intake_->store());
    FlowLogSettings settings;
    settings.history = 1000;
    settings.deny_interval_s = 3600;
    log_ = std::make_unique<FlowLog>(settings, *names_, [](std::string_view) {});
    tap_ = &log_->AddTap(1);
    log_->Start();
    turner_ = std::thread([this] {
      while (!over_) {
        tap_->denies.Turn();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
    // The fixture's server knows of no flow log: another one does.
    observe_with_log_ = std::make_unique<ObserveService>(*intake_, plane_, PipelineConfig{}, ReadLimits(), log_.get());
    grpc::ServerBuilder builder;
    builder.RegisterService(observe_with_log_.get());
    server_with_log_ = builder.BuildAndStart();
    stub_ = v1::ObserveService::NewStub(server_with_log_->InProcessChannel({}));
  }
  ~WatchFlowsTest() override {
    server_with_log_->Shutdown(std::chrono::system_clock::now());
    server_with_log_.reset();
    observe_with_log_.reset();
    over_ = true;
    turner_.join();
    log_.reset();
  }

  void End(std::uint16_t port) {
    FlowView flow;
    flow.source = {Ip("10.0.0.1"), 1000};
    flow.destination = {Ip("10.0.0.2"), port};
    flow.protocol = kProtoTcp;
    tap_->ends.FlowEnded(flow, FlowEndCause::kExpired, 0);
  }
  static v1::WatchFlowsRequest Since(std::uint64_t unix_ns) {
    v1::WatchFlowsRequest request;
    request.set_since_unix_ns(unix_ns);
    return request;
  }
  static void Want(v1::WatchFlowsRequest& request, const char* name, const char* value, bool negated = false) {
    v1::FlowCondition* condition = request.add_conditions();
    condition->set_name(name);
    condition->set_value(value);
    condition->set_negated(negated);
  }
  std::vector<std::string> Lines(const v1::WatchFlowsRequest& request, grpc::Status* status = nullptr) {
    grpc::ClientContext context;
    const auto reader = stub_->WatchFlows(&context, request);
    std::vector<std::string> lines;
    for (v1::WatchFlowsResponse message; reader->Read(&message);) {
      lines.insert(lines.end(), message.lines().begin(), message.lines().end());
    }
    const grpc::Status end = reader->Finish();
    if (status != nullptr) *status = end;
    if (status == nullptr) {
      EXPECT_TRUE(end.ok()) << end.error_message();
    }
    return lines;
  }

  std::unique_ptr<StoreOwners> names_;
  std::unique_ptr<FlowLog> log_;
  WorkerTap* tap_ = nullptr;
  std::atomic<bool> over_ = false;
  std::thread turner_;
  std::unique_ptr<ObserveService> observe_with_log_;
  std::unique_ptr<grpc::Server> server_with_log_;
  std::unique_ptr<v1::ObserveService::Stub> stub_;
};

TEST_F(WatchFlowsTest, SinceShowsWhatIsRememberedThroughConditions) {
  for (const std::uint16_t port : {80, 81, 82}) End(port);
  EXPECT_THAT(Lines(Since(1)), SizeIs(3));
  v1::WatchFlowsRequest request = Since(1);
  Want(request, "port", "81");
  const std::vector<std::string> lines = Lines(request);
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_THAT(lines[0], AllOf(HasSubstr(R"("type":"end")"), HasSubstr(R"("port":81)")));
  request = Since(1);
  Want(request, "port", "81", true);
  EXPECT_THAT(Lines(request), SizeIs(2));
  EXPECT_THAT(Lines(Since(~std::uint64_t{0})), SizeIs(0));
}

TEST_F(WatchFlowsTest, FollowShowsWhatEndsAfterTheCallBegan) {
  End(80);
  v1::WatchFlowsRequest request;
  request.set_follow(true);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  const auto reader = stub_->WatchFlows(&context, request);
  reader->WaitForInitialMetadata();
  End(81);
  v1::WatchFlowsResponse message;
  do {
    ASSERT_TRUE(reader->Read(&message));
  } while (message.lines().empty());
  ASSERT_EQ(message.lines_size(), 1);
  EXPECT_THAT(message.lines(0), HasSubstr(R"("port":81)"));
  context.TryCancel();
  reader->Finish();
}

TEST_F(WatchFlowsTest, WhatARingLostIsTold) {
  v1::WatchFlowsRequest request;
  request.set_follow(true);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(120));
  const auto reader = stub_->WatchFlows(&context, request);
  reader->WaitForInitialMetadata();
  constexpr std::uint64_t kEnded = 200'000;
  for (std::uint64_t i = 0; i < kEnded; ++i) End(80);
  std::uint64_t told = 0;
  bool lost = false;
  for (v1::WatchFlowsResponse message; told < kEnded && reader->Read(&message);) {
    told += static_cast<std::uint64_t>(message.lines_size()) + message.not_shown() + message.not_recorded();
    lost = lost || message.not_recorded() != 0;
  }
  EXPECT_EQ(told, kEnded) << "each is shown or counted, once";
  EXPECT_TRUE(lost);
  context.TryCancel();
  reader->Finish();
}

TEST_F(WatchFlowsTest, WhatCannotBeMeantIsRefused) {
  const auto refusal = [&](const v1::WatchFlowsRequest& request) {
    grpc::Status status;
    Lines(request, &status);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return status.error_message();
  };
  EXPECT_THAT(refusal({}), HasSubstr("wants since_unix_ns, follow, or both"));
  v1::WatchFlowsRequest request = Since(1);
  Want(request, "colour", "red");
  EXPECT_THAT(refusal(request), HasSubstr("there is no condition 'colour'"));
  request = Since(1);
  Want(request, "port", "http");
  EXPECT_THAT(refusal(request), HasSubstr("port 'http' wants a port"));
  request = Since(1);
  for (int i = 0; i < 257; ++i) Want(request, "port", "80");
  EXPECT_THAT(refusal(request), HasSubstr("256 at most"));
}

TEST_F(WatchFlowsTest, WithoutAHistoryItSaysWhichKeyIsMissing) {
  grpc::ClientContext context;
  const auto stub = v1::ObserveService::NewStub(Connect());
  const auto reader = stub->WatchFlows(&context, Since(1));
  v1::WatchFlowsResponse message;
  EXPECT_FALSE(reader->Read(&message));
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("flow_history is 0"));
}

}  // namespace
}  // namespace sluice
