// What a pusher tells, kept for a test to look at.
#ifndef SLUICE_TESTS_PUSH_OBSERVER_H_
#define SLUICE_TESTS_PUSH_OBSERVER_H_

#include <mutex>
#include <string>
#include <vector>

#include "push/pusher.h"

namespace sluice {

class RecordingObserver : public PushObserver {
 public:
  void OnApplied(const std::string&, const AppliedBatch& batch) override {
    const std::lock_guard lock(mutex_);
    applied_.push_back(batch);
  }
  void OnRefused(const std::string&, const Diagnostic& refusal, bool held) override {
    const std::lock_guard lock(mutex_);
    refused_.push_back(refusal.object + (held ? " held" : ""));
    reasons_.push_back(refusal.ToString());
  }
  void OnConnected(const std::string&) override {}
  void OnTrouble(const std::string&, const std::string& message) override {
    const std::lock_guard lock(mutex_);
    troubles_.push_back(message);
  }
  void OnOlder(const std::string&, const std::string& message) override {
    const std::lock_guard lock(mutex_);
    older_.push_back(message);
  }

  std::vector<AppliedBatch> applied() { return Copy(applied_); }
  std::vector<std::string> refused() { return Copy(refused_); }  // the objects
  std::vector<std::string> reasons() { return Copy(reasons_); }
  std::vector<std::string> troubles() { return Copy(troubles_); }
  std::vector<std::string> older() { return Copy(older_); }

 private:
  template <typename T>
  std::vector<T> Copy(const std::vector<T>& from) {
    const std::lock_guard lock(mutex_);
    return from;
  }

  std::mutex mutex_;
  std::vector<AppliedBatch> applied_;
  std::vector<std::string> refused_;
  std::vector<std::string> reasons_;
  std::vector<std::string> troubles_;
  std::vector<std::string> older_;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_PUSH_OBSERVER_H_
