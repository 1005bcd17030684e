// What to present to the API server just now. Tokens and certificates in files are read anew for each request, so a
// rotated one is used from the next request on; an exec plugin runs when its last answer expires or was refused.
#ifndef SLUICE_CONTROL_KUBE_CREDENTIALS_H_
#define SLUICE_CONTROL_KUBE_CREDENTIALS_H_

#include <optional>
#include <string>

#include "kube/access.h"
#include "kube/exec_plugin.h"

namespace sluice {

struct Identity {
  std::string token;  // empty: none
  std::string certificate_pem;
  std::string key_pem;
  std::string username;
  std::string password;
  std::string ca_pem;  // whom to trust; empty: the system's authorities
};

// Not safe to share between threads.
class Credentials {
 public:
  explicit Credentials(KubeAccess access) : access_(std::move(access)) {}

  // Blocks on files, and on an exec plugin for at most 30 s. Nothing: `why` says what could not be had, and the remedy.
  std::optional<Identity> Get(std::string& why);
  // The API server did not accept what Get returned last (HTTP 401): an exec plugin is asked again.
  void Reject() { exec_.reset(); }

 private:
  bool ExecIsFresh() const;

  KubeAccess access_;
  std::string last_token_;  // of the token file, for when it cannot be read
  std::optional<ExecCredential> exec_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_CREDENTIALS_H_
