// What to present to the API server now. Tokens and certificates in files are read again for each request, so a
// new one is used from the next request on. An exec plugin runs when its last answer has expired or was
// refused. Credentials are given up only when new ones are there: after an empty token file or a plugin that
// fails, the old ones stay.
#ifndef SLUICE_CONTROL_KUBE_CREDENTIALS_H_
#define SLUICE_CONTROL_KUBE_CREDENTIALS_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "kube/access.h"
#include "kube/exec_plugin.h"

namespace sluice {

struct Identity {
  std::string token;  // empty: no token
  std::string certificate_pem;
  std::string key_pem;
  std::string username;
  std::string password;
  std::string ca_pem;  // authorities to trust; empty: the system's
};

// Not safe to share between threads.
class Credentials {
 public:
  using Clock = std::chrono::steady_clock;

  // An exec plugin rests this long between two runs, whether they succeed or not. Each request asks for credentials,
  // and a plugin that hangs, or whose answers are refused, must not keep its caller from other work.
  explicit Credentials(KubeAccess access, std::chrono::milliseconds plugin_rest = std::chrono::seconds(5))
      : access_(std::move(access)), plugin_rest_(plugin_rest) {}

  // Blocks on files, and up to 30 s on an exec plugin. Nothing: `why` says what is missing, and what to do.
  std::optional<Identity> Get(std::string& why);
  // The API server did not accept what Get returned (HTTP 401): the exec plugin will run again once it has rested.
  void Reject() { refused_ = true; }

 private:
  // Whether the plugin's last answer will still be valid in `margin_s`.
  bool ExecLasts(std::int64_t margin_s) const;
  // False: the plugin has no credential to present.
  bool AskPlugin(std::string& why);

  KubeAccess access_;
  const std::chrono::milliseconds plugin_rest_;
  std::string last_token_;  // from the token file, for when it cannot be read
  std::optional<ExecCredential> exec_;
  bool refused_ = false;              // exec_
  std::string plugin_why_;            // why its last run failed; empty: it succeeded
  Clock::time_point plugin_may_run_;  // when it may run again
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_CREDENTIALS_H_
