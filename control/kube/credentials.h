// What to present to the API server just now. Tokens and certificates in files are read anew for each request, so a
// rotated one is used from the next request on; an exec plugin runs when its last answer expires or was refused.
// Nothing is given up before what replaces it is there: a token file that is empty, or a plugin that fails, leaves what
// was.
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
  std::string token;  // empty: none
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

  // An exec plugin rests so long between two runs, whatever becomes of them: each request asks for credentials, and a
  // plugin that hangs or whose answers are refused must not keep its caller from everything else.
  explicit Credentials(KubeAccess access, std::chrono::milliseconds plugin_rest = std::chrono::seconds(5))
      : access_(std::move(access)), plugin_rest_(plugin_rest) {}

  // Blocks on files, and on an exec plugin for at most 30 s. Nothing: `why` says what could not be had, and the remedy.
  std::optional<Identity> Get(std::string& why);
  // The API server did not accept what Get returned (HTTP 401): an exec plugin is asked again once it has rested.
  void Reject() { refused_ = true; }

 private:
  // Whether what the plugin said last can be presented for `margin_s` yet.
  bool ExecLasts(std::int64_t margin_s) const;
  // False: there is no credential of the plugin's to present.
  bool AskPlugin(std::string& why);

  KubeAccess access_;
  const std::chrono::milliseconds plugin_rest_;
  std::string last_token_;  // of the token file, for when it cannot be read
  std::optional<ExecCredential> exec_;
  bool refused_ = false;              // exec_
  std::string plugin_why_;            // of its last run; empty: that succeeded
  Clock::time_point plugin_may_run_;  // again
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_CREDENTIALS_H_
