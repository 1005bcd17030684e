// The traffic that benchmarks measure with, and the policy that admits it. Everything is a function of a few numbers,
// so that any program, and any contender, gets the same.
//
// Clients in 10.0.0.0/8 ask servers in 11.0.0.0/8 (IPv6: the same numbers under fd00:0:0:a:: and fd00:0:0:b::). Half of
// the rules bind servers (ingress), half clients (egress); each is {pod /32, peer CIDR, protocol, port}.
#ifndef SLUICE_BENCH_TRAFFIC_H_
#define SLUICE_BENCH_TRAFFIC_H_

#include <cstdint>
#include <vector>

#include "sluice/address.h"
#include "sluice/protocol.h"
#include "sluice/resolved_policy.h"

namespace sluice {

// One flow. In IPv6 the addresses are the lower 32 bits.
struct FlowTuple {
  std::uint32_t client = 0;
  std::uint32_t server = 0;
  std::uint16_t client_port = 0;
  std::uint16_t server_port = 0;
};

// {pod /32, peer CIDR, protocol, ports}: what other classifiers are given for the same rules.
struct FlatRule {
  Direction direction = Direction::kIngress;  // the pod is the packet's destination, or its source
  std::uint32_t pod = 0;
  std::uint32_t peer = 0;
  std::uint8_t peer_length = 0;
  std::uint16_t first_port = 0;
  std::uint16_t last_port = 0;
};

enum class PacketKind : std::uint8_t { kRequest, kReply };

struct FrameShape {
  Family family = Family::kIpv4;
  std::uint8_t protocol = kProtoUdp;  // or kProtoTcp
  std::uint16_t bytes = 64;           // without the checksum; raised to what the headers need
  std::uint8_t tcp_flags = 0x10;      // ACK
};

// Writes a whole frame with right lengths and checksums; returns its bytes.
std::uint16_t WriteFrame(const FrameShape& shape, const FlowTuple& flow, PacketKind kind, std::uint8_t* frame);

// Puts another flow's addresses and ports into such a frame; checksums stay as they were.
void Readdress(Family family, const FlowTuple& flow, PacketKind kind, std::uint8_t* frame);

class Traffic {
 public:
  // `rules` in all (at least 2), whose peers and ports come in `tuples` (1 to 32) combinations of prefix length and
  // port form.
  explicit Traffic(std::uint32_t rules, std::uint32_t tuples = 1, std::uint8_t protocol = kProtoUdp);

  ResolvedPolicy Policy() const;
  std::vector<FlatRule> FlatRules() const;

  // The flow of this number; distinct for distinct numbers below FlowLimit(), and admitted by the policy.
  FlowTuple Flow(std::uint64_t number) const;
  std::uint64_t FlowLimit() const;

  std::uint32_t pods_a_side() const { return pods_; }

 private:
  static constexpr std::uint32_t kBlock = 16;  // pods in a /28, the narrowest peer

  struct Peer {
    std::uint32_t block = 0;
    std::uint8_t length = 28;
    std::uint16_t first_port = 0;
    std::uint16_t last_port = 0;
  };
  Peer PeerOf(std::uint32_t section, std::uint32_t rule, Direction direction) const;

  std::uint32_t sections_;  // a direction; pods share them in turn where there are fewer than pods
  std::uint32_t rules_;     // a section; the first more_ of a direction have another
  std::uint32_t more_ = 0;
  std::uint32_t pods_;  // a side
  std::uint32_t blocks_;
  std::uint32_t tuples_;
  std::uint8_t protocol_;
};

}  // namespace sluice

#endif  // SLUICE_BENCH_TRAFFIC_H_
