// Finds out how to reach the API server: from kubeconfig files, or in a cluster from the Pod's service account. Blocks
// on the file system; any thread.
#ifndef SLUICE_CONTROL_KUBE_KUBECONFIG_H_
#define SLUICE_CONTROL_KUBE_KUBECONFIG_H_

#include <optional>
#include <string>
#include <vector>

#include "kube/access.h"
#include "sluice/diagnostic.h"

namespace sluice {

struct AccessOptions {
  std::string kubeconfig;  // --kubeconfig; empty: search for one
  std::string context;     // --context; empty: the file's current-context
};

// Uses the first of these that exists: options.kubeconfig; the files of $KUBECONFIG; the service account, if
// $KUBERNETES_SERVICE_HOST says that this is a Pod; $HOME/.kube/config. Returns nothing if it fails: `diagnostics` then
// has an error that names file, context, field and remedy.
std::optional<KubeAccess> FindAccess(const AccessOptions& options, Diagnostics& diagnostics);

// Merges the files as kubectl does: if several clusters, users or contexts have one name, the first counts, and so does
// the first current-context. Relative paths are relative to the file that names them. Every file must be readable. An
// empty `context` means current-context.
std::optional<KubeAccess> ReadKubeConfig(const std::vector<std::string>& files, const std::string& context,
                                         Diagnostics& diagnostics);

inline constexpr const char* kServiceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

// Uses $KUBERNETES_SERVICE_HOST and _PORT, and `folder` with token, ca.crt and namespace.
std::optional<KubeAccess> ReadServiceAccount(const std::string& folder, Diagnostics& diagnostics);

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_KUBECONFIG_H_
