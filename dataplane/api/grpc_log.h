// Writes gRPC's own log as lines of ours. Only that log tells why a TLS client was turned away.
#ifndef SLUICE_DATAPLANE_API_GRPC_LOG_H_
#define SLUICE_DATAPLANE_API_GRPC_LOG_H_

#include <functional>
#include <string>
#include <string_view>

namespace sluice {

// From here on gRPC's errors go to `say`, from any thread, the same error at most every ten seconds. If `say` is null,
// they go nowhere. This applies to the whole process.
void SetGrpcLog(std::function<void(std::string_view)> say);

// Returns an error of gRPC's in the operator's words.
std::string GrpcErrorInWords(std::string_view error);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_GRPC_LOG_H_
