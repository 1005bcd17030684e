// sluice-sync: keeps dataplanes in step with a Kubernetes cluster, or with a folder of manifests. This file is its main
// thread: it reads the source into the feed. One pusher thread for each target does the rest.
#include <grpc/support/log.h>
#include <limits.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "certificate/tls_files.h"
#include "common/log.h"
#include "common/service_manager.h"
#include "common/signals.h"
#include "http/http_server.h"
#include "kube/kube_source.h"
#include "kube/kubeconfig.h"
#include "manifest/source.h"
#include "push/policy_feed.h"
#include "push/pusher.h"
#include "push/stall.h"
#include "sluice-sync/cluster_follower.h"
#include "sluice-sync/local_pods.h"
#include "sluice-sync/metrics.h"
#include "sluice-sync/plugin_calls.h"
#include "sluice-sync/plugin_server.h"
#include "sluice-sync/policy_statuses.h"
#include "sluice-sync/settings.h"
#include "sluice-sync/staged_folder.h"
#include "sluice/log_text.h"

namespace sluice {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kTick(200);  // the interval for signals and pushers' reports
constexpr std::chrono::seconds kTell(1);         // the interval for gauges and the watchdog
constexpr std::chrono::seconds kConflicts(10);
constexpr std::chrono::seconds kAway(60);   // a dataplane that is away longer is not counted in a status
constexpr std::chrono::seconds kHangs(60);  // a main loop that takes longer counts as dead

void SetUpLogs(const std::string& level) {
  SetUpLog(spdlog::level::from_str(level));
  // What matters of gRPC's log comes back as the status of a call.
  gpr_set_log_function([](gpr_log_func_args* line) { spdlog::debug("gRPC: {}", line->message); });
}

// Identifies this process among all that may write status.
std::string OwnIdentity() {
  char host[HOST_NAME_MAX + 1] = {};
  gethostname(host, sizeof host - 1);
  return fmt::format("{}_{:08x}", host, std::random_device()());
}

// Keeps pushers' reports for the main thread, and counts them.
class Reports : public PushObserver {
 public:
  struct Refusal {
    std::string target;
    Diagnostic what;
    bool held = false;
  };

  explicit Reports(Metrics& metrics) : metrics_(metrics) {}

  void OnApplied(const std::string& target, const AppliedBatch& batch) override {
    metrics_.ObserveApplied(target, batch);
    TellWhetherKept(target, batch.not_kept);
    const auto level = batch.full ? spdlog::level::info : spdlog::level::debug;
    if (!spdlog::should_log(level)) return;
    const auto ms = [](std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e6; };
    std::string since;
    if (const std::int64_t oldest_ns = batch.changes.oldest_ns(); oldest_ns != 0) {
      since = fmt::format(", live {:.3f} ms after it was heard of",
                          ms(std::chrono::nanoseconds(batch.live_ns - oldest_ns)));
    }
    spdlog::log(level,
                "{}: {} applied, generation {}{} (sent and answered in {:.3f} ms: decode {:.3f}, compile {:.3f}, "
                "publish {:.3f})",
                target, batch.full ? "full state" : "update", batch.generation, since, ms(batch.sending),
                ms(batch.decoding), ms(batch.compiling), ms(batch.publishing));
  }
  void OnRefused(const std::string& target, const Diagnostic& refusal, bool held) override {
    metrics_.CountRefusedBatch(target);
    spdlog::error(
        "{}: refused: {}; {}", target, LogText(refusal),
        held ? "all else goes on, and the pods that it selects are isolated" : "what is in force there stays");
    const std::lock_guard lock(mutex_);
    refusals_.push_back({target, refusal, held});
  }
  void OnOlder(const std::string& target, const std::string& message) override {
    spdlog::warn("{}: {}", target, message);
  }
  void OnConnected(const std::string& target) override { spdlog::info("{}: connected", target); }
  void OnTrouble(const std::string& target, const std::string& message) override {
    spdlog::warn("{}: {}; what is in force there stays, and we try again", target, message);
  }

  std::vector<Refusal> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(refusals_, {});
  }

 private:
  // Called by each target's thread. Does not repeat what it said for the batch before.
  void TellWhetherKept(const std::string& target, const std::string& why) {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(not_kept_[target], why) == why) return;
    }
    if (why.empty()) return spdlog::info("{}: policy is kept there again", target);
    spdlog::warn("{}: policy is in force there and not kept: {}", target, why);
  }

  Metrics& metrics_;
  std::mutex mutex_;
  std::map<std::string, std::string> not_kept_;  // by target: the answer to its last batch
  std::vector<Refusal> refusals_;
};

class Daemon {
 public:
  explicit Daemon(SyncSettings settings)
      : settings_(std::move(settings)),
        metrics_(settings_.targets),
        reports_(metrics_),
        stalls_([](bool stalls, std::string_view line) {
          spdlog::log(stalls ? spdlog::level::err : spdlog::level::info, "{}", line);
        }),
        tls_({settings_.security.certificate, settings_.security.key, settings_.security.ca}) {}

  int Run() {
    if (const auto error = tls_.Open()) {
      spdlog::error("{}", *error);
      return kExitFailed;
    }
    Diagnostics diagnostics;
    std::optional<KubeAccess> access;
    if (settings_.manifests.empty()) {
      access = FindAccess({settings_.kubeconfig, settings_.context}, diagnostics);
      for (const Diagnostic& diagnostic : diagnostics) Log(diagnostic);
      if (!access) return kExitBadInput;
    }
    if (!StartHttp()) return kExitFailed;
    StartPushers();
    if (!StartPluginServer()) return kExitFailed;
    access ? FollowApiServer(*access) : FollowManifests();
    ServiceManager::SayStopping();
    spdlog::info("ending; what is in force in the dataplanes stays");
    http_.reset();
    plugin_server_.reset();
    pushers_.clear();
    return kExitFine;
  }

 private:
  bool StartHttp() {
    if (settings_.http.empty()) return true;
    std::string error;
    const auto dead = [this] {
      return std::string(Clock::now().time_since_epoch() - last_tick_.load() < kHangs ? "" : "the main loop hangs");
    };
    http_ = HttpServer::Start(
        settings_.http,
        {dead, [this] { return Unready(); }, [this] { return MetricsText(); }, [this] { return HeldBack(); }}, error);
    if (!http_) spdlog::error("{}", error);
    return http_ != nullptr;
  }

  void StartPushers() {
    PushOptions options;
    options.sender = "sluice-sync" + (settings_.node.empty() ? "" : '/' + settings_.node);
    options.node = settings_.node;
    options.security = settings_.security;
    options.security.certificate = tls_.copies().certificate;
    options.security.key = tls_.copies().key;
    options.security.ca = tls_.copies().ca;
    for (const std::string& target : settings_.targets) {
      if (!target.starts_with("unix:") && settings_.security.certificate.empty()) {
        spdlog::warn("INSECURE: policy travels to {} without TLS", target);
      }
      pushers_.push_back(std::make_unique<Pusher>(feed_, target, options, reports_));
    }
    pushers_started_ = true;
  }

  bool StartPluginServer() {
    if (settings_.socket.empty()) return true;
    std::string error;
    plugin_server_ = PluginServer::Start(
        settings_.socket, [this](const std::string& request) { return plugin_calls_.Answer(request); }, error);
    if (!plugin_server_) spdlog::error("socket: {}", error);
    return plugin_server_ != nullptr;
  }

  LocalPods* local_pods() { return settings_.socket.empty() ? nullptr : &local_pods_; }

  // Any thread.
  std::string Unready() const {
    if (!synced_) return "the source was not read whole yet";
    return pushers_started_ ? Lacking() : "starting";
  }

  // Any thread, once pushers have started.
  std::string Lacking() const {
    for (const auto& pusher : pushers_) {
      if (auto stall = DescribeStall(pusher->target(), pusher->health(), Clock::now())) return *std::move(stall);
      if (!pusher->health().in_step) return pusher->target() + " is not in step";
    }
    return "";
  }

  // Any thread. Returns policies that targets refused, one line each; if there are many, the first of each target.
  std::vector<std::string> HeldBack() const {
    constexpr std::size_t kMostListed = 20;
    std::vector<std::string> lines;
    if (!pushers_started_) return lines;
    for (const auto& pusher : pushers_) {
      const HeldReasons::Reasons reasons = pusher->health().held_reasons.Get();
      std::size_t listed = 0;
      for (const auto& [policy, why] : reasons) {
        if (listed++ == kMostListed) {
          lines.push_back(pusher->target() + ": " + std::to_string(reasons.size() - kMostListed) +
                          " more are held back");
          break;
        }
        lines.push_back(pusher->target() + ": policy " + policy + " is held back: " + why);
      }
    }
    return lines;
  }

  // Any thread. Values that grow with time are computed now, so that they grow even if the main loop hangs.
  std::string MetricsText() {
    if (pushers_started_) {
      for (const auto& pusher : pushers_) metrics_.SetBehind(*pusher);
    }
    return metrics_.Text();
  }

  void FollowApiServer(const KubeAccess& access) {
    KubeOptions options;
    options.events.host = settings_.node;
    options.statuses.types = PolicyStatuses::Types();
    options.statuses.lease.holder = OwnIdentity();
    options.reports.node = settings_.node;
    if (!settings_.node.empty()) {
      // Each node has such a process, so it asks seldom.
      options.statuses.lease.duration = std::chrono::seconds(90);
      options.statuses.lease.interval = std::chrono::seconds(30);
    }
    KubeSource* poster = nullptr;
    PolicyStatuses statuses(
        [&poster](const EventSubject& subject, const ObjectStatus& status) { poster->WantStatus(subject, status); },
        [&poster](Resource resource, const std::string& name) { poster->ForgetStatus(resource, name); });
    KubeFollower follower(
        feed_,
        [&](const EventSubject& subject, const Diagnostics& diagnostics) {
          metrics_.CountRefused(std::string(InfoOf(subject.resource).kind));
          for (const Diagnostic& diagnostic : diagnostics) {
            Log(diagnostic);
            if (diagnostic.severity != Severity::kError || subject.name.empty()) continue;
            poster->PostEvent(subject, "Refused",
                              (diagnostic.field.empty() ? "" : diagnostic.field + ": ") + diagnostic.message);
          }
        },
        [&](const EventSubject& subject, const Diagnostics& diagnostics) {
          for (const Diagnostic& diagnostic : diagnostics) {
            Log(diagnostic);
            poster->PostEvent(subject, "PartiallyInvalid", diagnostic.field + ": " + diagnostic.message);
          }
        },
        local_pods(), &statuses);
    KubeSource source(access, options, follower);
    StagedFolder staged(settings_.staged, feed_, [this](const Diagnostics& diagnostics) { LogRead(diagnostics); });
    poster = &source;
    spdlog::info("following {} ({})", access.server.url, access.origin);
    while (signals_.Take() == 0) {
      source.Poll(kTick);
      if (source.synced()) {
        staged.Look();
        feed_.Publish();
        synced_ = true;
      }
      for (const Reports::Refusal& refusal : reports_.Take()) PostRefusal(refusal, follower, source, statuses);
      Tick([&] {
        for (const Resource resource : kResources) {
          metrics_.SetSource(resource, follower.objects(resource), source.health(resource));
        }
        for (const Resource resource : kOptionalResources) {
          if (source.watches(resource)) {
            metrics_.SetSource(resource, follower.objects(resource), source.health(resource));
          }
        }
        metrics_.SetEvents(source.event_health());
        metrics_.SetStatuses(source.status_health());
        if (synced_) TellStatuses(follower, source, statuses);
      });
    }
  }

  // This node's report says what is in force here. The process that holds the Lease reads all reports, and only that
  // process writes statuses.
  void TellStatuses(const KubeFollower& follower, KubeSource& source, PolicyStatuses& statuses) {
    const std::vector<std::uint64_t> in_force = InForce();
    if (!settings_.node.empty())
      source.reports().Publish(statuses.Report(in_force), follower.UidOfNode(settings_.node));
    source.reports().Read(source.statuses().leads());
    const bool all_known = source.statuses().leads() && source.reports().known();
    if (all_known) statuses.Look(Clock::now(), in_force, source.reports().Others(Clock::now()));
    source.statuses().Compete(!statuses.empty(), all_known);
  }

  // If a dataplane refused a policy, the object says so, as for one that we refuse.
  void PostRefusal(const Reports::Refusal& refusal, const KubeFollower& follower, KubeSource& source,
                   PolicyStatuses& statuses) const {
    constexpr std::string_view kPolicy = "policy ";
    constexpr std::string_view kStaged = "staged policy ";
    const std::string& object = refusal.what.object;
    std::optional<EventSubject> subject;
    if (object.starts_with(kPolicy)) subject = follower.SubjectOfPolicy(object.substr(kPolicy.size()));
    if (object.starts_with(kStaged)) subject = follower.SubjectOfStaged(object.substr(kStaged.size()));
    if (!subject) return;
    const std::string why = (refusal.what.field.empty() ? "" : refusal.what.field + ": ") + refusal.what.message;
    const std::string node = settings_.node.empty() ? "" : "node " + settings_.node + ", ";
    source.PostEvent(*subject, "RefusedByDataplane", node + refusal.target + ": " + why);
    statuses.SeeRefusal(*subject, why);
  }

  // Returns each dataplane's revision of the feed. One that is away keeps its policy, but we cannot tell for how long.
  std::vector<std::uint64_t> InForce() {
    const auto now = Clock::now();
    std::vector<std::uint64_t> revisions;
    for (const auto& pusher : pushers_) {
      auto& [known_at, known] = known_in_force_[pusher->target()];
      if (const std::uint64_t revision = pusher->in_force(); revision != 0) {
        known_at = now;
        known = revision;
      }
      revisions.push_back(now - known_at < kAway ? known : 0);
    }
    return revisions;
  }

  // For files.
  void LogRead(const Diagnostics& diagnostics) {
    for (const Diagnostic& diagnostic : diagnostics) {
      Log(diagnostic);
      if (diagnostic.severity == Severity::kError) {
        metrics_.CountRefused(diagnostic.object.substr(0, diagnostic.object.find(' ')));
      }
    }
  }

  void FollowManifests() {
    ManifestFollower follower(feed_, local_pods());
    ManifestSource source(settings_.manifests);
    StagedFolder staged(settings_.staged, feed_, [this](const Diagnostics& diagnostics) { LogRead(diagnostics); });
    ChangeTime heard;  // of the first load: the first state is no change
    const auto load = [&] {
      const Manifests manifests = source.Load();
      LogRead(manifests.diagnostics);
      // Without unreadable files, a first state could open what is closed. Later, their old content stays in force.
      if (!synced_ && !settings_.skip_broken_manifests && !manifests.unread.empty()) {
        spdlog::error(
            "nothing is pushed until it can be read whom {} {} to bind (or with "
            "--skip-broken-manifests); what dataplanes hold stays in force",
            manifests.unread.front(),
            manifests.unread.size() == 1 ? "is" : "and " + std::to_string(manifests.unread.size() - 1) + " more are");
        return;
      }
      const Cluster& cluster = manifests.cluster;
      spdlog::log(synced_ ? spdlog::level::debug : spdlog::level::info,
                  "manifests are read: {} namespaces, {} nodes, {} pods, {} policies", cluster.namespaces.size(),
                  cluster.nodes.size(), cluster.pods.size(), cluster.policies.size() + cluster.cluster_policies.size());
      follower.Follow(cluster, heard);
      staged.Look();
      feed_.Publish();
      synced_ = true;
    };
    load();
    while (signals_.Take() == 0) {
      const int timeout_ms = source.TimeoutMs();
      const auto most_ms = static_cast<int>(kTick.count());
      pollfd wait[] = {{signals_.fd(), POLLIN, 0}, {source.fd(), POLLIN, 0}};
      poll(wait, std::size(wait), timeout_ms < 0 ? most_ms : std::min(timeout_ms, most_ms));
      if (source.ConsumeEvents()) {
        heard = ChangeTime::Now();
        load();
      }
      if (synced_ && staged.Look()) feed_.Publish();
      reports_.Take();  // there is no object to post them on
      Tick([&] {
        for (const Resource resource : kResources) metrics_.SetSource(resource, follower.objects(resource));
      });
    }
  }

  // Tells systemd: ready, once a full state is in force somewhere; and how many dataplanes hold it, if that changes.
  void SayReady() {
    const auto in_step = std::count_if(pushers_.begin(), pushers_.end(),
                                       [](const auto& pusher) { return pusher->health().in_step.load(); });
    std::string status = "waiting for the source to be read whole";
    if (synced_) status = std::to_string(in_step) + " of " + std::to_string(pushers_.size()) + " dataplanes in step";
    manager_.SayStatus(status);
    if (in_step > 0 && !std::exchange(said_ready_, true)) ServiceManager::SayReady();
  }

  // Once a second: reports the state.
  template <typename SetSources>
  void Tick(SetSources set_sources) {
    const auto now = Clock::now();
    last_tick_ = now.time_since_epoch();
    SayReady();
    if (now - told_ < kTell) return;
    told_ = now;
    set_sources();
    for (const auto& pusher : pushers_) {
      metrics_.SetTarget(*pusher);
      stalls_.Look(pusher->target(), pusher->health(), now);
    }
    if (const auto news = tls_.Look()) {
      LogNews(news->severity, news->text);
    }
    if (const std::int64_t ends_unix_s = tls_.certificate_ends_unix_s(); ends_unix_s != 0) {
      metrics_.SetCertificate(tls_.names().certificate, ends_unix_s);
    }
    ServiceManager::SayAlive();
    if (now - conflicts_told_ < kConflicts) return;
    conflicts_told_ = now;
    std::set<std::string> conflicts;
    for (const Diagnostic& conflict : feed_.Conflicts()) {
      const std::string text = conflict.ToString();
      if (!conflicts_.contains(text)) Log(conflict);
      conflicts.insert(text);
    }
    conflicts_ = std::move(conflicts);
  }

  const SyncSettings settings_;
  const Signals signals_{SIGTERM, SIGINT};
  Metrics metrics_;
  PolicyFeed feed_;
  LocalPods local_pods_{settings_.node};
  PluginCalls plugin_calls_{feed_, local_pods_, [this] { return Lacking(); }};
  Reports reports_;
  StallTeller stalls_;
  TlsFiles tls_;
  std::vector<std::unique_ptr<Pusher>> pushers_;
  std::map<std::string, std::pair<Clock::time_point, std::uint64_t>> known_in_force_;  // by target
  std::atomic<bool> pushers_started_ = false;
  std::atomic<bool> synced_ = false;
  std::atomic<Clock::duration> last_tick_ = Clock::now().time_since_epoch();
  ServiceManager manager_;
  bool said_ready_ = false;
  Clock::time_point told_;
  Clock::time_point conflicts_told_;
  std::set<std::string> conflicts_;              // conflicts that were reported
  std::unique_ptr<PluginServer> plugin_server_;  // the last members: they read the others
  std::unique_ptr<HttpServer> http_;
};

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  sluice::SyncSettings settings;
  if (const auto code = sluice::ReadCommandLine(argc, argv, settings)) return *code;
  sluice::SetUpLogs(settings.log_level);
  return sluice::Daemon(std::move(settings)).Run();
}
