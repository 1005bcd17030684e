// What gRPC logs of itself, as lines of ours: above all why a TLS client was turned away, which only its log tells.
#ifndef SLUICE_DATAPLANE_API_GRPC_LOG_H_
#define SLUICE_DATAPLANE_API_GRPC_LOG_H_

#include <functional>
#include <string>
#include <string_view>

namespace sluice {

// From here on gRPC's errors go to `say`, from any thread, the same one at most every ten seconds; with null, nowhere.
// Of the process.
void SetGrpcLog(std::function<void(std::string_view)> say);

// An error of gRPC's in the operator's words.
std::string GrpcErrorInWords(std::string_view error);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_GRPC_LOG_H_
