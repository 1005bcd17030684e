// sluice.v1.NamesService: takes names and their addresses from clients that know them.
//
// gRPC's thread that brought a call also answers it. It holds the store's mutex for milliseconds at most, since the
// size of a call is bounded.
#ifndef SLUICE_DATAPLANE_API_NAMES_SERVICE_H_
#define SLUICE_DATAPLANE_API_NAMES_SERVICE_H_

#include "api/policy_service.h"
#include "names/names_view.h"
#include "sluice/v1/names.grpc.pb.h"

namespace sluice {

class NamesService final : public v1::NamesService::WithCallbackMethod_Push<v1::NamesService::Service> {
 public:
  // Both arguments outlive the service. A client that may push policy (`policy` says which) may push names, too.
  NamesService(NamesView names, PolicyService& policy) : names_(std::move(names)), policy_(policy) {}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverloaded-virtual"
  grpc::ServerUnaryReactor* Push(grpc::CallbackServerContext* context, const v1::PushNamesRequest* request,
                                 v1::PushNamesResponse* response) override;
#pragma GCC diagnostic pop

 private:
  grpc::Status Answer(const grpc::CallbackServerContext& context, const v1::PushNamesRequest& request,
                      v1::PushNamesResponse* response);

  const NamesView names_;
  PolicyService& policy_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_NAMES_SERVICE_H_
