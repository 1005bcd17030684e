#include "push/target.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "codec/limits.h"
#include "sluice/host_port.h"

namespace sluice {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr unsigned kCertificatePollSeconds = 1;
constexpr int kKeepaliveMs = 20'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kConnectMostMs = 5'000;
constexpr std::size_t kMostBufferBytes = std::size_t{128} << 20;  // for one connection

std::shared_ptr<grpc::ChannelCredentials> Tls(const TargetSecurity& security) {
  namespace tls = grpc::experimental;
  tls::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(std::make_shared<tls::FileWatcherCertificateProvider>(
      security.key, security.certificate, security.ca, kCertificatePollSeconds));
  options.watch_identity_key_cert_pairs();
  options.watch_root_certs();
  return tls::TlsCredentials(options);
}

}  // namespace

std::vector<TargetProblem> CheckTargets(const std::vector<std::string>& addresses, const TargetSecurity& security) {
  std::vector<TargetProblem> problems;
  const bool tls = !security.certificate.empty() || !security.key.empty() || !security.ca.empty();
  if (tls && (security.certificate.empty() || security.key.empty() || security.ca.empty())) {
    problems.push_back(
        {std::nullopt, "TLS wants all of certificate, key and CA (--tls-certificate, --tls-key, --tls-ca)"});
  }
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const std::string& address = addresses[i];
    const auto refuse = [&](const std::string& what) { problems.push_back({i, '\'' + address + "': " + what}); };
    const auto here = addresses.begin() + static_cast<std::ptrdiff_t>(i);
    const auto host_port = ParseHostPort(address);
    if (std::find(addresses.begin(), here, address) != here) {
      refuse("named twice; remove one");
    } else if (address.starts_with(kUnix)) {
      if (address.size() == kUnix.size()) refuse("wants a path after unix:");
    } else if (!host_port || host_port->port == 0) {
      refuse("wants unix:PATH or HOST:PORT, such as 10.0.0.1:7777 or [::1]:7777");
    } else if (!tls && !security.insecure) {
      refuse("TCP wants mutual TLS (--tls-certificate, --tls-key, --tls-ca), or --insecure");
    }
  }
  return problems;
}

std::string ExplainFailure(const std::string& message, const TargetSecurity& security) {
  const auto says = [&message](std::string_view words) { return message.find(words) != message.npos; };
  if (says("Hostname Verification")) return "its certificate names another host than the address does";
  if (says("certificate verify failed")) return "its certificate is not one that --tls-ca signed, or has expired";
  if (says("wrong version number")) return "it speaks no TLS";
  // TLS 1.3: the dataplane judges our certificate when we already count as connected. It can then only close.
  if (!security.certificate.empty() && (says("closed") || says("reset") || says("pipe") || says("read failed"))) {
    return message + "; where it goes on so, the dataplane's log says whether it accepts our certificate";
  }
  return message;
}

std::shared_ptr<grpc::Channel> Connect(const std::string& address, const TargetSecurity& security) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // so that an idle stream notices a dead peer, too
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kConnectMostMs);
  arguments.SetMaxReceiveMessageSize(static_cast<int>(kMaxAnswerBytes));
  // gRPC checks the length of a message only when all of it is there, and before it is decompressed. So buffers are
  // bounded too, and compressed messages are not accepted at all.
  grpc::ResourceQuota quota("sluice-sync");
  quota.Resize(kMostBufferBytes);
  arguments.SetResourceQuota(quota);
  arguments.SetInt(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1U << GRPC_COMPRESS_NONE);
  arguments.SetInt(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  const bool plain = address.starts_with(kUnix) || security.certificate.empty();
  return grpc::CreateCustomChannel(address, plain ? grpc::InsecureChannelCredentials() : Tls(security), arguments);
}

}  // namespace sluice
