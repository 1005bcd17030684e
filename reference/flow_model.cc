#include "reference/flow_model.h"

#include <utility>

#include "sluice/protocol.h"

namespace sluice::reference {
namespace {

Flow Reverse(const Flow& flow) {
  return {flow.destination, flow.source, flow.protocol, flow.destination_port, flow.source_port};
}

bool IsIcmpProtocol(std::uint8_t protocol) { return protocol == kProtoIcmp || protocol == kProtoIcmpv6; }

}  // namespace

// Both directions have one key. For ICMP, the asking end is part of the key: A asking B says nothing about B asking A.
FlowModel::Key FlowModel::KeyOf(const Packet& packet) {
  Point from{packet.flow.source, packet.flow.source_port}, to{packet.flow.destination, packet.flow.destination_port};
  const bool icmp = IsIcmpProtocol(packet.flow.protocol);
  if (icmp ? packet.act == Act::kAnswer : to < from) std::swap(from, to);
  return {from, to, packet.flow.protocol};
}

bool FlowModel::HasConnections(std::uint8_t protocol) { return protocol == kProtoTcp || protocol == kProtoSctp; }

bool FlowModel::IsConcerned(const Evaluator& policy, const Flow& flow, const Answer& answer) {
  return answer.exemption == Exemption::kNone &&
         (policy.FindPod(flow.source) != nullptr || policy.FindPod(flow.destination) != nullptr);
}

// An opening packet begins a new connection if the last one is over, was cut, was reset, or was only picked up.
bool FlowModel::MayBeginAnew(const Connection& connection, const Packet& packet) {
  if (!HasConnections(packet.flow.protocol) || packet.act != Act::kOpen) return false;
  return connection.was_cut || connection.over || connection.phase == Phase::kAborted ||
         connection.phase == Phase::kPickedUp;
}

// The end with the ephemeral port, if the other end's port is below
// 32,768; else the sender.
FlowModel::End FlowModel::Guess(const Packet& packet) {
  if (!HasConnections(packet.flow.protocol) || packet.act == Act::kOpen) return End::kOriginal;
  const bool other_is_ephemeral = packet.flow.destination_port >= 32768 && packet.flow.source_port < 32768;
  return other_is_ephemeral ? End::kOther : End::kOriginal;
}

std::uint64_t FlowModel::TimeoutMs(const Connection& connection) const {
  const auto seconds = [&]() -> std::uint64_t {
    switch (connection.original.protocol) {
      case kProtoTcp:
        if (connection.was_cut) return times_.tcp_unacknowledged;
        if (connection.phase == Phase::kAborted) return times_.tcp_close;
        if (connection.phase == Phase::kPickedUp) return times_.tcp_unacknowledged;
        if (connection.phase == Phase::kOpening || connection.phase == Phase::kBothOpening) return times_.tcp_syn_sent;
        if (connection.phase == Phase::kAnswered) return times_.tcp_syn_recv;
        if (connection.over) return times_.tcp_time_wait;
        if (connection.closed[0] && connection.closed[1]) return times_.tcp_last_ack;
        if (connection.close_seen) return times_.tcp_close_wait;
        if (connection.closed[0] || connection.closed[1]) return times_.tcp_fin_wait;
        return times_.tcp_established;
      case kProtoSctp:
        if (connection.was_cut) return times_.sctp_established;
        if (connection.phase == Phase::kAborted) return times_.sctp_closed;
        if (connection.phase == Phase::kPickedUp) return times_.sctp_heartbeat_sent;
        if (connection.phase == Phase::kOpening || connection.phase == Phase::kAnswered) return times_.sctp_cookie_wait;
        if (connection.phase == Phase::kBothOpening) return times_.sctp_cookie_echoed;
        return times_.sctp_established;
      case kProtoUdp:
        return connection.answered || connection.was_cut ? times_.udp_stream : times_.udp;
      case kProtoIcmp:
      case kProtoIcmpv6:
        return times_.icmp;
      default:
        return times_.generic;
    }
  }();
  return seconds * 1000;
}

bool FlowModel::IsOver(const Connection& connection, std::uint64_t now_ms) const {
  return now_ms - connection.last_ms > TimeoutMs(connection);
}

Verdict FlowModel::Judge(const Evaluator& policy, const Packet& packet, std::uint64_t now_ms) {
  auto found = connections_.find(KeyOf(packet));
  if (found != connections_.end() && IsOver(found->second, now_ms)) {
    connections_.erase(found);
    found = connections_.end();
  }
  if (found == connections_.end()) return Open(policy, packet, Guess(packet), now_ms);
  Connection& connection = found->second;
  if (MayBeginAnew(connection, packet)) {
    // A new connection replaces the old one only if policy admits it.
    Verdict verdict = Open(policy, packet, End::kOriginal, now_ms);
    if (verdict.fate != Fate::kForward && connection.was_cut) connection.last_ms = now_ms;
    if (verdict.fate == Fate::kForward && verdict.standing == Standing::kNone) connections_.erase(KeyOf(packet));
    return verdict;
  }
  const bool same_end = packet.flow.source == connection.original.source &&
                        packet.flow.source_port == connection.original.source_port &&
                        !(IsIcmpProtocol(packet.flow.protocol) && packet.act == Act::kAnswer);
  const End speaker = same_end ? End::kOriginal : End::kOther;
  const Answer answer = policy.Evaluate(connection.original);
  if (answer.allow && !IsConcerned(policy, connection.original, answer)) {
    connections_.erase(found);
    return Open(policy, packet, Guess(packet), now_ms);
  }
  if (connection.was_cut || !answer.allow) {
    if (!connection.was_cut) ++cut_;
    const bool ends = connection.was_cut && answer.allow && speaker == End::kOriginal;
    connection.was_cut = true;
    connection.last_ms = now_ms;
    if (!ends) return {Fate::kFlowCut, Standing::kNone, answer};
    return Open(policy, packet, End::kOriginal, now_ms);
  }
  Advance(connection, packet, speaker);
  connection.last_ms = now_ms;
  const Standing standing = speaker == End::kOther ? Standing::kReply
                            : connection.answered  ? Standing::kEstablished
                                                   : Standing::kNew;
  return {Fate::kForward, standing, answer};
}

// `speaker`: the end of the connection that the packet is assumed to come from.
Verdict FlowModel::Open(const Evaluator& policy, const Packet& packet, End speaker, std::uint64_t now_ms) {
  const Flow original = speaker == End::kOriginal ? packet.flow : Reverse(packet.flow);
  const Answer answer = policy.Evaluate(original);
  const bool concerned = IsConcerned(policy, original, answer);
  if (answer.allow && !concerned) return {Fate::kForward, Standing::kNone, answer};
  if (strict_ && concerned && packet.flow.protocol == kProtoTcp && packet.act != Act::kOpen) {
    return {Fate::kTcpNoSyn, Standing::kNone, answer};
  }
  if (!answer.allow) return {Fate::kPolicyDenied, Standing::kNone, answer};
  if (IsIcmpProtocol(packet.flow.protocol) && packet.act == Act::kAnswer) {
    return {Fate::kForward, Standing::kNone, answer};
  }
  Connection connection;
  connection.original = original;
  connection.last_ms = now_ms;
  Begin(connection, packet, speaker);
  connections_[KeyOf(packet)] = connection;
  return {Fate::kForward, Standing::kNew, answer};
}

void FlowModel::Begin(Connection& connection, const Packet& packet, End speaker) {
  connection.first = connection.heard = speaker;
  if (!HasConnections(packet.flow.protocol)) return;
  if (packet.act == Act::kOpen) {
    connection.phase = Phase::kOpening;
    return;
  }
  connection.phase = Phase::kPickedUp;
  if (packet.act != Act::kData && packet.act != Act::kAnswer && packet.act != Act::kConfirmed) {
    Advance(connection, packet, speaker);
  }
}

void FlowModel::Advance(Connection& connection, const Packet& packet, End speaker) {
  const Connection before = connection;
  if (packet.flow.protocol == kProtoTcp) {
    AdvanceTcp(connection, packet.act, speaker);
  } else if (packet.flow.protocol == kProtoSctp) {
    AdvanceSctp(connection, packet.act, speaker);
  } else {
    connection.answered = connection.answered || speaker == End::kOther;
    return;
  }
  // An end takes part when its packet changes the state of the connection. A refusal does not count.
  const bool moved = connection.phase != before.phase || connection.over != before.over ||
                     connection.close_seen != before.close_seen || connection.closed[0] != before.closed[0] ||
                     connection.closed[1] != before.closed[1];
  const bool refusal =
      connection.phase == Phase::kAborted && (packet.flow.protocol == kProtoSctp || connection.heard == End::kOther);
  if (moved && speaker != connection.first && !refusal) connection.answered = true;
}

void FlowModel::AdvanceTcp(Connection& connection, Act act, End speaker) {
  const auto self = static_cast<std::size_t>(speaker), other = 1 - self;
  if (connection.phase == Phase::kAborted) {
    // An end that goes on after its own reset did not send it: the connection is like one picked up from that end.
    if (act == Act::kData && speaker == connection.heard) {
      connection.phase = Phase::kPickedUp;
      connection.closed[0] = connection.closed[1] = connection.close_seen = connection.over = false;
    }
    return;
  }
  if (act == Act::kAbort) {
    connection.phase = Phase::kAborted;
    connection.heard = speaker;
    return;
  }
  switch (connection.phase) {
    case Phase::kOpening:
      if (speaker == End::kOther && act == Act::kOpen) connection.phase = Phase::kBothOpening;
      if (speaker == End::kOther && act == Act::kAnswer) connection.phase = Phase::kAnswered;
      return;
    case Phase::kBothOpening:
      if (act == Act::kAnswer) connection.phase = Phase::kAnswered;
      return;
    case Phase::kAnswered:
      if (act == Act::kData && speaker == End::kOriginal) connection.phase = Phase::kUp;
      break;
    case Phase::kPickedUp:
      if (act == Act::kData && speaker != connection.heard) connection.phase = Phase::kUp;
      break;
    case Phase::kUp:
      if (connection.over) return;
      if (act == Act::kData && connection.closed[0] && connection.closed[1]) {
        connection.over = true;
      } else if (act == Act::kData && connection.closed[other] && !connection.closed[self]) {
        connection.close_seen = true;
      }
      break;
    case Phase::kAborted:
      return;
  }
  if (act == Act::kClose && !connection.closed[self]) {
    connection.phase = Phase::kUp;
    connection.closed[self] = true;
  }
}

void FlowModel::AdvanceSctp(Connection& connection, Act act, End speaker) {
  if (connection.phase == Phase::kAborted) return;
  if (act == Act::kAbort) {
    connection.phase = Phase::kAborted;
    return;
  }
  const bool original = speaker == End::kOriginal;
  switch (connection.phase) {
    case Phase::kOpening:
      if (original && act == Act::kConfirm) connection.phase = Phase::kBothOpening;
      if (!original && act == Act::kAnswer) connection.phase = Phase::kAnswered;
      return;
    case Phase::kAnswered:
      if (original && act == Act::kConfirm) connection.phase = Phase::kBothOpening;
      return;
    case Phase::kBothOpening:  // the cookie was echoed
      if (!original && act == Act::kConfirmed) connection.phase = Phase::kUp;
      return;
    case Phase::kPickedUp:
      if (original && act == Act::kConfirm) {
        connection.phase = Phase::kBothOpening;
      } else if (act == Act::kData || (!original && act == Act::kConfirmed)) {
        if (speaker != connection.first) connection.phase = Phase::kUp;
      }
      return;
    default:
      return;
  }
}

void FlowModel::Sweep(const Evaluator& policy, std::uint64_t now_ms) {
  for (auto next = connections_.begin(); next != connections_.end();) {
    const auto current = next++;
    Connection& connection = current->second;
    if (IsOver(connection, now_ms)) {
      connections_.erase(current);
      continue;
    }
    if (connection.was_cut) continue;
    const Answer answer = policy.Evaluate(connection.original);
    if (answer.allow && !IsConcerned(policy, connection.original, answer)) {
      connections_.erase(current);
    } else if (!answer.allow) {
      connection.was_cut = true;
      connection.last_ms = now_ms;
      ++cut_;
    }
  }
}

}  // namespace sluice::reference
