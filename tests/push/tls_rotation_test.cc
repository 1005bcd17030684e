// TLS files that are written badly under the two daemons: both live, connections go on with the set of before, and the
// next sound one comes into use.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "kube/process.h"
#include "push/authority.h"
#include "sluice/v1/observe.grpc.pb.h"
#include "support/places.h"

namespace sluice {
namespace {

std::string ContentOf(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

class TlsRotation : public testing::Test {
 protected:
  TlsRotation() {
    std::filesystem::create_directory(folder_ / "manifests");
    for (const Authority* authority : {&ours_, &other_}) {
      for (const char* name : {"plane", "sync"}) authority->Sign(name, {});
    }
    for (const char* end : {"plane", "sync"}) {
      std::filesystem::create_directory(folder_ / end);
      WriteSet(ours_, end);
    }
    WriteFile(folder_ / "sluiced.yaml", "tls: {certificate: " + File("plane", "certificate") + ", key: " +
                                            File("plane", "key") + ", client_ca: " + File("plane", "ca") + "}\n");
    WritePod();
  }

  std::string File(const std::string& end, const std::string& kind) const { return folder_ / (end + '/' + kind); }
  std::string Of(const Authority& authority, const std::string& end, const std::string& kind) const {
    return ContentOf(kind == "ca"    ? authority.CaFile()
                     : kind == "key" ? authority.Key(end)
                                     : authority.Certificate(end));
  }
  void WriteSet(const Authority& authority, const std::string& end) const {
    for (const char* kind : {"certificate", "key", "ca"}) WriteFile(File(end, kind), Of(authority, end, kind));
  }
  void WritePod() {
    const std::string number = std::to_string(++pods_);
    WriteFile(folder_ / ("manifests/" + number + ".yaml"), "apiVersion: v1\nkind: Pod\nmetadata: {name: p" + number +
                                                               ", namespace: shop}\nstatus: {podIP: 10.0.0." + number +
                                                               "}\n");
  }

  void StartPlane() {
    plane_.Kill();
    ASSERT_TRUE(plane_.Start({BuiltProgram("sluiced"), "--config", folder_ / "sluiced.yaml", "--wire", "null,null",
                              "--no-huge", "--listen", Socket(), "--listen", address_},
                             Log("plane")));
  }
  void StartSync() {
    sync_.Kill();
    ASSERT_TRUE(sync_.Start(
        {BuiltProgram("sluice-sync"), "--manifests", folder_ / "manifests", "--target", address_, "--tls-certificate",
         File("sync", "certificate"), "--tls-key", File("sync", "key"), "--tls-ca", File("sync", "ca")},
        Log("sync")));
  }

  template <typename Holds>
  static bool Becomes(Holds holds) {
    for (int i = 0; i < 1000 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return holds();
  }
  std::string Socket() const { return "unix:" + (folder_ / "socket"); }
  std::string Log(const std::string& end) const { return folder_ / (end + ".log"); }
  // As the dataplane says it by its Unix socket.
  int Pods() const {
    const auto stub = v1::ObserveService::NewStub(grpc::CreateChannel(Socket(), grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    const auto reader = stub->ListEndpoints(&context, {});
    int count = 0;
    for (v1::EndpointInfo info; reader->Read(&info);) ++count;
    return count;
  }
  // What both ends need to agree upon, anew.
  bool CarriesPolicy() {
    WritePod();
    return Becomes([&] { return Pods() == pods_; });
  }
  std::string Logs() const {
    return "sluiced:\n" + ContentOf(Log("plane")) + "sluice-sync:\n" + ContentOf(Log("sync"));
  }
  // Both ends have said this since they were last asked.
  bool BothSay(const std::string& kind, const std::string& words) {
    const bool said = Becomes([&] {
      for (const char* end : {"plane", "sync"}) {
        const std::string log = ContentOf(Log(end));
        const std::size_t begin = heard_[end == std::string("sync")];
        const std::size_t at = log.find(words, begin);
        if (at == log.npos || log.rfind(File(end, kind), at) == log.npos) return false;
      }
      return true;
    });
    heard_[0] = ContentOf(Log("plane")).size();
    heard_[1] = ContentOf(Log("sync")).size();
    return said && plane_.running() && sync_.running();
  }

  TempFolder folder_;
  const std::string address_ = "127.0.0.1:" + std::to_string(FreePort());
  Authority ours_{folder_ / "ours"};
  Authority other_{folder_ / "other"};
  Process plane_;
  Process sync_;
  std::size_t heard_[2] = {};
  int pods_ = 0;
};

TEST_F(TlsRotation, FilesThatAreWrittenBadlyHoldNothingUp) {
  StartPlane();
  StartSync();
  ASSERT_TRUE(CarriesPolicy()) << Logs();
  for (const char* kind : {"certificate", "key", "ca"}) {
    for (const char* end : {"plane", "sync"}) WriteFile(File(end, kind), "");
    ASSERT_TRUE(BothSay(kind, "is empty; connections go on with what was there before")) << kind << Logs();
    for (const char* end : {"plane", "sync"}) WriteSet(ours_, end);
  }
  for (const char* kind : {"certificate", "key", "ca"}) {
    for (const char* end : {"plane", "sync"}) {
      const std::string next = Of(other_, end, kind);
      WriteFile(File(end, kind), next.substr(0, next.size() / 2));
    }
  }
  ASSERT_TRUE(BothSay("certificate", "is cut off or damaged; connections go on with what was there before")) << Logs();

  // Each end makes a new connection while its own files are broken.
  WriteSet(ours_, "plane");
  StartPlane();
  ASSERT_TRUE(CarriesPolicy()) << Logs();
  for (const char* kind : {"certificate", "key", "ca"}) WriteFile(File("plane", kind), "");
  WriteSet(ours_, "sync");
  StartSync();
  ASSERT_TRUE(CarriesPolicy()) << Logs();

  // All of it is new, authority included. Then each end proves itself to one that knows nothing of before.
  heard_[0] = ContentOf(Log("plane")).size();
  heard_[1] = ContentOf(Log("sync")).size();
  for (const char* end : {"plane", "sync"}) WriteSet(other_, end);
  ASSERT_TRUE(BothSay("certificate", "new TLS files are in use")) << Logs();
  StartSync();
  ASSERT_TRUE(CarriesPolicy()) << Logs();
  WriteSet(other_, "plane");
  StartPlane();
  EXPECT_TRUE(CarriesPolicy()) << Logs();
}

TEST_F(TlsRotation, FilesThatAreUnsoundAtTheStartAreRefusedByName) {
  for (const char* kind : {"certificate", "key", "ca"}) {
    for (const char* end : {"plane", "sync"}) {
      WriteFile(File(end, kind), kind == std::string("ca") ? "no PEM\n" : "");
    }
    for (const bool check : {true, false}) {
      std::vector<std::string> plane = {BuiltProgram("sluiced"),
                                        "--config",
                                        folder_ / "sluiced.yaml",
                                        "--no-huge",
                                        "--wire",
                                        "null,null",
                                        "--listen",
                                        address_};
      std::vector<std::string> sync = {BuiltProgram("sluice-sync"),
                                       "--manifests",
                                       folder_ / "manifests",
                                       "--target",
                                       address_,
                                       "--tls-certificate",
                                       File("sync", "certificate"),
                                       "--tls-key",
                                       File("sync", "key"),
                                       "--tls-ca",
                                       File("sync", "ca")};
      for (auto* command : {&plane, &sync}) {
        if (check) command->emplace_back("--check-config");
        // A wrong configuration stays so; a file may be better at the next start.
        EXPECT_EQ(RunCommand(*command), check ? 2 : 1) << kind;
      }
    }
    for (const char* end : {"plane", "sync"}) WriteSet(ours_, end);
  }
}

}  // namespace
}  // namespace sluice
