// ObserveService.WatchDrops: what its watchers are shown of a real pipeline's drops.
#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "api/limits.h"
#include "api/observed_plane.h"
#include "codec/codec.h"
#include "core/drop_ring.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WatchDropsTest : public ObservedFixture {
 protected:
  // A watcher, from when the dataplane records for it.
  class Watch {
   public:
    Watch(const std::shared_ptr<grpc::Channel>& channel, const v1::WatchDropsRequest& request)
        : stub_(v1::ObserveService::NewStub(channel)) {
      context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
      reader_ = stub_->WatchDrops(&context_, request);
      reader_->WaitForInitialMetadata();
    }
    ~Watch() {
      if (reader_) End();
    }

    // Reads until `count` drops were shown or counted, and returns those that were shown.
    std::vector<v1::DropEvent> Read(std::uint64_t count) {
      std::vector<v1::DropEvent> drops;
      v1::WatchDropsResponse message;
      while (count > 0 && reader_->Read(&message)) {
        drops.insert(drops.end(), message.drops().begin(), message.drops().end());
        not_shown += message.not_shown();
        not_recorded += message.not_recorded();
        const std::uint64_t came =
            static_cast<std::uint64_t>(message.drops_size()) + message.not_shown() + message.not_recorded();
        count -= std::min(count, came);
      }
      return drops;
    }
    grpc::Status End() {
      context_.TryCancel();
      return Finish();
    }
    grpc::Status Finish() {
      v1::WatchDropsResponse message;
      while (reader_->Read(&message)) {
      }
      const grpc::Status status = reader_->Finish();
      reader_.reset();
      return status;
    }

    std::uint64_t not_shown = 0;
    std::uint64_t not_recorded = 0;

   private:
    std::unique_ptr<v1::ObserveService::Stub> stub_;
    grpc::ClientContext context_;
    std::unique_ptr<grpc::ClientReader<v1::WatchDropsResponse>> reader_;
  };

  // The client is denied by the server's default deny.
  void Deny(std::uint16_t port = 81) { plane_.worker.SendQuietly({ClientTcp(kTcpSyn, 1234, port).Bytes()}); }
  DropRing& ring() { return plane_.worker.pipeline().drop_ring(); }
  bool WaitUntilNobodyWatches() {
    for (int i = 0; i < 500 && ring().Watches(DropReason::kPolicyDenied); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return !ring().Watches(DropReason::kPolicyDenied);
  }
};

TEST_F(WatchDropsTest, DropNamesPolicyRuleGenerationAndPods) {
  Watch watch(Connect(), {});
  Deny();
  const auto drops = watch.Read(1);
  ASSERT_EQ(drops.size(), 1u);
  const v1::DropEvent& drop = drops[0];
  EXPECT_EQ(drop.reason(), "policy_denied");
  EXPECT_EQ(drop.verdict(), "drop");
  EXPECT_EQ(drop.source_pod(), "default/client");
  EXPECT_EQ(drop.destination_pod(), "default/server");
  EXPECT_EQ(DecodeAddress(drop.destination()), Ip("10.0.0.2"));
  EXPECT_EQ(drop.destination_port(), 81u);
  EXPECT_EQ(drop.protocol(), kProtoTcp);
  EXPECT_EQ(drop.egress().policy(), "");
  EXPECT_EQ(drop.ingress().policy(), "default/server");
  EXPECT_EQ(drop.ingress().index(), -1);
  EXPECT_EQ(drop.generation(), 1u);
  EXPECT_EQ(drop.device(), "null");
  EXPECT_GT(drop.length(), 0u);
}

// Of all policies that isolate, whichever is asked for.
TEST_F(WatchDropsTest, ADefaultDenyNamesAllPoliciesThatIsolate) {
  ResolvedPolicy policy = ServerAdmitsClient();
  Section section = *policy.sections.begin();
  ASSERT_TRUE(section.isolates && section.direction == Direction::kIngress);
  section.policy = "default/all";
  section.rules.clear();
  policy.sections.push_back(std::move(section));
  Sender sender(Connect(), "test");
  ASSERT_TRUE(sender.SendFullState(policy, 8, 1).applied());
  plane_.worker.pipeline().Reserve(*intake_->store().table());
  plane_.worker.Load(intake_->store().table());
  v1::WatchDropsRequest request;
  request.set_policy("default/server");
  Watch watch(Connect(), request);
  Deny();
  const auto drops = watch.Read(1);
  ASSERT_EQ(drops.size(), 1u);
  EXPECT_EQ(drops[0].ingress().policy(), "default/all");
  EXPECT_THAT(drops[0].ingress().isolated_by(), ElementsAre("default/all", "default/server"));
  EXPECT_TRUE(drops[0].egress().isolated_by().empty());
}

TEST_F(WatchDropsTest, WhatHooksDropIsNotToBeWatched) {
  v1::WatchDropsRequest request;
  request.add_reasons("spoofed_source");
  Watch watch(Connect(), request);
  const grpc::Status status = watch.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("spoofed_source is of what a node's hooks drop"));
}

TEST_F(WatchDropsTest, EachWatcherSeesWhatItAskedFor) {
  v1::WatchDropsRequest of_port;
  of_port.set_port(82);
  v1::WatchDropsRequest of_pod;
  of_pod.set_pod("default/server");
  of_pod.set_policy("default/server");
  v1::WatchDropsRequest of_nobody;
  of_nobody.set_namespace_("other");
  v1::WatchDropsRequest of_reason;
  of_reason.add_reasons("tcp_bad_flags");
  Watch port(Connect(), of_port);
  Watch pod(Connect(), of_pod);
  Watch nobody(Connect(), of_nobody);
  Watch reason(Connect(), of_reason);
  Deny(81);
  Deny(82);
  plane_.worker.SendQuietly({ClientTcp(kTcpSyn | kTcpFin).Bytes()});
  EXPECT_EQ(port.Read(1).at(0).destination_port(), 82u);
  EXPECT_EQ(pod.Read(2).size(), 2u);
  EXPECT_EQ(reason.Read(1).at(0).reason(), "tcp_bad_flags");
  v1::WatchDropsRequest more = of_nobody;
  more.set_namespace_("default");
  Watch somebody(Connect(), more);
  Deny(83);
  EXPECT_EQ(somebody.Read(1).size(), 1u);
  EXPECT_EQ(nobody.not_shown, 0u);
}

TEST_F(WatchDropsTest, AboveItsRateDropsAreCountedNotShown) {
  v1::WatchDropsRequest request;
  request.set_drops_per_second(10);
  Watch slow(Connect(), request);
  Watch fast(Connect(), {});
  for (int i = 0; i < 100; ++i) Deny();
  EXPECT_EQ(fast.Read(100).size(), 100u);
  const std::size_t shown = slow.Read(100).size();
  EXPECT_GE(shown, 10u);
  EXPECT_LT(shown, 30u);
  EXPECT_EQ(shown + slow.not_shown, 100u);
}

TEST_F(WatchDropsTest, WhatTheRingCannotHoldIsCounted) {
  Watch watch(Connect(), {});
  constexpr std::uint64_t kDrops = 20'000;
  const ByteVector packet = ClientTcp(kTcpSyn, 1234, 81).Bytes();
  const std::vector<ByteVector> burst(50, packet);
  for (std::uint64_t i = 0; i < kDrops; i += 50) plane_.worker.SendQuietly(burst);
  const std::size_t shown = watch.Read(kDrops).size();
  EXPECT_GT(shown, 0u);
  EXPECT_EQ(shown + watch.not_shown + watch.not_recorded, kDrops);
}

TEST_F(WatchDropsTest, WhoDoesNotReadLosesDropsAndIsTold) {
  Watch idle(Connect(), {});
  Watch reader(Connect(), {});
  // More than a watcher's queue and the connection's buffers hold.
  constexpr std::uint64_t kRound = 1000;
  std::uint64_t read = 0;
  for (int round = 0; round < 12; ++round) {
    for (std::uint64_t i = 0; i < kRound; ++i) Deny();
    read += reader.Read(kRound).size();
  }
  EXPECT_GT(read, 0u);
  EXPECT_EQ(idle.Read(12 * kRound).size() + idle.not_shown + idle.not_recorded, 12 * kRound);
}

TEST_F(WatchDropsTest, NothingIsRecordedOnceTheLastWatcherIsGone) {
  {
    Watch watch(Connect(), {});
    EXPECT_TRUE(ring().Watches(DropReason::kPolicyDenied));
    EXPECT_EQ(watch.End().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_TRUE(WaitUntilNobodyWatches());
  Deny();
  Watch later(Connect(), {});
  Deny(82);
  EXPECT_EQ(later.Read(1).at(0).destination_port(), 82u);
}

TEST_F(WatchDropsTest, OnlyWatchedReasonsAreRecorded) {
  v1::WatchDropsRequest request;
  request.add_reasons("no_policy");
  const Watch watch(Connect(), request);
  EXPECT_TRUE(ring().Watches(DropReason::kNoPolicy));
  EXPECT_FALSE(ring().Watches(DropReason::kPolicyDenied));
}

TEST_F(WatchDropsTest, OneTooManyIsRefusedAndOthersGoOn) {
  std::vector<std::unique_ptr<Watch>> watches;
  for (std::size_t i = 0; i < kMaxDropWatchers; ++i)
    watches.push_back(std::make_unique<Watch>(Connect(), v1::WatchDropsRequest()));
  const auto stub = v1::ObserveService::NewStub(Connect());
  grpc::ClientContext context;
  const auto reader = stub->WatchDrops(&context, {});
  v1::WatchDropsResponse message;
  EXPECT_FALSE(reader->Read(&message));
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("end one of them"));
  Deny();
  for (const auto& watch : watches) EXPECT_EQ(watch->Read(1).size(), 1u);
  grpc::ClientContext other;
  v1::Status answer;
  EXPECT_TRUE(stub->GetStatus(&other, {}, &answer).ok());  // watchers leave room for other calls
}

TEST_F(WatchDropsTest, UnknownReasonIsRefusedByName) {
  v1::WatchDropsRequest request;
  request.add_reasons("gremlins");
  Watch watch(Connect(), request);
  EXPECT_TRUE(watch.Read(1).empty());
  const grpc::Status status = watch.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("gremlins"));
}

// The rule's name outlives its generation and its epoch's newest table.
TEST_F(WatchDropsTest, DropBeforeASwapIsNamedAfterIt) {
  Watch watch(Connect(), {});
  Deny();
  Sender sender(Connect(), "test");
  ASSERT_TRUE(sender.SendFullState(WebIsolated(), 8, 1).applied());
  const auto drops = watch.Read(1);
  ASSERT_EQ(drops.size(), 1u);
  EXPECT_EQ(drops[0].ingress().policy(), "default/server");
  EXPECT_EQ(drops[0].generation(), 1u);
}

}  // namespace
}  // namespace sluice
