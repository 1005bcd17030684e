#include "api/server.h"

#include <grpc/grpc.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "api/doorkeeper.h"
#include "api/grpc_log.h"
#include "api/limits.h"
#include "api/listen.h"
#include "api/reflection.h"

namespace sluice {
namespace {

const std::vector<std::string> kServices = {"grpc.health.v1.Health",    "grpc.reflection.v1alpha.ServerReflection",
                                            "sluice.v1.CaptureService", "sluice.v1.NamesService",
                                            "sluice.v1.ObserveService", "sluice.v1.PolicyService"};
constexpr unsigned kCertificatePollSeconds = 1;
constexpr std::size_t kMemoryForCalls = std::size_t{64} << 20;  // for the buffers of all connections
constexpr std::chrono::milliseconds kGraceForCalls(500);        // for calls to end; then they are cancelled
constexpr std::chrono::milliseconds kGraceForAll(1000);         // for calls to be gone; then connections are cut
constexpr std::chrono::milliseconds kCutInterval(100);

std::shared_ptr<grpc::ServerCredentials> TlsCredentials(const ApiSettings& settings) {
  namespace tls = grpc::experimental;
  const auto files = std::make_shared<tls::FileWatcherCertificateProvider>(
      settings.tls_key, settings.tls_certificate, settings.tls_client_ca, kCertificatePollSeconds);
  tls::TlsServerCredentialsOptions options(files);
  options.watch_identity_key_cert_pairs();
  options.watch_root_certs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  return tls::TlsServerCredentials(options);
}

void Bound(grpc::ServerBuilder& builder) {
  const auto milliseconds = [](std::chrono::seconds time) {
    return static_cast<int>(std::chrono::milliseconds(time).count());
  };
  grpc::ResourceQuota quota("sluiced");
  quota.Resize(kMemoryForCalls);
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(static_cast<int>(kMaxMessageBytes));
  builder.SetMaxSendMessageSize(static_cast<int>(kMaxMessageBytes));
  // gRPC compares a message's length with the bound before it decompresses it. So a compressed message is refused.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, milliseconds(kKeepalive));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, milliseconds(kKeepaliveTimeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, milliseconds(kMinPingInterval));
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, milliseconds(kKeepaliveTimeout));
}

}  // namespace

std::vector<ApiProblem> CheckApiSettings(const ApiSettings& settings) {
  std::vector<ApiProblem> problems;
  const bool tls = !settings.tls_certificate.empty() || !settings.tls_key.empty() || !settings.tls_client_ca.empty();
  if (tls && (settings.tls_certificate.empty() || settings.tls_key.empty() || settings.tls_client_ca.empty())) {
    problems.push_back({"tls", "wants all of certificate, key and client_ca"});
  } else if (!tls && !settings.tls_viewer_ca.empty()) {
    problems.push_back({"tls.viewer_ca", "stands beside certificate, key and client_ca"});
  }
  for (auto address = settings.listen.begin(); address != settings.listen.end(); ++address) {
    const auto refuse = [&](const std::string& what) {
      const std::string key = "listen[" + std::to_string(address - settings.listen.begin()) + ']';
      problems.push_back({key, '\'' + *address + "': " + what});
    };
    if (const auto error = CheckAddress(*address)) {
      refuse(*error);
    } else if (std::find(settings.listen.begin(), address, *address) != address) {
      refuse("named twice; remove one");
    } else if (!IsUnixAddress(*address) && !tls && !settings.insecure) {
      refuse("TCP wants mutual TLS (keys tls.certificate, tls.key and tls.client_ca), or insecure");
    }
  }
  return problems;
}

std::variant<std::unique_ptr<ApiServer>, std::string> ApiServer::Start(const ApiSettings& settings,
                                                                       const std::vector<grpc::Service*>& services,
                                                                       const Say& say) {
  if (const auto problems = CheckApiSettings(settings); !problems.empty()) {
    return problems.front().key + ": " + problems.front().what;
  }
  static std::once_flag once;
  std::call_once(once, [] {
    grpc_init();  // never the other way round: gRPC's last user waits up to ten seconds for a poller of its own
    grpc::EnableDefaultHealthCheckService(true);
  });
  SetGrpcLog(say);
  std::unique_ptr<ApiServer> api(new ApiServer);
  api->doorkeeper_ = std::make_unique<Doorkeeper>(kMaxConnections, say);
  api->reflection_ = std::make_unique<ReflectionService>(kServices);
  grpc::ServerBuilder builder;
  Bound(builder);
  for (const std::string& address : settings.listen) {
    auto listening = Listen(address);
    if (const auto* error = std::get_if<std::string>(&listening)) return "listen '" + address + "': " + *error;
    const auto& [fds, port] = std::get<Listening>(listening);
    api->ports_.push_back(port);
    const bool is_unix = IsUnixAddress(address);
    if (is_unix) api->sockets_.push_back(UnixPathOf(address));
    const bool tls = !is_unix && !settings.tls_certificate.empty();
    if (!is_unix && !tls) say("INSECURE: whoever reaches " + address + " may read and replace the policy");
    api->acceptors_.push_back(builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        tls ? TlsCredentials(settings) : grpc::InsecureServerCredentials()));
    for (const int fd : fds) {
      api->doorkeeper_->Watch(fd, is_unix, [acceptor = api->acceptors_.back().get()](int connection) {
        grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
        parameters.fd = connection;
        acceptor->HandleNewConnection(&parameters);
      });
    }
  }
  for (grpc::Service* service : services) builder.RegisterService(service);
  builder.RegisterService(api->reflection_.get());
  api->server_ = builder.BuildAndStart();
  if (api->server_ == nullptr) return "gRPC does not start; its log says why";
  api->doorkeeper_->Start();
  return api;
}

ApiServer::ApiServer() = default;

ApiServer::~ApiServer() {
  Stop();
  SetGrpcLog(nullptr);
}

std::shared_ptr<grpc::Channel> ApiServer::InProcess() { return server_->InProcessChannel({}); }

void ApiServer::Stop() {
  doorkeeper_->Close();
  for (const std::string& path : std::exchange(sockets_, {})) unlink(path.c_str());
  if (server_ == nullptr) return;
  // gRPC closes a connection only after everything was written, and that waits for a peer that does not read.
  std::promise<void> over;
  std::thread cutter([this, ended = over.get_future()] {
    for (auto wait = kGraceForAll; ended.wait_for(wait) == std::future_status::timeout; wait = kCutInterval) {
      doorkeeper_->CutAll();
    }
  });
  server_->Shutdown(std::chrono::system_clock::now() + kGraceForCalls);
  server_->Wait();
  over.set_value();
  cutter.join();
  server_.reset();
}

}  // namespace sluice
