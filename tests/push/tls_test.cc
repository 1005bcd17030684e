// The link between sluice-sync and a dataplane over TCP: which client is let in, what both say of one that is turned
// away, and certificates that change under it. sluice-sync is the program, the dataplane its API and its store.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "api/policy_service.h"
#include "api/server.h"
#include "kube/process.h"
#include "push/authority.h"
#include "push/page.h"
#include "sluice/v1/names.grpc.pb.h"
#include "sluice/v1/policy.grpc.pb.h"
#include "store/policy_intake.h"
#include "support/places.h"

namespace sluice {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class TlsLink : public testing::Test {
 protected:
  TlsLink() {
    std::filesystem::create_directory(folder_ / "manifests");
    WritePod("web");
    ours_.Sign("plane", {});
    ours_.Sign("sync", {});
  }
  ~TlsLink() override {
    sync_.Kill();
    StopPlane();
  }

  void WritePod(const std::string& name) {
    WriteFile(folder_ / ("manifests/" + name + ".yaml"), "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name +
                                                             ", namespace: shop}\nstatus: {podIP: 10.0.0." +
                                                             std::to_string(++pods_) + "}\n");
  }

  // With the certificate of that name, for clients of that authority.
  void StartPlane(const Authority& signer, const std::string& name, const Authority& clients) {
    service_ = std::make_unique<PolicyService>(intake_, "", [](std::string_view) {});
    ApiSettings settings;
    settings.listen = {"127.0.0.1:" + std::to_string(port_)};
    settings.tls_certificate = signer.Certificate(name);
    settings.tls_key = signer.Key(name);
    settings.tls_client_ca = clients.CaFile();
    auto started = ApiServer::Start(settings, {service_.get()}, [this](std::string_view line) {
      const std::lock_guard lock(mutex_);
      said_ += std::string(line) + '\n';
    });
    ASSERT_TRUE(std::holds_alternative<std::unique_ptr<ApiServer>>(started)) << std::get<std::string>(started);
    server_ = std::get<std::unique_ptr<ApiServer>>(std::move(started));
  }
  void StartPlaneWithoutTls() {
    service_ = std::make_unique<PolicyService>(intake_, "", [](std::string_view) {});
    ApiSettings settings;
    settings.listen = {"127.0.0.1:" + std::to_string(port_)};
    settings.insecure = true;
    auto started = ApiServer::Start(settings, {service_.get()}, [](std::string_view) {});
    ASSERT_TRUE(std::holds_alternative<std::unique_ptr<ApiServer>>(started)) << std::get<std::string>(started);
    server_ = std::get<std::unique_ptr<ApiServer>>(std::move(started));
  }
  void StopPlane() {
    if (service_) service_->Stop();
    server_.reset();
    service_.reset();
  }
  void StartSync(const Authority& signer, const std::string& name, const Authority& planes) {
    ASSERT_TRUE(sync_.Start({BuiltProgram("sluice-sync"), "--manifests", folder_ / "manifests", "--target",
                             "127.0.0.1:" + std::to_string(port_), "--tls-certificate", signer.Certificate(name),
                             "--tls-key", signer.Key(name), "--tls-ca", planes.CaFile(), "--http", http_},
                            folder_ / "log"));
  }

  template <typename Holds>
  static bool Becomes(Holds holds) {
    for (int i = 0; i < 6000 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return holds();
  }
  bool HasPods(std::size_t count) {
    return Becomes([&] { return Pods() == count; });
  }
  std::size_t Pods() const {
    return intake_.store().Read([](const ResolvedPolicy& policy, const Table&) { return policy.endpoints.size(); });
  }
  std::string Log() const {
    std::ostringstream text;
    text << std::ifstream(folder_ / "log").rdbuf();
    return text.str();
  }
  std::string Said() {
    const std::lock_guard lock(mutex_);
    return said_;
  }
  // Neither end mistakes the other for a friend, and each says in these words why.
  void ExpectRefusal(const std::string& sync_says, const std::string& plane_says) {
    EXPECT_TRUE(Becomes([&] { return Log().find(sync_says) != std::string::npos; })) << Log();
    EXPECT_TRUE(Becomes([&] { return Said().find(plane_says) != std::string::npos; })) << Said() << Log();
    EXPECT_FALSE(intake_.store().table()->has_policy());
  }

  TempFolder folder_;
  const int port_ = FreePort();
  const std::string http_ = "127.0.0.1:" + std::to_string(FreePort());
  Authority ours_{folder_ / "ours"};
  Authority other_{folder_ / "other"};
  PolicyIntake intake_{CompileLimits{}, [](const auto&) {}, nullptr};
  std::unique_ptr<PolicyService> service_;
  std::unique_ptr<ApiServer> server_;
  Process sync_;
  std::mutex mutex_;
  std::string said_;
  int pods_ = 0;
};

TEST_F(TlsLink, OfOneAuthorityCarriesPolicy) {
  StartPlane(ours_, "plane", ours_);
  StartSync(ours_, "sync", ours_);
  EXPECT_TRUE(HasPods(1)) << Log();
  EXPECT_THAT(Log(), Not(HasSubstr("INSECURE")));
}

TEST_F(TlsLink, ToADataplaneOfAnotherAuthorityIsRefused) {
  other_.Sign("plane", {});
  StartPlane(other_, "plane", ours_);
  StartSync(ours_, "sync", ours_);
  ExpectRefusal("its certificate is not one that --tls-ca signed", "mostly, it does not accept our certificate");
}

TEST_F(TlsLink, ToADataplaneWhoseCertificateExpiredIsRefused) {
  ours_.Sign("late", {.expired = true});
  StartPlane(ours_, "late", ours_);
  StartSync(ours_, "sync", ours_);
  ExpectRefusal("or has expired", "mostly, it does not accept our certificate");
}

TEST_F(TlsLink, ToADataplaneOfAnotherNameIsRefused) {
  ours_.Sign("elsewhere", {.names = "DNS:elsewhere,IP:192.0.2.1"});
  StartPlane(ours_, "elsewhere", ours_);
  StartSync(ours_, "sync", ours_);
  ExpectRefusal("its certificate names another host", "");
}

TEST_F(TlsLink, OfASyncOfAnotherAuthorityIsRefused) {
  other_.Sign("sync", {});
  StartPlane(ours_, "plane", ours_);
  StartSync(other_, "sync", ours_);
  ExpectRefusal("whether it accepts our certificate", "tls.client_ca did not sign its certificate");
}

TEST_F(TlsLink, OfASyncWhoseCertificateExpiredIsRefused) {
  ours_.Sign("late", {.expired = true});
  StartPlane(ours_, "plane", ours_);
  StartSync(ours_, "late", ours_);
  ExpectRefusal("whether it accepts our certificate", "or it has expired");
  EXPECT_TRUE(Becomes([&] { return Log().find("/late.pem' expired ") != std::string::npos; })) << Log();
  const std::string metric =
      "sluice_sync_certificate_end_timestamp_seconds{certificate=\"" + ours_.Certificate("late") + "\"} 1580515200";
  const auto page = [this] { return GetPage("http://" + http_ + "/metrics").text; };
  EXPECT_TRUE(Becomes([&] { return page().find(metric) != std::string::npos; })) << page();
}

TEST_F(TlsLink, OfAClientWithoutACertificateIsRefused) {
  StartPlane(ours_, "plane", ours_);
  EXPECT_EQ(RunCommand({BuiltProgram("sluice-sync"), "--manifests", folder_ / "manifests", "--target", "127.0.0.1:1",
                        "--tls-ca", ours_.CaFile()}),
            2);
  grpc::SslCredentialsOptions options;
  std::ostringstream ca;
  ca << std::ifstream(ours_.CaFile()).rdbuf();
  options.pem_root_certs = ca.str();
  const auto stub = v1::PolicyService::NewStub(
      grpc::CreateChannel("127.0.0.1:" + std::to_string(port_), grpc::SslCredentials(options)));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  EXPECT_FALSE(stub->Push(&context)->Finish().ok());
  EXPECT_TRUE(Becomes([&] { return Said().find("it sent no certificate") != std::string::npos; })) << Said();
}

TEST_F(TlsLink, WithoutTlsToATlsDataplaneSaysSoAtStartAndIsRefused) {
  StartPlane(ours_, "plane", ours_);
  ASSERT_TRUE(sync_.Start({BuiltProgram("sluice-sync"), "--manifests", folder_ / "manifests", "--target",
                           "127.0.0.1:" + std::to_string(port_), "--insecure"},
                          folder_ / "log"));
  ExpectRefusal("INSECURE: policy travels to 127.0.0.1", "a client that speaks no TLS");
}

// sluicectl as its user runs it: one line, and nothing of gRPC's own.
class TlsQuestion : public TlsLink {
 protected:
  std::string Ask(std::vector<std::string> flags) const {
    flags.insert(flags.begin(),
                 {"/bin/sh", "-c", "exec \"$@\" >'" + (folder_ / "asked") + "' 2>&1", "sh", BuiltProgram("sluicectl"),
                  "status", "-o", "json", "--target", "127.0.0.1:" + std::to_string(port_)});
    RunCommand(flags);
    std::ostringstream text;
    text << std::ifstream(folder_ / "asked").rdbuf();
    const std::string all = text.str();
    const std::size_t error = all.find("error: ");
    return error == all.npos ? all : all.substr(error);
  }
  std::string AskAs(const Authority& signer, const std::string& name, const Authority& planes) const {
    return Ask(
        {"--tls-certificate", signer.Certificate(name), "--tls-key", signer.Key(name), "--tls-ca", planes.CaFile()});
  }
  std::string Here() const { return "error: 127.0.0.1:" + std::to_string(port_); }
};

TEST_F(TlsQuestion, ThatFailsNamesTheCause) {
  StartPlane(ours_, "plane", ours_);
  other_.Sign("sync", {});
  EXPECT_EQ(AskAs(ours_, "sync", other_),
            Here() + ": its certificate is not one that --tls-ca signed, or has expired\n");
  EXPECT_EQ(AskAs(other_, "sync", ours_), Here() +
                                              " closed the connection; mostly, it does not accept our certificate "
                                              "(--tls-certificate), and its log says why\n");
  EXPECT_EQ(Ask({"--insecure"}),
            Here() +
                " closed the connection; mostly, it wants TLS: give --tls-ca, --tls-certificate and "
                "--tls-key in place of --insecure\n");
}

TEST_F(TlsQuestion, ToAnotherHostIsRefused) {
  ours_.Sign("elsewhere", {.names = "DNS:elsewhere,IP:192.0.2.1"});
  StartPlane(ours_, "elsewhere", ours_);
  EXPECT_EQ(AskAs(ours_, "sync", ours_), Here() + ": its certificate names another host than --target does\n");
}

TEST_F(TlsQuestion, ToAPlaneWithoutTlsSaysSo) {
  StartPlaneWithoutTls();
  EXPECT_EQ(AskAs(ours_, "sync", ours_),
            Here() + ": it speaks no TLS; to talk to a sluiced with the key insecure, give --insecure\n");
}

// A dataplane as its operator runs it, with a second authority for clients that may only look.
class Viewers : public TlsQuestion {
 protected:
  Viewers() {
    other_.Sign("viewer", {});
    WriteFile(folder_ / "sluiced.yaml",
              "wires: [[null, null]]\nrun: " + (folder_ / "run") + "\nlisten: ['127.0.0.1:" + std::to_string(port_) +
                  "']\ntls:\n  certificate: " + ours_.Certificate("plane") + "\n  key: " + ours_.Key("plane") +
                  "\n  client_ca: " + ours_.CaFile() + "\n  viewer_ca: " + other_.CaFile() + '\n');
  }
  ~Viewers() override { plane_.Kill(); }

  bool StartProgram() {
    return plane_.Start({BuiltProgram("sluiced"), "--config", folder_ / "sluiced.yaml", "--no-huge"},
                        folder_ / "plane.log") &&
           Becomes([&] { return PlaneLog().find("ready") != std::string::npos; });
  }
  std::string PlaneLog() const { return Text(folder_ / "plane.log"); }

  static std::string Text(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  Process plane_;
};

TEST_F(Viewers, MayLookAndNotPush) {
  ASSERT_TRUE(StartProgram()) << PlaneLog();
  StartSync(other_, "viewer", ours_);
  EXPECT_TRUE(Becomes([&] { return Log().find("this certificate may look and not push") != std::string::npos; }))
      << Log();
  EXPECT_TRUE(Becomes([&] {
    return PlaneLog().find("a client that may only look wanted to push: certificate 'viewer'") != std::string::npos;
  })) << PlaneLog();
  EXPECT_THAT(AskAs(other_, "viewer", ours_), HasSubstr("\"generation\": 0")) << "it looks, and nothing was pushed";

  // The other authority's client pushes as ever, and the viewer sees it.
  sync_.Kill();
  StartSync(ours_, "sync", ours_);
  EXPECT_TRUE(Becomes([&] { return AskAs(other_, "viewer", ours_).find("\"generation\": 1") != std::string::npos; }))
      << Log() << PlaneLog();
}

TEST_F(Viewers, MayNotPushNames) {
  ASSERT_TRUE(StartProgram()) << PlaneLog();
  v1::PushNamesRequest request;
  request.set_sender("test");
  request.add_answers()->add_names("a.example.com");
  const auto push = [&](const Authority& signer, const std::string& name) {
    const auto channel = grpc::CreateChannel(
        "127.0.0.1:" + std::to_string(port_),
        grpc::SslCredentials({Text(ours_.CaFile()), Text(signer.Key(name)), Text(signer.Certificate(name))}));
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    v1::PushNamesResponse response;
    return v1::NamesService::NewStub(channel)->Push(&context, request, &response);
  };
  const grpc::Status refused = push(other_, "viewer");
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::PERMISSION_DENIED) << refused.error_message();
  const grpc::Status taken = push(ours_, "sync");
  EXPECT_TRUE(taken.ok()) << taken.error_message();
}

TEST_F(Viewers, OfNoAuthorityAreTurnedAway) {
  ASSERT_TRUE(StartProgram()) << PlaneLog();
  const Authority third(folder_ / "third");
  third.Sign("viewer", {});
  EXPECT_THAT(AskAs(third, "viewer", ours_), HasSubstr("it does not accept our certificate"));
}

// All of it changes on disk, authority included; the dataplane goes and comes again, and the policy in force stays.
TEST_F(TlsLink, WhoseCertificatesChangeGoesOnWithThem) {
  StartPlane(ours_, "plane", ours_);
  StartSync(ours_, "sync", ours_);
  ASSERT_TRUE(HasPods(1)) << Log();
  const std::uint64_t state = intake_.status().state_id;

  other_.Sign("plane", {});
  other_.Sign("sync", {});
  other_.MoveOnto(ours_);
  WritePod("late");
  EXPECT_TRUE(HasPods(2)) << "the stream that stands goes on: " << Log();
  // Both look at their files every two seconds. Until both have, they refuse each other, and try again.
  StopPlane();
  EXPECT_EQ(Pods(), 2u);
  StartPlane(ours_, "plane", ours_);
  WritePod("later");
  EXPECT_TRUE(HasPods(3)) << Log();
  EXPECT_EQ(intake_.status().state_id, state) << "it resumes: nothing was sent anew";
  EXPECT_TRUE(intake_.store().table()->has_policy());
}

}  // namespace
}  // namespace sluice
