// The reference for flows: what happens to each packet of a sequence, while policy and time change.
//
// Written from what the documents say about connections (docs/semantics.md, NP-04, NP-60, NP-61, NP-80;
// docs/operating.md, "Connections"), as a story for each connection: which end spoke, closed, and when. It is slow on
// purpose: every packet has policy evaluated again, and it remembers only what a reader of the documents would write
// down. It shares no code with the filter, so that a mistake in the filter cannot hide in it.
//
// One thread. Memory grows with the number of connections.
#ifndef SLUICE_REFERENCE_FLOW_MODEL_H_
#define SLUICE_REFERENCE_FLOW_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "reference/evaluate.h"

namespace sluice::reference {

// What a packet does to its connection. TCP: kOpen is a SYN, kAnswer a SYN+ACK, kClose a FIN, kAbort a RST. SCTP:
// INIT, INIT ACK, COOKIE ECHO (kConfirm), COOKIE ACK (kConfirmed), ABORT. ICMP: kData is a query, kAnswer its reply.
// All other packets: kData.
enum class Act : std::uint8_t { kData, kOpen, kAnswer, kConfirm, kConfirmed, kClose, kAbort };

struct Packet {
  Flow flow;  // with the packet's own ends; ICMP: the identifier is both ports
  Act act = Act::kData;
};

enum class Fate : std::uint8_t { kForward, kPolicyDenied, kFlowCut, kTcpNoSyn };
enum class Standing : std::uint8_t { kNone, kNew, kEstablished, kReply };

struct Verdict {
  Fate fate = Fate::kForward;
  Standing standing = Standing::kNone;
  Answer answer;  // policy's answer for the first packet of the connection
};

// Seconds.
struct FlowTimes {
  std::uint32_t tcp_syn_sent = 120, tcp_syn_recv = 60, tcp_established = 432000, tcp_fin_wait = 120,
                tcp_close_wait = 60, tcp_last_ack = 30, tcp_time_wait = 120, tcp_close = 10, tcp_unacknowledged = 300;
  std::uint32_t sctp_cookie_wait = 3, sctp_cookie_echoed = 3, sctp_established = 210, sctp_closed = 10,
                sctp_heartbeat_sent = 30;
  std::uint32_t udp = 30, udp_stream = 120, icmp = 30, generic = 600;
};

class FlowModel {
 public:
  explicit FlowModel(bool tcp_strict, FlowTimes times = {}) : strict_(tcp_strict), times_(times) {}

  // `now_ms` never goes back.
  Verdict Judge(const Evaluator& policy, const Packet& packet, std::uint64_t now_ms);
  // Looks at every connection: ends those that are over, and cuts those that policy denies now.
  void Sweep(const Evaluator& policy, std::uint64_t now_ms);
  // As a restart does, forgets all connections.
  void Clear() { connections_.clear(); }

  std::size_t size() const { return connections_.size(); }
  std::uint64_t cut() const { return cut_; }

 private:
  enum class End : std::uint8_t { kOriginal = 0, kOther = 1 };
  enum class Phase : std::uint8_t { kOpening, kBothOpening, kAnswered, kPickedUp, kUp, kAborted };
  struct Connection {
    Flow original;  // from the end that opened it
    End first = End::kOriginal;
    Phase phase = Phase::kUp;
    bool answered = false;            // both ends took part
    bool closed[2] = {false, false};  // TCP: by a FIN of that end
    bool close_seen = false;          // ... and the other end acknowledged it
    bool over = false;                // ... both ends did
    End heard = End::kOriginal;       // if picked up: the only end heard; if aborted: the end that aborted
    bool was_cut = false;
    std::uint64_t last_ms = 0;
  };
  using Point = std::pair<IpAddress, std::uint16_t>;
  using Key = std::tuple<Point, Point, std::uint8_t>;

  static Key KeyOf(const Packet& packet);
  static bool HasConnections(std::uint8_t protocol);
  static bool IsConcerned(const Evaluator& policy, const Flow& flow, const Answer& answer);
  static bool MayBeginAnew(const Connection& connection, const Packet& packet);
  static End Guess(const Packet& packet);
  std::uint64_t TimeoutMs(const Connection& connection) const;
  bool IsOver(const Connection& connection, std::uint64_t now_ms) const;
  Verdict Open(const Evaluator& policy, const Packet& packet, End speaker, std::uint64_t now_ms);
  static void Begin(Connection& connection, const Packet& packet, End speaker);
  static void Advance(Connection& connection, const Packet& packet, End speaker);
  static void AdvanceTcp(Connection& connection, Act act, End speaker);
  static void AdvanceSctp(Connection& connection, Act act, End speaker);

  bool strict_;
  FlowTimes times_;
  std::map<Key, Connection> connections_;
  std::uint64_t cut_ = 0;
};

}  // namespace sluice::reference

#endif  // SLUICE_REFERENCE_FLOW_MODEL_H_
