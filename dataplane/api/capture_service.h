// sluice.v1.CaptureService: packets of the running dataplane, with the fate of each.
//
// There is one capture at a time. The workers deliver the packets that it may want (capture_ring.h); the call's thread
// chooses among them and adds names. Any thread may call it.
#ifndef SLUICE_DATAPLANE_API_CAPTURE_SERVICE_H_
#define SLUICE_DATAPLANE_API_CAPTURE_SERVICE_H_

#include <functional>
#include <string>
#include <vector>

#include "api/read_calls.h"
#include "core/capture_ring.h"
#include "observe/dataplane_view.h"
#include "observe/flow_log.h"
#include "sluice/v1/capture.grpc.pb.h"

namespace sluice {

class CaptureService final : public v1::CaptureService::WithRawCallbackMethod_Capture<v1::CaptureService::Service> {
 public:
  // Returns whether a client with these certificates (PEM, its own first) may see payloads. Called from any thread.
  using MayShowPayload = std::function<bool(const std::string&)>;

  // `rings` has one ring for each worker, in the workers' order. All arguments outlive the service, and the service
  // outlives its server. `may_show_payload` is asked for each client that showed a certificate; null: each may.
  CaptureService(std::vector<CaptureRing*> rings, const FlowLogNames& names, const DataplaneView& plane,
                 MayShowPayload may_show_payload = nullptr);

  grpc::ServerWriteReactor<grpc::ByteBuffer>* Capture(grpc::CallbackServerContext* context,
                                                      const grpc::ByteBuffer* request) override;

 private:
  bool MayShow(const grpc::CallbackServerContext& context) const;
  grpc::Status Answer(const v1::CaptureRequest& request, bool may_show_payload, AnswerWriter& writer);

  const std::vector<CaptureRing*> rings_;
  const FlowLogNames& names_;
  const DataplaneView& plane_;
  const MayShowPayload may_show_payload_;
  ReadCalls calls_;  // last member: its threads use the others
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_CAPTURE_SERVICE_H_
