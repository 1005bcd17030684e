// What a client can make the dataplane hold: with each call of the API, and whatever it sends.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <grpc/grpc.h>
#include <zlib.h>

#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "api/observed_plane.h"
#include "api/raw_client.h"
#include "api/run_command.h"
#include "support/sanitizers.h"

namespace sluice {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr long kPromisedMb = 256;  // docs/operating.md, "Capacity"

// Of this process: a line of /proc/self/status, in megabytes.
long MemoryMb(const std::string& line) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    long kb = 0;
    if (word == line + ':' && status >> kb) return kb >> 10;
  }
  return 0;
}

// How much more this process held at most since its making. The client's share is small beside it.
class PeakMemory {
 public:
  PeakMemory() {
    std::ofstream("/proc/self/clear_refs") << 5;
    before_ = MemoryMb("VmRSS");
  }
  long grown_mb() const { return MemoryMb("VmHWM") - before_; }

 private:
  long before_ = 0;
};

// RFC 1950 or 1952 of so many zeros.
std::string Compressed(std::size_t size, bool gzip) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, gzip ? 31 : 15, 9, Z_DEFAULT_STRATEGY);
  std::vector<Bytef> zeros(1 << 20);
  std::string out;
  std::vector<Bytef> buffer(1 << 16);
  int result = Z_OK;
  for (std::size_t left = size; result != Z_STREAM_END;) {
    if (stream.avail_in == 0 && left != 0) {
      stream.next_in = zeros.data();
      stream.avail_in = static_cast<uInt>(std::min(left, zeros.size()));
      left -= stream.avail_in;
    }
    stream.next_out = buffer.data();
    stream.avail_out = static_cast<uInt>(buffer.size());
    result = deflate(&stream, left == 0 ? Z_FINISH : Z_NO_FLUSH);
    out.append(reinterpret_cast<const char*>(buffer.data()), buffer.size() - stream.avail_out);
  }
  deflateEnd(&stream);
  return out;
}

// As gRPC frames it.
std::string Framed(const std::string& message, bool compressed) {
  std::string frame(1, compressed ? '\1' : '\0');
  for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(message.size() >> shift & 0xff);
  return frame + message;
}

// A message of that size that consists of `field` again and again.
std::string Repeated(const std::string& field, std::size_t size) {
  std::string message;
  message.reserve(size);
  while (message.size() + field.size() <= size) message += field;
  return message;
}

class MemoryTest : public ObservedFixture {
 protected:
  static void SetUpTestSuite() { grpc_init(); }
  void SetUp() override {
    if (test::kAddressSanitizer || test::kThreadSanitizer) GTEST_SKIP() << "sanitizers keep what is freed";
  }

  // Every method that the server has.
  static std::vector<std::string> Methods() {
    std::vector<std::string> methods = {"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch",
                                        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                                        "/nobody/Nothing"};
    for (const char* name : {"sluice.v1.ObserveService", "sluice.v1.PolicyService"}) {
      const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
      for (int i = 0; i < service->method_count(); ++i) {
        methods.push_back('/' + service->full_name() + '/' + service->method(i)->name());
      }
    }
    return methods;
  }

  // Each sends its bytes on a connection of its own, at the same time.
  void SendOnMany(int connections, const std::string& method, const std::string& bytes, bool end) {
    std::vector<std::unique_ptr<RawClient>> clients;
    std::vector<std::thread> threads;
    for (int i = 0; i < connections; ++i) {
      clients.push_back(std::make_unique<RawClient>(Socket()));
      threads.emplace_back([&, client = clients.back().get()] {
        const std::uint32_t stream = client->Begin(method);
        client->Send(stream, bytes, end);
        if (end) client->Ended(stream, "grpc-status");
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  bool Answers() const {
    const auto stub = v1::ObserveService::NewStub(Connect());
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    v1::Status status;
    return stub->GetStatus(&context, {}, &status).ok();
  }
};

TEST_F(MemoryTest, NoCallTakesWhatIsCompressed) {
  constexpr std::size_t kUnpacked = std::size_t{400} << 20;
  const std::string gzip = Compressed(kUnpacked, true);
  const std::string deflated = Compressed(kUnpacked, false);
  // RFC 9113 8.2.1 and gRPC's own header; the last three say one thing and send another.
  const std::tuple<RawClient::Headers, const std::string*, const char*> ways[] = {
      {{{"grpc-encoding", "gzip"}}, &gzip, "12"},
      {{{"grpc-encoding", "deflate"}}, &deflated, "12"},
      {{{"grpc-encoding", "identity"}}, &gzip, ""},
      {{}, &gzip, ""},
      {{{"content-encoding", "gzip"}}, &gzip, ""}};
  for (const std::string& method : Methods()) {
    for (const auto& [headers, message, status] : ways) {
      const PeakMemory memory;
      RawClient client(Socket());
      const std::uint32_t stream = client.Begin(method, headers);
      client.Send(stream, Framed(*message, true), true);
      const std::string ended = client.Ended(stream, "grpc-status");
      EXPECT_NE(ended, "") << method;
      if (*status != '\0') {
        EXPECT_EQ(ended, status) << method << ", UNIMPLEMENTED";
      }
      EXPECT_LT(memory.grown_mb(), 32) << method;
    }
  }
  EXPECT_TRUE(Answers());
}

// Two bytes on the wire are forty in memory and more: a message within the bound on messages is a bomb, too.
TEST_F(MemoryTest, NoCallUnpacksManyEmptyObjectsBeforeItKnowsThatItMay) {
  for (const std::string& method : Methods()) {
    // An empty text or object, in a field that is known and in one that is not.
    for (const std::string& field : {std::string("\x0a\0", 2), std::string("\x7a\0", 2)}) {
      const PeakMemory memory;
      SendOnMany(3, method, Framed(Repeated(field, kMaxMessageBytes), false), true);
      EXPECT_LT(memory.grown_mb(), kPromisedMb) << method << ' ' << int{field[0]};
    }
  }
  EXPECT_TRUE(Answers());
}

TEST_F(MemoryTest, OfWhatManyBeginAndNeverEndNoMoreIsHeldThanIsPromised) {
  const std::string most = Framed(std::string(kMaxMessageBytes, 'x'), false);
  for (const char* method : {"/sluice.v1.ObserveService/ListFlows", "/sluice.v1.PolicyService/Push"}) {
    const PeakMemory memory;
    std::vector<std::unique_ptr<RawClient>> clients;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      clients.push_back(std::make_unique<RawClient>(Socket()));
      threads.emplace_back([&, client = clients.back().get()] {
        for (int call = 0; call < 4; ++call)
          client->Send(client->Begin(method), std::string_view(most).substr(0, most.size() - 1), false);
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_LT(memory.grown_mb(), kPromisedMb) << method;
    EXPECT_TRUE(Answers());
  }
}

// Whoever may replace the policy may send much; not what takes more than a full state does.
TEST_F(MemoryTest, ASendersMessageIsRefusedBeforeItIsUnpackedIntoMoreThanAFullState) {
  Sender sender(Connect(), "test");
  std::string update;
  update.reserve(kMaxGatheredBytes);
  const std::string policies = Repeated(std::string("\x52\0", 2), kMaxGatheredBytes - 64);  // Update.policies, empty
  v1::PushRequest request;
  request.mutable_update()->set_batch(1);
  std::string prefix = request.update().SerializeAsString();
  const std::size_t length = prefix.size() + policies.size();
  update += '\x1a';  // PushRequest.update
  for (std::size_t left = length; left != 0; left >>= 7)
    update += static_cast<char>((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
  update += prefix + policies;
  const PeakMemory memory;
  for (std::size_t at = 0; at < update.size(); at += kPartBytes) {
    v1::PushRequest part;
    part.mutable_part()->set_bytes(update.substr(at, kPartBytes));
    part.mutable_part()->set_last(at + kPartBytes >= update.size());
    sender.Write(part);
  }
  const grpc::Status status = sender.WaitForEnd();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("would take more than 1024 MB of memory"));
  EXPECT_LT(memory.grown_mb(), kPromisedMb);
  EXPECT_TRUE(Answers());
}

// The mirror: whoever asks is no better off with a server that cannot be trusted.
class BombServer final : public v1::ObserveService::Service {
 public:
  explicit BombServer(bool compresses) : compresses_(compresses) {}
  grpc::Status GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest*, v1::Status* status) override {
    if (compresses_) context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
    status->set_version(std::string(std::size_t{400} << 20, 'x'));
    return grpc::Status::OK;
  }

 private:
  const bool compresses_;
};

class ClientMemoryTest : public testing::TestWithParam<bool> {};

TEST_P(ClientMemoryTest, SluicectlTakesNoAnswerThatIsCompressedOrTooLong) {
  const TempFolder folder;
  const std::string address = "unix:" + folder.path() + "/s.sock";
  BombServer bomb(GetParam());
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(&bomb);
  builder.SetMaxSendMessageSize(-1);
  const auto server = builder.BuildAndStart();
  const auto end = RunSluicectl(address, "status");
  EXPECT_EQ(end.code, 2);
  EXPECT_GT(end.peak_kb, 0);
  if (!test::kAddressSanitizer) {
    EXPECT_LT(end.peak_kb >> 10, 250) << end.out;
  }
  server->Shutdown(std::chrono::system_clock::now());
}

INSTANTIATE_TEST_SUITE_P(Ways, ClientMemoryTest, testing::Bool(),
                         [](const auto& way) { return std::string(way.param ? "Compressed" : "Long"); });

}  // namespace
}  // namespace sluice
