// The counters of a running dataplane as text for people. Runs on the control thread; stops no worker.
#ifndef SLUICE_PROGRAMS_SLUICED_SUMMARY_H_
#define SLUICE_PROGRAMS_SLUICED_SUMMARY_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "edge/dataplane.h"
#include "observe/flow_log.h"

namespace sluice {

// `age`: how long the table has been in force.
std::string Summary(const Dataplane& plane, std::chrono::seconds age);

// What each sink of the flow log got and lost, by cause.
std::string FlowLogSummary(const std::vector<FlowLog::SinkCounts>& sinks);

// Live flows that newer tables denied, since start, over all workers.
std::uint64_t FlowsCut(const Dataplane& plane);
std::uint64_t Encapsulated(const Dataplane& plane);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_SUMMARY_H_
