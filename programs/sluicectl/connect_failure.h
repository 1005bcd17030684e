// Says in the operator's words why there is no connection to sluiced. Any thread.
#ifndef SLUICE_PROGRAMS_SLUICECTL_CONNECT_FAILURE_H_
#define SLUICE_PROGRAMS_SLUICECTL_CONNECT_FAILURE_H_

#include <string>

namespace sluice {

// The kind of connection that was tried.
enum class Transport { kUnix, kTls, kPlainTcp };

// `grpc_says`: the message of a call that ended as UNAVAILABLE.
std::string ConnectFailure(const std::string& target, Transport transport, const std::string& grpc_says);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_CONNECT_FAILURE_H_
