// `sluicectl capture`: writes packets of a running sluiced, with their fates, to a pcapng file.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sluice/printable.h"
#include "sluice/v1/capture.grpc.pb.h"
#include "sluicectl/commands.h"
#include "sluicectl/decision.h"
#include "sluicectl/flow_conditions.h"
#include "sluicectl/input.h"
#include "sluicectl/live.h"
#include "sluicectl/pcapng_writer.h"

namespace sluice {
namespace {

constexpr std::size_t kNameBytes = 1024;

struct CaptureOptions {
  LiveOptions live;
  FlowConditions conditions;
  std::string file;
  std::uint64_t seconds = 60;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  bool payload = false;
};

void AddRuleText(const v1::RuleName& rule, Direction direction, std::string& text) {
  if (rule.policy().empty()) return;
  const std::string_view tier = TierText(rule.tier());
  const SideAnswer side{true, true, tier, rule.policy(), rule.index(), rule.name()};
  text += (text.empty() ? "" : ", ") + RuleText(side, direction);
}

// "drop policy_denied: shop/backend ingress default; generation 41"
std::string CommentOf(const v1::CapturedPacket& packet) {
  std::string rules;
  AddRuleText(packet.egress(), Direction::kEgress, rules);
  AddRuleText(packet.ingress(), Direction::kIngress, rules);
  return packet.verdict() + (packet.reason().empty() ? "" : ' ' + packet.reason()) +
         (rules.empty() ? "" : ": " + rules) + "; generation " + std::to_string(packet.generation());
}

void Write(const v1::CapturedPacket& packet, PcapngWriter& writer) {
  writer.Name(packet.source(), Printable(packet.source_pod(), kNameBytes));
  writer.Name(packet.destination(), Printable(packet.destination_pod(), kNameBytes));
  const std::string comment = CommentOf(packet);
  writer.Write(
      {packet.unix_ns(), packet.data(), packet.length(), packet.device(), comment, packet.verdict() == "forward"});
}

int FailToWrite(const Diagnostic& wrong) {
  Report(wrong);
  return kExitBadInput;
}

int Capture(const CaptureOptions& options, std::vector<v1::FlowCondition> conditions) {
  const auto channel = ChannelTo(options.live);
  if (channel == nullptr) return kExitBadInput;
  const auto stub = v1::CaptureService::NewStub(channel);
  v1::CaptureRequest request;
  request.mutable_conditions()->Assign(conditions.begin(), conditions.end());
  request.set_seconds(static_cast<std::uint32_t>(options.seconds));
  request.set_packets(options.packets);
  request.set_bytes(options.bytes);
  request.set_payload(options.payload);
  PcapngWriter writer;
  if (const auto wrong = writer.Open(options.file)) return FailToWrite(*wrong);
  Call call(options.live);
  const auto reader = call.Open([&](Call* opened) { return stub->Capture(opened, request); });
  call.AwaitBegin(*reader);
  std::uint64_t captured = 0, not_captured = 0;
  v1::CaptureResponse message;
  bool has_begun = false;
  while (reader->Read(&message)) {
    // Only now, so that a failed capture leaves an older file unchanged.
    if (!std::exchange(has_begun, true)) writer.Begin("sluicectl");
    for (const v1::CapturedPacket& packet : message.packets()) Write(packet, writer);
    captured += static_cast<std::uint64_t>(message.packets_size());
    not_captured += message.not_captured();
    if (const auto wrong = writer.Flush()) {
      call.TryCancel();
      reader->Finish();
      return FailToWrite(*wrong);
    }
  }
  const grpc::Status status = call.Finish(*reader);
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    return Fail("this sluiced is older and cannot capture");
  }
  const int code = Finish(options.live, status);
  if (code != kExitFine) return code;
  std::fprintf(stderr, "%llu packets captured\n", static_cast<unsigned long long>(captured));
  if (not_captured != 0) {
    std::fprintf(stderr, "... %llu more, matching or not, came faster than they could be taken\n",
                 static_cast<unsigned long long>(not_captured));
  }
  return kExitFine;
}

}  // namespace

void AddCapture(CLI::App& app, int* exit_code) {
  CLI::App* command =
      app.add_subcommand("capture", "Write packets of a running sluiced to a file, each with its verdict and rule.");
  auto options = std::make_shared<CaptureOptions>();
  command->add_option("-w,--write", options->file, "a pcapng file; -: standard output")->type_name("FILE")->required();
  command->add_option("--for", options->seconds, "end after so long: 90s, 5m, 1h at most")
      ->transform(CLI::AsNumberWithUnit(std::map<std::string, std::uint64_t>{{"s", 1}, {"m", 60}, {"h", 3600}},
                                        CLI::AsNumberWithUnit::UNIT_OPTIONAL)
                      .description(""))
      ->check([](const std::string& seconds) {
        const bool fits = seconds.size() <= 4 && std::stoul(seconds) >= 1 && std::stoul(seconds) <= 3600;
        return fits ? std::string() : std::string("wants a time from 1s to 1h");
      })
      ->type_name("TIME")
      ->default_str("60s");
  command->add_option("--packets", options->packets, "end after so many packets")->type_name("N");
  command->add_option("--bytes", options->bytes, "end after so many bytes of packets")->type_name("N");
  command->add_flag("--payload", options->payload, "whole packets, not their headers alone");
  AddFlowConditions(*command, options->conditions, {"type", "cause"});
  AddTargetOptions(*command, options->live);
  command->footer(
      "Of the same condition given twice, one must hold; of different ones, all. Of a packet of a connection, the "
      "ends\n"
      "are those of the connection. Wireshark and tshark show the verdicts as packet comments.\n"
      "Examples:\n"
      "  sluicectl capture --verdict drop --verdict reject --write denied.pcapng\n"
      "  sluicectl capture --pod shop/backend-0 --port 443 --for 5m --packets 1000 --write backend.pcapng\n"
      "  sluicectl capture --address 192.0.2.7 --payload --write - | tshark -r - -T fields -e ip.dst -e frame.comment");
  command->callback([options, command, exit_code] {
    auto conditions = ConditionsOf(*command, options->conditions);
    const auto* error = std::get_if<std::string>(&conditions);
    *exit_code = error != nullptr ? Fail(*error)
                                  : Capture(*options, std::get<std::vector<v1::FlowCondition>>(std::move(conditions)));
  });
}

}  // namespace sluice
