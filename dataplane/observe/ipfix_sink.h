// Sends to an IPFIX collector, over UDP or TCP. IpfixRecord makes the records.
#ifndef SLUICE_DATAPLANE_OBSERVE_IPFIX_SINK_H_
#define SLUICE_DATAPLANE_OBSERVE_IPFIX_SINK_H_

#include <memory>
#include <string>

#include "observe/log_sink.h"

namespace sluice {

// Requires "ipfix:udp:ADDRESS:PORT" or "ipfix:tcp:ADDRESS:PORT" that CheckLogPlace accepts. Opens nothing.
std::unique_ptr<LogSink> MakeIpfixSink(const std::string& to);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_IPFIX_SINK_H_
