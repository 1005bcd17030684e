// The CNI plugin `sluice`, chained after the plugin that makes a pod's interface. ADD returns once the pod's policy is
// in force and its interface is hooked, or fails with kTryAgainLater. It passes the previous result through.
#ifndef SLUICE_NODE_CNI_PLUGIN_H_
#define SLUICE_NODE_CNI_PLUGIN_H_

#include <string>

#include "cni/invocation.h"

namespace sluice {

struct PluginOutcome {
  int exit_code = 0;
  std::string output;  // for standard output
  std::string words;   // for standard error
};

// `input` is the content of standard input. Blocks for at most five seconds.
PluginOutcome RunPlugin(const CniEnvironment& environment, const std::string& input);

}  // namespace sluice

#endif  // SLUICE_NODE_CNI_PLUGIN_H_
