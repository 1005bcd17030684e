// One `sluice-node run` for a network namespace. Any thread.
#ifndef SLUICE_PROGRAMS_SLUICE_NODE_RUN_LOCK_H_
#define SLUICE_PROGRAMS_SLUICE_NODE_RUN_LOCK_H_

namespace sluice {

class RunLock {
 public:
  RunLock();  // tries to take it
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  bool is_held() const { return held_; }

 private:
  int socket_ = -1;
  bool held_ = false;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICE_NODE_RUN_LOCK_H_
