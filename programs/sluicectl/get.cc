// `sluicectl get` and `unused`: lists of what a running sluiced holds.
#include "sluicectl/get.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <initializer_list>

#include "codec/codec.h"
#include "sluicectl/input.h"

namespace sluice {
namespace {

using Run = int (*)(const GetOptions&, Stub&);

// Whether the rows have names, so that a list may show only these.
enum class Named : std::uint8_t { kNo, kYes };

std::shared_ptr<GetOptions> Prepare(CLI::App& command, Run run, int* exit_code, Named named = Named::kNo) {
  auto options = std::make_shared<GetOptions>();
  AddTargetOptions(command, options->live);
  if (named == Named::kYes) {
    command.add_option("-o,--output", options->live.format, "table, wide, json, yaml, or the names alone")
        ->check(CLI::IsMember({"table", "wide", "json", "yaml", "name"}))
        ->capture_default_str();
  } else {
    AddFormatOption(command, options->live);
  }
  AddHeadersOption(command, options->live);
  command.add_option("--sort-by", options->sort_by, "a key of -o json, such as packets or src.pod; ascending")
      ->type_name("KEY");
  command.callback([options, run, exit_code] {
    const auto stub = ConnectTo(options->live);
    *exit_code = stub == nullptr ? kExitBadInput : run(*options, *stub);
  });
  return options;
}

void AddWatchOptions(CLI::App& command, GetOptions& options) {
  command.add_flag("-w,--watch", options.watch, "go on, and show what is new or changed");
  command.add_option("--interval", options.interval, "seconds between two looks, with --watch")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
}

template <typename Request>
bool SetCommonFilter(const GetOptions& options, Request* request) {
  const TrafficFilter& filter = options.filter;
  if (!filter.address.empty()) {
    const auto address = IpAddress::Parse(filter.address);
    const auto prefix = Prefix::Parse(filter.address);
    if (!address && !prefix) {
      Fail("--address '" + filter.address + "': wants an address or a CIDR");
      return false;
    }
    // A request cannot express a prefix of length 0 (a whole family), so no address is sent for it.
    if (address || prefix->length > 0) request->set_address(EncodeAddress(address ? *address : prefix->base));
    request->set_prefix_length(prefix ? prefix->length : 0);
  }
  if (!filter.protocol.empty()) {
    const auto protocol = ParseProtocol(filter.protocol);
    if (!protocol) {
      Fail("--proto '" + filter.protocol + "': wants " + std::string(kProtocolForms));
      return false;
    }
    request->set_protocol(*protocol);
  }
  request->set_port(filter.port);
  request->set_namespace_(options.Namespace());
  if (filter.pod.empty()) return true;
  const bool full = filter.pod.find('/') != filter.pod.npos;
  if (!full && options.Namespace().empty()) {
    Fail("--pod '" + filter.pod + "': wants NAMESPACE/NAME, or --namespace beside it");
    return false;
  }
  request->set_pod(full ? filter.pod : options.Namespace() + '/' + filter.pod);
  return true;
}

}  // namespace

bool SetFilter(const GetOptions& options, v1::ListFlowsRequest* request) { return SetCommonFilter(options, request); }
bool SetFilter(const GetOptions& options, v1::WatchDropsRequest* request) { return SetCommonFilter(options, request); }

NameFilter::NameFilter(const GetOptions& options) {
  for (const std::string& name : options.names) {
    const bool full = name.find('/') != name.npos;
    const bool in_namespace = !full && !options.Namespace().empty();
    names_.push_back({name, full ? name : in_namespace ? options.Namespace() + '/' + name : ""});
  }
}

bool NameFilter::Matches(std::string_view name) {
  if (names_.empty()) return true;
  const std::string_view last = name.substr(name.rfind('/') + 1);  // npos + 1 is 0: the whole name, if it has no slash
  bool matches = false;
  for (Wanted& wanted : names_) {
    if (wanted.full.empty() ? last != wanted.text : name != wanted.full) continue;
    wanted.found = matches = true;
  }
  return matches;
}

int NameFilter::Finish(const char* noun) const {
  int code = kExitFine;
  for (const Wanted& wanted : names_) {
    if (wanted.found) continue;
    Fail(std::string("no ") + noun + " '" + (wanted.full.empty() ? wanted.text : wanted.full) + "' is in force");
    code = kExitDiffers;
  }
  return code;
}

int SortRows(const std::string& sort_by, std::vector<Json>* rows) {
  if (sort_by.empty() || rows->empty()) return kExitFine;
  std::string path = sort_by;  // also accepts kubectl's {.src.pod}
  std::erase_if(path, [](char c) { return c == '{' || c == '}'; });
  if (path.starts_with('.')) path.erase(0, 1);
  if (path.find_first_of("/~") != path.npos) return Fail("--sort-by '" + sort_by + "': wants keys with dots between");
  std::replace(path.begin(), path.end(), '.', '/');
  const Json::json_pointer pointer('/' + path);
  const bool is_known = std::any_of(rows->begin(), rows->end(), [&](const Json& row) { return row.contains(pointer); });
  if (!is_known) {
    std::string keys;
    for (const auto& [key, value] : rows->front().items()) {
      if (!key.ends_with("_text")) keys += (keys.empty() ? "" : ", ") + key;
    }
    return Fail("--sort-by '" + sort_by + "': no row has it; rows have " + keys);
  }
  const auto value_of = [&](const Json& row) { return row.contains(pointer) ? row.at(pointer) : Json(); };
  std::stable_sort(rows->begin(), rows->end(), [&](const Json& a, const Json& b) { return value_of(a) < value_of(b); });
  return kExitFine;
}

bool ChangedRows::IsNew(const Json& row) {
  Json lasting = row;
  for (const char* key : {"last_hit", "last_hit_text", "idle_ms", "idle_text", "busy_percent"}) lasting.erase(key);
  const std::string text = lasting.dump();
  now_.insert(text);
  return !before_.contains(text);
}

void AddNamespaceOption(CLI::App& command, GetOptions& options) {
  command.add_option("-n,--namespace", options.namespace_name, "of this namespace only")->type_name("NAME");
  command.add_flag("-A,--all-namespaces", options.all_namespaces, "of all namespaces, as without -n");
}

void AddTrafficOptions(CLI::App& command, TrafficFilter& filter) {
  command.add_option("--pod", filter.pod, "either end is this pod")->type_name("NAMESPACE/NAME");
  command.add_option("--address", filter.address, "either end is this address, or in this CIDR")->type_name("CIDR");
  command.add_option("--port", filter.port, "either end has this port")->check(CLI::Range(1, 65535));
  command.add_option("--proto", filter.protocol, std::string(kProtocolForms))->type_name("PROTO");
}

void AddGet(CLI::App& app, int* exit_code) {
  CLI::App* get = app.add_subcommand("get", "List what a running sluiced holds.");
  get->require_subcommand(0, 1);  // any other word is then reported as unexpected, by its name
  get->callback([get, exit_code] {
    if (!get->get_subcommands().empty()) return;
    *exit_code = Fail("say what to get: endpoints, policies, rules, flows, names, ports, workers or drops");
  });
  get->footer(
      "Examples:\n"
      "  sluicectl get policies -n shop\n"
      "  sluicectl get rules shop/backend -o wide\n"
      "  sluicectl get flows --address 10.244.1.0/24 --proto tcp -o json");
  const auto add = [&](const char* name, std::initializer_list<const char*> aliases, const char* text,
                       const char* examples, Run run, Named named = Named::kNo) {
    CLI::App* command = get->add_subcommand(name, text);
    for (const char* alias : aliases) command->alias(alias);
    command->footer(std::string("Examples:\n") + examples);
    auto options = Prepare(*command, run, exit_code, named);
    AddWatchOptions(*command, *options);
    return std::pair(command, options);
  };
  const auto endpoints = add("endpoints", {"endpoint", "ep", "pods", "pod"}, "Pods, and the policies that bind them.",
                             "  sluicectl get endpoints -n shop -l app=frontend,tier!=test\n"
                             "  sluicectl get endpoints --sort-by node -o wide\n"
                             "  sluicectl get endpoints shop/frontend -o yaml",
                             GetEndpoints, Named::kYes);
  endpoints.first
      ->add_option("-l,--selector", endpoints.second->selector,
                   "of pods with these labels, as kubectl has it: app=web,tier!=test,env in (a,b),!debug")
      ->type_name("SELECTOR");
  const auto policies = add("policies", {"policy", "netpol"}, "Policies in force, with their hits.",
                            "  sluicectl get policies --sort-by packets\n"
                            "  sluicectl get policies -n shop -o name\n"
                            "  sluicectl get policies shop/backend -o yaml",
                            GetPolicies, Named::kYes);
  const auto rules = add("rules", {"rule"}, "Rules in force, default denies included, with their hits.",
                         "  sluicectl get rules -n shop\n  sluicectl get rules shop/backend -o wide --watch", GetRules);
  for (const auto& [command, options] : {endpoints, policies, rules}) {
    AddNamespaceOption(*command, *options);
    command->add_option(
        "NAME", options->names,
        command == rules.first ? "of these policies: NAMESPACE/NAME, or NAME" : "these only: NAMESPACE/NAME, or NAME");
  }
  const auto [flows, options] = add("flows", {"flow"}, "Tracked connections.",
                                    "  sluicectl get flows --pod shop/frontend\n"
                                    "  sluicectl get flows --address 10.244.1.7 --port 80 --sort-by bytes -o wide",
                                    GetFlows);
  AddNamespaceOption(*flows, *options);
  AddTrafficOptions(*flows, options->filter);
  flows->add_option("--state", options->state, "such as ESTABLISHED")->type_name("STATE");
  flows->add_option("--limit", options->limit, "at most so many")->type_name("N");
  const auto names =
      add("names", {"name"}, "Names that rules ask for, and the addresses that they were learnt to have.",
          "  sluicectl get names\n"
          "  sluicectl get names '*.example.com'\n"
          "  sluicectl get names --address 203.0.113.9 -o json    # those that ran out, too",
          GetNames);
  names.first->add_option("NAME", names.second->names, "this name, or those that *.NAME stands for")
      ->expected(0, 1)
      ->type_name("NAME");
  names.first->add_option("--address", names.second->filter.address, "of this address")->type_name("ADDRESS");
  add("ports", {"port"}, "Ports and what went through them.", "  sluicectl get ports --watch", GetPorts);
  add("workers", {"worker"}, "Workers, their packets and flows.", "  sluicectl get workers -o wide", GetWorkers);
  add("drops", {"drop"}, "Dropped packets by reason; -o wide shows reasons without any.",
      "  sluicectl get drops\n  sluicectl drops --follow    # each drop, with its policy and rule", GetDrops);
}

void AddUnused(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("unused", "List rules that no packet has hit.");
  command->footer("Examples:\n  sluicectl unused -n shop");
  AddNamespaceOption(*command, *Prepare(*command, GetUnused, exit_code));
}

}  // namespace sluice
