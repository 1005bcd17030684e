// `sluicectl describe`: one policy, or one endpoint, of a running sluiced on a page.
#include <CLI/CLI.hpp>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/printable.h"
#include "sluicectl/get.h"
#include "sluicectl/labels.h"

namespace sluice {
namespace {

std::string OrDash(std::string_view text) { return text.empty() ? "-" : Printable(text, kPrintableBytes); }

// "Name: value". Further lines of a value go below it.
class Page {
 public:
  explicit Page(Output& output) : output_(output) {}

  void Add(std::string_view name, const std::string& value) { Add(name, std::vector<std::string>{value}); }
  void Add(std::string_view name, const std::vector<std::string>& values) {
    constexpr std::size_t kWidth = 12;
    std::string head(name);
    head += ':';
    if (values.empty()) return Add(name, std::string());
    for (const std::string& value : values) {
      head.resize(kWidth, ' ');
      output_ << head << OrDash(value) << "\n";
      head.clear();
    }
  }

 private:
  Output& output_;
};

std::string HitsText(const v1::RuleInfo& rule) {
  return std::to_string(rule.packets()) + " packets, " + std::to_string(rule.bytes()) + " bytes, last hit " +
         AgoText(rule.last_hit_unix_ns());
}

void WriteRule(Output& output, const v1::RuleInfo& rule) {
  const bool is_egress = rule.direction() == v1::DIRECTION_EGRESS;
  output << "  " << RuleText(DirectionOf(rule.direction()), rule.index(), rule.name()) << " "
         << ActionText(rule.action());
  if (rule.index() >= 0) {
    output << (is_egress ? " to " : " from ") << OrDash(rule.peers()) << "; ports " << OrDash(rule.ports());
  } else {
    output << " what no rule allows";
  }
  output << "\n      " << HitsText(rule) << "\n";
}

void WritePolicy(Output& output, const v1::PolicyInfo& policy) {
  Page page(output);
  page.Add("Name", policy.policy());
  page.Add("Tier",
           std::string(TierText(policy.tier())) +
               (policy.tier() == v1::TIER_NETWORK_POLICY ? "" : ", priority " + std::to_string(policy.priority())));
  page.Add("Subjects", policy.subjects());
  std::string isolates;
  for (const v1::RuleInfo& rule : policy.rules()) {
    if (rule.index() >= 0) continue;
    isolates += isolates.empty() ? "" : ", ";
    isolates += Name(DirectionOf(rule.direction()));
  }
  page.Add("Isolates", isolates);
  output << "Rules:\n";
  for (const v1::RuleInfo& rule : policy.rules()) WriteRule(output, rule);
}

void WriteEndpoint(Output& output, const v1::EndpointInfo& endpoint) {
  Page page(output);
  const auto texts = [](const auto& items, auto to_text) {
    std::vector<std::string> values;
    for (const auto& item : items) values.push_back(to_text(item));
    return values;
  };
  page.Add("Name", endpoint.namespace_() + '/' + endpoint.name());
  page.Add("Node", endpoint.node());
  page.Add("Addresses", texts(endpoint.addresses(), [](const std::string& bytes) { return AddressText(bytes); }));
  page.Add("Labels",
           texts(ParseLabels(endpoint.labels()), [](const auto& label) { return label.first + '=' + label.second; }));
  page.Add("Ports", texts(endpoint.ports(), [](const v1::NamedPort& port) {
             return port.name() + ' ' + ProtocolName(static_cast<std::uint8_t>(port.protocol())) + '/' +
                    std::to_string(port.port());
           }));
  const auto same = [](const std::string& name) { return name; };
  page.Add("Egress", texts(endpoint.egress_policies(), same));
  page.Add("Ingress", texts(endpoint.ingress_policies(), same));
  page.Add("Identity", std::to_string(endpoint.identity()));
}

// Shows what `open(call)` streams, if it was asked for, with empty lines between.
template <typename Message, typename Open, typename NameOf, typename Write>
int Describe(const GetOptions& options, const char* noun, Open open, NameOf name_of, Write write) {
  NameFilter names(options);
  Output output;
  bool first = true;
  Call call(options.live);
  const auto reader = call.Open(open);
  Message whole;
  Message message;
  while (call.Read(*reader, &message)) {
    if (!names.Matches(name_of(message))) continue;
    if constexpr (std::is_same_v<Message, v1::PolicyInfo>) {  // may come in several messages
      const bool more = message.more();
      whole.MergeFrom(message);
      if (more) continue;
      message.Swap(&whole);
      whole.Clear();
    }
    if (!first) output << "\n";
    first = false;
    write(output, message);
  }
  if (const int code = Finish(options.live, call.Finish(*reader)); code != kExitFine) return code;
  if (!output.Flush()) return kExitBadInput;
  return names.Finish(noun);
}

int DescribePolicies(const GetOptions& options, Stub& stub) {
  v1::ListPoliciesRequest request;
  request.set_namespace_(options.Namespace());
  return Describe<v1::PolicyInfo>(
      options, "policy", [&](Call* call) { return stub.ListPolicies(call, request); },
      [](const v1::PolicyInfo& policy) { return policy.policy(); }, WritePolicy);
}

int DescribeEndpoints(const GetOptions& options, Stub& stub) {
  v1::ListEndpointsRequest request;
  request.set_namespace_(options.Namespace());
  return Describe<v1::EndpointInfo>(
      options, "endpoint", [&](Call* call) { return stub.ListEndpoints(call, request); },
      [](const v1::EndpointInfo& endpoint) { return endpoint.namespace_() + '/' + endpoint.name(); }, WriteEndpoint);
}

}  // namespace

void AddDescribe(CLI::App& app, int* exit_code) {
  CLI::App* describe = app.add_subcommand("describe", "Show a policy or an endpoint of a running sluiced on a page.");
  describe->require_subcommand(0, 1);  // any other word is then reported as unexpected, by its name
  describe->callback([describe, exit_code] {
    if (!describe->get_subcommands().empty()) return;
    *exit_code = Fail("say what to describe: policy or endpoint");
  });
  describe->footer("Examples:\n  sluicectl describe policy shop/backend\n  sluicectl describe endpoint shop/frontend");
  const auto add = [&](const char* name, std::initializer_list<const char*> aliases, const char* text,
                       const char* examples, auto run) {
    CLI::App* command = describe->add_subcommand(name, text);
    for (const char* alias : aliases) command->alias(alias);
    command->footer(std::string("Examples:\n") + examples);
    auto options = std::make_shared<GetOptions>();
    AddTargetOptions(*command, options->live);
    AddNamespaceOption(*command, *options);
    command->add_option("NAME", options->names, "NAMESPACE/NAME, or NAME; without any, all");
    command->callback([options, run, exit_code] {
      const auto stub = ConnectTo(options->live);
      *exit_code = stub == nullptr ? kExitBadInput : run(*options, *stub);
    });
  };
  add("policy", {"policies", "netpol"}, "Whom it binds, what it isolates, and its rules with their hits.",
      "  sluicectl describe policy shop/backend\n  sluicectl describe policy -n shop", DescribePolicies);
  add("endpoint", {"endpoints", "ep", "pod", "pods"}, "Its addresses, labels and ports, and the policies that bind it.",
      "  sluicectl describe endpoint shop/frontend\n  sluicectl describe endpoint frontend -n shop", DescribeEndpoints);
}

}  // namespace sluice
