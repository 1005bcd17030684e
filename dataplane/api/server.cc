#include "api/server.h"

#include <grpc/grpc.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <future>
#include <limits>
#include <mutex>
#include <thread>

#include "api/grpc_log.h"
#include "api/limits.h"
#include "api/reflection.h"

namespace sluice {
namespace {

constexpr std::string_view kUnix = "unix:";
const std::vector<std::string> kServices = {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection",
                                            "sluice.v1.ObserveService", "sluice.v1.PolicyService"};
constexpr unsigned kCertificatePollSeconds = 1;
constexpr std::size_t kMemoryForCalls = std::size_t{64} << 20;  // buffers of all connections together
constexpr mode_t kSocketMode = 0660;
constexpr std::chrono::milliseconds kGraceForCalls(500);  // to end by themselves; then they are cancelled
constexpr std::chrono::milliseconds kGraceForAll(1000);   // to be gone; then connections are cut
constexpr std::chrono::milliseconds kCutInterval(100);    // another may have come

bool IsUnix(std::string_view address) { return address.starts_with(kUnix); }
std::string PathOf(std::string_view address) { return std::string(address.substr(kUnix.size())); }

bool IsHostPort(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == address.size()) return false;
  if (address.substr(0, colon).find(':') != std::string_view::npos && address[0] != '[') return false;
  std::uint32_t port = 0;
  for (const char c : address.substr(colon + 1)) {
    if (c < '0' || c > '9') return false;
    port = port * 10 + static_cast<std::uint32_t>(c - '0');
    if (port > 65535) return false;
  }
  return true;
}

bool Listens(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const bool listens = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return listens;
}

// Nothing, or why no socket can be made there.
std::optional<std::string> PrepareSocket(const std::string& path) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error) return "folder " + folder.string() + ": " + error.message() + "; make it, or listen elsewhere";
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return std::nullopt;
  if (!S_ISSOCK(status.st_mode)) return "there is a file that is no socket; remove it, or listen elsewhere";
  if (Listens(path)) return "another program listens there; stop it, or listen elsewhere";
  if (unlink(path.c_str()) != 0) return std::string("its old socket cannot be removed: ") + std::strerror(errno);
  return std::nullopt;
}

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
  // gRPC bounds a message before it unpacks it: a compressed one is not taken at all.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, milliseconds(kKeepalive));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, milliseconds(kKeepaliveTimeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, milliseconds(kMinPingInterval));
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a second sluiced must not share the port
}

}  // namespace

std::optional<std::string> CheckApiSettings(const ApiSettings& settings) {
  const bool tls = !settings.tls_certificate.empty() || !settings.tls_key.empty() || !settings.tls_client_ca.empty();
  if (tls && (settings.tls_certificate.empty() || settings.tls_key.empty() || settings.tls_client_ca.empty())) {
    return "tls wants all of certificate, key and client_ca";
  }
  for (const std::string& address : settings.listen) {
    if (IsUnix(address)) {
      const std::string path = PathOf(address);
      if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
        return "listen '" + address + "': the path must be 1 to " + std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
               " bytes long";
      }
    } else if (!IsHostPort(address)) {
      return "listen '" + address + "': wants unix:PATH or HOST:PORT, such as 127.0.0.1:7777 or [::1]:7777";
    } else if (!tls && !settings.insecure) {
      return "listen '" + address +
             "': TCP wants mutual TLS (keys tls.certificate, tls.key and tls.client_ca), or insecure";
    }
  }
  return std::nullopt;
}

std::variant<std::unique_ptr<ApiServer>, std::string> ApiServer::Start(const ApiSettings& settings,
                                                                       const std::vector<grpc::Service*>& services,
                                                                       const Say& say) {
  if (auto error = CheckApiSettings(settings)) return std::move(*error);
  static std::once_flag once;
  std::call_once(once, [] {
    grpc_init();  // and never the reverse: who ends gRPC last waits up to ten seconds for a poller of its own
    grpc::EnableDefaultHealthCheckService(true);
  });
  SetGrpcLog(say);
  std::unique_ptr<ApiServer> api(new ApiServer);
  api->ports_.resize(settings.listen.size());
  api->reflection_ = std::make_unique<ReflectionService>(kServices);
  grpc::ServerBuilder builder;
  Bound(builder);
  for (std::size_t i = 0; i < settings.listen.size(); ++i) {
    const std::string& address = settings.listen[i];
    if (IsUnix(address)) {
      if (auto error = PrepareSocket(PathOf(address))) return "listen '" + address + "': " + *error;
      builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &api->ports_[i]);
    } else if (!settings.tls_certificate.empty()) {
      builder.AddListeningPort(address, TlsCredentials(settings), &api->ports_[i]);
    } else {
      say("INSECURE: whoever reaches " + address + " may read and replace the policy");
      builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &api->ports_[i]);
    }
  }
  for (grpc::Service* service : services) builder.RegisterService(service);
  builder.RegisterService(api->reflection_.get());
  const mode_t before = umask(0777 & ~kSocketMode);
  api->server_ = builder.BuildAndStart();
  umask(before);
  for (std::size_t i = 0; i < settings.listen.size(); ++i) {
    if (api->server_ == nullptr || api->ports_[i] == 0) {
      return "listen '" + settings.listen[i] + "' cannot be listened at; is the address in use, or not this host's?";
    }
    if (IsUnix(settings.listen[i])) api->sockets_.push_back(PathOf(settings.listen[i]));
  }
  return api;
}

ApiServer::ApiServer() = default;

ApiServer::~ApiServer() {
  Stop();
  SetGrpcLog(nullptr);
}

// Whether it is a connection to one of our addresses: what is accepted bears the listener's.
bool ApiServer::CameToUs(int fd) const {
  sockaddr_storage local{}, peer{};
  socklen_t local_size = sizeof local, peer_size = sizeof peer;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&local), &local_size) != 0) return false;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) return false;
  if (local.ss_family == AF_UNIX) {
    const std::string path = reinterpret_cast<const sockaddr_un&>(local).sun_path;
    return std::find(sockets_.begin(), sockets_.end(), path) != sockets_.end();
  }
  if (local.ss_family != AF_INET && local.ss_family != AF_INET6) return false;
  // The port stands at the same place in both.
  const int port = ntohs(reinterpret_cast<const sockaddr_in&>(local).sin_port);
  return std::find(ports_.begin(), ports_.end(), port) != ports_.end();
}

void ApiServer::CutConnections() const {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    const int fd = std::atoi(entry.path().filename().c_str());
    if (CameToUs(fd)) shutdown(fd, SHUT_RDWR);
  }
}

void ApiServer::Stop() {
  if (server_ == nullptr) return;
  // gRPC closes a connection once what it writes there was written, which waits for a peer that does not read.
  std::promise<void> over;
  std::thread cutter([this, ended = over.get_future()] {
    for (auto wait = kGraceForAll; ended.wait_for(wait) == std::future_status::timeout; wait = kCutInterval) {
      CutConnections();
    }
  });
  server_->Shutdown(std::chrono::system_clock::now() + kGraceForCalls);
  server_->Wait();
  over.set_value();
  cutter.join();
  server_.reset();
  for (const std::string& path : sockets_) unlink(path.c_str());
}

}  // namespace sluice
