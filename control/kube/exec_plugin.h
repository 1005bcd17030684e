// Runs a kubeconfig's exec plugin: client.authentication.k8s.io ExecCredential.
#ifndef SLUICE_CONTROL_KUBE_EXEC_PLUGIN_H_
#define SLUICE_CONTROL_KUBE_EXEC_PLUGIN_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "kube/access.h"

namespace sluice {

// ExecCredential.status: a token, a client certificate with its key, or both.
struct ExecCredential {
  std::string token;
  std::string certificate_pem;
  std::string key_pem;
  std::int64_t expires_s = 0;  // seconds since 1970; 0: the API server decides when
};

// Starts the plugin without a terminal or standard input, with our standard error, and reads what
// it prints. Blocks up to `timeout`; then it kills the plugin. Nothing: `why` says what went wrong,
// and what to do. Any thread.
std::optional<ExecCredential> RunExecPlugin(const ExecPlugin& plugin, const ServerAccess& server,
                                            std::chrono::milliseconds timeout, std::string& why);

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_EXEC_PLUGIN_H_
