// sluiced: the dataplane's daemon. This file is its control thread: it connects policy, from manifests or from the
// control API, to the dataplane, and waits.
#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/capture_service.h"
#include "api/names_service.h"
#include "api/observe_service.h"
#include "api/policy_records.h"
#include "api/policy_service.h"
#include "api/server.h"
#include "certificate/tls_files.h"
#include "common/log.h"
#include "common/service_manager.h"
#include "common/signals.h"
#include "config/config.h"
#include "dns/dns_listener.h"
#include "edge/dataplane.h"
#include "edge/eal.h"
#include "edge/hooks_wire.h"
#include "edge/worker_grace.h"
#include "hook/carried_maps.h"
#include "hook/namespace_lock.h"
#include "http/http_server.h"
#include "observe/staged_ledger.h"
#include "page/page_site.h"
#include "sluice/log_text.h"
#include "sluiced/carrier.h"
#include "sluiced/command_line.h"
#include "sluiced/learn_answers.h"
#include "sluiced/monitor.h"
#include "sluiced/name_keeper.h"
#include "sluiced/plane_view.h"
#include "sluiced/policy_keeper.h"
#include "sluiced/store_names.h"
#include "sluiced/summary.h"
#include "sluiced/trusted_resolvers.h"
#include "sluiced/worker_watch.h"
#include "store/policy_intake.h"

namespace sluice {
namespace {

constexpr int kWatchMs = 200;  // the interval for looking after ports and retired tables
constexpr std::chrono::seconds kTellManager(1);

spdlog::level::level_enum LevelOf(LogLevel level) {
  constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                                   spdlog::level::err};
  return kLevels[static_cast<int>(level)];
}

int Fail(const std::string& message) {
  spdlog::error("{}", message);
  return kExitFailed;
}

class Daemon {
 public:
  explicit Daemon(Config config)
      : config_(std::move(config)),
        tls_({config_.api.tls_certificate, config_.api.tls_key, config_.api.tls_client_ca, config_.api.tls_viewer_ca}) {
  }

  int Run() {
    const int code = Start();
    if (code == kExitFine && plane_) {
      std::puts("ready");
      std::fflush(stdout);
      if (flow_log_) flow_log_->Start([this] { return view_ ? view_->Workers() : std::vector<Observation>(); });
      ServiceManager::SayReady();
      while (Wait()) {
        TellManager();
      }
      Drain();
    }
    if (policy_ && policy_->busy()) std::_Exit(code);
    return code;
  }

 private:
  int Start() {
    auto cores = CoresOf(config_.edge.cores);
    if (const auto* error = std::get_if<std::string>(&cores)) {
      Fail(*error);
      return kExitBadInput;
    }
    if (const auto error = tls_.Open()) return Fail(*error);
    if (const auto error = FillHooksWires(config_.edge)) return Fail(*error);
    for (const WireSettings& wire : config_.edge.wires) {
      if (wire.is_hooks) spdlog::info("the wire of hooks: {} and {}", wire.ports[0].device, wire.ports[1].device);
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

    // Threads that start from here on stay on the control thread's core.
    std::unique_ptr<StateFile> state;
    if (!config_.state.empty()) {
      StateSettings kept = config_.manifests.empty() ? PolicyStateSettings(config_.state, config_.run)
                                                     : ManifestStateSettings(config_.state, config_.run);
      auto opened = StateFile::Open(std::move(kept), say);
      if (const auto* error = std::get_if<std::string>(&opened)) return Fail(*error);
      state = std::get<std::unique_ptr<StateFile>>(std::move(opened));
    }
    const auto publish = [this](std::shared_ptr<const Table> table) { Publish(std::move(table)); };
    intake_ = std::make_unique<PolicyIntake>(config_.limits, publish, std::move(state), say);
    // If everything is forwarded until there is policy, some policy is better than none.
    const bool skips = config_.skip_broken_manifests || !config_.pipeline.fail_closed;
    policy_ =
        std::make_unique<PolicyKeeper>(config_.manifests, config_.staged,
                                       skips ? PolicyKeeper::Broken::kSkip : PolicyKeeper::Broken::kNoPolicy, *intake_);
    names_ = std::make_unique<StoreNames>(intake_->store());
    staged_ = std::make_unique<StagedLedger>(*names_, StagedFile());
    MakeFlowLog(say);
    if (!StartHttp()) return kExitFailed;
    if (!LoadFirstPolicy()) return kExitFine;
    staged_->AskNames([this, now = NameClock()](const IpAddress& address, LearntNames* learnt) {
      learnt_names_.CopyOf(address, learnt);
      return now().clock_ns;
    });
    name_keeper_ = std::make_unique<NameKeeper>(learnt_names_, NamesFile(), say);
    if (const std::size_t restored = name_keeper_->Restore(); restored != 0) {
      spdlog::info("addresses of names from the state folder: {}", restored);
    }
    config_.pipeline.learnt_names = &learnt_names_.learnt();
    if (!config_.dns_resolvers.empty()) dns_ = std::make_unique<DnsListener>(learn_answers_);
    auto plane = Dataplane::Start(config_.edge, config_.PipelineWithDns(), intake_->store().table(), say,
                                  [this](Pipeline& pipeline) { Tap(pipeline); });
    if (const auto* error = std::get_if<std::string>(&plane)) return Fail(*error);
    plane_ = std::get<std::unique_ptr<Dataplane>>(std::move(plane));
    names_grace_.Follow(&plane_->readers());
    name_keeper_->Start();
    StartDns();
    StartCarrier(say);
    return StartApi(say);
  }

  void MakeFlowLog(const FlowLog::Say& say) {
    if (!config_.flow_log.wanted()) return;
    flow_log_ = std::make_unique<FlowLog>(config_.flow_log, *names_, say);
  }

  void Tap(Pipeline& pipeline) {
    if (dns_) dns_->Add(*pipeline.dns_tap());
    pipeline.Capture(capture_rings_.emplace_back(std::make_unique<CaptureRing>()).get());
    if (!flow_log_) return;
    std::random_device device;
    WorkerTap& tap = flow_log_->AddTap(std::uint64_t{device()} << 32 | device());
    pipeline.Listen(&tap.ends);
    pipeline.CountDenies(&tap.denies);
  }

  // Runs before the first policy, which takes time: probes should see that the process starts.
  bool StartHttp() {
    monitor_ = std::make_unique<Monitor>(
        *intake_, Monitor::Settings{config_.limits, config_.http_policies, config_.pipeline.fail_closed,
                                    !policy_->has_paths(), flow_log_.get(), staged_.get(), &learnt_names_});
    if (config_.http.empty()) return true;
    std::string error;
    std::variant<std::string, TokenError> token;
    if (!config_.http_page_token.empty()) token = ReadToken(config_.http_page_token);
    if (const auto* wrong = std::get_if<TokenError>(&token)) {
      spdlog::error("http_page_token {}", wrong->text);
      return false;
    }
    page_ = std::make_unique<PageSite>(std::get<std::string>(std::move(token)));
    http_ = HttpServer::Start(config_.http,
                              {[this] { return monitor_->Dead(); }, [this] { return monitor_->Unready(); },
                               [this] { return monitor_->MetricsText(); }},
                              error, page_.get());
    if (!http_) spdlog::error("{}", error);
    return http_ != nullptr;
  }

  // False: a signal ended it.
  bool LoadFirstPolicy() {
    if (policy_->has_paths()) {
      std::optional<Reload> first;
      for (policy_->Ask(); !first; first = policy_->Step()) {
        if (!Listen()) return false;
      }
      Log(first->diagnostics);
      if (first->table && HasErrors(first->diagnostics)) {
        spdlog::warn("what was refused has its last good version, as far as it is known");
      }
    } else if (const auto error = LoadState(*intake_)) {
      spdlog::error("{}", *error);
    }
    const auto table = intake_->store().table();
    if (table->has_policy()) {
      said_generation_ = table->generation();
      spdlog::info("generation {} from the {}: {} rules, {} addresses", table->generation(), intake_->status().source,
                   table->stats().rules, table->stats().addresses);
    } else {
      spdlog::warn("no policy: {}", config_.pipeline.fail_closed ? "all IP is dropped until there is one (fail_closed)"
                                                                 : "all is forwarded until there is one");
    }
    return true;
  }

  // Runs before anybody is told that sluiced runs.
  void StartDns() {
    if (!dns_) return;
    resolvers_ = std::make_unique<TrustedResolvers>(config_.dns_resolvers, intake_->store(), *dns_);
    SayOfResolvers();
    dns_->Start();
  }

  void SayOfResolvers() {
    if (!resolvers_) return;
    if (const auto news = resolvers_->Look()) spdlog::info("{}", *news);
  }

  // Runs before anybody is told that sluiced runs. Flows carried by an older policy go to the workers from now on.
  void StartCarrier(const Carrier::Say& say) {
    const auto& wires = config_.edge.wires;
    if (std::none_of(wires.begin(), wires.end(), [](const WireSettings& wire) { return wire.is_hooks; })) return;
    filter_lock_ = std::make_unique<NamespaceLock>(kFilterLock);
    auto maps = CarriedMaps::Open(config_.edge.bpffs);
    if (const auto* error = std::get_if<std::string>(&maps)) {
      say("no flow is carried: " + *error);
      return;
    }
    const auto tell = [](std::string_view line) { spdlog::info("{}", line); };
    const auto mode = config_.edge.carry ? Carrier::Mode::kCarry : Carrier::Mode::kNever;
    carrier_ = std::make_unique<Carrier>(std::get<std::unique_ptr<CarriedMaps>>(std::move(maps)), *plane_,
                                         *plane_->table(), mode, config_.pipeline.fail_closed, tell);
  }

  // Without a configured address, the default one is only a convenience: two sluiced on one host need names.
  int StartApi(const ApiServer::Say& say) {
    const std::string refusal =
        policy_->has_paths() ? "this sluiced follows manifests; start it without them to push policy" : "";
    const auto say_news = [](std::string_view line) { spdlog::info("{}", line); };
    const auto may_push = [this](const std::string& chain) { return tls_.MayPush(chain); };
    service_ = std::make_unique<PolicyService>(*intake_, refusal, say_news, may_push);
    view_ = std::make_unique<PlaneView>(*plane_, plane_mutex_, config_.edge, carrier_.get(), dns_.get());
    observe_ = std::make_unique<ObserveService>(*intake_, *view_, config_.pipeline, ReadLimits(), flow_log_.get(),
                                                staged_.get(), NamesView{&learnt_names_, NameClock()});
    monitor_->BeginTraffic(*view_, observe_->drops());
    names_service_ = std::make_unique<NamesService>(NamesView{&learnt_names_, NameClock()}, *service_);
    std::vector<CaptureRing*> rings;
    for (const auto& ring : capture_rings_) rings.push_back(ring.get());
    capture_ = std::make_unique<CaptureService>(std::move(rings), *names_, *view_, may_push);
    ApiSettings settings = config_.api;
    settings.tls_certificate = tls_.copies().certificate;
    settings.tls_key = tls_.copies().key;
    settings.tls_client_ca = tls_.copies().ca;
    const bool by_default = settings.listen.empty();
    if (by_default) settings.listen.emplace_back(kDefaultListen);
    auto server =
        ApiServer::Start(settings, {service_.get(), observe_.get(), capture_.get(), names_service_.get()}, say);
    if (const auto* error = std::get_if<std::string>(&server)) {
      if (!by_default) return Fail(*error);
      spdlog::warn("no control API: {} (--listen)", *error);
      return kExitFine;
    }
    server_ = std::get<std::unique_ptr<ApiServer>>(std::move(server));
    if (page_) page_->Look({std::make_shared<PageTarget>("this sluiced", server_->InProcess())});
    return kExitFine;
  }

  void Drain() {
    ServiceManager::SayStopping();
    signals_.Release();
    spdlog::info("draining");
    monitor_->EndTraffic();
    if (page_) page_->Stop();
    service_->Stop();
    if (carrier_) carrier_->Stop();
    {
      const std::lock_guard lock(plane_mutex_);
      plane_->Stop();
    }
    if (dns_) dns_->Stop();
    if (flow_log_) flow_log_->Stop(plane_->Observe());
    staged_->CollectLast(plane_->Observe());
    PrintSummary();
    server_.reset();
    name_keeper_.reset();
    names_grace_.Follow(nullptr);
    const std::lock_guard lock(plane_mutex_);
    carrier_.reset();
    plane_.reset();
  }

  // Called by the writer of policy: a reload's thread, or the control API's.
  void Publish(std::shared_ptr<const Table> table) {
    learnt_names_.Follow(*table);  // before the table is in force, so that no answer is missed
    const std::lock_guard lock(plane_mutex_);
    if (!plane_) return;
    if (carrier_) carrier_->BeginTable(*table);
    plane_->Publish(table);
    if (carrier_) carrier_->EndTable(*table);
  }

  // Waits a while for signals and changed manifests, and handles the signals. False: it is time to end.
  bool Listen() {
    plane_ ? monitor_->Turn(*plane_) : monitor_->Turn();
    const int policy_ms = policy_->TimeoutMs();
    pollfd wait[] = {{signals_.fd(), POLLIN, 0}, {policy_->fd(), POLLIN, 0}, {policy_->staged_fd(), POLLIN, 0}};
    poll(wait, std::size(wait), policy_ms < 0 ? kWatchMs : std::min(policy_ms, kWatchMs));
    while (const int signal = signals_.Take()) {
      if (signal == SIGTERM || signal == SIGINT) return false;
      if (signal == SIGUSR1 && plane_) PrintSummary();
      if (signal == SIGHUP && policy_->has_paths()) policy_->Ask();
    }
    return true;
  }

  bool Wait() {
    if (!Listen()) return false;
    if (const auto reload = policy_->Step()) SayWhatWasRead(*reload);
    std::vector<std::shared_ptr<const Table>> unread;  // freed without the lock that a publish waits for
    {
      const std::lock_guard lock(plane_mutex_);
      unread = plane_->Watch();
    }
    SayOfResolvers();
    SayWhatWasPushed();
    SayWhatWasCut();
    staged_->Collect(plane_->Observe());
    SayOfStaged();
    SayOfTunnels();
    if (const auto news = tls_.Look()) {
      LogNews(news->severity, news->text);
    }
    observe_->SetCertificateEnd(tls_.certificate_ends_unix_s());
    monitor_->SetCertificateEnd(tls_.certificate_ends_unix_s());
    return true;
  }

  void SayWhatWasRead(const Reload& reload) {
    Log(reload.diagnostics);
    if (!reload.table) {
      spdlog::error("the policy was refused: {}", said_generation_ == 0
                                                      ? std::string("there is none in force")
                                                      : fmt::format("generation {} stays in force", said_generation_));
      return;
    }
    if (HasErrors(reload.diagnostics)) spdlog::warn("what was refused keeps its last good version");
    const std::uint64_t generation = reload.table->generation();
    if (generation == said_generation_) {
      spdlog::info("generation {} stays in force: the manifests come to the same", generation);
    } else {
      spdlog::info("generation {} -> {} in {:.3f} s: {}", std::exchange(said_generation_, generation), generation,
                   reload.seconds, reload.changes.empty() ? "sizes unchanged" : reload.changes);
    }
  }

  void TellManager() {
    const auto now = std::chrono::steady_clock::now();
    if (now - manager_told_ < kTellManager) return;
    manager_told_ = now;
    manager_.SayStatus(StatusLine());
    if (workers_.AllWentRound(*plane_)) ServiceManager::SayAlive();
  }

  std::string StatusLine() const {
    const auto table = intake_->store().table();
    if (!table->has_policy())
      return config_.pipeline.fail_closed ? "no policy yet: all IP is dropped" : "no policy yet";
    const IntakeStatus status = intake_->status();
    std::string line = "generation " + std::to_string(table->generation()) + " from " + status.source + ": " +
                       std::to_string(table->stats().rules) + " rules, " + std::to_string(table->stats().addresses) +
                       " addresses";
    if (!policy_->has_paths()) line += status.sender_connected ? "; sender connected" : "; no sender";
    return line;
  }

  // A full state is logged as news; its updates only at level debug.
  void SayWhatWasPushed() {
    const IntakeStatus status = intake_->status();
    if (status.source != "push") return;
    const auto table = intake_->store().table();
    if (table->generation() == said_generation_) return;
    spdlog::log(status.state_id == said_state_ ? spdlog::level::debug : spdlog::level::info,
                "generation {} -> {} by sender '{}': {} rules, {} addresses", said_generation_, table->generation(),
                status.sender, table->stats().rules, table->stats().addresses);
    said_generation_ = table->generation();
    said_state_ = status.state_id;
  }

  // The next packet or the sweep cuts flows, so the count comes after the swap.
  void SayWhatWasCut() {
    const std::uint64_t cut = FlowsCut(*plane_);
    if (cut == flows_cut_) return;
    spdlog::info("generation {}: {} live flows cut", intake_->store().table()->generation(), cut - flows_cut_);
    flows_cut_ = cut;
  }

  // Says once that there are some; status and metrics say how many.
  void SayOfTunnels() {
    if (tunnels_told_ || Encapsulated(*plane_) == 0) return;
    tunnels_told_ = true;
    const bool refuses = config_.pipeline.encapsulation == Encapsulation::kRefuse;
    spdlog::warn(
        "tunnels between nodes cross the wire, and what is in them is not read: {}; to filter pods' packets, stand "
        "before "
        "they are encapsulated (--wire hooks)",
        refuses ? "they are dropped (encapsulated)" : "they pass (encapsulation: pass)");
  }

  // Says what is staged for which policies, and why it is not judged by. It does not repeat the same text.
  void SayOfStaged() {
    const auto refused = intake_->store().staged_refused();
    const std::string why = refused ? LogText(*refused) : "";
    const std::uint64_t since_ns = staged_->totals().since_unix_ns;
    if (std::exchange(staged_refused_, why) != why && !why.empty()) {
      spdlog::error("what is staged is not judged by: {}; what is in force stays", why);
    }
    if (std::exchange(staged_since_ns_, since_ns) == since_ns) return;
    if (since_ns == 0) return spdlog::info("nothing is staged any more");
    const std::size_t staged = intake_->store().StagedCount();
    spdlog::info(
        "{} staged: traffic is judged by what is staged, too, and nothing of it is enforced (sluicectl staged)",
        staged == 1 ? "a change of 1 policy is" : fmt::format("changes of {} policies are", staged));
  }

  // The file that keeps learnt names.
  std::string NamesFile() const { return config_.state.empty() ? "" : config_.state + "/names"; }
  // The file that keeps what staged policies would change.
  std::string StagedFile() const { return config_.state.empty() ? "" : config_.state + "/staged.json"; }

  void PrintSummary() {
    const std::uint64_t published_ns = intake_->status().published_unix_ns;
    const auto age = std::chrono::seconds((UnixNowNs() - published_ns) / 1'000'000'000);
    const std::lock_guard lock(plane_mutex_);
    std::fputs(Summary(*plane_, age).c_str(), stderr);
    if (flow_log_) std::fputs(FlowLogSummary(flow_log_->Counts()).c_str(), stderr);
  }

  Config config_;
  TlsFiles tls_;
  const Signals signals_{SIGTERM, SIGINT, SIGHUP, SIGUSR1};
  std::mutex plane_mutex_;  // protects plane_ while several threads publish, watch, read or stop
  // The intake and the flow log are destroyed after the workers, which write into them.
  WorkerGrace names_grace_;
  NameStore learnt_names_{&names_grace_};
  std::unique_ptr<PolicyIntake> intake_;
  std::unique_ptr<StoreNames> names_;
  std::unique_ptr<StagedLedger> staged_;
  std::unique_ptr<FlowLog> flow_log_;
  std::vector<std::unique_ptr<CaptureRing>> capture_rings_;  // by worker
  LearnAnswers learn_answers_{learnt_names_};
  std::unique_ptr<Dataplane> plane_;
  std::unique_ptr<DnsListener> dns_;  // destroyed before the workers whose rings it reads
  std::unique_ptr<TrustedResolvers> resolvers_;
  std::unique_ptr<NamespaceLock> filter_lock_;
  std::unique_ptr<Carrier> carrier_;
  std::unique_ptr<PolicyKeeper> policy_;
  std::unique_ptr<NameKeeper> name_keeper_;
  std::unique_ptr<PolicyService> service_;
  std::unique_ptr<PlaneView> view_;
  std::unique_ptr<ObserveService> observe_;
  std::unique_ptr<NamesService> names_service_;
  std::unique_ptr<CaptureService> capture_;
  std::unique_ptr<ApiServer> server_;
  std::unique_ptr<Monitor> monitor_;
  std::unique_ptr<PageSite> page_;
  std::unique_ptr<HttpServer> http_;  // declared after what it reads
  ServiceManager manager_;
  WorkerWatch workers_;
  std::chrono::steady_clock::time_point manager_told_;
  std::uint64_t said_generation_ = 0;
  std::uint64_t said_state_ = 0;
  std::uint64_t flows_cut_ = 0;
  std::uint64_t staged_since_ns_ = 0;
  std::string staged_refused_;
  bool tunnels_told_ = false;
};

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  sluice::Config config;
  if (const auto code = sluice::ReadCommandLine(argc, argv, config)) return *code;
  sluice::SetUpLog(sluice::LevelOf(config.log_level));
  return sluice::Daemon(std::move(config)).Run();
}
