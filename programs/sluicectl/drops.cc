// `sluicectl drops`: what a running sluiced drops: counters by reason, or each drop as it comes.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <ctime>

#include "sluice/drop_reason.h"
#include "sluice/protocol.h"
#include "sluicectl/get.h"

namespace sluice {
namespace {

struct DropsOptions : GetOptions {
  bool follow = false;
  std::vector<std::string> reasons;
  std::string policy;
  std::uint32_t rate = 1000;
};

// UTC with milliseconds, or the time of day alone, where people are.
std::string TimeText(std::uint64_t unix_ns, bool for_people) {
  const auto seconds = static_cast<std::time_t>(unix_ns / 1'000'000'000);
  std::tm time{};
  if (for_people) {
    localtime_r(&seconds, &time);
  } else {
    gmtime_r(&seconds, &time);
  }
  char text[40];
  char fraction[8];
  std::strftime(text, sizeof text, for_people ? "%H:%M:%S" : "%Y-%m-%dT%H:%M:%S", &time);
  std::snprintf(fraction, sizeof fraction, ".%03u", static_cast<unsigned>(unix_ns / 1'000'000 % 1000));
  return std::string(text) + fraction + (for_people ? "" : "Z");
}

// "shop/backend ingress default deny": who denied it, both where both sides did.
std::string DeniedBy(const v1::DropEvent& drop) {
  std::string text;
  const auto add = [&](const v1::RuleName& rule, const char* direction) {
    if (rule.policy().empty()) return;
    if (!text.empty()) text += ", ";
    text += rule.policy() + ' ' + direction;
    text += rule.index() < 0 ? " default deny" : " rule " + std::to_string(rule.index());
    if (!rule.name().empty()) text += " \"" + rule.name() + '"';
  };
  add(drop.egress(), "egress");
  add(drop.ingress(), "ingress");
  return text.empty() ? "-" : text;
}

// A pod by its name, anybody else by the address.
std::string WhoText(const std::string& pod, const std::string& address, std::uint32_t port) {
  if (pod.empty()) return address.empty() ? "-" : EndText(address, port);
  return port == 0 ? pod : pod + ':' + std::to_string(port);
}

Json RuleJson(const v1::RuleName& rule) {
  if (rule.policy().empty()) return nullptr;
  Json json = {{"tier", TierText(rule.tier())}, {"policy", rule.policy()}, {"rule", rule.index()}};
  if (!rule.name().empty()) json["rule_name"] = rule.name();
  return json;
}

Json ToJson(const v1::DropEvent& drop, bool for_people) {
  const auto protocol = static_cast<std::uint8_t>(drop.protocol());
  const std::uint32_t source_port = HasPorts(protocol) ? drop.source_port() : 0;
  const std::uint32_t destination_port = HasPorts(protocol) ? drop.destination_port() : 0;
  Json json = {{"time", TimeText(drop.unix_ns(), for_people)},
               {"reason", drop.reason()},
               {"verdict", drop.verdict()},
               {"proto", drop.source().empty() ? "" : ProtocolName(protocol)},
               {"source", EndText(drop.source(), source_port)},
               {"destination", EndText(drop.destination(), destination_port)},
               {"source_pod", drop.source_pod()},
               {"destination_pod", drop.destination_pod()}};
  if (for_people) {
    json["from"] = WhoText(drop.source_pod(), drop.source(), source_port);
    json["to"] = WhoText(drop.destination_pod(), drop.destination(), destination_port);
    json["by"] = DeniedBy(drop);
  } else {
    json["unix_ns"] = drop.unix_ns();
    json["egress"] = RuleJson(drop.egress());
    json["ingress"] = RuleJson(drop.ingress());
  }
  json["generation"] = drop.generation();
  json["wire"] = drop.wire();
  json["device"] = drop.device();
  json["length"] = drop.length();
  json["worker"] = drop.worker();
  return json;
}

// What was not shown is said where it is missing: among the rows for scripts, beside them for people.
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
  const bool for_people = options.live.format == "table" || options.live.format == "wide";
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
                      std::vector<Column>{{"TIME", "time", false, 12},
                                          {"REASON", "reason", false, 13},
                                          {"PROTO", "proto", false, 6},
                                          {"FROM", "from", false, 24},
                                          {"TO", "to", false, 24},
                                          {"DENIED BY", "by", false, 40},
                                          {"GENERATION", "generation"},
                                          {"VERDICT", "verdict", true},
                                          {"SOURCE", "source", true},
                                          {"DESTINATION", "destination", true},
                                          {"DEVICE", "device", true},
                                          {"LENGTH", "length", true},
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
  command->add_flag("-f,--follow", options->follow, "show each drop as it comes, until interrupted");
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
  AddListOptions(*command, options->live);
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
