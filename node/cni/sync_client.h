// The plugin's end of sluice-sync's socket.
#ifndef SLUICE_NODE_CNI_SYNC_CLIENT_H_
#define SLUICE_NODE_CNI_SYNC_CLIENT_H_

#include <chrono>
#include <optional>
#include <string>

#include "cni/attachment.h"
#include "cni/invocation.h"

namespace sluice {

// Sends the request, and waits until `deadline` for the answer. Nothing: it is done. The error names the socket or what
// sluice-sync lacks. It is kTryAgainLater if the problem may pass by itself.
std::optional<CniError> AskSync(const std::string& socket, PluginRequest request,
                                std::chrono::steady_clock::time_point deadline);

}  // namespace sluice

#endif  // SLUICE_NODE_CNI_SYNC_CLIENT_H_
