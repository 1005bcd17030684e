// networking.k8s.io/v1 NetworkPolicy. Refuses what the API server's ValidateNetworkPolicySpec refuses (NP-14).
#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>

#include "model/decode_kinds.h"
#include "model/names.h"
#include "model/recognise.h"

namespace sluice {
namespace {

constexpr std::int64_t kMaxPort = 65535;
constexpr std::string_view kPeerForms =
    "needs a podSelector, a namespaceSelector or an ipBlock; everyone is written as an empty list of peers";

IpBlock DecodeIpBlock(const Field& field) {
  IpBlock block;
  field.CheckOnly({"cidr", "except"});
  const Field cidr = field.Get("cidr");
  if (!cidr.present()) cidr.Error("is required");
  const auto prefix = DecodePrefix(cidr);
  if (prefix) block.cidr = *prefix;
  const Field excepts = field.Get("except");
  excepts.EachItem([&](const Field& item) {
    const auto except = DecodePrefix(item);
    if (!except) return;
    if (prefix && (*except == *prefix || !prefix->Contains(*except))) {
      item.Error(except->ToString() + " must lie within the cidr " + prefix->ToString() + " and be smaller");
    }
    block.excepts.push_back(*except);
  });
  return block;
}

NetworkPolicyPeer DecodePeer(const Field& item) {
  NetworkPolicyPeer peer;
  item.CheckOnly({"podSelector", "namespaceSelector", "ipBlock"});
  const Field pods = item.Get("podSelector");
  const Field namespaces = item.Get("namespaceSelector");
  const Field block = item.Get("ipBlock");
  if (pods.present()) peer.pod_selector = DecodeSelector(pods);
  if (namespaces.present()) peer.namespace_selector = DecodeSelector(namespaces);
  if (block.present()) peer.ip_block = DecodeIpBlock(block);
  const bool selects = pods.present() || namespaces.present();
  if (block.present() && selects) block.Error("must not stand beside a selector; make it a peer of its own");
  if (!block.present() && !selects && item.is(Value::Kind::kMap)) {
    item.Error(std::string(kPeerForms));
  }
  return peer;
}

NetworkPolicyPort DecodePort(const Field& item) {
  NetworkPolicyPort result;
  item.CheckOnly({"protocol", "port", "endPort"});
  result.protocol = DecodeProtocol(item.Get("protocol")).value_or(0);
  const Field port = item.Get("port");
  if (port.is(Value::Kind::kString)) {
    result.name = *port.String();
    if (!IsPortName(result.name)) {
      port.Error('"' + result.name +
                 "\" is not a port name: at most 15 of a-z, 0-9, '-', a letter among them; a number goes without "
                 "quotes");
    }
  } else if (port.present() && !port.is(Value::Kind::kInteger)) {
    port.Error("must be a port's number or name");
  } else if (const auto number = port.Integer(1, kMaxPort)) {
    result.port = static_cast<std::uint16_t>(*number);
  }
  const Field end_port = item.Get("endPort");
  if (const auto end = end_port.Integer(1, kMaxPort)) {
    result.end_port = static_cast<std::uint16_t>(*end);
    if (!port.present()) end_port.Error("needs port, the first of the range");
    if (port.is(Value::Kind::kString)) end_port.Error("must not be given with a named port");
    if (result.port && *end < *result.port) end_port.Error("must not be below port " + std::to_string(*result.port));
  }
  return result;
}

std::vector<NetworkPolicyRule> DecodeRules(const Field& field, std::string_view peers_name) {
  std::vector<NetworkPolicyRule> rules;
  field.EachItem(
      [&](const Field& item) {
        NetworkPolicyRule& rule = rules.emplace_back();
        item.CheckOnly({peers_name, "ports"});
        const Field peers = item.Get(peers_name);
        peers.EachItem([&](const Field& peer) { rule.peers.push_back(DecodePeer(peer)); }, kPeerForms);
        const Field ports = item.Get("ports");
        ports.EachItem([&](const Field& port) { rule.ports.push_back(DecodePort(port)); },
                       "write {} for every TCP port, or name one");
      },
      "write {} for a rule that admits everything, or leave it out");
  return rules;
}

// NP-10, NP-11.
void DecodePolicyTypes(const Field& field, bool has_egress_rule, NetworkPolicy& policy) {
  if (field.Size() == 0) {
    policy.has_ingress = true;
    policy.has_egress = has_egress_rule;
  }
  field.EachItem([&](const Field& item) {
    const auto type = item.String();
    if (!type) return;
    if (*type == "Ingress") {
      policy.has_ingress = true;
    } else if (*type == "Egress") {
      policy.has_egress = true;
    } else {
      item.Error("must be Ingress or Egress, is \"" + std::string(*type) + '"');
    }
  });
}

// Reads the types of a refused policy from their raw value; their errors are already reported. False: they
// are empty or unreadable.
bool ReadTypes(const Value& types, NetworkPolicy& policy) {
  if (types.kind != Value::Kind::kList || types.cut) return false;
  for (const Value* item = types.first; item != nullptr; item = item->next) {
    if (item->kind != Value::Kind::kString) return false;
    if (item->text != "Ingress" && item->text != "Egress") return false;
    (item->text == "Ingress" ? policy.has_ingress : policy.has_egress) = true;
  }
  return types.first != nullptr;
}

constexpr std::array<std::string_view, 5> kRootFields = {"apiVersion", "kind", "metadata", "spec", "status"};
constexpr std::array<std::string_view, 4> kSpecFields = {"podSelector", "policyTypes", "ingress", "egress"};

bool IsGivenTwice(const Value& map, std::string_view key) {
  for (const Value* entry = map.first; entry != nullptr; entry = entry->next) {
    if (entry->duplicate && entry->key == key) return true;
  }
  return false;
}

// True iff a field that the map lacks may not really be missing: the map is not whole, or it has another field that may
// have been meant to be this one.
bool MayHide(const Value& map, std::string_view field, std::span<const std::string_view> known) {
  for (const Value* entry = map.first; entry != nullptr; entry = entry->next) {
    if (std::find(known.begin(), known.end(), entry->key) != known.end()) continue;
    if (Nearest(entry->key, std::span(&field, 1))) return true;
  }
  return map.cut;
}

bool IsNullOrMissing(const Value* value) { return value == nullptr || value->kind == Value::Kind::kNull; }

bool IsEmptyList(const Value& value) {
  return value.kind == Value::Kind::kList && value.first == nullptr && !value.cut;
}

NetworkPolicy DecodeSpec(const Field& spec, ObjectMeta meta) {
  NetworkPolicy policy;
  policy.namespace_name = std::move(meta.namespace_name);
  policy.name = std::move(meta.name);
  const Field selector = spec.Get("podSelector");
  policy.pod_selector = DecodeSelector(selector);
  const Field ingress = spec.Get("ingress");
  const Field egress = spec.Get("egress");
  policy.ingress = DecodeRules(ingress, "from");
  policy.egress = DecodeRules(egress, "to");
  const Field types = spec.Get("policyTypes");
  DecodePolicyTypes(types, egress.Size() != 0, policy);
  if (!policy.has_ingress) policy.ingress.clear();
  if (!policy.has_egress) policy.egress.clear();
  return policy;
}

}  // namespace

NetworkPolicy DecodeNetworkPolicy(const Field& root, ObjectMeta meta) {
  root.CheckOnly(kRootFields);
  const Field spec = root.Get("spec");  // NP-17: absent is {}
  spec.CheckOnly(kSpecFields);
  return DecodeSpec(spec, std::move(meta));
}

StagedNetworkPolicy DecodeStagedPolicy(const Field& root, std::string_view kind, ObjectMeta meta) {
  const bool is_calico = kind == kCalicoStagedKind;
  const std::string_view action_field = is_calico ? "stagedAction" : "action";
  StagedNetworkPolicy staged;
  staged.by = is_calico ? StagedBy::kCalicoObject : StagedBy::kObject;
  staged.namespace_name = meta.namespace_name;
  staged.name = meta.name;
  root.CheckOnly(kRootFields);
  const Field spec = root.Get("spec");
  spec.CheckOnly(std::array{kSpecFields[0], kSpecFields[1], kSpecFields[2], kSpecFields[3], action_field});
  staged.policy = DecodeSpec(spec, std::move(meta));
  const Field action = spec.Get(action_field);
  const auto text = action.String();
  const bool is_ignored = is_calico && (text == "Ignore" || text == "Learn");
  staged.action = is_ignored ? StagedAction::kIgnore : DecodeStagedAction(action);
  if (staged.action != StagedAction::kSet) staged.policy = {};
  return staged;
}

StagedAction DecodeStagedAction(const Field& field) {
  const std::string_view text = field.String().value_or("Set");
  if (text == "Delete") return StagedAction::kDelete;
  if (text != "Set" && field.is(Value::Kind::kString)) {
    field.Error("must be Set or Delete, is \"" + std::string(text) + '"');
  }
  return StagedAction::kSet;
}

NetworkPolicy RefusedPolicy(const Value& root, NetworkPolicy readable) {
  static constexpr Value kNoSpec{};
  NetworkPolicy policy;
  policy.namespace_name = std::move(readable.namespace_name);
  policy.name = std::move(readable.name);
  policy.pod_selector = std::move(readable.pod_selector);
  policy.refused = true;
  const Value* given = root.Find("spec");
  const Value& spec = IsNullOrMissing(given) ? kNoSpec : *given;
  const Value* types = spec.Find("policyTypes");
  const Value* egress = spec.Find("egress");
  const bool types_given_once = types != nullptr && !IsGivenTwice(spec, "policyTypes");
  if (types_given_once && ReadTypes(*types, policy)) return policy;
  const bool no_types = IsNullOrMissing(types) || (types_given_once && IsEmptyList(*types));
  const bool no_egress = IsNullOrMissing(egress) || (IsEmptyList(*egress) && !IsGivenTwice(spec, "egress"));
  const bool clear = &spec == &kNoSpec ? !MayHide(root, "spec", kRootFields)
                                       : spec.kind == Value::Kind::kMap && !MayHide(spec, "policyTypes", kSpecFields) &&
                                             !MayHide(spec, "egress", kSpecFields);
  policy.has_ingress = true;
  policy.has_egress = !clear || !no_types || !no_egress;  // NP-10
  return policy;
}

}  // namespace sluice
