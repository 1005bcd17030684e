#include "dns/answer_watcher.h"

#include "core/tcp_flags.h"
#include "sluice/protocol.h"

namespace sluice {

void AnswerWatcher::Meet(const DnsPacket& packet, std::span<const std::uint8_t> bytes) {
  const DnsEnds ends{packet.is_from_resolver ? packet.destination : packet.source,
                     packet.is_from_resolver ? packet.source : packet.destination, packet.protocol};
  packet.protocol == kProtoTcp ? MeetSegment(packet, ends, bytes) : MeetMessage(packet, ends, bytes);
}

void AnswerWatcher::MeetMessage(const DnsPacket& packet, const DnsEnds& ends, std::span<const std::uint8_t> bytes) {
  packet.is_from_resolver ? MeetAnswer(packet, ends, bytes) : MeetQuery(packet, ends, bytes);
}

void AnswerWatcher::MeetQuery(const DnsPacket& packet, const DnsEnds& ends, std::span<const std::uint8_t> bytes) {
  DnsQuestion question;
  switch (DnsReader::ReadQuery(bytes, question)) {
    case DnsReading::kRead:
      counters_.queries.Add(1);
      open_.Add(ends, question, packet.time_ns);
      counters_.displaced.Add(open_.displaced() - counters_.displaced.value());
      break;
    case DnsReading::kMalformed:
      counters_.malformed.Add(1);
      break;
    default:
      break;
  }
}

void AnswerWatcher::MeetAnswer(const DnsPacket& packet, const DnsEnds& ends, std::span<const std::uint8_t> bytes) {
  DnsQuestion question;
  const DnsReading reading = DnsReader::ReadResponse(bytes, question);
  if (reading == DnsReading::kOther) return;
  if (reading == DnsReading::kMalformed) return counters_.malformed.Add(1);
  if (!open_.Take(ends, question, packet.time_ns)) return counters_.spoofed.Add(1);
  if (reading == DnsReading::kTruncated) return counters_.truncated.Add(1);
  if (reader_.ReadAnswer(bytes, question) != DnsReading::kRead) return counters_.malformed.Add(1);
  counters_.answers.Add(1);
  if (reader_.answer().addresses.empty()) return;
  if (sink_.Learn(reader_.answer(), ends.resolver.address, packet.time_ns) != 0) counters_.learnt.Add(1);
}

void AnswerWatcher::MeetSegment(const DnsPacket& packet, const DnsEnds& ends, std::span<const std::uint8_t> bytes) {
  const auto known = by_ends_.find(ends);
  if ((packet.tcp_flags & kFlagRst) != 0) {
    if (known != by_ends_.end()) EndConnection(known->second);
    return;
  }
  if (known == by_ends_.end()) {
    if (bytes.empty() && (packet.tcp_flags & kFlagSyn) == 0) return;
    connections_.emplace_back().ends = ends;
    by_ends_.emplace(ends, std::prev(connections_.end()));
  } else {
    connections_.splice(connections_.end(), connections_, known->second);
  }
  Connection& connection = connections_.back();
  connection.seen_ns = packet.time_ns;
  const std::size_t before = connection.MemoryBytes();
  DnsStream& stream = packet.is_from_resolver ? connection.from_resolver : connection.from_client;
  std::uint32_t sequence = packet.sequence;
  if ((packet.tcp_flags & kFlagSyn) != 0) {
    stream.Begin(sequence++);
    if ((packet.tcp_flags & kFlagAck) == 0) connection.told_lost = false;  // another connection between the same ends
  }
  stream.Add(sequence, bytes, [&](std::span<const std::uint8_t> message) { MeetMessage(packet, ends, message); });
  if (stream.is_lost() && !connection.told_lost) {
    connection.told_lost = true;
    counters_.lost_streams.Add(1);
  }
  stream_bytes_ += connection.MemoryBytes() - before;
  while (!connections_.empty() && (connections_.size() > limits_.streams || stream_bytes_ > limits_.stream_bytes ||
                                   connections_.front().seen_ns + limits_.stream_timeout_ns < packet.time_ns)) {
    EndConnection(connections_.begin());
  }
}

void AnswerWatcher::EndConnection(Connections::iterator connection) {
  stream_bytes_ -= connection->MemoryBytes();
  by_ends_.erase(connection->ends);
  connections_.erase(connection);
}

}  // namespace sluice
