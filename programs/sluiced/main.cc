// sluiced: the dataplane's daemon. This file is its control thread: it wires manifests to the dataplane and waits.
#include <poll.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "config/config.h"
#include "edge/dataplane.h"
#include "edge/eal.h"
#include "sluiced/command_line.h"
#include "sluiced/policy_keeper.h"
#include "sluiced/summary.h"

namespace sluice {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWatchMs = 200;  // ports and retired tables are looked after this often

void SetUpLog(LogLevel level) {
  constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                                   spdlog::level::err};
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  spdlog::set_level(kLevels[static_cast<int>(level)]);
  spdlog::flush_on(spdlog::level::trace);
}

void Log(const Diagnostics& diagnostics) {
  for (const Diagnostic& diagnostic : diagnostics) {
    switch (diagnostic.severity) {
      case Severity::kNote:
        spdlog::debug("{}", diagnostic.ToString());
        break;
      case Severity::kWarning:
        spdlog::warn("{}", diagnostic.ToString());
        break;
      case Severity::kError:
        spdlog::error("{}", diagnostic.ToString());
        break;
    }
  }
}

int Fail(const std::string& message) {
  spdlog::error("{}", message);
  return kExitFailed;
}

// The signals that the control thread reads from a descriptor. Blocked before any other thread exists, so that no
// thread is interrupted by them.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    fd_ = signalfd(-1, &set_, SFD_NONBLOCK | SFD_CLOEXEC);
    std::signal(SIGPIPE, SIG_IGN);
  }
  ~Signals() { close(fd_); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  int fd() const { return fd_; }

  // The next signal that came, or 0.
  int Take() const {
    signalfd_siginfo info{};
    return read(fd_, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }

  // From here on SIGTERM and SIGINT end the process at once.
  void Release() const {
    std::signal(SIGHUP, SIG_IGN);
    std::signal(SIGUSR1, SIG_IGN);
    pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);
  }

 private:
  sigset_t set_;
  int fd_ = -1;
};

class Daemon {
 public:
  explicit Daemon(Config config)
      : config_(std::move(config)), policy_(config_.manifests, config_.limits), in_force_since_(Clock::now()) {}

  int Run() {
    if (const int code = Start(); code != kExitFine) return code;
    std::puts("ready");
    std::fflush(stdout);
    while (Wait()) {
    }
    signals_.Release();
    spdlog::info("draining");
    plane_->Stop();
    PrintSummary();
    plane_.reset();
    return kExitFine;
  }

 private:
  int Start() {
    auto cores = CoresOf(config_.edge.cores);
    if (const auto* error = std::get_if<std::string>(&cores)) {
      Fail(*error);
      return kExitBadInput;
    }
    EalSettings eal;
    eal.cores = std::get<std::vector<std::uint32_t>>(std::move(cores));
    eal.no_huge = config_.edge.no_huge;
    const auto workers = static_cast<std::uint32_t>(eal.cores.size() - 1);
    eal.memory_mb = Dataplane::MemoryMb(config_.edge, config_.pipeline, workers);
    for (const WireSettings& wire : config_.edge.wires) {
      for (const PortSettings& port : wire.ports) {
        const auto device = std::get<Device>(ParseDevice(port, 0));
        if (device.is_pci) eal.pci_addresses.push_back(device.name);
      }
    }
    const auto say = [](std::string_view line) { spdlog::warn("{}", line); };
    if (const auto error = StartEal(eal, say)) return Fail(*error);

    auto plane = Dataplane::Start(config_.edge, config_.pipeline, FirstTable(), say);
    if (const auto* error = std::get_if<std::string>(&plane)) return Fail(*error);
    plane_ = std::get<std::unique_ptr<Dataplane>>(std::move(plane));
    return kExitFine;
  }

  std::shared_ptr<const Table> FirstTable() {
    Reload update = policy_.Update();
    Log(update.diagnostics);
    in_force_since_ = Clock::now();
    if (!update.table) {
      spdlog::warn("no policy: {}", config_.pipeline.fail_closed ? "all IP is dropped until there is one (fail_closed)"
                                                                 : "all is forwarded until there is one");
      return policy_.EmptyTable();
    }
    spdlog::info("generation {} in {:.3f} s: {} rules, {} addresses", update.table->generation(), update.seconds,
                 update.table->stats().rules, update.table->stats().addresses);
    return update.table;
  }

  // Handles what comes within a while. False: it is time to end.
  bool Wait() {
    const int manifests_ms = policy_.source().TimeoutMs();
    pollfd wait[] = {{signals_.fd(), POLLIN, 0}, {policy_.source().fd(), POLLIN, 0}};
    poll(wait, std::size(wait), manifests_ms < 0 ? kWatchMs : std::min(manifests_ms, kWatchMs));
    while (const int signal = signals_.Take()) {
      if (signal == SIGTERM || signal == SIGINT) return false;
      if (signal == SIGUSR1) PrintSummary();
      if (signal == SIGHUP) Swap();
    }
    if (policy_.source().ConsumeEvents()) Swap();
    plane_->Watch();
    SayWhatWasCut();
    return true;
  }

  void Swap() {
    Reload update = policy_.Update();
    Log(update.diagnostics);
    const std::uint64_t generation = plane_->table()->generation();
    if (!update.table) {
      spdlog::error("the policy was refused: generation {} stays in force", generation);
      return;
    }
    if (HasErrors(update.diagnostics)) spdlog::warn("what was refused keeps its last good version");
    plane_->Publish(update.table);
    in_force_since_ = Clock::now();
    spdlog::info("generation {} -> {} in {:.3f} s: {}", generation, update.table->generation(), update.seconds,
                 update.changes.empty() ? "sizes unchanged" : update.changes);
  }

  // Flows are cut by their next packet or by the sweep, so the count comes after the swap.
  void SayWhatWasCut() {
    const std::uint64_t cut = FlowsCut(*plane_);
    if (cut == flows_cut_) return;
    spdlog::info("generation {}: {} live flows cut", plane_->table()->generation(), cut - flows_cut_);
    flows_cut_ = cut;
  }

  void PrintSummary() const {
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - in_force_since_);
    std::fputs(Summary(*plane_, age).c_str(), stderr);
  }

  Config config_;
  Signals signals_;
  PolicyKeeper policy_;
  std::unique_ptr<Dataplane> plane_;
  Clock::time_point in_force_since_;
  std::uint64_t flows_cut_ = 0;
};

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  sluice::Config config;
  if (const auto code = sluice::ReadCommandLine(argc, argv, config)) return *code;
  sluice::SetUpLog(config.log_level);
  return sluice::Daemon(std::move(config)).Run();
}
