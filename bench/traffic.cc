#include "traffic.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <string>
#include <utility>

namespace sluice {
namespace {

constexpr std::uint32_t kClients = 0x0a000000;
constexpr std::uint32_t kServers = 0x0b000000;
constexpr std::uint64_t kClientsV6 = 0xfd0000000000000a;
constexpr std::uint64_t kServersV6 = 0xfd0000000000000b;
constexpr std::uint16_t kFirstPort = 1000;
constexpr std::uint32_t kRulesEach = 10;
constexpr std::uint32_t kClientPorts = 60'000;
constexpr std::size_t kEthernet = 14;

void Put16(std::uint8_t* to, std::uint32_t value) {
  to[0] = static_cast<std::uint8_t>(value >> 8);
  to[1] = static_cast<std::uint8_t>(value);
}
void Put32(std::uint8_t* to, std::uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(to, &value, 4);
}
void PutV6(std::uint8_t* to, std::uint64_t hi, std::uint32_t lo) {
  const std::uint64_t wire_hi = __builtin_bswap64(hi), wire_lo = __builtin_bswap64(std::uint64_t{lo});
  std::memcpy(to, &wire_hi, 8);
  std::memcpy(to + 8, &wire_lo, 8);
}

std::uint32_t Sum(const std::uint8_t* bytes, std::size_t size, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i + 1 < size; i += 2) sum += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  if (size % 2 != 0) sum += static_cast<std::uint32_t>(bytes[size - 1] << 8);
  return sum;
}
std::uint16_t Fold(std::uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

bool IsServer(std::uint32_t address) { return address >> 24 == kServers >> 24; }

std::uint32_t Mix(std::uint32_t value) {
  value = (value ^ (value >> 16)) * 0x85ebca6bu;
  value = (value ^ (value >> 13)) * 0xc2b2ae35u;
  return value ^ (value >> 16);
}

}  // namespace

std::uint16_t WriteFrame(const FrameShape& shape, const FlowTuple& flow, PacketKind kind, std::uint8_t* frame) {
  const bool v4 = shape.family == Family::kIpv4;
  const std::size_t ip_bytes = v4 ? 20 : 40;
  const std::size_t l4_bytes = shape.protocol == kProtoTcp ? 20 : 8;
  const auto bytes = static_cast<std::uint16_t>(std::max<std::size_t>(shape.bytes, kEthernet + ip_bytes + l4_bytes));
  std::memset(frame, 0, bytes);
  frame[0] = frame[6] = 2;  // locally administered
  frame[5] = 2;
  frame[11] = 1;
  std::uint8_t* ip = frame + kEthernet;
  std::uint8_t* l4 = ip + ip_bytes;
  const std::size_t l4_length = bytes - kEthernet - ip_bytes;
  if (v4) {
    Put16(frame + 12, 0x0800);
    ip[0] = 0x45;
    Put16(ip + 2, static_cast<std::uint32_t>(bytes - kEthernet));
    ip[8] = 64;
    ip[9] = shape.protocol;
  } else {
    Put16(frame + 12, 0x86dd);
    ip[0] = 0x60;
    Put16(ip + 4, static_cast<std::uint32_t>(l4_length));
    ip[6] = shape.protocol;
    ip[7] = 64;
  }
  if (shape.protocol == kProtoTcp) {
    l4[12] = 0x50;
    l4[13] = shape.tcp_flags;
    Put16(l4 + 14, 0xffff);
  } else {
    Put16(l4 + 4, static_cast<std::uint32_t>(l4_length));
  }
  Readdress(shape.family, flow, kind, frame);
  if (v4) Put16(ip + 10, Fold(Sum(ip, 20)));
  const std::uint32_t pseudo = Sum(v4 ? ip + 12 : ip + 8, v4 ? 8 : 32) + shape.protocol;
  const std::uint16_t checksum = Fold(Sum(l4, l4_length, pseudo + static_cast<std::uint32_t>(l4_length)));
  Put16(l4 + (shape.protocol == kProtoTcp ? 16 : 6), checksum == 0 ? 0xffff : checksum);
  return bytes;
}

void Readdress(Family family, const FlowTuple& flow, PacketKind kind, std::uint8_t* frame) {
  std::uint32_t source = flow.client, destination = flow.server;
  std::uint16_t source_port = flow.client_port, destination_port = flow.server_port;
  if (kind == PacketKind::kReply) {
    std::swap(source, destination);
    std::swap(source_port, destination_port);
  }
  std::uint8_t* ip = frame + kEthernet;
  std::uint8_t* l4 = ip + 20;
  if (family == Family::kIpv4) {
    Put32(ip + 12, source);
    Put32(ip + 16, destination);
  } else {
    l4 = ip + 40;
    PutV6(ip + 8, IsServer(source) ? kServersV6 : kClientsV6, source);
    PutV6(ip + 24, IsServer(destination) ? kServersV6 : kClientsV6, destination);
  }
  Put16(l4, source_port);
  Put16(l4 + 2, destination_port);
}

Traffic::Traffic(std::uint32_t rules, std::uint32_t tuples, std::uint8_t protocol)
    : tuples_(tuples), protocol_(protocol) {
  const std::uint32_t each_side = std::max(rules / 2, 1u);
  sections_ = std::max(each_side / kRulesEach, 1u);
  if (sections_ >= 2 * kBlock) sections_ -= sections_ % kBlock;  // then each pod has a section of its own
  rules_ = each_side / sections_;
  pods_ = std::max(sections_, 4 * kBlock);
  if (sections_ >= 2 * kBlock) pods_ = sections_;
  blocks_ = pods_ / kBlock;
  more_ = each_side - rules_ * sections_;
}

// Shared sections admit the whole other side, by port; a pod's own admits one block a rule. Either way what a client's
// rule says of a server's block, that server's rule of the same number says of the client's.
Traffic::Peer Traffic::PeerOf(std::uint32_t section, std::uint32_t rule, Direction direction) const {
  const std::uint32_t form = tuples_ <= 1 ? 0 : Mix(section * 64 + rule) % tuples_;
  Peer peer;
  peer.first_port = peer.last_port = static_cast<std::uint16_t>(kFirstPort + rule);
  if (form >= 16) peer.last_port = static_cast<std::uint16_t>(peer.first_port + 1);
  if (sections_ < pods_) {
    peer.length = static_cast<std::uint8_t>(24 - form % 16);
    return peer;
  }
  const std::uint32_t block = section / kBlock;
  const std::uint32_t step = 7 * rule % blocks_;
  peer.block = direction == Direction::kIngress ? (block + step) % blocks_ : (block + blocks_ - step) % blocks_;
  peer.length = static_cast<std::uint8_t>(28 - form % 16);
  return peer;
}

std::vector<FlatRule> Traffic::FlatRules() const {
  std::vector<FlatRule> rules;
  for (const Direction direction : {Direction::kEgress, Direction::kIngress}) {
    const bool ingress = direction == Direction::kIngress;
    for (std::uint32_t section = 0; section < sections_; ++section) {
      for (std::uint32_t rule = 0; rule < rules_ + (section < more_ ? 1 : 0); ++rule) {
        const Peer peer = PeerOf(section, rule, direction);
        rules.push_back({direction, (ingress ? kServers : kClients) + section,
                         (ingress ? kClients : kServers) + peer.block * kBlock, peer.length, peer.first_port,
                         peer.last_port});
      }
    }
  }
  return rules;
}

ResolvedPolicy Traffic::Policy() const {
  ResolvedPolicy policy;
  std::map<std::pair<std::uint32_t, std::uint8_t>, GroupId> peers;
  const auto peer_group = [&](std::uint32_t address, std::uint8_t length) {
    const Prefix v4 = Prefix::Make(IpAddress::V4(address), length);
    const auto [place, is_new] = peers.try_emplace({v4.base.v4(), length}, policy.groups.size());
    if (is_new) {
      const Prefix v6 = Prefix::Make(IpAddress::V6(IsServer(address) ? kServersV6 : kClientsV6, address),
                                     static_cast<std::uint8_t>(96 + length));
      policy.groups.push_back({"cidr " + v4.ToString(), {{v4, {}}, {v6, {}}}});
    }
    return place->second;
  };
  // Subjects first: group s for the clients of section s, sections_ + s for the servers.
  for (std::uint32_t group = 0; group < 2 * sections_; ++group) {
    policy.groups.push_back({(group < sections_ ? "clients " : "servers ") + std::to_string(group % sections_), {}});
  }
  for (std::uint32_t pod = 0; pod < 2 * pods_; ++pod) {
    const bool server = pod >= pods_;
    const std::uint32_t number = pod % pods_;
    const std::uint32_t address = (server ? kServers : kClients) + number;
    Endpoint endpoint;
    endpoint.namespace_name = "default";
    endpoint.name = (server ? "server-" : "client-") + std::to_string(number);
    endpoint.addresses = {IpAddress::V4(address), IpAddress::V6(server ? kServersV6 : kClientsV6, address)};
    const std::uint32_t group = (server ? sections_ : 0) + number % sections_;
    endpoint.members = policy.member_sets.Intern(std::array{group});
    policy.endpoints.push_back(std::move(endpoint));
  }
  std::sort(policy.endpoints.begin(), policy.endpoints.end(),
            [](const Endpoint& a, const Endpoint& b) { return a.name < b.name; });
  for (const FlatRule& flat : FlatRules()) {
    const bool ingress = flat.direction == Direction::kIngress;
    const std::uint32_t number = flat.pod & 0xffffff;
    const GroupId subjects = (ingress ? sections_ : 0) + number;
    if (policy.sections.empty() || policy.sections.back().subjects != subjects) {
      Section section;
      section.policy = (ingress ? "default/server-" : "default/client-") + std::to_string(number);
      section.direction = flat.direction;
      section.subjects = subjects;
      policy.sections.push_back(std::move(section));
    }
    Section& section = policy.sections.back();
    Rule rule;
    rule.peers = peer_group(flat.peer, flat.peer_length);
    rule.any_port = false;
    rule.ports = {{protocol_, flat.first_port, flat.last_port}};
    rule.index = static_cast<std::int32_t>(section.rules.size());
    section.rules.push_back(std::move(rule));
  }
  policy.sections.Sort();
  return policy;
}

FlowTuple Traffic::Flow(std::uint64_t number) const {
  const auto server = static_cast<std::uint32_t>(number % pods_);
  number /= pods_;
  const auto rule = static_cast<std::uint32_t>(number % rules_);
  number /= rules_;
  const auto offset = static_cast<std::uint32_t>(number % kBlock);
  number /= kBlock;
  const std::uint32_t block = (server / kBlock + 7 * rule) % blocks_;
  return {kClients + block * kBlock + offset, kServers + server,
          static_cast<std::uint16_t>(1024 + number % kClientPorts), static_cast<std::uint16_t>(kFirstPort + rule)};
}

std::uint64_t Traffic::FlowLimit() const { return std::uint64_t{pods_} * rules_ * kBlock * kClientPorts; }

}  // namespace sluice
