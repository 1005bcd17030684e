// sluice-sync and a target that cannot be trusted: it takes no more memory than an answer needs, and serves the others.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>

#include "kube/process.h"
#include "push/push_server.h"
#include "sluice/v1/policy.grpc.pb.h"
#include "support/places.h"
#include "support/sanitizers.h"

namespace sluice {
namespace {

// Answers each Begin with a version of 400 MB.
class GreedyTarget final : public v1::PolicyService::Service {
 public:
  using Stream = grpc::ServerReaderWriter<v1::PushResponse, v1::PushRequest>;

  explicit GreedyTarget(bool compresses) : compresses_(compresses) {}

  grpc::Status Push(grpc::ServerContext* context, Stream* stream) override {
    if (compresses_) context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
    v1::PushRequest request;
    v1::PushResponse response;
    response.mutable_hello()->set_version(std::string(std::size_t{400} << 20, 'x'));
    if (stream->Read(&request)) stream->Write(response);
    ++answered_;
    return grpc::Status::OK;
  }
  int answered() const { return answered_; }

 private:
  const bool compresses_;
  std::atomic<int> answered_ = 0;
};

long PeakMb(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;) {
    if (long kb = 0; word == "VmHWM:" && status >> kb) return kb >> 10;
  }
  return 0;
}

class GreedyTargetTest : public testing::TestWithParam<bool> {};

TEST_P(GreedyTargetTest, AnAnswerThatIsCompressedOrTooLongIsNotTakenAndOthersAreServed) {
  const TempFolder folder;
  WriteFile(folder / "pod.yaml",
            "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\nstatus: {podIP: 10.0.0.1}\n");
  const std::string greedy_address = "unix:" + (folder / "greedy.sock");
  GreedyTarget greedy(GetParam());
  grpc::ServerBuilder builder;
  builder.AddListeningPort(greedy_address, grpc::InsecureServerCredentials());
  builder.RegisterService(&greedy);
  builder.SetMaxSendMessageSize(-1);
  const auto server = builder.BuildAndStart();
  PushServer honest("unix:" + (folder / "honest.sock"));
  honest.Start();
  Process sync;
  ASSERT_TRUE(sync.Start({BuiltProgram("sluice-sync"), "--manifests", folder / "pod.yaml", "--target", greedy_address,
                          "--target", "unix:" + (folder / "honest.sock")},
                         folder / "log"));
  EXPECT_TRUE(honest.WaitUntil([](const ResolvedPolicy& policy) { return policy.endpoints.size() == 1; }));
  for (int i = 0; i < 12000 && greedy.answered() < 2; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_GE(greedy.answered(), 2);
  EXPECT_TRUE(sync.running());
  const long peak_mb = PeakMb(sync.pid());
  EXPECT_GT(peak_mb, 0);
  if (!test::kAddressSanitizer) {
    EXPECT_LT(peak_mb, 300);
  }
  sync.Kill();
  server->Shutdown(std::chrono::system_clock::now());
}

INSTANTIATE_TEST_SUITE_P(Ways, GreedyTargetTest, testing::Bool(),
                         [](const auto& way) { return std::string(way.param ? "Compressed" : "Long"); });

}  // namespace
}  // namespace sluice
