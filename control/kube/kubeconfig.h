// Finds out how to reach the API server: from kubeconfig files, or inside a cluster from the Pod's service account.
// Blocks on the file system; any thread.
#ifndef SLUICE_CONTROL_KUBE_KUBECONFIG_H_
#define SLUICE_CONTROL_KUBE_KUBECONFIG_H_

#include <optional>
#include <string>
#include <vector>

#include "kube/access.h"
#include "sluice/diagnostic.h"

namespace sluice {

struct AccessOptions {
  std::string kubeconfig;  // --kubeconfig; empty: look around
  std::string context;     // --context; empty: the file's current-context
};

// The first of these that there is: options.kubeconfig; the files of $KUBECONFIG; the service account, where
// $KUBERNETES_SERVICE_HOST says that this is a Pod; $HOME/.kube/config. Nothing: `diagnostics` has an error that names
// file, context, field and remedy.
std::optional<KubeAccess> FindAccess(const AccessOptions& options, Diagnostics& diagnostics);

// Merges the files as kubectl does: of clusters, users and contexts of one name, and of current-context, the first is
// taken; relative paths are relative to the file that names them. Every file must be readable. An empty `context` is
// current-context.
std::optional<KubeAccess> ReadKubeConfig(const std::vector<std::string>& files, const std::string& context,
                                         Diagnostics& diagnostics);

inline constexpr const char* kServiceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

// $KUBERNETES_SERVICE_HOST and _PORT, and `folder` with token, ca.crt and namespace.
std::optional<KubeAccess> ReadServiceAccount(const std::string& folder, Diagnostics& diagnostics);

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_KUBECONFIG_H_
