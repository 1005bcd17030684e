// One stream of PolicyService.Push, from Begin to its end.
//
// gRPC's threads call the reactor's functions. Handle runs on the thread that applies policy, and parses the message
// there. So only one sender's message is parsed at a time, and no large one before Begin. The next message is read only
// when the last one is answered. The stream lives while anything holds it, and at least until gRPC is done.
#ifndef SLUICE_DATAPLANE_API_PUSH_STREAM_H_
#define SLUICE_DATAPLANE_API_PUSH_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/policy_service.h"
#include "codec/codec.h"
#include "codec/parts.h"
#include "store/policy_intake.h"

namespace sluice {

class PushStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                         public std::enable_shared_from_this<PushStream> {
 public:
  explicit PushStream(PolicyService& service) : service_(service) {}

  // Holds itself until gRPC is done with it, and reads the first message.
  void Start();
  // Any thread. The stream ends with the first status that is given.
  void End(const grpc::Status& status);
  // Frees the parts of a full state or of a request that have come. The thread that applies policy calls it once the
  // stream has ended.
  void Forget();

  // The sender's name, in a form that may stand in a line (sluice/printable.h).
  const std::string& sender() const { return sender_; }

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void Handle();
  bool Unpack();
  bool Gather();
  void HandleRequest();
  void Begin(const v1::Begin& begin);
  void AddChunk(const v1::FullStateChunk& chunk);
  void FinishFullState(const v1::FullStateChunk& last);
  BatchOutcome Update(const v1::Update& message);
  void Answer(const BatchOutcome& outcome);
  void Answer(const v1::PushResponse& response);
  void ReadNext();

  PolicyService& service_;
  std::shared_ptr<PushStream> self_;
  std::string sender_;
  bool begun_ = false;
  grpc::ByteBuffer incoming_;
  grpc::ByteBuffer outgoing_;
  v1::PushRequest request_;
  PartGatherer parts_;

  // State of the full state that is being received.
  std::optional<FullStateDecoder> decoder_;
  std::optional<Diagnostic> broken_;
  std::vector<std::string> records_;
  std::size_t bytes_ = 0;
  std::uint64_t decode_ns_ = 0;

  std::mutex mutex_;  // protects the members below
  bool writing_ = false;
  bool finished_ = false;
  std::optional<grpc::Status> end_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_PUSH_STREAM_H_
