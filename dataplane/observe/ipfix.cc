#include "observe/ipfix.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "core/flow_state.h"
#include "sluice/printable.h"

namespace sluice {
namespace {

constexpr std::uint16_t kVersion = 10;
constexpr std::uint16_t kTemplateSet = 2;
constexpr std::uint16_t kOptionsTemplateSet = 3;
constexpr std::size_t kMessageHeader = 16;
constexpr std::size_t kSetHeader = 4;
constexpr std::uint32_t kAntrea = 56506;
constexpr std::uint32_t kReverse = 29305;
constexpr std::uint16_t kVariable = 65535;
constexpr std::size_t kIpfixNameBytes = 253;  // no Kubernetes name is longer; one byte holds the length
constexpr std::uint64_t kNsInMs = 1'000'000;
constexpr std::uint8_t kInitiator = 1;  // the source opened the flow

// Templates.
constexpr std::uint16_t kFlowIpv4 = 256;
constexpr std::uint16_t kFlowIpv6 = 257;
constexpr std::uint16_t kDenyIpv4 = 258;
constexpr std::uint16_t kDenyIpv6 = 259;
constexpr std::uint16_t kDenyOfRule = 260;  // its ends are unknown
constexpr std::uint16_t kNotSent = 261;     // about the exporting process

struct Element {
  std::uint16_t id;
  std::uint16_t length;
  std::uint32_t enterprise = 0;
};

constexpr Element kIpv4Ends[] = {{8, 4}, {12, 4}};           // sourceIPv4Address, destinationIPv4Address
constexpr Element kIpv6Ends[] = {{27, 16}, {28, 16}};        // the same for IPv6
constexpr Element kTransport[] = {{7, 2}, {11, 2}, {4, 1}};  // ports, protocolIdentifier
// flowStartMilliseconds, flowEndMilliseconds, flowEndReason, firewallEvent
constexpr Element kTimes[] = {{152, 8}, {153, 8}, {136, 1}, {233, 1}};
constexpr Element kCounts[] = {{86, 8}, {85, 8}, {2, 8}, {1, 8}};  // packets, octets: in total, since the last record
// biflowDirection, and the same counts for what the destination sent (RFC 5103).
constexpr Element kReply[] = {{239, 1}, {86, 8, kReverse}, {85, 8, kReverse}, {2, 8, kReverse}, {1, 8, kReverse}};
constexpr Element kPods[] = {{101, kVariable, kAntrea}, {100, kVariable, kAntrea}, {104, kVariable, kAntrea},  // source
                             {103, kVariable, kAntrea}, {102, kVariable, kAntrea}, {105, kVariable, kAntrea},
                             {137, 1, kAntrea}};  // flowType
constexpr Element kRules[] = {
    {110, kVariable, kAntrea}, {111, kVariable, kAntrea}, {115, 1, kAntrea},
    {141, kVariable, kAntrea}, {139, 1, kAntrea},  // ingress: name, namespace, type, rule, action
    {112, kVariable, kAntrea}, {113, kVariable, kAntrea}, {118, 1, kAntrea},
    {142, kVariable, kAntrea}, {140, 1, kAntrea}};  // egress

// exportingProcessId, which is the scope, and notSentFlowTotalCount.
constexpr Element kNotSentElements[] = {{144, 4}, {165, 8}};

std::vector<Element> ElementsOf(std::uint16_t number) {
  std::vector<Element> elements;
  const auto add = [&](const auto& some) { elements.insert(elements.end(), std::begin(some), std::end(some)); };
  const bool is_ipv4 = number == kFlowIpv4 || number == kDenyIpv4;
  if (number != kDenyOfRule) {
    is_ipv4 ? add(kIpv4Ends) : add(kIpv6Ends);
    add(kTransport);
  }
  add(kTimes);
  add(kCounts);
  if (number < kDenyIpv4) add(kReply);
  if (number != kDenyOfRule) add(kPods);
  add(kRules);
  return elements;
}

// Appends a number in network order.
template <typename Number>
void Put(std::string& out, Number number) {
  for (std::size_t i = sizeof number; i-- > 0;) out += static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * i));
}

void PutText(std::string& out, std::string_view text) {
  const std::string shown = Printable(text, kIpfixNameBytes).substr(0, 254);
  Put(out, static_cast<std::uint8_t>(shown.size()));
  out += shown;
}

void PutAddress(std::string& out, const IpAddress& address) {
  if (address.family == Family::kIpv4) return Put(out, static_cast<std::uint32_t>(address.lo));
  Put(out, address.hi);
  Put(out, address.lo);
}

// flowEndReason: idle, active (the flow goes on), end detected, forced, lack of resources.
std::uint8_t EndReasonOf(const FlowLogRecord& record) {
  if (record.is_live || record.is_deny) return 2;
  if (record.cause == "expired") return 1;
  if (record.cause == "replaced") return 3;
  return record.cause == "evicted" ? 5 : 4;
}

// firewallEvent: deleted, denied, update.
std::uint8_t EventOf(const FlowLogRecord& record) { return record.is_deny ? 3 : record.is_live ? 5 : 2; }

// flowType: within a node, between nodes, to or from an end that is not a pod.
std::uint8_t TypeOf(const FlowLogOwner* source, const FlowLogOwner* destination) {
  if (source != nullptr && destination != nullptr) return source->node == destination->node ? 1 : 2;
  return source != nullptr ? 3 : destination != nullptr ? 4 : 0;
}

void PutOwner(std::string& out, const FlowLogOwner* owner) {
  static const FlowLogOwner kNobody;
  const FlowLogOwner& known = owner == nullptr ? kNobody : *owner;
  PutText(out, known.pod);
  PutText(out, known.namespace_name);
  PutText(out, known.node);
}

void PutRule(std::string& out, const TableRule* rule, std::string_view verdict) {
  if (rule == nullptr) {
    out.append(5, '\0');  // three texts and two numbers, each empty or 0
    return;
  }
  const std::size_t slash = rule->policy.find('/');
  const bool has_namespace = slash != std::string::npos;
  PutText(out, has_namespace ? std::string_view(rule->policy).substr(slash + 1) : std::string_view(rule->policy));
  PutText(out, has_namespace ? std::string_view(rule->policy).substr(0, slash) : std::string_view());
  Put(out, static_cast<std::uint8_t>(rule->tier == Tier::kNetworkPolicy ? 1 : 3));
  PutText(out, !rule->name.empty() ? rule->name.text() : rule->index < 0 ? "default" : std::to_string(rule->index));
  Put(out, static_cast<std::uint8_t>(rule->action != Action::kDeny ? 1 : verdict == "reject" ? 3 : 2));
}

void PutCounts(std::string& out, const FlowTraffic& traffic, const FlowTraffic& told) {
  Put(out, traffic.packets);
  Put(out, traffic.bytes);
  Put(out, traffic.packets - told.packets);
  Put(out, traffic.bytes - told.bytes);
}

std::uint16_t TemplateOf(const FlowLogRecord& record) {
  if (record.is_deny && (!record.source || !record.destination)) return kDenyOfRule;
  const bool is_ipv4 = record.source->address.family == Family::kIpv4;
  return record.is_deny ? (is_ipv4 ? kDenyIpv4 : kDenyIpv6) : (is_ipv4 ? kFlowIpv4 : kFlowIpv6);
}

std::string Message(std::uint32_t unix_s, std::uint32_t sequence, std::uint32_t domain, std::string_view sets) {
  std::string message;
  Put(message, kVersion);
  Put(message, static_cast<std::uint16_t>(kMessageHeader + sets.size()));
  Put(message, unix_s);
  Put(message, sequence);
  Put(message, domain);
  message += sets;
  return message;
}

void PutElement(std::string& out, const Element& element) {
  Put(out, static_cast<std::uint16_t>(element.id | (element.enterprise != 0 ? 0x8000 : 0)));
  Put(out, element.length);
  if (element.enterprise != 0) Put(out, element.enterprise);
}

void PatchLength(std::string& sets, std::size_t begin) {
  const std::size_t length = sets.size() - begin;
  sets[begin + 2] = static_cast<char>(length >> 8);
  sets[begin + 3] = static_cast<char>(length);
}

}  // namespace

std::string IpfixRecord(const FlowLogRecord& record) {
  const std::uint16_t number = TemplateOf(record);
  std::string out;
  Put(out, number);
  if (number != kDenyOfRule) {
    PutAddress(out, record.source->address);
    PutAddress(out, record.destination->address);
    Put(out, record.source->port);
    Put(out, record.destination->port);
    Put(out, record.protocol);
  }
  Put(out, record.first_unix_ns / kNsInMs);
  Put(out, record.last_unix_ns / kNsInMs);
  Put(out, EndReasonOf(record));
  Put(out, EventOf(record));
  PutCounts(out, record.traffic - record.reply, record.told - record.reply_told);
  if (!record.is_deny) {
    Put(out, kInitiator);
    PutCounts(out, record.reply, record.reply_told);
  }
  if (number != kDenyOfRule) {
    const FlowLogOwner* source = record.source->owner.get();
    const FlowLogOwner* destination = record.destination->owner.get();
    PutOwner(out, source);
    PutOwner(out, destination);
    Put(out, TypeOf(source, destination));
  }
  PutRule(out, record.ingress.get(), record.verdict);
  PutRule(out, record.egress.get(), record.verdict);
  return out;
}

std::string IpfixNotSent(std::uint64_t records) {
  std::string out;
  Put(out, kNotSent);
  Put(out, static_cast<std::uint32_t>(getpid()));
  Put(out, records);
  return out;
}

std::string IpfixMessages::Templates(std::uint32_t unix_s) const {
  std::string sets;
  Put(sets, kTemplateSet);
  Put(sets, std::uint16_t{0});
  for (std::uint16_t number = kFlowIpv4; number <= kDenyOfRule; ++number) {
    const std::vector<Element> elements = ElementsOf(number);
    Put(sets, number);
    Put(sets, static_cast<std::uint16_t>(elements.size()));
    for (const Element& element : elements) PutElement(sets, element);
  }
  PatchLength(sets, 0);
  const std::size_t options = sets.size();
  Put(sets, kOptionsTemplateSet);
  Put(sets, std::uint16_t{0});
  Put(sets, kNotSent);
  Put(sets, static_cast<std::uint16_t>(std::size(kNotSentElements)));
  Put(sets, std::uint16_t{1});  // the number of scope fields
  for (const Element& element : kNotSentElements) PutElement(sets, element);
  PatchLength(sets, options);
  return Message(unix_s, sequence_, domain_, sets);
}

bool IpfixMessages::Fits(std::string_view record, std::size_t most_bytes) const {
  return kMessageHeader + sets_.size() + kSetHeader + record.size() <= most_bytes;
}

void IpfixMessages::Add(std::string_view record) {
  const auto number =
      static_cast<std::uint16_t>(static_cast<std::uint8_t>(record[0]) << 8 | static_cast<std::uint8_t>(record[1]));
  if (number != template_ || sets_.empty()) {
    template_ = number;
    set_begin_ = sets_.size();
    Put(sets_, number);
    Put(sets_, std::uint16_t{0});
  }
  sets_ += record.substr(2);
  PatchLength(sets_, set_begin_);
  ++count_;
  flows_ += number != kNotSent;
}

std::string IpfixMessages::Take(std::uint32_t unix_s) {
  std::string message = Message(unix_s, sequence_, domain_, sets_);
  sequence_ += count_;
  count_ = flows_ = 0;
  sets_.clear();
  return message;
}

}  // namespace sluice
