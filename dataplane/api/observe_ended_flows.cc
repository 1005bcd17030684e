// ObserveService::WatchFlows: ended flows that the flow log has in memory, and new ones as they come.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "api/limits.h"
#include "api/observe_service.h"
#include "api/rule_names.h"
#include "observe/flow_log_filter.h"

namespace sluice {
namespace {

using grpc::Status;
using grpc::StatusCode;

constexpr std::size_t kRecordsASlice = 256;              // copied while the flow log's thread waits
constexpr std::chrono::milliseconds kRefreshTime(1000);  // for the workers to hand over what they have

std::variant<FlowLogFilter, std::string> FilterOf(const v1::WatchFlowsRequest& request) {
  if (request.conditions_size() > kMaxFlowConditions) {
    return "conditions: " + std::to_string(kMaxFlowConditions) + " at most";
  }
  FlowLogFilter filter;
  for (const v1::FlowCondition& condition : request.conditions()) {
    const auto& known = FlowLogFilter::Conditions();
    const auto is_it = [&](const FlowLogFilter::Condition& one) { return one.name == condition.name(); };
    if (std::none_of(known.begin(), known.end(), is_it)) {
      return "conditions: there is no condition '" + ShownName(condition.name()) + "'";
    }
    if (const auto error = filter.Add(condition.name(), condition.value(), condition.negated())) {
      return "conditions: " + condition.name() + " '" + ShownName(condition.value()) + "' " + *error;
    }
  }
  return filter;
}

// A watcher: its position, and what it has missed.
class FlowWatch {
 public:
  FlowWatch(const FlowHistory& history, FlowLogFilter filter, std::uint64_t since_unix_ns)
      : history_(history),
        filter_(std::move(filter)),
        next_(since_unix_ns == 0 ? history.End() : history.PositionSince(since_unix_ns)),
        lost_seen_(history.lost()) {
    message_.set_begin_unix_ns(history.BeginUnixNs());
  }

  // Sends the lines up to `end`. False: the call is over.
  bool SendUntil(std::uint64_t end, AnswerWriter& writer) {
    for (;;) {
      const FlowHistory::Slice slice = history_.Read(next_, end, kRecordsASlice);
      next_ = std::max(next_, slice.next);
      message_.set_not_shown(message_.not_shown() + slice.missed);
      if (slice.records.empty()) break;
      for (const FlowLogRecord& record : slice.records) {
        Add(record);
        if (bytes_ >= kChunkBytes && !Send(writer)) return false;
      }
    }
    const std::uint64_t lost = history_.lost();
    message_.set_not_recorded(lost - std::exchange(lost_seen_, lost));
    return Send(writer);
  }

 private:
  void Add(const FlowLogRecord& record) {
    std::string line = ToJsonLine(record);
    if (!filter_.empty() && !filter_.Matches(FlowLogFilter::Json::parse(line))) return;
    line.pop_back();  // the end of the line
    bytes_ += line.size();
    message_.add_lines(std::move(line));
  }

  bool Send(AnswerWriter& writer) {
    bytes_ = 0;
    if (message_.ByteSizeLong() == 0) return true;
    const bool goes_on = writer.Write(message_);
    message_.Clear();
    return goes_on;
  }

  const FlowHistory& history_;
  const FlowLogFilter filter_;
  std::uint64_t next_;
  std::uint64_t lost_seen_;
  v1::WatchFlowsResponse message_;
  std::size_t bytes_ = 0;  // of the lines in message_
};

}  // namespace

// The call is cancelled if the watcher is gone; keepalive finds a watcher that is silent (limits.h).
Status ObserveService::WatchFlows(const v1::WatchFlowsRequest& request, AnswerWriter& writer) {
  if (request.since_unix_ns() == 0 && !request.follow()) {
    return {StatusCode::INVALID_ARGUMENT, "wants since_unix_ns, follow, or both"};
  }
  auto filter = FilterOf(request);
  if (const auto* error = std::get_if<std::string>(&filter)) return {StatusCode::INVALID_ARGUMENT, *error};
  if (flow_log_ == nullptr || flow_log_->history() == nullptr) {
    return {StatusCode::FAILED_PRECONDITION, "sluiced keeps no flows that ended: its key flow_history is 0"};
  }
  const FlowHistory& history = *flow_log_->history();
  flow_log_->Refresh(kRefreshTime);
  FlowWatch watch(history, std::get<FlowLogFilter>(std::move(filter)), request.since_unix_ns());
  const std::uint64_t end = history.End();
  writer.SendInitialMetadata();
  if (!watch.SendUntil(end, writer)) return Status::CANCELLED;
  if (!request.follow()) return Status::OK;
  while (!writer.WaitUntilOver(kFlowInterval)) {
    flow_log_->Refresh(kRefreshTime);
    if (!watch.SendUntil(history.End(), writer)) break;
  }
  return Status::CANCELLED;
}

}  // namespace sluice
