#include "push/policy_feed.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace sluice {

ChangeTime ChangeTime::Now() {
  return {0, std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1)};
}

void ChangeTimes::Add(const ChangeTime& time, std::uint64_t changes) {
  if (time.received_ns == 0) return;
  if (!entries_.empty() && (entries_.size() == kMost || entries_.back().time == time)) {
    entries_.back().changes += changes;
  } else {
    entries_.push_back({time, changes});
  }
}

void ChangeTimes::Append(const ChangeTimes& later) {
  for (const Entry& entry : later.entries_) Add(entry.time, entry.changes);
}

PolicyFeed::Receiver::Receiver(PolicyFeed& feed, const std::string& node, Wake wake)
    : feed_(feed), wake_(std::move(wake)), view_(feed.resolver_.MakeView(node)) {}

PolicyFeed::Receiver::~Receiver() {
  const std::lock_guard lock(feed_.mutex_);
  std::erase(feed_.receivers_, this);
  view_.reset();
}

std::unique_ptr<PolicyFeed::Receiver> PolicyFeed::MakeReceiver(const std::string& node, Wake wake) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Receiver> receiver(new Receiver(*this, node, std::move(wake)));
  receivers_.push_back(receiver.get());
  if (published_) receiver->wake_();
  return receiver;
}

std::uint64_t PolicyFeed::Change(const ChangeTime& time, const std::function<void(ClusterResolver&)>& change) {
  const std::lock_guard lock(mutex_);
  change(resolver_);
  ++revision_;
  for (Receiver* receiver : receivers_) {
    const std::uint64_t heard = receiver->view_->heard();
    if (std::exchange(receiver->heard_, heard) == heard) continue;
    receiver->times_.Add(time);
    ++receiver->concerned_;
    if (receiver->first_untaken_ == 0) receiver->first_untaken_ = revision_;
  }
  changed_.notify_all();
  return revision_;
}

void PolicyFeed::Publish() {
  const std::lock_guard lock(mutex_);
  const bool first = !std::exchange(published_, true);
  for (Receiver* receiver : receivers_) {
    if (first || receiver->view_->HasChanges()) receiver->wake_();
  }
  if (first) changed_.notify_all();
}

bool PolicyFeed::Await(std::chrono::steady_clock::time_point deadline, const std::function<bool()>& done) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline, [&] { return published_ && done(); });
}

bool PolicyFeed::AwaitInForce(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  std::vector<std::pair<const Receiver*, std::uint64_t>> wanted;
  for (const Receiver* receiver : receivers_) wanted.emplace_back(receiver, receiver->concerned_);
  const auto holds = [this](const auto& one) {
    const bool is_there = std::find(receivers_.begin(), receivers_.end(), one.first) != receivers_.end();
    return is_there && one.first->in_force_ >= one.second;
  };
  return changed_.wait_until(lock, deadline, [&] { return std::all_of(wanted.begin(), wanted.end(), holds); });
}

Diagnostics PolicyFeed::Conflicts() const {
  const std::lock_guard lock(mutex_);
  return resolver_.Conflicts();
}

bool PolicyFeed::Receiver::HasNews() const {
  const std::lock_guard lock(feed_.mutex_);
  return feed_.published_ && (view_->FullDue() || view_->HasChanges());
}

bool PolicyFeed::Receiver::FullDue() const {
  const std::lock_guard lock(feed_.mutex_);
  return view_->FullDue();
}

ResolvedPolicy PolicyFeed::Receiver::Full(ChangeTimes* times) {
  const std::lock_guard lock(feed_.mutex_);
  *times = std::exchange(times_, {});
  NoteTaken();
  return view_->Full();
}

void PolicyFeed::Receiver::PrepareForChanges() {
  const std::lock_guard lock(feed_.mutex_);
  feed_.resolver_.PrepareForChanges();
}

std::optional<PolicyUpdate> PolicyFeed::Receiver::TakeChanges(ChangeTimes* times) {
  const std::lock_guard lock(feed_.mutex_);
  *times = std::exchange(times_, {});
  PolicyUpdate update = view_->TakeChanges();
  NoteTaken();
  if (IsEmpty(update)) return std::nullopt;
  return update;
}

void PolicyFeed::Receiver::NoteTaken() {
  taken_ = concerned_;
  const std::uint64_t first = std::exchange(first_untaken_, 0);
  if (first_unconfirmed_ == 0) first_unconfirmed_ = first;
}

void PolicyFeed::Receiver::Confirm() {
  const std::lock_guard lock(feed_.mutex_);
  in_force_ = taken_;
  first_unconfirmed_ = 0;
  feed_.changed_.notify_all();
}

void PolicyFeed::Receiver::Doubt() {
  const std::lock_guard lock(feed_.mutex_);
  in_force_ = 0;
}

std::uint64_t PolicyFeed::Receiver::revision_in_force() const {
  const std::lock_guard lock(feed_.mutex_);
  if (in_force_ == 0) return 0;
  const std::uint64_t first_missing = first_unconfirmed_ != 0 ? first_unconfirmed_ : first_untaken_;
  return first_missing != 0 ? first_missing - 1 : feed_.revision_;
}

}  // namespace sluice
