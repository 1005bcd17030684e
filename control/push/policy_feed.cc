#include "push/policy_feed.h"

#include <algorithm>
#include <utility>

namespace sluice {

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

void PolicyFeed::Change(const ChangeTime& time, const std::function<void(ClusterResolver&)>& change) {
  const std::lock_guard lock(mutex_);
  change(resolver_);
  for (Receiver* receiver : receivers_) {
    if (!receiver->oldest_ && receiver->view_->HasChanges()) receiver->oldest_ = time;
  }
}

void PolicyFeed::Publish() {
  const std::lock_guard lock(mutex_);
  const bool first = !std::exchange(published_, true);
  for (Receiver* receiver : receivers_) {
    if (first || receiver->view_->HasChanges()) receiver->wake_();
  }
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

ResolvedPolicy PolicyFeed::Receiver::Full(ChangeTime* time) {
  const std::lock_guard lock(feed_.mutex_);
  *time = std::exchange(oldest_, std::nullopt).value_or(ChangeTime{});
  return view_->Full();
}

std::optional<PolicyUpdate> PolicyFeed::Receiver::TakeChanges(ChangeTime* time) {
  const std::lock_guard lock(feed_.mutex_);
  *time = std::exchange(oldest_, std::nullopt).value_or(ChangeTime{});
  PolicyUpdate update = view_->TakeChanges();
  if (IsEmpty(update)) return std::nullopt;
  return update;
}

}  // namespace sluice
