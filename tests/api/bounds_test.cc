// What a broken or hostile client may do to the control API: take its share and no more, and never stop policy.
#include <gmock/gmock.h>
#include <grpc/grpc.h>
#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <thread>

#include "api/limits.h"
#include "api/observed_plane.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

// Far more than a connection's buffers hold, so that a client that does not read keeps its call under way.
ResolvedPolicy LargePolicy() {
  PolicyBuilder builder;
  const GroupId web = builder.Group("web");
  for (std::uint32_t i = 0; i < 4000; ++i) {
    builder.Endpoint("e" + std::to_string(i), {IpAddress::V4(0x0a000000 + i)}, {web});
    builder.policy().endpoints.back().labels = "filler=" + std::string(4000, 'x');
  }
  builder.Section("default/web", Direction::kIngress, web, {});
  return std::move(builder.policy());
}

class BoundsTest : public ObservedFixture {
 protected:
  // gRPC stays in use: else the last of its users waits for the remains of calls that were cut off, seconds long.
  static void SetUpTestSuite() { grpc_init(); }

  // A call of a stream that nobody reads.
  template <typename Message>
  struct Unread {
    grpc::ClientContext context;
    std::unique_ptr<v1::ObserveService::Stub> stub;
    std::unique_ptr<grpc::ClientReader<Message>> reader;
    ~Unread() {
      context.TryCancel();
      reader->Finish();
    }
  };
  std::unique_ptr<Unread<v1::EndpointInfo>> ListEndpoints() {
    auto call = std::make_unique<Unread<v1::EndpointInfo>>();
    call->stub = v1::ObserveService::NewStub(Connect());
    call->reader = call->stub->ListEndpoints(&call->context, {});
    return call;
  }
  grpc::Status GetStatus() {
    const auto stub = v1::ObserveService::NewStub(Connect());
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    v1::Status status;
    return stub->GetStatus(&context, {}, &status);
  }
  // One call by its name and raw bytes, streamed both ways.
  std::string Ask(const std::string& method, const std::string& request) {
    grpc::GenericStub stub(Connect());
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareCall(&context, method, &queue);
    const auto wait = [&] {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    call->StartCall(nullptr);
    EXPECT_TRUE(wait());
    const grpc::Slice bytes(request);
    call->WriteLast(grpc::ByteBuffer(&bytes, 1), grpc::WriteOptions(), nullptr);
    EXPECT_TRUE(wait());
    grpc::ByteBuffer answer;
    call->Read(&answer, nullptr);
    EXPECT_TRUE(wait());
    grpc::Status status;
    call->Finish(&status, nullptr);
    wait();
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::vector<grpc::Slice> slices;
    answer.Dump(&slices);
    std::string text;
    for (const grpc::Slice& slice : slices) text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    return text;
  }
};

TEST_F(BoundsTest, CallsThatNobodyReadsLeavePolicyAloneAndEndWithTheirClients) {
  Sender sender(Connect(), "test");
  ASSERT_TRUE(sender.SendFullState(LargePolicy(), 9, 1, 100'000).applied());
  std::vector<std::unique_ptr<Unread<v1::EndpointInfo>>> calls;
  for (std::size_t i = 0; i < 2 * kMaxReaderThreads; ++i) calls.push_back(ListEndpoints());
  EXPECT_TRUE(sender.SendUpdate(PodComes(9, 2, 4000, "10.1.0.1")).applied());
  calls.clear();
  grpc::Status status;
  for (int i = 0; i < 100; ++i) {
    status = GetStatus();
    if (status.ok()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(BoundsTest, RequestBeyondTheBoundIsRefused) {
  const auto stub = v1::ObserveService::NewStub(Connect());
  grpc::ClientContext context;
  v1::ListPoliciesRequest request;
  request.set_namespace_(std::string(kMaxMessageBytes + 1, 'x'));
  const auto reader = stub->ListPolicies(&context, request);
  v1::PolicyInfo info;
  EXPECT_FALSE(reader->Read(&info));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(GetStatus().ok());
}

TEST_F(BoundsTest, HealthAndReflectionAnswer) {
  EXPECT_EQ(Ask("/grpc.health.v1.Health/Check", ""), std::string("\x08\x01"));  // SERVING
  const std::string list_services("\x3a\x01*");
  const std::string services = Ask("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", list_services);
  EXPECT_THAT(services, HasSubstr("sluice.v1.ObserveService"));
  EXPECT_THAT(services, HasSubstr("sluice.v1.PolicyService"));
}

}  // namespace
}  // namespace sluice
