// policy.networking.k8s.io: ClusterNetworkPolicy, and the older AdminNetworkPolicy and BaselineAdminNetworkPolicy,
// which say the same in other words (CNP-06 to CNP-10, CNP-12). Refuses what their CustomResourceDefinitions refuse.
#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "model/decode_kinds.h"
#include "model/names.h"
#include "sluice/domain_name.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr std::int64_t kLastPort = 65535;
constexpr std::size_t kMostNameCharacters = 100;
constexpr std::size_t kMostNetworks = 25;  // and domain names

// How a kind names things, and how many it allows (CNP-10).
struct Dialect {
  bool has_tier = true;
  bool has_priority = true;
  bool has_pass = true;
  bool has_domain_names = true;
  std::string_view accept = "Accept";
  std::string_view ports = "protocols";
  std::size_t most = 25;  // rules in a direction, peers in a rule, ports in a rule
};

constexpr Dialect DialectOf(ClusterPolicyKind kind) {
  switch (kind) {
    case ClusterPolicyKind::kClusterNetworkPolicy:
      break;
    case ClusterPolicyKind::kAdminNetworkPolicy:
      return {.has_tier = false, .accept = "Allow", .ports = "ports", .most = 100};
    case ClusterPolicyKind::kBaselineAdminNetworkPolicy:
      return {.has_tier = false,
              .has_priority = false,
              .has_pass = false,
              .has_domain_names = false,
              .accept = "Allow",
              .ports = "ports",
              .most = 100};
  }
  return {};
}

void CheckSize(const Field& list, std::size_t most, std::string_view what) {
  const std::size_t size = list.Size();
  if (size <= most) return;
  list.Error("has " + std::to_string(size) + ' ' + std::string(what) + "; at most " + std::to_string(most) +
             " are allowed: split it");
}

// Returns the only one of `known` that is there. Otherwise returns nothing, with an error or (CNP-08) a warning.
std::optional<std::string_view> OneOf(const Field& item, Field::Names known) {
  if (!item.is(Value::Kind::kMap)) {
    item.HasUnknown(known);  // reports what it must be
    return std::nullopt;
  }
  std::string choices;
  std::vector<std::string_view> given;
  for (const std::string_view name : known) {
    choices += (choices.empty() ? "" : ", ") + std::string(name);
    if (item.Get(name).present()) given.push_back(name);
  }
  if (item.HasUnknown(known)) return std::nullopt;
  if (given.size() == 1) return given.front();
  item.Unknown((given.empty() ? "is empty; give one of " : "must have only one of ") + choices);
  return std::nullopt;
}

PodSelection DecodePods(const Field& field, bool needs_namespaces) {
  PodSelection pods;
  field.CheckOnly({"namespaceSelector", "podSelector"});
  const Field namespaces = field.Get("namespaceSelector");
  const Field selector = field.Get("podSelector");
  if (needs_namespaces && !namespaces.present()) namespaces.Error("is required; {} is every namespace");
  if (!selector.present()) selector.Error("is required; {} is every pod of these namespaces");
  pods.namespaces = DecodeSelector(namespaces);
  pods.pods = DecodeSelector(selector);
  return pods;
}

// The pods that a policy binds. A part with a mistake is never left out, because the policy could then bind fewer pods.
PodSelection DecodeSubject(const Field& field) {
  PodSelection subject;
  if (!field.present()) field.Error("is required: namespaces, or pods");
  field.CheckOnly({"namespaces", "pods"});
  const Field namespaces = field.Get("namespaces");
  const Field pods = field.Get("pods");
  if (namespaces.present() == pods.present() && field.present()) {
    field.Error("must have exactly one of namespaces and pods; `namespaces: {}` is every pod");
  }
  if (pods.present()) {
    subject = DecodePods(pods, false);
  } else if (namespaces.present()) {
    subject.namespaces = DecodeSelector(namespaces);
  }
  return subject;
}

std::vector<Prefix> DecodeNetworks(const Field& field) {
  std::vector<Prefix> networks;
  std::set<std::string, std::less<>> seen;
  CheckSize(field, kMostNetworks, "networks");
  if (field.is(Value::Kind::kList) && field.Size() == 0) field.Error("must not be empty");
  field.EachItem([&](const Field& item) {
    if (const auto prefix = DecodePrefix(item)) networks.push_back(*prefix);
    if (const auto text = item.String(); text && !seen.insert(std::string(*text)).second) item.Error("is given twice");
  });
  return networks;
}

// FQ-01.
std::vector<std::string> DecodeDomainNames(const Field& field) {
  std::vector<std::string> names;
  CheckSize(field, kMostNetworks, "domain names");
  if (field.is(Value::Kind::kList) && field.Size() == 0) field.Error("must not be empty");
  field.EachItem([&](const Field& item) {
    const auto text = item.String();
    if (!text) return;
    if (IsDomainPattern(*text)) {
      names.emplace_back(*text);
    } else {
      item.Error("is no domain name such as example.com or *.example.com, where * is one or more labels");
    }
  });
  return names;
}

// Returns nothing if this version does not know it (CNP-08).
std::optional<ClusterPolicyPeer> DecodePeer(const Field& item, Direction direction, const Dialect& dialect,
                                            Action action) {
  const bool is_egress = direction == Direction::kEgress;
  const auto which = !is_egress ? OneOf(item, {"namespaces", "pods"})
                     : dialect.has_domain_names
                         ? OneOf(item, {"namespaces", "pods", "nodes", "networks", "domainNames"})
                         : OneOf(item, {"namespaces", "pods", "nodes", "networks"});
  if (!which) return std::nullopt;
  ClusterPolicyPeer peer;
  const Field field = item.Get(*which);
  if (*which == "namespaces") {
    peer.pods.emplace().namespaces = DecodeSelector(field);
  } else if (*which == "pods") {
    peer.pods = DecodePods(field, !dialect.has_tier);
  } else if (*which == "nodes") {
    peer.nodes = DecodeSelector(field);
  } else if (*which == "networks") {
    peer.networks = DecodeNetworks(field);
  } else {
    peer.domain_names = DecodeDomainNames(field);
    if (action != Action::kAllow) {
      field.Unknown("stands only in a rule whose action is " + std::string(dialect.accept));
      return std::nullopt;
    }
  }
  return peer;
}

std::optional<std::uint16_t> DecodePortNumber(const Field& field, bool required) {
  if (required && !field.present()) field.Error("is required");
  const auto number = field.Integer(1, kLastPort);
  return number ? std::optional(static_cast<std::uint16_t>(*number)) : std::nullopt;
}

void DecodeRange(const Field& range, ClusterPolicyPort& port) {
  const Field end = range.Get("end");
  const auto first = DecodePortNumber(range.Get("start"), true);
  const auto last = DecodePortNumber(end, true);
  if (first && last && *first >= *last) end.Error("must be above start, which is " + std::to_string(*first));
  port.first = first.value_or(0);
  port.last = last.value_or(0);
}

void DecodePortName(const Field& field, ClusterPolicyPort& port) {
  port.name = field.String().value_or("");
  if (!IsPortName(port.name)) field.Warning('"' + port.name + "\" is no port's name, so it matches nothing");
}

// ClusterNetworkPolicyProtocol.
std::optional<ClusterPolicyPort> DecodeProtocolItem(const Field& item) {
  const auto which = OneOf(item, {"tcp", "udp", "sctp", "destinationNamedPort"});
  if (!which) return std::nullopt;
  ClusterPolicyPort port;
  const Field field = item.Get(*which);
  if (*which == "destinationNamedPort") {
    DecodePortName(field, port);
    return port;
  }
  port.protocol = *which == "tcp" ? kProtoTcp : *which == "udp" ? kProtoUdp : kProtoSctp;
  if (!OneOf(field, {"destinationPort"})) return std::nullopt;
  const Field destination = field.Get("destinationPort");
  const auto form = OneOf(destination, {"number", "range"});
  if (!form) return std::nullopt;
  const Field value = destination.Get(*form);
  if (*form == "number") {
    port.first = port.last = DecodePortNumber(value, false).value_or(0);
  } else {
    value.CheckOnly({"start", "end"});
    DecodeRange(value, port);
  }
  return port;
}

// AdminNetworkPolicyPort.
std::optional<ClusterPolicyPort> DecodeAdminPort(const Field& item) {
  const auto which = OneOf(item, {"portNumber", "portRange", "namedPort"});
  if (!which) return std::nullopt;
  ClusterPolicyPort port;
  const Field field = item.Get(*which);
  if (*which == "namedPort") {
    DecodePortName(field, port);
    return port;
  }
  const bool is_number = *which == "portNumber";
  if (is_number ? field.HasUnknown({"protocol", "port"}) : field.HasUnknown({"protocol", "start", "end"})) {
    return std::nullopt;
  }
  port.protocol = DecodeProtocol(field.Get("protocol")).value_or(0);
  if (is_number) {
    port.first = port.last = DecodePortNumber(field.Get("port"), true).value_or(0);
  } else {
    DecodeRange(field, port);
  }
  return port;
}

// The number of characters of valid UTF-8; nothing for other bytes.
std::optional<std::size_t> CharactersOf(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xc2 && lead < 0xe0 ? 2
                               : (lead & 0xf0) == 0xe0       ? 3
                               : lead >= 0xf0 && lead < 0xf5 ? 4
                                                             : 0;
    if (length == 0 || at + length > text.size()) return std::nullopt;
    for (std::size_t i = 1; i < length; ++i) {
      if ((static_cast<unsigned char>(text[at + i]) & 0xc0) != 0x80) return std::nullopt;
    }
    at += length;
  }
  return count;
}

std::string DecodeRuleName(const Field& field) {
  const std::string name(field.String().value_or(""));
  const auto characters = CharactersOf(name);
  if (!characters) {
    field.Error("is not UTF-8 text");
    return {};
  }
  if (*characters > kMostNameCharacters) {
    field.Error("has " + std::to_string(*characters) + " characters; at most 100 are allowed");
    return {};
  }
  return name;
}

// Returns nothing if this version does not know the action.
std::optional<Action> DecodeAction(const Field& field, const Dialect& dialect) {
  const std::string choices = std::string(dialect.accept) + (dialect.has_pass ? ", Deny or Pass" : " or Deny");
  if (!field.present()) {
    field.Error("is required: " + choices);
    return std::nullopt;
  }
  const auto text = field.String();
  if (!text) return std::nullopt;
  if (*text == dialect.accept) return Action::kAllow;
  if (*text == "Deny") return Action::kDeny;
  if (*text == "Pass" && dialect.has_pass) return Action::kPass;
  field.Unknown("must be " + choices + ", is \"" + std::string(*text) + '"');
  return std::nullopt;
}

void MatchNothing(ClusterPolicyRule& rule) {
  rule.everyone = false;
  rule.peers.clear();
}

void DenyEverything(ClusterPolicyRule& rule) {
  rule.action = Action::kDeny;
  rule.everyone = true;
  rule.peers.clear();
  rule.any_port = true;
  rule.ports.clear();
}

ClusterPolicyRule DecodeRule(const Field& item, Direction direction, const Dialect& dialect) {
  ClusterPolicyRule rule;
  const std::string_view peers_name = direction == Direction::kEgress ? "to" : "from";
  bool rule_known = !item.HasUnknown({"name", "action", peers_name, dialect.ports});
  rule.name = DecodeRuleName(item.Get("name"));
  const auto action = DecodeAction(item.Get("action"), dialect);
  rule.action = action.value_or(Action::kDeny);
  bool parts_known = action.has_value();

  const Field peers = item.Get(peers_name);
  if (item.is(Value::Kind::kMap) && (!peers.present() || (peers.is(Value::Kind::kList) && peers.Size() == 0))) {
    peers.Error("is required, with at least one peer");
  }
  CheckSize(peers, dialect.most, "peers");
  peers.EachItem([&](const Field& field) {
    auto peer = DecodePeer(field, direction, dialect, rule.action);
    parts_known = parts_known && peer;
    if (peer) rule.peers.push_back(*std::move(peer));
  });

  const Field ports = item.Get(dialect.ports);
  rule.any_port = !ports.present();
  if (ports.is(Value::Kind::kList) && ports.Size() == 0) {
    ports.Error("must not be empty; every protocol and port is written by leaving it out");
  }
  CheckSize(ports, dialect.most, dialect.ports);
  ports.EachItem([&](const Field& field) {
    auto port = dialect.has_tier ? DecodeProtocolItem(field) : DecodeAdminPort(field);
    parts_known = parts_known && port;
    if (port) rule.ports.push_back(*std::move(port));
  });

  // CNP-08. An unknown part of an Accept as a whole may narrow it in any way.
  if (rule.action == Action::kAllow && !rule_known) MatchNothing(rule);
  if (rule.action != Action::kAllow && !(rule_known && parts_known)) DenyEverything(rule);
  return rule;
}

std::vector<ClusterPolicyRule> DecodeRules(const Field& field, Direction direction, const Dialect& dialect) {
  std::vector<ClusterPolicyRule> rules;
  CheckSize(field, dialect.most, "rules");
  field.EachItem([&](const Field& item) { rules.push_back(DecodeRule(item, direction, dialect)); });
  return rules;
}

Tier DecodeTier(const Field& field) {
  const auto text = field.String();
  if (text == "Baseline") return Tier::kBaseline;
  if (!field.present()) {
    field.Error("is required: Admin or Baseline");
  } else if (text && text != "Admin") {
    field.Error("must be Admin or Baseline, is \"" + std::string(*text) + '"');
  }
  return Tier::kAdmin;
}

constexpr std::array<std::string_view, 5> kClusterPolicyFields = {"tier", "priority", "subject", "ingress", "egress"};

// True iff `field` may be there under another name: the map is not whole, or a key is a slip of the pen away from it.
bool MayHide(const Value& map, std::string_view field) {
  for (const Value* entry = map.first; entry != nullptr; entry = entry->next) {
    if (std::find(kClusterPolicyFields.begin(), kClusterPolicyFields.end(), entry->key) != kClusterPolicyFields.end())
      continue;
    if (Nearest(entry->key, std::span(&field, 1))) return true;
  }
  return map.cut;
}

bool IsGivenOnce(const Value& map, std::string_view key) {
  std::size_t count = 0;
  for (const Value* entry = map.first; entry != nullptr; entry = entry->next) count += entry->key == key;
  return count == 1;
}

// The rules of a refused policy, from their raw values; their errors are already reported. For a rule that was not
// read, or that may have been another one, this assumes the worst.
std::vector<ClusterPolicyRule> RefusedRules(const Value& spec, std::string_view direction, std::string_view accept,
                                            std::vector<ClusterPolicyRule> readable) {
  const Value* list = spec.Find(direction);
  const bool missing = list == nullptr || list->kind == Value::Kind::kNull;
  std::vector<ClusterPolicyRule> rules;
  if (!missing && list->kind == Value::Kind::kList) {
    std::size_t index = 0;
    for (const Value* item = list->first; item != nullptr; item = item->next, ++index) {
      ClusterPolicyRule& rule = rules.emplace_back();
      if (index < readable.size()) rule.name = std::move(readable[index].name);
      const Value* action = item->Find("action");
      const bool accepts = action != nullptr && action->text == accept && IsGivenOnce(*item, "action") && !item->cut;
      accepts ? MatchNothing(rule) : DenyEverything(rule);
    }
  }
  const bool whole = missing ? !MayHide(spec, direction)
                             : list->kind == Value::Kind::kList && !list->cut && IsGivenOnce(spec, direction);
  if (!whole) DenyEverything(rules.emplace_back());
  return rules;
}

// CNP-06: exactly one of the two is there, so that the pods that the policy was meant to bind are known.
bool HasSubject(const Value& spec) {
  const Value* subject = spec.Find("subject");
  if (subject == nullptr || subject->kind != Value::Kind::kMap || !IsGivenOnce(spec, "subject")) return false;
  const Value* namespaces = subject->Find("namespaces");
  const Value* pods = subject->Find("pods");
  const auto missing = [](const Value* value) { return value == nullptr || value->kind == Value::Kind::kNull; };
  const Value* given = missing(namespaces) ? pods : namespaces;
  return missing(namespaces) != missing(pods) && given->kind == Value::Kind::kMap;
}

bool HasTier(const Value& spec) {
  const Value* tier = spec.Find("tier");
  return tier != nullptr && tier->kind == Value::Kind::kString && (tier->text == "Admin" || tier->text == "Baseline") &&
         IsGivenOnce(spec, "tier");
}

// Requires that the names of the spec's fields were checked.
ClusterPolicy DecodeSpec(const Field& root, const Field& spec, ClusterPolicyKind kind, std::string name) {
  const Dialect dialect = DialectOf(kind);
  ClusterPolicy policy;
  policy.kind = kind;
  policy.name = std::move(name);
  policy.tier = kind == ClusterPolicyKind::kBaselineAdminNetworkPolicy ? Tier::kBaseline : Tier::kAdmin;
  if (!spec.present()) spec.Error("is required");
  if (dialect.has_tier) policy.tier = DecodeTier(spec.Get("tier"));
  if (kind == ClusterPolicyKind::kBaselineAdminNetworkPolicy && !policy.name.empty() && policy.name != "default") {
    const Field metadata = root.Get("metadata");
    metadata.Get("name").Error("must be \"default\": a cluster has one BaselineAdminNetworkPolicy");
  }
  if (dialect.has_priority) {
    const Field priority = spec.Get("priority");
    if (spec.present() && !priority.present()) priority.Error("is required: 0 (first) to 1000");
    policy.priority = static_cast<std::uint32_t>(priority.Integer(0, 1000).value_or(0));
  }
  const Field subject = spec.Get("subject");
  if (spec.present()) policy.subject = DecodeSubject(subject);
  policy.ingress = DecodeRules(spec.Get("ingress"), Direction::kIngress, dialect);
  policy.egress = DecodeRules(spec.Get("egress"), Direction::kEgress, dialect);
  return policy;
}

}  // namespace

ClusterPolicy DecodeClusterPolicy(const Field& root, ClusterPolicyKind kind, ObjectMeta meta) {
  const Dialect dialect = DialectOf(kind);
  root.CheckOnly({"apiVersion", "kind", "metadata", "spec", "status"});
  const Field spec = root.Get("spec");
  if (dialect.has_tier) {
    spec.CheckOnly(kClusterPolicyFields);
  } else if (dialect.has_priority) {
    spec.CheckOnly({"priority", "subject", "ingress", "egress"});
  } else {
    spec.CheckOnly({"subject", "ingress", "egress"});
  }
  return DecodeSpec(root, spec, kind, std::move(meta.name));
}

StagedClusterPolicy DecodeStagedClusterPolicy(const Field& root, ObjectMeta meta) {
  StagedClusterPolicy staged;
  staged.name = meta.name;
  root.CheckOnly({"apiVersion", "kind", "metadata", "spec", "status"});
  const Field spec = root.Get("spec");
  spec.CheckOnly({"action", "tier", "priority", "subject", "ingress", "egress"});
  staged.action = DecodeStagedAction(spec.Get("action"));
  if (staged.action != StagedAction::kSet) return staged;
  staged.policy = DecodeSpec(root, spec, ClusterPolicyKind::kClusterNetworkPolicy, std::move(meta.name));
  return staged;
}

std::optional<ClusterPolicy> RefusedClusterPolicy(const Value& root, ClusterPolicy readable) {
  const Dialect dialect = DialectOf(readable.kind);
  const Value* spec = root.Find("spec");
  if (spec == nullptr || spec->kind != Value::Kind::kMap || !HasSubject(*spec)) return std::nullopt;
  if (dialect.has_tier && !HasTier(*spec)) return std::nullopt;
  readable.refused = true;
  readable.ingress = RefusedRules(*spec, "ingress", dialect.accept, std::move(readable.ingress));
  readable.egress = RefusedRules(*spec, "egress", dialect.accept, std::move(readable.egress));
  return readable;
}

}  // namespace sluice
