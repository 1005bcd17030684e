#include "sluicectl/connect_failure.h"

#include <string_view>

namespace sluice {

std::string ConnectFailure(const std::string& target, Transport transport, const std::string& grpc_says) {
  const auto says = [&](std::string_view words) { return grpc_says.find(words) != grpc_says.npos; };
  const std::string why = " (" + grpc_says + ")";
  if (says("Permission denied")) return target + ": permission denied; the socket is for root and its group";
  if (says("DNS resolution failed")) {
    return target + ": no such host; --target wants unix:PATH or HOST:PORT, such as 10.0.0.1:7777" + why;
  }
  if (transport == Transport::kTls) {
    if (says("certificate verify failed")) {
      return target + ": its certificate is not one that --tls-ca signed, or has expired";
    }
    if (says("not in peer certificate") || says("Hostname Verification")) {
      return target + ": its certificate names another host than --target does";
    }
    if (says("wrong version number")) {
      return target + ": it speaks no TLS; to talk to a sluiced with the key insecure, give --insecure";
    }
    // In TLS 1.3 sluiced judges our certificate after we regard the connection as made, so it can only close it.
    if (says("closed") || says("reset") || says("pipe")) {
      return target +
             " closed the connection; mostly, it does not accept our certificate (--tls-certificate), and its log " +
             "says why";
    }
  }
  if (transport == Transport::kPlainTcp && (says("closed") || says("reset") || says("pipe"))) {
    return target +
           " closed the connection; mostly, it wants TLS: give --tls-ca, --tls-certificate and --tls-key in place of " +
           "--insecure";
  }
  if (!says("failed to connect")) return "the connection to " + target + " broke; does sluiced still run?" + why;
  return "nobody answers at " + target + "; is sluiced running? --target or SLUICE_TARGET names another address" + why;
}

}  // namespace sluice
