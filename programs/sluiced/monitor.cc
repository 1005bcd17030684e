#include "sluiced/monitor.h"

#include <utility>

#include "api/silent_pods.h"

namespace sluice {
namespace {

// The control thread may take that long to open devices, or to free a large table.
constexpr std::chrono::seconds kControlHangs(30);
constexpr std::chrono::seconds kWorkerHangs(10);

}  // namespace

Monitor::Monitor(const PolicyIntake& intake, Settings settings)
    : intake_(intake),
      settings_(settings),
      start_unix_ns_(UnixNowNs()),
      turned_(Clock::now().time_since_epoch()),
      metrics_(settings.policies) {}

void Monitor::Turn(const Dataplane& plane) {
  Turn();
  const auto now = Clock::now();
  const std::lock_guard lock(rounds_mutex_);
  rounds_.resize(plane.workers().size(), {0, now});
  for (std::size_t i = 0; i < rounds_.size(); ++i) {
    const std::uint64_t count = plane.workers()[i]->counters().rounds.value();
    if (count != rounds_[i].count) rounds_[i] = {count, now};
  }
}

void Monitor::BeginTraffic(const DataplaneView& view, const DropFeed& drops) {
  const std::lock_guard lock(view_mutex_);
  view_ = &view;
  drops_ = &drops;
}

void Monitor::EndTraffic() {
  const std::lock_guard lock(view_mutex_);
  view_ = nullptr;
}

std::string Monitor::Dead() const {
  const auto now = Clock::now();
  if (now.time_since_epoch() - turned_.load() > kControlHangs) return "the control thread hangs";
  const std::lock_guard lock(rounds_mutex_);
  for (std::size_t i = 0; i < rounds_.size(); ++i) {
    // Measured from the control thread's last look, so that a late look makes no worker seem to hang.
    if (Clock::time_point(turned_.load()) - rounds_[i].since > kWorkerHangs) {
      return "worker " + std::to_string(i) + " hangs";
    }
  }
  return "";
}

std::string Monitor::Unready() const {
  {
    const std::shared_lock lock(view_mutex_);
    if (view_ == nullptr) return "no packets flow: it starts, or it ends";
  }
  if (intake_.store().table()->has_policy()) return "";
  return settings_.fail_closed ? "no policy yet: all IP is dropped" : "no policy yet: all is forwarded";
}

std::string Monitor::MetricsText() {
  MetricsInput input;
  input.version = SLUICE_VERSION;
  input.start_unix_ns = start_unix_ns_;
  input.table = intake_.store().table();
  input.is_in_force = [this](const std::string& policy) {
    return intake_.store().Read(
        [&](const ResolvedPolicy& in_force, const Table&) { return !in_force.sections.Find(policy).empty(); });
  };
  const IntakeStatus status = intake_.status();
  input.policy.published_unix_ns = status.published_unix_ns;
  input.policy.sender_heard_unix_ns = status.sender_heard_unix_ns;
  input.policy.has_sender = settings_.has_sender;
  input.policy.sender_connected = status.sender_connected;
  input.policy.kept = status.not_kept.empty();
  input.policy.refused = !status.last_refusal.empty();
  input.policy.large_removals = status.large_removals;
  const PolicySize size = intake_.store().size();
  input.policy.policies = size.policies;
  input.policy.endpoints = size.endpoints;
  input.limits = settings_.limits;
  input.steps = &intake_.steps();
  if (settings_.flow_log != nullptr) {
    input.flow_log = settings_.flow_log->Counts();
    if (const FlowHistory* history = settings_.flow_log->history()) input.history_lost = history->lost();
  }
  input.staged_policies = intake_.store().StagedCount();
  input.staged_refused = intake_.store().staged_refused().has_value();
  if (settings_.staged != nullptr) input.staged = settings_.staged->totals();
  if (input.staged.since_unix_ns != 0) {
    input.staged_silent_pods = FindSilentPods(intake_.store(), *settings_.staged).silent;
  }
  if (settings_.names != nullptr) {
    const NameCounters names = settings_.names->counters();
    input.names = {
        settings_.names->pattern_count(), names.names, names.pairs, names.learnt, names.lapsed, names.evicted};
  }
  input.certificate_end_unix_s = certificate_end_unix_s_;
  const std::shared_lock lock(view_mutex_);  // observations are valid as long as the view
  if (view_ != nullptr) {
    input.workers = view_->Workers();
    input.ports = view_->Ports();
    input.carried = view_->Carried();
    input.hook_drops = view_->DropsOfHooks();
    input.dns = view_->Dns();
    input.drops_not_shown = drops_->not_shown();
  }
  return metrics_.Text(input);
}

}  // namespace sluice
