#include "api/capture_service.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

#include "api/limits.h"
#include "api/rule_names.h"
#include "codec/codec.h"
#include "observe/flow_log_filter.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

using grpc::Status;
using grpc::StatusCode;
using CaptureClock = std::chrono::steady_clock;

constexpr std::uint32_t kDefaultSeconds = 60;
constexpr std::uint32_t kMaxSeconds = 3600;
constexpr std::size_t kPacketsALook = 4096;  // of each worker
constexpr std::chrono::milliseconds kLookInterval(10);
constexpr std::chrono::seconds kPatienceWithWorkers(1);
constexpr std::size_t kCaptureEpochsKept = 3;

struct ChosenPackets {
  FlowLogFilter filter;
  CaptureWish wish;
  bool chooses = false;  // workers cannot check all conditions, so the packets are checked again here
};

// Returns the part of the conditions that a worker can check. A condition that is left out makes the wish wider.
class WishMaker {
 public:
  explicit WishMaker(bool payload) { wish_.payload = payload; }

  void Add(const v1::FlowCondition& condition) {
    if (condition.negated()) return;
    const std::string& value = condition.value();
    if (condition.name() == "verdict") {
      forwarded_ = forwarded_ || value == "forward";
      dropped_ = dropped_ || value != "forward";
    } else if (condition.name() == "reason") {
      const auto* known = std::find(std::begin(kDropReasonNames), std::end(kDropReasonNames), value);
      reasons_ |= std::uint64_t{1} << (known - std::begin(kDropReasonNames));
    } else if (condition.name() == "port") {
      wish_.ports.push_back(static_cast<std::uint16_t>(std::stoul(value)));
    } else if (condition.name() == "proto") {
      for (std::uint32_t protocol = 0; protocol < 256; ++protocol) {
        const auto number = static_cast<std::uint8_t>(protocol);
        if (ToolNameOf(number) == value || std::to_string(protocol) == value) wish_.protocols.push_back(number);
      }
    } else if (condition.name() == "address") {
      AddAddress(value);
    }
  }

  CaptureWish Take() {
    const bool any_verdict = !forwarded_ && !dropped_;
    wish_.forwarded = (any_verdict || forwarded_) && reasons_ == 0;
    wish_.dropped = any_verdict || dropped_;
    if (reasons_ != 0) wish_.reasons = reasons_;
    return std::move(wish_);
  }

 private:
  void AddAddress(const std::string& value) {
    if (const auto prefix = Prefix::Parse(value)) return wish_.addresses.push_back(*prefix);
    const auto address = IpAddress::Parse(value);
    if (!address) return;
    wish_.addresses.push_back(Prefix::Make(*address, static_cast<std::uint8_t>(AddressBits(address->family))));
  }

  CaptureWish wish_;
  bool forwarded_ = false;
  bool dropped_ = false;
  std::uint64_t reasons_ = 0;
};

std::variant<ChosenPackets, std::string> ChoiceOf(const v1::CaptureRequest& request) {
  if (request.seconds() > kMaxSeconds) return "seconds: " + std::to_string(kMaxSeconds) + " at most";
  if (request.conditions_size() > kMaxFlowConditions) {
    return "conditions: " + std::to_string(kMaxFlowConditions) + " at most";
  }
  ChosenPackets chosen;
  WishMaker wish(request.payload());
  for (const v1::FlowCondition& condition : request.conditions()) {
    const auto& known = FlowLogFilter::Conditions();
    const auto is_it = [&](const FlowLogFilter::Condition& one) { return one.name == condition.name(); };
    const bool is_of_flows = condition.name() == "type" || condition.name() == "cause";
    if (is_of_flows || std::none_of(known.begin(), known.end(), is_it)) {
      return "conditions: packets have no condition '" + ShownName(condition.name()) + "'";
    }
    if (const auto error = chosen.filter.Add(condition.name(), condition.value(), condition.negated())) {
      return "conditions: " + condition.name() + " '" + ShownName(condition.value()) + "' " + *error;
    }
    wish.Add(condition);
    chosen.chooses = true;
  }
  chosen.wish = wish.Take();
  return chosen;
}

// Asks the workers for packets, from its construction to its destruction.
class RingsWatch {
 public:
  RingsWatch(const std::vector<CaptureRing*>& rings, const CaptureWish& wish) : rings_(rings) {
    for (CaptureRing* ring : rings_) {
      if (!AskPatiently(*ring, wish)) return;
      while (ring->Take(kPacketsALook, [](const auto&...) {}) != 0) continue;  // left from the last capture
      overflowed_.push_back(ring->overflowed());
    }
    taken_up_ = std::all_of(rings_.begin(), rings_.end(), [](const CaptureRing* ring) { return IsTurned(*ring); });
  }
  ~RingsWatch() {
    for (CaptureRing* ring : rings_) AskPatiently(*ring, {});
  }
  RingsWatch(const RingsWatch&) = delete;
  RingsWatch& operator=(const RingsWatch&) = delete;

  // False: a worker does not answer.
  bool taken_up() const { return taken_up_; }
  std::uint64_t TakeOverflowed() {
    std::uint64_t lost = 0;
    for (std::size_t i = 0; i < rings_.size(); ++i) {
      const std::uint64_t overflowed = rings_[i]->overflowed();
      lost += overflowed - std::exchange(overflowed_[i], overflowed);
    }
    return lost;
  }

 private:
  static bool IsTurned(const CaptureRing& ring) {
    const auto deadline = CaptureClock::now() + kPatienceWithWorkers;
    while (!ring.IsTurned()) {
      if (CaptureClock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }
  static bool AskPatiently(CaptureRing& ring, const CaptureWish& wish) { return IsTurned(ring) && ring.Ask(wish); }

  const std::vector<CaptureRing*>& rings_;
  std::vector<std::uint64_t> overflowed_;
  bool taken_up_ = false;
};

struct TakenPacket {
  DropRecord record;
  bool reply = false;
  std::uint32_t worker = 0;
  std::string bytes;
};

// Chooses packets and makes messages of them, with names.
class PacketNamer {
 public:
  PacketNamer(const FlowLogNames& names, const DataplaneView& plane, const ChosenPackets& chosen)
      : names_(names), plane_(plane), chosen_(chosen) {
    for (const PortState& port : plane.Ports()) devices_.push_back(port.device);
  }

  // Appends the chosen packets, up to `most`.
  void Name(std::vector<TakenPacket> packets, std::uint64_t most, v1::CaptureResponse& message) {
    if (packets.empty()) return;
    LookAtTable();  // taken after the packets, it is no older than any table that they name
    std::vector<IpAddress> addresses;
    for (const TakenPacket& packet : packets) {
      addresses.push_back(packet.record.source);
      addresses.push_back(packet.record.destination);
    }
    const std::vector<FlowLogOwner> owners = names_.OwnersOf(addresses);
    for (std::size_t i = 0; i < packets.size() && most > 0; ++i) {
      if (chosen_.chooses && !chosen_.filter.Matches(LineOf(packets[i], owners[2 * i], owners[2 * i + 1]))) continue;
      Describe(packets[i], owners[2 * i], owners[2 * i + 1], *message.add_packets());
      --most;
    }
  }

 private:
  void LookAtTable() {
    auto table = names_.table();
    if (!tables_.empty() && tables_.front()->epoch() == table->epoch()) {
      tables_.front() = std::move(table);
      return;
    }
    tables_.insert(tables_.begin(), std::move(table));
    if (tables_.size() > kCaptureEpochsKept) tables_.pop_back();
  }
  const Table* TableOf(std::uint64_t epoch) const {
    for (const auto& table : tables_) {
      if (table->epoch() == epoch) return table.get();
    }
    return nullptr;
  }
  std::shared_ptr<const TableRule> RuleOf(const DropRecord& record, RuleId rule) const {
    const Table* table = TableOf(record.epoch);
    if (table == nullptr || rule == kNoRule || rule >= table->rule_limit()) return nullptr;
    return std::make_shared<TableRule>(table->rule(rule));
  }

  // As a line of a flow log, so that the same conditions apply.
  FlowLogFilter::Json LineOf(const TakenPacket& packet, const FlowLogOwner& source,
                             const FlowLogOwner& destination) const {
    const DropRecord& record = packet.record;
    FlowLogRecord line;
    line.unix_ns = record.time_ns;
    line.is_deny = record.reason != DropReason::kNone;
    line.source = {record.source, record.source_port, std::make_shared<FlowLogOwner>(source)};
    line.destination = {record.destination, record.destination_port, std::make_shared<FlowLogOwner>(destination)};
    if (packet.reply) std::swap(line.source, line.destination);
    line.protocol = record.protocol;
    line.verdict = sluice::Name(record.verdict);
    line.reason = sluice::Name(record.reason);
    line.egress = RuleOf(record, record.egress_rule);
    line.ingress = RuleOf(record, record.ingress_rule);
    return ToJson(line);
  }

  void Describe(TakenPacket& packet, const FlowLogOwner& source, const FlowLogOwner& destination,
                v1::CapturedPacket& message) const {
    const DropRecord& record = packet.record;
    message.set_unix_ns(record.time_ns);
    message.set_data(std::move(packet.bytes));
    message.set_length(record.frame_length);
    message.set_verdict(std::string(sluice::Name(record.verdict)));
    message.set_reason(std::string(sluice::Name(record.reason)));
    if (const Table* table = TableOf(record.epoch)) {
      if (record.egress_rule != kNoRule) SetRule(*table, record.egress_rule, message.mutable_egress());
      if (record.ingress_rule != kNoRule) SetRule(*table, record.ingress_rule, message.mutable_ingress());
    }
    message.set_generation(record.generation);
    if (record.source != IpAddress() || record.destination != IpAddress()) {
      message.set_source(EncodeAddress(record.source));
      message.set_destination(EncodeAddress(record.destination));
    }
    const auto pod = [](const FlowLogOwner& owner) {
      return owner.pod.empty() ? "" : ShownName(owner.namespace_name + '/' + owner.pod);
    };
    message.set_source_pod(pod(source));
    message.set_destination_pod(pod(destination));
    std::string device = plane_.HookedAt(record.port, record.tag);
    if (device.empty() && record.port < devices_.size()) device = devices_[record.port];
    message.set_device(std::move(device));
    message.set_worker(packet.worker);
  }

  const FlowLogNames& names_;
  const DataplaneView& plane_;
  const ChosenPackets& chosen_;
  std::vector<std::string> devices_;                  // by port
  std::vector<std::shared_ptr<const Table>> tables_;  // the newest of each of the last epochs, newest first
};

ReadLimits OneAtATime() {
  ReadLimits limits;
  limits.threads = 1;
  limits.of_all = {1, 1, 1};
  limits.of_one = {1, 1, 1};
  limits.waiting = 8;
  return limits;
}

}  // namespace

CaptureService::CaptureService(std::vector<CaptureRing*> rings, const FlowLogNames& names, const DataplaneView& plane,
                               MayShowPayload may_show_payload)
    : rings_(std::move(rings)),
      names_(names),
      plane_(plane),
      may_show_payload_(std::move(may_show_payload)),
      calls_(OneAtATime()) {}

grpc::ServerWriteReactor<grpc::ByteBuffer>* CaptureService::Capture(grpc::CallbackServerContext* context,
                                                                    const grpc::ByteBuffer* request) {
  return calls_.Stream<v1::CaptureRequest>(
      context, request, ReadKind::kWatch,
      [this, may_show = MayShow(*context)](const auto& asked, AnswerWriter& writer) {
        return Answer(asked, may_show, writer);
      });
}

bool CaptureService::MayShow(const grpc::CallbackServerContext& context) const {
  const auto auth = context.auth_context();
  if (may_show_payload_ == nullptr || !auth->IsPeerAuthenticated()) return true;  // a Unix socket, or `insecure`
  const auto text_of = [&](const char* property) {
    const auto values = auth->FindPropertyValues(property);
    return values.empty() ? std::string() : std::string(values.front().data(), values.front().size());
  };
  // At this end of a connection, OpenSSL's chain lacks the client's own certificate.
  const std::string own = text_of(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  return !own.empty() && may_show_payload_(own + '\n' + text_of(GRPC_X509_PEM_CERT_CHAIN_PROPERTY_NAME));
}

Status CaptureService::Answer(const v1::CaptureRequest& request, bool may_show_payload, AnswerWriter& writer) {
  const auto choice = ChoiceOf(request);
  if (const auto* error = std::get_if<std::string>(&choice)) return {StatusCode::INVALID_ARGUMENT, *error};
  if (request.payload() && !may_show_payload) {
    return {StatusCode::PERMISSION_DENIED, "payload: a client that may only look sees headers alone"};
  }
  const auto& chosen = std::get<ChosenPackets>(choice);
  RingsWatch rings(rings_, chosen.wish);
  if (!rings.taken_up()) return {StatusCode::UNAVAILABLE, "a worker does not answer"};
  writer.SendInitialMetadata();
  if (!writer.Write(v1::CaptureResponse())) return Status::CANCELLED;
  const auto end =
      CaptureClock::now() + std::chrono::seconds(request.seconds() == 0 ? kDefaultSeconds : request.seconds());
  PacketNamer namer(names_, plane_, chosen);
  std::uint64_t packets_left = request.packets() == 0 ? ~std::uint64_t{0} : request.packets();
  std::uint64_t bytes_left = request.bytes() == 0 ? ~std::uint64_t{0} : request.bytes();
  for (;;) {
    const bool is_last = CaptureClock::now() >= end;
    bool more = false;
    for (std::uint32_t i = 0; i < rings_.size() && packets_left != 0 && bytes_left != 0; ++i) {
      std::vector<TakenPacket> taken;
      std::size_t taken_bytes = 0;
      while (taken_bytes < kChunkBytes && taken.size() < kPacketsALook) {
        const std::size_t count =
            rings_[i]->Take(1, [&](const DropRecord& record, bool reply, std::span<const std::uint8_t> bytes) {
              taken.push_back({record, reply, i, std::string(bytes.begin(), bytes.end())});
              taken_bytes += bytes.size();
            });
        if (count == 0) break;
        more = taken.size() == kPacketsALook || taken_bytes >= kChunkBytes;
      }
      v1::CaptureResponse message;
      namer.Name(std::move(taken), packets_left, message);
      message.set_not_captured(rings.TakeOverflowed());
      packets_left -= static_cast<std::uint64_t>(message.packets_size());
      for (const v1::CapturedPacket& packet : message.packets()) {
        bytes_left -= std::min<std::uint64_t>(bytes_left, packet.data().size());
      }
      if (message.packets_size() == 0 && message.not_captured() == 0) continue;
      if (!writer.Write(message)) return Status::CANCELLED;
    }
    if (is_last || packets_left == 0 || bytes_left == 0) return Status::OK;
    if (writer.WaitUntilOver(more ? std::chrono::milliseconds(0) : kLookInterval)) return Status::CANCELLED;
  }
}

}  // namespace sluice
