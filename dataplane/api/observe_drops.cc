// What was dropped: counters by reason, and drops as they come.
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/limits.h"
#include "api/observe_service.h"
#include "core/first_packet.h"

namespace sluice {

using grpc::Status;

Status ObserveService::ListDrops(const v1::ListDropsRequest&, AnswerWriter& writer) {
  const std::vector<Observation> workers = plane_.Workers();
  for (std::size_t i = 1; i < kDropReasonCount; ++i) {
    v1::DropCounter counter;
    counter.set_reason(std::string(kDropReasonNames[i]));
    counter.set_text(std::string(kDropReasonTexts[i]));
    for (const Observation& worker : workers) counter.set_packets(counter.packets() + worker.dropped_by[i]);
    if (!writer.Write(counter)) return Status::CANCELLED;
  }
  const auto drops = plane_.DropsOfHooks();
  if (!drops) return Status::OK;
  for (const auto& [reason, packets] :
       {std::pair(kSpoofedSource, drops->spoofed_source), std::pair(kSpoofedTunnel, drops->spoofed_tunnel)}) {
    v1::DropCounter counter;
    counter.set_reason(std::string(reason));
    counter.set_text(std::string(ReasonText(reason)));
    counter.set_packets(packets);
    if (!writer.Write(counter)) return Status::CANCELLED;
  }
  return Status::OK;
}

// The call is cancelled if the watcher is gone; keepalive finds a watcher that is silent (limits.h).
Status ObserveService::WatchDrops(const v1::WatchDropsRequest& request, AnswerWriter& writer) {
  auto filter = DropFilter::Of(request);
  if (const auto* error = std::get_if<std::string>(&filter)) return {grpc::StatusCode::INVALID_ARGUMENT, *error};
  DropFeed::Watcher watcher(drops_, std::get<DropFilter>(std::move(filter)));
  if (!watcher.accepted()) {
    return {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many watch the drops already; end one of them"};
  }
  writer.SendInitialMetadata();
  do {
    v1::WatchDropsResponse message;
    if (watcher.Take(&message) && !writer.Write(message)) break;
  } while (!writer.WaitUntilOver(kDropInterval));
  return Status::CANCELLED;
}

}  // namespace sluice
