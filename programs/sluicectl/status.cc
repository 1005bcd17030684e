// `sluicectl status`: a running sluiced on one page.
#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "sluicectl/commands.h"
#include "sluicectl/live.h"

namespace sluice {
namespace {

constexpr std::uint64_t kNsInSecond = 1'000'000'000;

std::string EndText(std::int64_t unix_s) {
  if (unix_s == 0) return "-";
  const std::int64_t left_s = unix_s - std::chrono::system_clock::now().time_since_epoch() / std::chrono::seconds(1);
  return left_s > 0 ? "in " + SpanText(left_s) : SpanText(-left_s) + " ago";
}

Json ProblemTexts(const google::protobuf::RepeatedPtrField<v1::Problem>& problems) {
  Json texts = Json::array();
  for (const v1::Problem& problem : problems) {
    texts.push_back(problem.object() + (problem.field().empty() ? "" : ": " + problem.field()) + ": " +
                    problem.reason());
  }
  return texts;
}

std::string CountText(std::uint64_t count, const char* noun) {
  return std::to_string(count) + ' ' + noun + (count == 1 ? "" : "s");
}

// Null if nothing is staged. `sluicectl staged` lists staged policies, and what they would change.
Json StagedJson(const v1::Status& status, bool for_people) {
  if (!status.has_staged()) return nullptr;
  const v1::StagedSummary& staged = status.staged();
  const v1::Problem& refused = staged.refused();
  const std::string why = refused.object().empty() ? "" : refused.object() + ": " + refused.reason();
  if (!for_people) {
    return {{"policies", staged.policy_count()},
            {"since", TimeJson(staged.since_unix_ns())},
            {"judged", staged.judged()},
            {"would_deny", staged.would_deny()},
            {"would_allow", staged.would_allow()},
            {"not_kept", staged.not_kept()},
            {"pods", staged.pods()},
            {"silent", staged.silent()},
            {"refused", why}};
  }
  const std::string policies =
      std::to_string(staged.policy_count()) + (staged.policy_count() == 1 ? " policy" : " policies");
  if (!why.empty()) return policies + ", not judged by: " + why;
  if (staged.since_unix_ns() == 0) return policies + ", not judged by yet";
  return policies + ", judged by since " + AgoText(staged.since_unix_ns()) + ": " +
         CountText(staged.would_deny(), "connection") + " would be denied, " +
         CountText(staged.would_allow(), "denied packet") + " allowed, " + std::to_string(staged.silent()) + " of " +
         CountText(staged.pods(), "pod") + " silent";
}

void AddDns(const v1::DnsStatus& dns, Json& json) {
  json["dns queries"] = dns.queries();
  json["dns learnt"] = dns.learnt();
  json["dns unlearnt"] = dns.unlearnt();
  json["dns untrusted"] = dns.untrusted();
  json["dns spoofed"] = dns.spoofed();
  json["dns malformed"] = dns.malformed();
  json["dns truncated"] = dns.truncated();
  json["dns held"] = dns.held();
  json["dns hold ran out"] = dns.ran_out();
  json["dns hold had no room"] = dns.no_room();
  json["dns waiting"] = dns.waiting();
  json["dns fragmented"] = dns.fragmented();
  json["dns queries lost"] = dns.lost_queries();
  json["dns queries displaced"] = dns.displaced();
  json["dns streams lost"] = dns.lost_streams();
}

Json ToJson(const v1::Status& status, bool for_people) {
  Json json = {{"version", status.version()}};
  const auto time = [&](const char* name, std::uint64_t unix_ns) {
    json[name] = for_people ? Json(AgoText(unix_ns)) : TimeJson(unix_ns);
  };
  time("started", status.start_unix_ns());
  json["policy from"] = status.source();
  json["generation"] = status.generation();
  time("published", status.published_unix_ns());
  json["sender"] = status.sender();
  json["sender connected"] = status.sender_connected();
  time("sender heard", status.sender_heard_unix_ns());
  json["batch"] = status.batch();
  json["not kept"] = status.not_kept();
  json["large removals"] = status.large_removals();
  const std::int64_t end_s = status.certificate_end_unix_s();
  json["certificate ends"] =
      for_people ? Json(EndText(end_s)) : TimeJson(static_cast<std::uint64_t>(end_s) * kNsInSecond);
  json["fail closed"] = status.fail_closed();
  json["endpoints"] = status.endpoints();
  json["policies"] = status.policies();
  json["rules"] = status.rules();
  json["workers"] = status.workers();
  json["flows"] = status.flows();
  json["flow capacity"] = status.flow_capacity();
  json["flows cut"] = status.flows_cut();
  json["carried flows"] = status.carried_flows();
  json["carried packets"] = status.carried_packets();
  json["carried bytes"] = status.carried_bytes();
  json["domain patterns"] = status.domain_patterns();
  json["names"] = status.names();
  json["name addresses"] = status.name_addresses();
  json["names evicted"] = status.names_evicted();
  json["forwarded"] = status.forwarded();
  json["dropped"] = status.dropped();
  json["rejected"] = status.rejected();
  json["encapsulated"] = status.encapsulated();
  json["spoofed source"] = status.spoofed_source();
  json["spoofed tunnel"] = status.spoofed_tunnel();
  if (status.has_dns()) AddDns(status.dns(), json);
  json["last refusal"] = ProblemTexts(status.last_refusal());
  json["held policies"] = status.held_policies();
  json["held"] = ProblemTexts(status.held());
  json["warning count"] = status.warning_count();
  json["warnings"] = ProblemTexts(status.warnings());
  json["staged"] = StagedJson(status, for_people);
  if (for_people) return json;
  Json keyed;  // keys that scripts need not quote
  for (const auto& [key, value] : json.items()) {
    std::string name = key;
    for (char& c : name) c = c == ' ' ? '_' : c;
    keyed[name] = value;
  }
  return keyed;
}

int RunStatus(const LiveOptions& options) {
  const auto stub = ConnectTo(options);
  if (stub == nullptr) return kExitBadInput;
  Call call(options);
  v1::Status status;
  const auto ask = [&](Call* asked) { return stub->GetStatus(asked, {}, &status); };
  const int code = Finish(options, call.Once(ask));
  if (code != kExitFine) return code;
  const bool for_people = IsForPeople(options);
  Output output;
  WriteObject(output, options.format, ToJson(status, for_people));
  return output.Flush() ? kExitFine : kExitBadInput;
}

}  // namespace

void AddStatus(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("status", "Show how a running sluiced is.");
  auto options = std::make_shared<LiveOptions>();
  options->timeout = 10;
  AddTargetOptions(*command, *options);
  AddFormatOption(*command, *options);
  command->footer("Examples:\n  sluicectl status\n  sluicectl status -o json");
  command->callback([options, exit_code] { *exit_code = RunStatus(*options); });
}

}  // namespace sluice
