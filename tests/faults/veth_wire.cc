#include "faults/veth_wire.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "kube/process.h"
#include "support/packet_builder.h"

namespace sluice {
namespace {

constexpr std::chrono::microseconds kBetweenProbes(300);
constexpr std::uint16_t kGoingOnPort = 20000;  // the source port of flows that go on; others count from 30000
constexpr std::uint16_t kFirstNewPort = 30000;
constexpr std::uint16_t kNewPorts = 30000;

// What a probe carries.
struct Tag {
  std::uint64_t magic;
  std::uint64_t kind;
  std::int64_t sent_ns;
};
constexpr std::uint64_t kMagic = 0x736c75696365'0001;

constexpr std::size_t kUdpOffset = 14 + 20;
constexpr std::size_t kTagOffset = kUdpOffset + 8;

bool Ip(std::vector<std::string> words) {
  static const std::string kProgram = FindProgram("", "ip", "/sbin/ip");
  words.insert(words.begin(), kProgram);
  return RunCommand(words) == 0;
}

int OpenSocket(const std::string& interface, std::uint16_t ether_type) {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  EXPECT_GE(fd, 0) << std::strerror(errno);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ether_type);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << std::strerror(errno);
  return fd;
}

std::int64_t Nanoseconds(ProbeClock::time_point time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

}  // namespace

std::string EnterOwnNetwork() {
  if (unshare(CLONE_NEWNET) != 0) return std::string("no network namespace: ") + std::strerror(errno);
  return Ip({"link", "set", "lo", "up"}) ? "" : "its loopback cannot be set up (is iproute2 there?)";
}

VethWire::VethWire(const std::string& name) : name_(name) {
  for (int side = 0; side < 2; ++side) {
    const std::string near = name_ + std::to_string(side);
    EXPECT_TRUE(Ip({"link", "add", near, "type", "veth", "peer", "name", far_end(side)}));
    for (const std::string& end : {near, far_end(side)}) {
      std::ofstream("/proc/sys/net/ipv6/conf/" + end + "/disable_ipv6") << '1';  // it would send of its own
      EXPECT_TRUE(Ip({"link", "set", end, "up"}));
    }
  }
}

VethWire::~VethWire() {
  for (int side = 0; side < 2; ++side) Ip({"link", "del", name_ + std::to_string(side)});
}

Prober::Prober(const VethWire& wire, std::vector<ProbeKind> kinds, std::function<void(const Passage&)> passed)
    : kinds_(std::move(kinds)), passed_(std::move(passed)), came_(kinds_.size()) {
  for (const ProbeKind& kind : kinds_) {
    frames_.push_back(PacketBuilder()
                          .Ethernet()
                          .Ipv4(kind.source.ToString(), kind.destination.ToString())
                          .Udp(kGoingOnPort, kind.port)
                          .Payload(ByteVector(sizeof(Tag)))
                          .Bytes());
  }
  out_ = OpenSocket(wire.far_end(0), 0);
  in_ = OpenSocket(wire.far_end(1), ETH_P_IP);
  sender_ = std::thread([this] { Send(); });
  receiver_ = std::thread([this] { Receive(); });
}

Prober::~Prober() {
  stop_ = true;
  sender_.join();
  receiver_.join();
  close(out_);
  close(in_);
}

std::vector<std::uint64_t> Prober::Came() const {
  const std::lock_guard lock(mutex_);
  return came_;
}

void Prober::Send() {
  auto next = ProbeClock::now();
  for (std::uint64_t number = 0; !stop_; ++number) {
    const std::size_t kind = number % kinds_.size();
    std::vector<std::uint8_t>& frame = frames_[kind];
    const std::uint64_t round = number / kinds_.size();
    const std::uint16_t port =
        htons(round % 2 == 0 ? kGoingOnPort : static_cast<std::uint16_t>(kFirstNewPort + round % kNewPorts));
    std::memcpy(&frame[kUdpOffset], &port, sizeof port);
    const std::uint16_t no_checksum = 0;  // which IPv4 has for "not computed"
    std::memcpy(&frame[kUdpOffset + 6], &no_checksum, sizeof no_checksum);
    const Tag tag{kMagic, kind, Nanoseconds(ProbeClock::now())};
    std::memcpy(&frame[kTagOffset], &tag, sizeof tag);
    if (send(out_, frame.data(), frame.size(), MSG_DONTWAIT) > 0) ++sent_;
    next += kBetweenProbes;
    const auto now = ProbeClock::now();
    if (next < now) next = now;
    std::this_thread::sleep_until(next);
  }
}

void Prober::Receive() {
  while (!stop_) {
    pollfd wait{in_, POLLIN, 0};
    if (poll(&wait, 1, 20) <= 0) continue;
    std::uint8_t frame[2048];
    const ssize_t size = recv(in_, frame, sizeof frame, 0);
    if (size < static_cast<ssize_t>(kTagOffset + sizeof(Tag))) continue;
    Tag tag;
    std::memcpy(&tag, frame + kTagOffset, sizeof tag);
    if (tag.magic != kMagic || tag.kind >= kinds_.size()) continue;
    {
      const std::lock_guard lock(mutex_);
      ++came_[tag.kind];
    }
    const ProbeClock::time_point sent{
        std::chrono::duration_cast<ProbeClock::duration>(std::chrono::nanoseconds(tag.sent_ns))};
    passed_({tag.kind, sent, ProbeClock::now()});
  }
}

}  // namespace sluice
