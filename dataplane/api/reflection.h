// gRPC's server reflection: the names of the services, and the definition of their messages. gRPC's own implementation
// keeps a thread for each client and parses requests of any size; this one does neither.
//
// gRPC's threads call it; no answer takes long.
#ifndef SLUICE_DATAPLANE_API_REFLECTION_H_
#define SLUICE_DATAPLANE_API_REFLECTION_H_

#include <string>
#include <vector>

#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace sluice {

namespace reflection = ::grpc::reflection::v1alpha;

class ReflectionService final : public reflection::ServerReflection::WithRawCallbackMethod_ServerReflectionInfo<
                                    reflection::ServerReflection::Service> {
 public:
  // The full names of the services that the server has.
  explicit ReflectionService(std::vector<std::string> services) : services_(std::move(services)) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ServerReflectionInfo(
      grpc::CallbackServerContext* context) override;

 private:
  const std::vector<std::string> services_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_REFLECTION_H_
