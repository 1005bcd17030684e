// The operator's settings for the control API. Plain values without gRPC, for the configuration reader.
#ifndef SLUICE_DATAPLANE_API_SETTINGS_H_
#define SLUICE_DATAPLANE_API_SETTINGS_H_

#include <string>
#include <string_view>
#include <vector>

namespace sluice {

inline constexpr std::string_view kDefaultListen = "unix:/run/sluice/sluiced.sock";

struct ApiSettings {
  std::vector<std::string> listen;  // "unix:PATH" or "HOST:PORT"
  // PEM files: either the first three are set or none. They are read again when they change. They must never be
  // incomplete: gRPC 1.51 ends the process if one is empty.
  std::string tls_certificate;
  std::string tls_key;
  std::string tls_client_ca;  // the authority that signs the clients' certificates
  std::string tls_viewer_ca;  // signs certificates of clients that may look, not push; may be empty. ApiServer does not
                              // read it: if there are viewers, tls_client_ca holds both, and PolicyService asks
  bool insecure = false;      // TCP without TLS
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_SETTINGS_H_
