// A benchmark rig for a wire (RFC 2544, 26.1 and 26.2): sends prepared frames at an exact rate into one of two ports
// (or both), receives what the device under test makes of them, and counts. testpmd cannot send at a rate over memif,
// so the search for the highest rate without loss, and the latency at half of it, are this program's.
//
// Usage: line_bench a=DEV b=DEV contender=NAME [flows=1000] [family=4] [protocol=udp] [bytes=64 | bytes=0: IMIX]
//                   [both=0] [seconds=0.1] [steps=6] [checksums=0]
// With checksums=1 each frame's are right, which costs the rig some of its speed; a filter that forwards frames as they
// are does not look at them.
// DEV is a DPDK device string. The other end must be there, or come within 20 s.
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "arguments.h"
#include "measure.h"
#include "start.h"
#include "traffic.h"

namespace sluice {
namespace {

constexpr std::uint16_t kBurst = 32;
constexpr std::uint16_t kRing = 1024;
constexpr std::uint32_t kMostBehind = 512;  // packets; what this rig itself was late for is not sent, and not counted
constexpr std::size_t kStamp = sizeof(std::uint64_t);
constexpr std::size_t kBins = 16 * 20'000;  // of 1/16 us

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "line_bench: %s\n", what.c_str());
  std::exit(1);
}

struct Trial {
  double seconds = 0;
  std::uint64_t sent = 0;     // what the wire took
  std::uint64_t refused = 0;  // what was due and found the wire full
  std::uint64_t received = 0;

  double Sent() const { return static_cast<double>(sent) / seconds; }
  double Received() const { return static_cast<double>(received) / seconds; }
  std::uint64_t lost() const { return refused + (sent > received ? sent - received : 0); }
};

class Rig {
 public:
  explicit Rig(const Arguments& arguments);

  // Both directions of every flow, gently.
  void Establish();
  // `rate` 0: as fast as the wire takes it, where nothing is refused. `stamp`: fill the histogram.
  Trial Send(double rate, double seconds, bool stamp);
  double Microseconds(double share) const;

 private:
  static constexpr std::uint16_t kPorts = 2;

  struct Direction {
    std::array<rte_mbuf*, kBurst> frames{};
    PacketKind kind = PacketKind::kRequest;
    std::uint32_t next = 0;
  };

  std::uint16_t Open(const std::string& device);
  void WaitForPeers() const;
  std::uint16_t Transmit(std::uint16_t side, std::uint16_t count, bool stamp);
  std::uint32_t Receive(bool stamp);
  void Drain();

  FrameShape shape_;
  bool imix_;
  bool both_;
  bool checksums_;
  rte_mempool* pool_ = nullptr;
  std::array<std::uint16_t, kPorts> port_{};
  std::array<Direction, kPorts> directions_;
  std::vector<FlowTuple> flows_;
  std::vector<std::uint32_t> latencies_ = std::vector<std::uint32_t>(kBins);
  std::uint64_t last_look_ = 0;   // when the rig last looked at its ports
  std::uint64_t away_until_ = 0;  // it was descheduled; what was sent before says nothing of the device's latency
  double bins_a_clock_ = 0;
};

Rig::Rig(const Arguments& arguments)
    : shape_(ShapeOf(arguments)),
      imix_(shape_.bytes == 0),
      both_(arguments.Number("both", 0) != 0),
      checksums_(arguments.Number("checksums", 0) != 0) {
  const Traffic traffic = TrafficOf(arguments);
  for (std::uint32_t i = 0; i < arguments.Number("flows", 1000); ++i) flows_.push_back(traffic.Flow(i));
  pool_ = rte_pktmbuf_pool_create("line", 16383, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (pool_ == nullptr) Fail("no memory for packet buffers");
  port_ = {Open(arguments.Text("a", "")), Open(arguments.Text("b", ""))};
  WaitForPeers();
  bins_a_clock_ = 16e6 / static_cast<double>(rte_get_tsc_hz());
  // IMIX: 7 x 64, 4 x 570, 1 x 1518 in 12.
  constexpr std::uint16_t kImix[12] = {64, 570, 64, 64, 570, 64, 1518, 64, 570, 64, 570, 64};
  for (std::uint16_t side = 0; side < kPorts; ++side) {
    directions_[side].kind = side == 0 ? PacketKind::kRequest : PacketKind::kReply;
    for (std::uint16_t i = 0; i < kBurst; ++i) {
      rte_mbuf* frame = rte_pktmbuf_alloc(pool_);
      FrameShape shape = shape_;
      if (imix_) shape.bytes = kImix[i % 12];
      frame->data_len = WriteFrame(shape, flows_[0], directions_[side].kind, rte_pktmbuf_mtod(frame, std::uint8_t*));
      frame->pkt_len = frame->data_len;
      directions_[side].frames[i] = frame;
    }
  }
}

std::uint16_t Rig::Open(const std::string& device) {
  if (rte_dev_probe(device.c_str()) != 0) Fail("device '" + device + "' cannot be made");
  std::uint16_t port = 0;
  if (rte_eth_dev_get_port_by_name(device.substr(0, device.find(',')).c_str(), &port) != 0) Fail("no port " + device);
  rte_eth_conf conf{};
  if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 || rte_eth_rx_queue_setup(port, 0, kRing, 0, nullptr, pool_) != 0 ||
      rte_eth_tx_queue_setup(port, 0, kRing, 0, nullptr) != 0 || rte_eth_dev_start(port) != 0) {
    Fail("device '" + device + "' does not start");
  }
  rte_eth_promiscuous_enable(port);
  return port;
}

void Rig::WaitForPeers() const {
  for (const std::uint16_t port : port_) {
    rte_eth_link link{};
    for (int i = 0; rte_eth_link_get_nowait(port, &link) != 0 || link.link_status != RTE_ETH_LINK_UP; ++i) {
      if (i == 2000) Fail("nobody came to the other end within 20 s");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
}

// The frames stay ours: each has a reference more than the driver gives back.
std::uint16_t Rig::Transmit(std::uint16_t side, std::uint16_t count, bool stamp) {
  Direction& direction = directions_[side];
  const std::uint64_t now = stamp ? Clocks() : 0;
  std::uint32_t next = direction.next;
  for (std::uint16_t i = 0; i < count; ++i) {
    rte_mbuf* frame = direction.frames[i];
    auto* bytes = rte_pktmbuf_mtod(frame, std::uint8_t*);
    if (checksums_) {
      WriteFrame(shape_, flows_[next], direction.kind, bytes);
    } else {
      Readdress(shape_.family, flows_[next], direction.kind, bytes);
    }
    next = next + 1 == flows_.size() ? 0 : next + 1;
    if (stamp) std::memcpy(bytes + frame->data_len - kStamp, &now, kStamp);
    rte_mbuf_refcnt_set(frame, 2);
  }
  const std::uint16_t sent = rte_eth_tx_burst(port_[side], 0, direction.frames.data(), count);
  direction.next = static_cast<std::uint32_t>((direction.next + std::uint64_t{sent}) % flows_.size());
  return sent;
}

std::uint32_t Rig::Receive(bool stamp) {
  std::uint32_t received = 0;
  for (std::uint16_t side = 0; side < kPorts; ++side) {
    rte_mbuf* frames[2 * kBurst];
    const std::uint16_t count = rte_eth_rx_burst(port_[side], 0, frames, 2 * kBurst);
    if (count == 0) continue;
    received += count;
    if (stamp) {
      const std::uint64_t now = Clocks();
      for (std::uint16_t i = 0; i < count; ++i) {
        std::uint64_t sent = 0;
        std::memcpy(&sent, rte_pktmbuf_mtod(frames[i], std::uint8_t*) + frames[i]->data_len - kStamp, kStamp);
        if (sent < away_until_) continue;
        const auto bin = static_cast<std::size_t>(static_cast<double>(now - sent) * bins_a_clock_);
        ++latencies_[std::min(bin, kBins - 1)];
      }
    }
    rte_pktmbuf_free_bulk(frames, count);
  }
  return received;
}

void Rig::Drain() {
  const double end = static_cast<double>(Clocks()) + 0.02 * static_cast<double>(rte_get_tsc_hz());
  while (static_cast<double>(Clocks()) < end) Receive(false);
}

void Rig::Establish() {
  for (std::uint16_t turn = 0; turn < 2; ++turn) {
    for (Direction& direction : directions_) direction.next = 0;
    for (std::size_t flow = 0; flow < flows_.size(); flow += kBurst) {
      const auto count = static_cast<std::uint16_t>(std::min<std::size_t>(kBurst, flows_.size() - flow));
      for (std::uint16_t sent = 0; sent < count;) {
        sent = static_cast<std::uint16_t>(sent + Transmit(turn, static_cast<std::uint16_t>(count - sent), false));
        Receive(false);
      }
    }
    Drain();
  }
  for (Direction& direction : directions_) direction.next = 0;
}

Trial Rig::Send(double rate, double seconds, bool stamp) {
  Drain();
  std::fill(latencies_.begin(), latencies_.end(), 0);
  const auto hz = static_cast<double>(rte_get_tsc_hz());
  const std::uint16_t sides = both_ ? 2 : 1;
  const double clocks_a_packet = rate > 0 ? hz / rate * sides : 0;
  const std::uint64_t start = Clocks();
  const std::uint64_t end = start + static_cast<std::uint64_t>(seconds * hz);
  std::array<double, kPorts> next_due{};
  next_due.fill(static_cast<double>(start));
  away_until_ = 0;
  last_look_ = start;
  Trial trial;
  for (std::uint64_t now = start; now < end; now = Clocks()) {
    if (static_cast<double>(now - last_look_) > 20e-6 * hz) away_until_ = now;
    last_look_ = now;
    for (std::uint16_t side = 0; side < sides; ++side) {
      std::uint16_t count = kBurst;
      if (rate > 0) {
        const double behind = (static_cast<double>(now) - next_due[side]) / clocks_a_packet;
        if (behind < 1) continue;
        if (behind > kMostBehind) next_due[side] += (behind - kMostBehind) * clocks_a_packet;
        count = static_cast<std::uint16_t>(std::min<double>(behind, kBurst));
        next_due[side] += count * clocks_a_packet;
      }
      const std::uint16_t sent = Transmit(side, count, stamp);
      trial.sent += sent;
      if (rate > 0) trial.refused += static_cast<std::uint64_t>(count - sent);
    }
    trial.received += Receive(stamp);
  }
  trial.seconds = static_cast<double>(Clocks() - start) / hz;
  const std::uint64_t drained = Clocks() + static_cast<std::uint64_t>(0.02 * hz);
  while (Clocks() < drained) trial.received += Receive(stamp);
  return trial;
}

double Rig::Microseconds(double share) const {
  std::uint64_t all = 0, below = 0;
  for (const std::uint32_t bin : latencies_) all += bin;
  for (std::size_t i = 0; i < kBins; ++i) {
    below += latencies_[i];
    if (static_cast<double>(below) >= share * static_cast<double>(all)) return static_cast<double>(i + 1) / 16;
  }
  return kBins / 16.0;
}

// The highest rate at which one of a few trials loses nothing: a trial in which somebody took the core away says
// nothing of the device.
double ZeroLossRate(Rig& rig, double most, double seconds, std::uint32_t steps) {
  constexpr int kTrials = 5;
  double low = 0, high = 1.02 * most;
  double best = 0;
  for (std::uint32_t step = 0; step < steps; ++step) {
    const double rate = step == 0 ? 0.97 * most : (low + high) / 2;
    bool holds = false;
    for (int trial = 0; trial < kTrials && !holds; ++trial) {
      const Trial result = rig.Send(rate, seconds, false);
      holds = result.lost() == 0;
      if (holds) best = std::max(best, result.Sent());
    }
    (holds ? low : high) = rate;
  }
  return best;
}

int Run(const Arguments& arguments) {
  Rig rig(arguments);
  rig.Establish();
  const double seconds = arguments.Real("seconds", 0.1);
  const Trial flat_out = rig.Send(0, seconds, false);
  const double zero_loss = ZeroLossRate(rig, flat_out.Received(), seconds, arguments.Number("steps", 6));
  const Trial half = rig.Send(std::max(zero_loss / 2, 1000.0), 4 * seconds, true);
  const auto line = [&] {
    Result result("line", arguments.Text("contender", ""));
    result.Number("flows", arguments.Number("flows", 1000))
        .Number("family", arguments.Number("family", 4))
        .Text("protocol", arguments.Text("protocol", "udp"))
        .Number("bytes", arguments.Number("bytes", 64))
        .Number("both", arguments.Number("both", 0));
    return result;
  };
  line().Values("flat_out_mpps", {flat_out.Received() / 1e6});
  line().Values("zero_loss_mpps", {zero_loss / 1e6});
  line().Values("latency_p50_us", {rig.Microseconds(0.5)});
  line().Values("latency_p99_us", {rig.Microseconds(0.99)});
  line().Values("latency_p999_us", {rig.Microseconds(0.999)});
  line().Values("lost_at_half", {static_cast<double>(half.lost())});
  return 0;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  const sluice::Arguments arguments("line_bench", argc, argv);
  if (!sluice::StartOnFirstCore("line_bench")) return 1;
  return sluice::Run(arguments);
}
