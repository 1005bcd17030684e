// `sluicectl drops`: shows a running sluiced's drops, as counters by reason, or each drop as it comes.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <ctime>

#include "sluice/drop_reason.h"
#include "sluice/protocol.h"
#include "sluice/time_text.h"
#include "sluicectl/get.h"

namespace sluice {
namespace {

struct DropsOptions : GetOptions {
  bool follow = false;
  std::vector<std::string> reasons;
  std::string policy;
  std::uint32_t rate = 1000;
};

// Returns the local time of day, with milliseconds.
std::string TimeOfDay(std::uint64_t unix_ns) {
  const auto seconds = static_cast<std::time_t>(unix_ns / 1'000'000'000);
  std::tm time{};
  localtime_r(&seconds, &time);
  char text[40];
  const std::size_t length = std::strftime(text, sizeof text, "%H:%M:%S", &time);
  std::snprintf(text + length, sizeof text - length, ".%03u", static_cast<unsigned>(unix_ns / 1'000'000 % 1000));
  return text;
}

// An event's rule denied the packet, even if sluiced is too old to say so.
SideAnswer Denial(const v1::RuleName& rule) {
  SideAnswer side = ToAnswer(rule);
  side.allow = side.allow && !side.decided;
  return side;
}

Json ToJson(const v1::DropEvent& drop, bool for_people) {
  const auto protocol = static_cast<std::uint8_t>(drop.protocol());
  const bool has_ports = HasPorts(protocol);
  const TrafficEnd source{AddressText(drop.source()), has_ports ? drop.source_port() : 0, drop.source_pod(),
                          drop.source_node()};
  const TrafficEnd destination{AddressText(drop.destination()), has_ports ? drop.destination_port() : 0,
                               drop.destination_pod(), drop.destination_node()};
  const SideAnswer egress = Denial(drop.egress());
  const SideAnswer ingress = Denial(drop.ingress());
  Json json = {{for_people ? "time_text" : "time", for_people ? TimeOfDay(drop.unix_ns()) : Rfc3339(drop.unix_ns())},
               {"reason", drop.reason()},
               {"verdict", drop.verdict()}};
  if (!drop.source().empty()) json["proto"] = ProtocolJson(protocol);
  if (for_people) {
    json["src_text"] = ToText(source);
    json["dst_text"] = ToText(destination);
    json["src_address_text"] = AddressText(source);
    json["dst_address_text"] = AddressText(destination);
    json["denied_by_text"] = DeniedBy(egress, ingress);
  } else {
    if (!drop.source().empty()) json["src"] = ToJson(source);
    if (!drop.destination().empty()) json["dst"] = ToJson(destination);
    if (egress.decided) json["egress"] = ToJson(egress);
    if (ingress.decided) json["ingress"] = ToJson(ingress);
  }
  json["generation"] = drop.generation();
  json["wire"] = drop.wire();
  json["device"] = drop.device();
  json["length_bytes"] = drop.length();
  json["worker"] = drop.worker();
  return json;
}

// Reports missing drops where they are missing: among the rows for scripts, beside the rows for people.
void TellMissing(const v1::WatchDropsResponse& message, bool for_people, Listing& listing) {
  if (message.not_shown() == 0 && message.not_recorded() == 0) return;
  if (!for_people) {
    listing.Add({{"not_shown", message.not_shown()}, {"not_recorded", message.not_recorded()}});
    return;
  }
  listing.Flush();
  if (message.not_shown() != 0) {
    std::fprintf(stderr, "... %llu more not shown: above --rate, or faster than they are read\n",
                 static_cast<unsigned long long>(message.not_shown()));
  }
  if (message.not_recorded() != 0) {
    std::fprintf(stderr, "... %llu more drops, matching or not, came too fast to be recorded\n",
                 static_cast<unsigned long long>(message.not_recorded()));
  }
}

int Follow(const DropsOptions& options, Stub& stub) {
  v1::WatchDropsRequest request;
  if (!SetFilter(options, &request)) return kExitBadInput;
  request.mutable_reasons()->Assign(options.reasons.begin(), options.reasons.end());
  request.set_policy(options.policy);
  request.set_drops_per_second(options.rate);
  const bool for_people = IsForPeople(options.live);
  Call call(options.live);
  const auto reader = call.Open([&](Call* opened) { return stub.WatchDrops(opened, request); });
  call.AwaitBegin(*reader);
  Output output;
  std::optional<Listing> listing;
  std::uint64_t shown = 0;
  v1::WatchDropsResponse message;
  while (reader->Read(&message)) {
    if (!listing) {
      listing.emplace(output, options.live,
                      std::vector<Column>{{"TIME", "time_text", false, 12},
                                          {"REASON", "reason", false, 13},
                                          {"PROTO", "proto", false, 6},
                                          {"FROM", "src_text", false, 24},
                                          {"TO", "dst_text", false, 24},
                                          {"DENIED BY", "denied_by_text", false, 40},
                                          {"GENERATION", "generation"},
                                          {"VERDICT", "verdict", true},
                                          {"FROM ADDRESS", "src_address_text", true},
                                          {"TO ADDRESS", "dst_address_text", true},
                                          {"DEVICE", "device", true},
                                          {"BYTES", "length_bytes", true},
                                          {"WORKER", "worker", true}},
                      Rows::kStream);
    }
    for (const v1::DropEvent& drop : message.drops()) {
      if (options.limit != 0 && shown == options.limit) break;
      listing->Add(ToJson(drop, for_people));
      ++shown;
    }
    TellMissing(message, for_people, *listing);
    const bool enough = options.limit != 0 && shown == options.limit;
    if (listing->Flush() && !enough) continue;
    call.TryCancel();
    reader->Finish();
    return enough ? kExitFine : kExitBadInput;
  }
  return Finish(options.live, call.Finish(*reader));
}

}  // namespace

void AddDrops(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("drops", "Show what a running sluiced drops, and why.");
  auto options = std::make_shared<DropsOptions>();
  command->add_flag("--follow", options->follow, "show each drop as it comes, until interrupted");
  AddNamespaceOption(*command, *options);
  AddTrafficOptions(*command, options->filter);
  const std::vector<std::string> reasons(std::begin(kDropReasonNames) + 1, std::end(kDropReasonNames));
  command->add_option("--reason", options->reasons, "for this reason; may be said again")
      ->type_name("REASON")
      ->allow_extra_args(false)
      ->check(CLI::IsMember(reasons));
  command->add_option("--policy", options->policy, "denied by this policy")->type_name("NAMESPACE/NAME");
  command->add_option("--rate", options->rate, "at most so many a second")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_option("--limit", options->limit, "end after so many")->type_name("N");
  AddTargetOptions(*command, options->live);
  AddFormatOption(*command, options->live);
  AddHeadersOption(*command, options->live);
  command->footer(
      "Without --follow it lists the counters by reason, as `get drops` does.\n"
      "Examples:\n"
      "  sluicectl drops --follow -n shop\n"
      "  sluicectl drops --follow --policy shop/backend --limit 10 -o json\n"
      "  sluicectl drops --follow --reason policy_denied --reason unknown_endpoint -o wide");
  command->callback([options, command, exit_code] {
    for (const char* filter :
         {"--namespace", "--pod", "--address", "--port", "--proto", "--reason", "--policy", "--rate", "--limit"}) {
      if (!options->follow && command->count(filter) > 0) {
        *exit_code = Fail(std::string(filter) + " wants --follow: counters are of all drops together");
        return;
      }
    }
    const auto stub = ConnectTo(options->live);
    *exit_code = stub == nullptr   ? kExitBadInput
                 : options->follow ? Follow(*options, *stub)
                                   : GetDrops(*options, *stub);
  });
}

}  // namespace sluice
