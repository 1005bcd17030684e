#include "edge/dataplane.h"

#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "edge/fault_free_memory.h"

namespace sluice {
namespace {

constexpr std::uint32_t kBufferCache = 256;  // buffers that each core keeps at hand

// Calls `visit(device, port)` for each port. Skips what is no device: opening it fails, and the error has its name.
template <typename Visit>
void ForEachDevice(const EdgeSettings& edge, Visit visit) {
  for (const WireSettings& wire : edge.wires) {
    for (const PortSettings& port : wire.ports) {
      const auto device = ParseDevice(port, 0);
      if (std::holds_alternative<Device>(device)) visit(std::get<Device>(device), port);
    }
  }
}

// The buffers that can be in use at the same time. Of the rings toward one worker or port, at most one is full at a
// time: its consumer empties them in turn. If buffers run out all the same, devices count the frames that they miss.
std::uint32_t BufferCount(const EdgeSettings& edge, const PipelineConfig& pipeline, std::uint32_t workers) {
  const auto ports = static_cast<std::uint32_t>(2 * edge.wires.size());
  const std::uint32_t queues = ports * workers * (edge.rx_descriptors + edge.tx_descriptors);
  const std::uint32_t rings = workers > 1 ? (workers + ports) * edge.handover_frames : 0;
  const std::uint32_t held = workers * (pipeline.fragments_held + pipeline.dns.held + 4 * kMaxBurst + 2 * kBufferCache);
  std::uint32_t drivers = 0;
  ForEachDevice(edge, [&](const Device& device, const PortSettings&) { drivers += device.driver_buffers; });
  return queues + rings + held + drivers;
}

std::uint32_t LargestBuffer(const EdgeSettings& edge) {
  std::uint32_t bytes = RTE_MBUF_DEFAULT_DATAROOM;
  ForEachDevice(edge, [&](const Device& device, const PortSettings& port) {
    bytes = std::max(bytes, BufferBytes(device, port));
  });
  return bytes + RTE_PKTMBUF_HEADROOM;
}

int RunWorker(void* worker) {
  static_cast<Worker*>(worker)->Run();
  return 0;
}

// A worker should sleep if the kernel paces the packets anyway, or if polling would take the control thread's core.
Idle IdleOf(const EdgeSettings& edge, const std::vector<std::unique_ptr<Port>>& ports) {
  if (edge.idle != Idle::kAuto) return edge.idle;
  const unsigned main_core = rte_get_main_lcore();
  unsigned lcore = 0;
  RTE_LCORE_FOREACH_WORKER(lcore) {
    const rte_cpuset_t cpus = rte_lcore_cpuset(lcore);
    const rte_cpuset_t main_cpus = rte_lcore_cpuset(main_core);
    if (CPU_EQUAL(&cpus, &main_cpus)) return Idle::kSleep;
  }
  const bool all_paced =
      std::all_of(ports.begin(), ports.end(), [](const auto& port) { return port->device().may_sleep; });
  return all_paced ? Idle::kSleep : Idle::kPoll;
}

}  // namespace

std::uint32_t Dataplane::MemoryMb(const EdgeSettings& edge, const PipelineConfig& pipeline, std::uint32_t workers) {
  if (edge.memory_mb != 0) return edge.memory_mb;
  constexpr std::uint64_t kDriversMb = 64;
  constexpr std::uint64_t kOverhead = sizeof(rte_mbuf) + 2 * RTE_CACHE_LINE_SIZE;
  const std::uint64_t buffers = BufferCount(edge, pipeline, workers);
  return static_cast<std::uint32_t>((buffers * (LargestBuffer(edge) + kOverhead) >> 20) + kDriversMb);
}

Dataplane::Dataplane(const PipelineConfig& pipeline, std::uint32_t workers, std::shared_ptr<const Table> first, Say say)
    : say_(std::move(say)), readers_(workers), tables_(std::make_unique<TableSlot>(readers_, std::move(first))) {
  place_.workers = workers;
  place_.parse = pipeline.parse;
  place_.readers = &readers_;
  place_.tables = tables_.get();
}

std::variant<std::unique_ptr<Dataplane>, std::string> Dataplane::Start(const EdgeSettings& edge,
                                                                       const PipelineConfig& pipeline,
                                                                       std::shared_ptr<const Table> first, Say say,
                                                                       const Prepare& prepare) {
  const std::uint32_t workers = rte_lcore_count() - 1;
  std::unique_ptr<Dataplane> plane(new Dataplane(pipeline, workers, std::move(first), std::move(say)));
  Workplace& place = plane->place_;

  const std::uint32_t count = BufferCount(edge, pipeline, workers);
  const std::uint32_t bytes = LargestBuffer(edge);
  place.buffers = rte_pktmbuf_pool_create("sluice", count, kBufferCache, 0, static_cast<std::uint16_t>(bytes),
                                          static_cast<int>(rte_socket_id()));
  if (place.buffers == nullptr) {
    return "no memory for " + std::to_string(count) + " packet buffers of " + std::to_string(bytes) + " bytes (" +
           rte_strerror(rte_errno) + "): lower rx_descriptors, tx_descriptors or fragments.held, or raise memory_mb";
  }
  constexpr rte_mbuf_dynflag kMade{.name = "sluice_made", .flags = 0};
  const int made = rte_mbuf_dynflag_register(&kMade);
  if (made < 0) return std::string("no flag of packet buffers is left: ") + rte_strerror(rte_errno);
  place.made_flag = std::uint64_t{1} << made;
  for (std::uint32_t index = 0; index < 2 * edge.wires.size(); ++index) {
    auto port =
        Port::Open(edge.wires[index / 2].ports[index % 2], edge, index, workers, place.buffers, plane->readers_);
    if (auto* error = std::get_if<std::string>(&port)) return std::move(*error);
    plane->ports_.push_back(std::get<std::unique_ptr<Port>>(std::move(port)));
    place.ports.push_back(&plane->ports_.back()->view());
  }
  plane->WaitForLinks();
  place.idle = IdleOf(edge, plane->ports_);
  place.handover.resize(workers);
  for (auto& rings : place.handover) {
    for (std::uint32_t from = 0; from < workers; ++from) {
      rings.push_back(std::make_unique<FrameRing>(edge.handover_frames));
    }
  }
  for (std::uint32_t i = 0; i < workers; ++i) {
    auto created = Pipeline::Create(pipeline, FaultFreeMemory());
    if (const auto* error = std::get_if<Diagnostic>(&created)) return error->ToString();
    auto worker_pipeline = std::get<std::unique_ptr<Pipeline>>(std::move(created));
    worker_pipeline->Reserve(*plane->table());
    if (prepare) prepare(*worker_pipeline);
    plane->workers_.push_back(std::make_unique<Worker>(i, place, std::move(worker_pipeline)));
  }
  unsigned lcore = 0;
  std::uint32_t worker = 0;
  RTE_LCORE_FOREACH_WORKER(lcore) { rte_eal_remote_launch(RunWorker, plane->workers_[worker++].get(), lcore); }
  plane->running_ = true;
  return plane;
}

Dataplane::~Dataplane() {
  Stop();
  workers_.clear();
  ports_.clear();
  rte_mempool_free(place_.buffers);
}

// Links take a moment to come up; a listener to `ready` should find them up.
void Dataplane::WaitForLinks() {
  const auto down = [](const auto& port) { return !port->view().link_up; };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (std::any_of(ports_.begin(), ports_.end(), down) && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    for (const std::unique_ptr<Port>& port : ports_) port->Watch();
  }
  for (const std::unique_ptr<Port>& port : ports_) {
    if (down(port)) {
      say_("device '" + port->device().text + "': the link is down; frames toward it are dropped until it is up");
    }
  }
}

void Dataplane::Publish(std::shared_ptr<const Table> table) {
  for (const std::unique_ptr<Worker>& worker : workers_) worker->pipeline().Reserve(*table);
  tables_->Publish(std::move(table));
  for (const std::unique_ptr<Worker>& worker : workers_) worker->Wake();
}

std::vector<std::shared_ptr<const Table>> Dataplane::Watch() {
  for (const std::unique_ptr<Port>& port : ports_) {
    if (const auto line = port->Watch()) say_(*line);
  }
  return tables_->Reclaim();
}

std::vector<Observation> Dataplane::Observe() const {
  std::vector<Observation> observations;
  for (const std::unique_ptr<Worker>& worker : workers_) observations.push_back(worker->Observe(workers_));
  return observations;
}

bool Dataplane::RingsAreEmpty() const {
  const auto empty = [](const auto& rings) {
    return std::all_of(rings.begin(), rings.end(), [](const auto& ring) { return ring->empty(); });
  };
  return std::all_of(place_.handover.begin(), place_.handover.end(), empty) &&
         std::all_of(ports_.begin(), ports_.end(), [&](const auto& port) { return empty(port->view().to_home); });
}

bool Dataplane::NobodyHoldsAnswers() const {
  return std::none_of(workers_.begin(), workers_.end(), [](const auto& worker) {
    const DnsTap* const tap = worker->pipeline().dns_tap();
    return tap != nullptr && tap->counters().waiting.load(std::memory_order_relaxed) != 0;
  });
}

void Dataplane::Stop() {
  if (!running_) return;
  running_ = false;
  using std::chrono::milliseconds;
  const auto deadline = std::chrono::steady_clock::now() + milliseconds(1000);
  place_.phase = Phase::kDrain;
  // A worker may hold frames between two rings, so that both look empty: each worker must end a round, then another.
  for (int rounds = 0; rounds < 3 && std::chrono::steady_clock::now() < deadline;) {
    const Readers::Token token = readers_.Retire();
    while (!readers_.Passed(token) && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    rounds = RingsAreEmpty() && NobodyHoldsAnswers() ? rounds + 1 : 0;
  }
  place_.phase = Phase::kStop;
  for (const std::unique_ptr<Worker>& worker : workers_) worker->Wake();
  rte_eal_mp_wait_lcore();
}

}  // namespace sluice
