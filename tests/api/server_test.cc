// Where the server listens and who may connect.
#include "api/server.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "api/api_fixture.h"
#include "api/raw_client.h"
#include "sluice/v1/policy.grpc.pb.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ApiSettings At(const std::string& address) {
  ApiSettings settings;
  settings.listen = {address};
  return settings;
}

std::string Refusal(const ApiSettings& settings) {
  std::string text;
  for (const ApiProblem& problem : CheckApiSettings(settings)) text += problem.key + ": " + problem.what + '\n';
  return text;
}

TEST(ApiSettings, AddressesAreUnixOrHostAndPort) {
  EXPECT_EQ(Refusal(At("unix:/run/s.sock")), "");
  EXPECT_THAT(Refusal(At("unix:")), HasSubstr("listen[0]: 'unix:': the path"));
  EXPECT_THAT(Refusal(At("unix:" + std::string(200, 'a'))), HasSubstr("bytes long"));
  for (const char* bad :
       {"7777", ":7777", "host:", "host:x", "host:65536", "::1:80", "/run/s.sock", "10.0.0.256:80", "a b:80"}) {
    EXPECT_THAT(Refusal(At(bad)), HasSubstr("wants unix:PATH or HOST:PORT")) << bad;
  }
}

TEST(ApiSettings, EachAddressIsToldOf) {
  ApiSettings settings;
  settings.listen = {"unix:/run/s.sock", "7777", "10.0.0.1:7777", "unix:/run/s.sock"};
  EXPECT_THAT(Refusal(settings),
              AllOf(HasSubstr("listen[1]: '7777': wants"), HasSubstr("listen[2]: '10.0.0.1:7777': TCP"),
                    HasSubstr("listen[3]: 'unix:/run/s.sock': named twice")));
}

TEST(ApiSettings, TcpWantsMutualTlsOrInsecure) {
  EXPECT_THAT(Refusal(At("127.0.0.1:0")), HasSubstr("TCP wants mutual TLS"));
  ApiSettings settings = At("127.0.0.1:0");
  settings.insecure = true;
  EXPECT_EQ(Refusal(settings), "");
  settings.tls_key = "/etc/hostname";
  EXPECT_THAT(Refusal(settings), HasSubstr("all of certificate, key and client_ca"));
}

class ServerTest : public ApiFixture {};

TEST_F(ServerTest, SocketIsForOwnerAndGroup) {
  StartServer();
  struct stat status {};
  ASSERT_EQ(stat(Socket().c_str(), &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  EXPECT_EQ(status.st_mode & 0777u, 0660u);
}

TEST_F(ServerTest, SocketGoesWithTheServer) {
  StartServer();
  StopServer();
  EXPECT_NE(access(Socket().c_str(), F_OK), 0);
}

TEST_F(ServerTest, SocketThatSomebodyListensAtIsLeftAlone) {
  StartServer();
  const auto second = ApiServer::Start(At("unix:" + Socket()), {}, [](std::string_view) {});
  ASSERT_TRUE(std::holds_alternative<std::string>(second));
  EXPECT_THAT(std::get<std::string>(second), HasSubstr("another program listens there"));
  const Sender sender(Connect(), "test");
  EXPECT_FALSE(sender.hello().version().empty());
}

TEST_F(ServerTest, StaleSocketIsReplacedAndAPlainFileIsNot) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  Socket().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  close(fd);
  StartServer();
  EXPECT_FALSE(Sender(Connect(), "test").hello().version().empty());
  const std::string file = folder_.path() + "/file";
  std::ofstream(file) << "kept";
  const auto refused = ApiServer::Start(At("unix:" + file), {}, [](std::string_view) {});
  ASSERT_TRUE(std::holds_alternative<std::string>(refused));
  EXPECT_THAT(std::get<std::string>(refused), HasSubstr("no socket"));
  EXPECT_EQ(access(file.c_str(), F_OK), 0);
}

TEST_F(ServerTest, InsecureTcpIsSaidAtEveryStart) {
  intake_ = std::make_unique<PolicyIntake>(
      limits_, [](const auto&) {}, nullptr);
  policy_ = std::make_unique<PolicyService>(*intake_, "", [](std::string_view) {});
  ApiSettings settings = At("127.0.0.1:0");
  settings.insecure = true;
  auto started = ApiServer::Start(settings, {policy_.get()}, [this](std::string_view line) { Say(line); });
  ASSERT_TRUE(std::holds_alternative<std::unique_ptr<ApiServer>>(started));
  server_ = std::get<std::unique_ptr<ApiServer>>(std::move(started));
  EXPECT_THAT(said(), ElementsAre(HasSubstr("INSECURE")));
  const auto channel =
      grpc::CreateChannel("127.0.0.1:" + std::to_string(server_->ports()[0]), grpc::InsecureChannelCredentials());
  EXPECT_FALSE(Sender(channel, "test").hello().version().empty());
  policy_->Stop();
}

// A certificate authority, made by openssl, with certificates for the server and a client.
class TlsTest : public ServerTest {
 protected:
  void MakeAuthority(const std::string& name) const {
    Run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=" + name + " -keyout " +
        File(name + ".key") + " -out " + File(name + ".pem"));
  }
  void MakeCertificate(const std::string& authority, const std::string& name) const {
    Run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" + name + " -keyout " +
        File(name + ".key.new") + " -out " + File(name + ".csr"));
    std::ofstream(File("san")) << "subjectAltName=DNS:localhost,IP:127.0.0.1\n";
    Run("openssl x509 -req -days 2 -CAcreateserial -extfile " + File("san") + " -in " + File(name + ".csr") + " -CA " +
        File(authority + ".pem") + " -CAkey " + File(authority + ".key") + " -out " + File(name + ".pem.new"));
    Run("mv " + File(name + ".key.new") + " " + File(name + ".key") + " && mv " + File(name + ".pem.new") + " " +
        File(name + ".pem"));
  }
  std::string File(const std::string& name) const { return folder_.path() + "/" + name; }
  std::string Content(const std::string& name) const {
    std::ostringstream content;
    content << std::ifstream(File(name)).rdbuf();
    return content.str();
  }
  bool Connects(const std::string& authority, const std::string& certificate) const {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = Content(authority + ".pem");
    if (!certificate.empty()) {
      options.pem_private_key = Content(certificate + ".key");
      options.pem_cert_chain = Content(certificate + ".pem");
    }
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel = grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(server_->ports()[0]),
                                                   grpc::SslCredentials(options), arguments);
    return !Sender(channel, "test").hello().version().empty();
  }

 private:
  void Run(const std::string& command) const {
    ASSERT_EQ(std::system((command + " 2>> " + File("openssl.log")).c_str()), 0) << Content("openssl.log");
  }
};

TEST_F(TlsTest, OnlyClientsOfTheAuthorityConnectAndCertificatesAreReadAgain) {
  MakeAuthority("ca");
  MakeAuthority("other");
  MakeCertificate("ca", "server");
  MakeCertificate("ca", "client");
  MakeCertificate("other", "stranger");
  intake_ = std::make_unique<PolicyIntake>(
      limits_, [](const auto&) {}, nullptr);
  policy_ = std::make_unique<PolicyService>(*intake_, "", [](std::string_view) {});
  ApiSettings settings = At("127.0.0.1:0");
  settings.tls_certificate = File("server.pem");
  settings.tls_key = File("server.key");
  settings.tls_client_ca = File("ca.pem");
  auto started = ApiServer::Start(settings, {policy_.get()}, [this](std::string_view line) { Say(line); });
  ASSERT_TRUE(std::holds_alternative<std::unique_ptr<ApiServer>>(started));
  server_ = std::get<std::unique_ptr<ApiServer>>(std::move(started));
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_TRUE(Connects("ca", "client"));
  EXPECT_FALSE(Connects("ca", "stranger"));
  EXPECT_FALSE(Connects("ca", ""));
  EXPECT_FALSE(Connects("other", "client"));

  MakeCertificate("other", "server");
  bool reloaded = false;
  for (int i = 0; i < 80 && !reloaded; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    reloaded = Connects("other", "client");
  }
  EXPECT_TRUE(reloaded) << "the new certificate is not in use";
  policy_->Stop();
}

// Never ends its answer by itself.
class Babbler final : public v1::ObserveService::Service {
 public:
  grpc::Status ListEndpoints(grpc::ServerContext*, const v1::ListEndpointsRequest*,
                             grpc::ServerWriter<v1::EndpointInfo>* writer) override {
    v1::EndpointInfo info;
    info.set_name(std::string(std::size_t{64} << 10, 'x'));
    while (writer->Write(info)) ++written_;
    return grpc::Status::CANCELLED;
  }

  // Something was written, and nothing more for a while: the socket holds no more.
  void AwaitStuck() const {
    for (std::uint64_t before = 0; before == 0 || before != written_;) {
      before = written_;
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }

 private:
  std::atomic<std::uint64_t> written_ = 0;
};

TEST_F(ServerTest, ClientsThatReadNothingDoNotHoldUpItsEnd) {
  Babbler babbler;
  ApiSettings settings = At("unix:" + Socket());
  settings.listen.emplace_back("127.0.0.1:0");
  settings.insecure = true;
  auto started = ApiServer::Start(settings, {&babbler}, [](std::string_view) {});
  ASSERT_TRUE(std::holds_alternative<std::unique_ptr<ApiServer>>(started)) << std::get<std::string>(started);
  auto server = std::get<std::unique_ptr<ApiServer>>(std::move(started));
  RawClient by_unix(Socket());
  RawClient by_tcp(server->ports()[1]);
  ASSERT_TRUE(by_unix.connected() && by_tcp.connected());
  by_unix.Call("/sluice.v1.ObserveService/ListEndpoints");
  by_tcp.Call("/sluice.v1.ObserveService/ListEndpoints");
  babbler.AwaitStuck();
  const auto begin = std::chrono::steady_clock::now();
  server.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

}  // namespace
}  // namespace sluice
