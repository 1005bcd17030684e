// The plugin's end of the socket of sluice-sync.
#ifndef SLUICE_NODE_CNI_SYNC_CLIENT_H_
#define SLUICE_NODE_CNI_SYNC_CLIENT_H_

#include <chrono>
#include <optional>
#include <string>

#include "cni/attachment.h"
#include "cni/invocation.h"

namespace sluice {

// Asks, and waits until `deadline` for the answer. Nothing: it is done. The error names the socket or what sluice-sync
// lacks; kTryAgainLater where that may pass by itself.
std::optional<CniError> AskSync(const std::string& socket, PluginRequest request,
                                std::chrono::steady_clock::time_point deadline);

}  // namespace sluice

#endif  // SLUICE_NODE_CNI_SYNC_CLIENT_H_
