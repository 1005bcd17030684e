// Calls that read, of clients that read slowly, not at all, or too much at once: each has its share, and nobody more.
#include <gmock/gmock.h>
#include <grpc/grpc.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "api/limits.h"
#include "api/observed_plane.h"
#include "api/raw_client.h"
#include "api/run_command.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

ReadLimits Short() {
  ReadLimits limits;
  limits.most_waiting = milliseconds(700);
  limits.patience = milliseconds(200);
  limits.most_unread = milliseconds(1500);
  return limits;
}

class ReadsTest : public ObservedFixture {
 protected:
  explicit ReadsTest(const ReadLimits& limits = Short()) : ObservedFixture(0, limits) {
    // Far more than a connection's buffers hold, so that a client that does not read keeps its call under way.
    PolicyBuilder builder;
    const GroupId web = builder.Group("web");
    for (std::uint32_t i = 0; i < 4000; ++i) {
      builder.Endpoint("e" + std::to_string(i), {IpAddress::V4(0x0a000000 + i)}, {web});
      builder.policy().endpoints.back().labels = "filler=" + std::string(4000, 'x');
    }
    builder.Section("default/web", Direction::kIngress, web, {});
    Sender sender(Connect(), "test");
    EXPECT_TRUE(sender.SendFullState(builder.policy(), 9, 1, 100'000).applied());
  }
  static void SetUpTestSuite() { grpc_init(); }

  // A stream that begins to be read, and then is not.
  template <typename Message>
  struct Unread {
    grpc::ClientContext context;
    std::unique_ptr<v1::ObserveService::Stub> stub;
    std::unique_ptr<grpc::ClientReader<Message>> reader;
    bool finished = false;
    grpc::Status ReadToItsEnd() {
      Message message;
      while (reader->Read(&message)) {
      }
      finished = true;
      return reader->Finish();
    }
    ~Unread() {
      if (finished) return;
      context.TryCancel();
      reader->Finish();
    }
  };
  using UnreadList = std::unique_ptr<Unread<v1::EndpointInfo>>;
  using UnreadPolicy = std::unique_ptr<Unread<v1::FullStateChunk>>;
  static UnreadList ListEndpoints(const std::shared_ptr<grpc::Channel>& channel) {
    auto call = std::make_unique<Unread<v1::EndpointInfo>>();
    call->stub = v1::ObserveService::NewStub(channel);
    call->reader = call->stub->ListEndpoints(&call->context, {});
    return call;
  }
  static UnreadPolicy GetPolicy(const std::shared_ptr<grpc::Channel>& channel) {
    auto call = std::make_unique<Unread<v1::FullStateChunk>>();
    call->stub = v1::ObserveService::NewStub(channel);
    call->reader = call->stub->GetPolicy(&call->context, {});
    return call;
  }
  // Whether it is under way: its first message is there.
  template <typename Message>
  static bool Begins(const std::unique_ptr<Unread<Message>>& call) {
    Message message;
    return call->reader->Read(&message);
  }

  grpc::Status GetStatus(const std::shared_ptr<grpc::Channel>& channel) {
    const auto stub = v1::ObserveService::NewStub(channel);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::Status status;
    return stub->GetStatus(&context, {}, &status);
  }
  std::string Target() const { return "unix:" + Socket(); }
};

// A client's buffers are filled and emptied in turn: a slow reader looks now and then like one that does not read.
class PatientReads : public ReadsTest {
 protected:
  static ReadLimits Limits() {
    ReadLimits limits = Short();
    limits.patience = std::chrono::seconds(30);
    return limits;
  }
  PatientReads() : ReadsTest(Limits()) {}
};

class ReadsByDefault : public ReadsTest {
 protected:
  ReadsByDefault() : ReadsTest(ReadLimits{}) {}
};

TEST_F(ReadsByDefault, CallsOnAConnectionThatNobodyReadsLeaveOthersTheirAnswers) {
  RawClient deaf(Socket());
  for (int i = 0; i < kMaxStreamsPerConnection; ++i) deaf.Call("/sluice.v1.ObserveService/ListEndpoints");
  const auto begin = Clock::now();
  for (const char* command : {"get drops", "status", "get endpoints -o json | tail -c 3"}) {
    const auto end = RunSluicectl(Target(), command);
    EXPECT_EQ(end.code, 0) << end.out;
  }
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(5));
  Sender sender(Connect(), "test");
  EXPECT_TRUE(sender.SendUpdate(PodComes(9, 2, 4000, "10.1.0.1")).applied());
}

TEST_F(ReadsByDefault, ManyConnectionsThatReadNothingMakeRoomForOneThatReads) {
  std::vector<std::unique_ptr<RawClient>> deaf;
  for (std::size_t i = 0; i < 2 * kMaxReaderThreads; ++i) {
    deaf.push_back(std::make_unique<RawClient>(Socket()));
    deaf.back()->Call("/sluice.v1.ObserveService/ListEndpoints");
  }
  const auto begin = Clock::now();
  const auto end = RunSluicectl(Target(), "get drops -o json");
  EXPECT_EQ(end.code, 0) << end.out;
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(8));
}

TEST_F(ReadsTest, ACallThatNobodyReadsEndsByItself) {
  const auto call = ListEndpoints(Connect());
  ASSERT_TRUE(Begins(call));
  std::this_thread::sleep_for(milliseconds(2500));
  // It hears what had left before, then of its end.
  const grpc::Status status = call->ReadToItsEnd();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED) << status.error_message();
}

TEST_F(ReadsTest, ACallThatIsReadSlowlyButReadGoesOn) {
  const auto call = ListEndpoints(Connect());
  v1::EndpointInfo info;
  int messages = 0;
  const auto begin = Clock::now();
  while (call->reader->Read(&info)) {
    if (++messages % 400 == 0) std::this_thread::sleep_for(milliseconds(300));
  }
  call->finished = true;
  EXPECT_TRUE(call->reader->Finish().ok());
  EXPECT_EQ(messages, 4000);
  EXPECT_GT(Clock::now() - begin, milliseconds(2500));
}

TEST_F(ReadsTest, AClientThatHasItsShareWaitsForItselfAndIsTold) {
  const auto channel = Connect();
  const std::size_t share = ReadLimits().of_one[0];
  std::vector<UnreadList> calls;
  for (std::size_t i = 0; i < share; ++i) {
    calls.push_back(ListEndpoints(channel));
    ASSERT_TRUE(Begins(calls.back()));
  }
  const grpc::Status status = GetStatus(channel);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("this connection has 8 such calls under way already"));
  EXPECT_TRUE(GetStatus(Connect()).ok()) << "others have theirs";
  calls.clear();
  grpc::Status again;
  for (int i = 0; i < 100 && !(again = GetStatus(channel)).ok(); ++i) std::this_thread::sleep_for(milliseconds(20));
  EXPECT_TRUE(again.ok()) << again.error_message();
}

TEST_F(ReadsTest, WhoReadsThePolicyAndStopsMakesRoomForOthers) {
  std::vector<UnreadPolicy> calls;
  for (std::size_t i = 0; i < kMaxPolicyReaders; ++i) {
    calls.push_back(GetPolicy(Connect()));
    ASSERT_TRUE(Begins(calls.back()));
  }
  const auto begin = Clock::now();
  const auto call = GetPolicy(Connect());
  EXPECT_TRUE(call->ReadToItsEnd().ok());
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(5));
  EXPECT_TRUE(GetStatus(Connect()).ok());
}

// Who reads it, however slowly, is not disturbed.
TEST_F(PatientReads, TheWholePolicyIsReadByFewAtATimeAndOthersAreTold) {
  std::atomic<bool> enough = false;
  std::vector<std::thread> readers;
  std::atomic<std::size_t> begun = 0;
  for (std::size_t i = 0; i < kMaxPolicyReaders; ++i) {
    readers.emplace_back([&] {
      const auto call = GetPolicy(Connect());
      v1::FullStateChunk chunk;
      ASSERT_TRUE(call->reader->Read(&chunk));
      ++begun;
      while (!enough && call->reader->Read(&chunk)) std::this_thread::sleep_for(milliseconds(100));
      EXPECT_TRUE(enough) << "it was disturbed, or the policy is too short for this test";
    });
  }
  while (begun < kMaxPolicyReaders) std::this_thread::sleep_for(milliseconds(1));
  const auto call = GetPolicy(Connect());
  const grpc::Status status = call->ReadToItsEnd();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), "2 others read the whole policy already; ask again");
  // Who comes with sluicectl waits for his turn.
  RunningCommand explain(Target(), "explain --src 10.0.0.1 --dst 10.0.0.2 --proto tcp --dport 80");
  std::this_thread::sleep_for(milliseconds(1000));
  enough = true;
  EXPECT_THAT(explain.Wait().out, HasSubstr("default/web"));
  for (std::thread& reader : readers) reader.join();
}

TEST_F(ReadsTest, OneConnectionReadsThePolicyOnceAtATime) {
  const auto channel = Connect();
  const auto first = GetPolicy(channel);
  ASSERT_TRUE(Begins(first));
  const auto second = GetPolicy(channel);
  EXPECT_THAT(second->ReadToItsEnd().error_message(), HasSubstr("this connection has 1 such calls under way already"));
  const auto other = GetPolicy(Connect());
  EXPECT_TRUE(other->ReadToItsEnd().ok());
}

TEST_F(ReadsTest, ACallThatIsCancelledLeavesItsPlace) {
  for (int i = 0; i < 50; ++i) {
    const auto call = ListEndpoints(Connect());
    if (i % 2 == 0) {
      EXPECT_TRUE(Begins(call));
    }
  }
  const auto begin = Clock::now();
  EXPECT_TRUE(GetStatus(Connect()).ok());
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(1));
}

TEST_F(ReadsTest, RandomClientsAllGetAnswersOrReasons) {
  std::vector<std::thread> clients;
  std::atomic<int> answered = 0;
  for (int i = 0; i < 12; ++i) {
    clients.emplace_back([&, i] {
      const auto channel = Connect();
      for (int round = 0; round < 10; ++round) {
        switch ((i + round) % 4) {
          case 0: {
            const auto call = ListEndpoints(channel);
            Begins(call);
            break;
          }
          case 1: {
            RawClient deaf(Socket());
            deaf.Call("/sluice.v1.ObserveService/GetPolicy");
            break;
          }
          case 2: {
            const auto call = ListEndpoints(channel);
            const grpc::Status status = call->ReadToItsEnd();
            EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED)
                << status.error_message();
            break;
          }
          default:
            if (GetStatus(channel).ok()) ++answered;
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(answered, 30);
}

}  // namespace
}  // namespace sluice
