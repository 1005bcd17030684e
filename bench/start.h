// DPDK for a benchmark program.
#ifndef SLUICE_BENCH_START_H_
#define SLUICE_BENCH_START_H_

#include <cstdint>
#include <string_view>
#include <vector>

namespace sluice {

// Starts DPDK with everything on the last core that the process may use. False: it said why not.
bool StartOnOneCore(std::string_view program);

// Likewise on the first one, for what drives the device under test on the last.
bool StartOnFirstCore(std::string_view program);

// Starts DPDK with this thread on the first of two cores, and a worker on the other. `memory_mb` are for packet
// buffers.
bool StartOnTwoCores(std::string_view program, std::uint32_t memory_mb);

}  // namespace sluice

#endif  // SLUICE_BENCH_START_H_
