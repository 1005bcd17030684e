// A wire of kernel interfaces for a running sluiced, in a network namespace of the test's own, and a prober that sends
// frames into one end of it all the while and hears what comes out of the other.
#ifndef SLUICE_TESTS_FAULTS_VETH_WIRE_H_
#define SLUICE_TESTS_FAULTS_VETH_WIRE_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "sluice/address.h"

namespace sluice {

// Puts this process, which must have one thread, into a network namespace of its own, where there is a loopback. Empty,
// or why it cannot.
std::string EnterOwnNetwork();

// Two veth pairs: sluiced opens NAME0 and NAME1, the prober their far ends.
class VethWire {
 public:
  explicit VethWire(const std::string& name);
  ~VethWire();
  VethWire(const VethWire&) = delete;
  VethWire& operator=(const VethWire&) = delete;

  // As sluiced's --wire takes it.
  std::string wire() const { return "af_packet:" + name_ + "0,af_packet:" + name_ + "1"; }
  std::string far_end(int side) const { return name_ + "far" + std::to_string(side); }

 private:
  const std::string name_;
};

using ProbeClock = std::chrono::steady_clock;

// One UDP packet of a kind, which is an index into what the prober was given.
struct Passage {
  std::size_t kind = 0;
  ProbeClock::time_point sent;  // taken before it was sent
  ProbeClock::time_point came;  // taken after it came
};

struct ProbeKind {
  IpAddress source;
  IpAddress destination;
  std::uint16_t port = 0;
};

// Sends packets of all kinds in turn, half of them of flows that go on, half of new ones.
class Prober {
 public:
  // `passed` is called in the prober's thread for each packet that came through.
  Prober(const VethWire& wire, std::vector<ProbeKind> kinds, std::function<void(const Passage&)> passed);
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  std::uint64_t sent() const { return sent_; }
  // How many packets of each kind came so far.
  std::vector<std::uint64_t> Came() const;
  std::size_t kinds() const { return kinds_.size(); }

 private:
  void Send();
  void Receive();

  const std::vector<ProbeKind> kinds_;
  const std::function<void(const Passage&)> passed_;
  std::vector<std::vector<std::uint8_t>> frames_;  // a template each
  int out_ = -1;
  int in_ = -1;
  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> sent_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::uint64_t> came_;
  std::thread sender_;
  std::thread receiver_;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_FAULTS_VETH_WIRE_H_
