#include "model/decode.h"

#include <algorithm>
#include <utility>

#include "model/decode_kinds.h"
#include "model/recognise.h"

namespace sluice {
namespace {

using Outcome = DecodedObject::Outcome;

std::string_view TextOf(const Value* value) {
  return value != nullptr && value->kind == Value::Kind::kString ? value->text : std::string_view();
}

// The name as it is written, even if it is a number or not a valid name. Empty if it cannot be a name at all: names are
// sent on, and people read them.
std::string NameOf(const Value* value) {
  constexpr std::size_t kMostCharacters = 253;
  const auto printable = [](char c) { return c > ' ' && c < '\x7f'; };
  if (value == nullptr || !value->scalar() || value->text.size() > kMostCharacters) return {};
  return std::all_of(value->text.begin(), value->text.end(), printable) ? std::string(value->text) : std::string();
}

bool HasNamespace(std::string_view kind) {
  return kind != "Namespace" && kind != "Node" && kind != kStagedClusterKind && !ClusterPolicyKindOf(kind);
}

// `kind` is the object's kind, or the kind it was meant to be. An object of a foreign kind may have a namespace.
ObjectKey ReadKey(const Value& object, std::string_view kind) {
  ObjectKey key{std::string(kind), {}, {}};
  const Value* metadata = object.Find("metadata");
  if (metadata != nullptr) key.name = NameOf(metadata->Find("name"));
  if (metadata != nullptr && HasNamespace(kind)) key.namespace_name = NameOf(metadata->Find("namespace"));
  return key;
}

// NP-12: `default` if no namespace is given. False: the namespace cannot be read.
bool SettleNamespace(const Value& object, ObjectKey& key) {
  if (!HasNamespace(key.kind) || !key.namespace_name.empty()) return true;
  const Value* metadata = object.Find("metadata");
  const Value* space = metadata == nullptr ? nullptr : metadata->Find("namespace");
  const bool missing = space == nullptr || space->kind == Value::Kind::kNull || space->text.empty();
  const bool whole = metadata == nullptr ? !object.cut
                                         : metadata->kind == Value::Kind::kNull ||
                                               (metadata->kind == Value::Kind::kMap && !metadata->cut);
  if (!missing || (space != nullptr && !space->scalar()) || (space == nullptr && !whole)) return false;
  key.namespace_name = "default";
  return true;
}

// Reports keys that are given twice, by a walk that only objects with such keys need.
void ReportDuplicates(const ValueTree& tree, const Value& value, const std::string& path, Findings& findings) {
  std::size_t index = 0;
  for (const Value* child = value.first; child != nullptr && !findings.full(); child = child->next, ++index) {
    std::string child_path = path;
    if (value.kind == Value::Kind::kList) {
      child_path += '[' + std::to_string(index) + ']';
    } else {
      child_path += (path.empty() ? "" : ".") + std::string(child->key);
      if (child->duplicate) {
        const std::uint32_t first = tree.LineOf(child->key_position);
        findings.Add(Severity::kError, value.Find(child->key)->key_position, child_path,
                     "given twice; the first is in line " + std::to_string(first));
      }
    }
    ReportDuplicates(tree, *child, child_path, findings);
  }
}

}  // namespace

std::string ObjectKey::ToString() const {
  if (name.empty()) return kind;
  std::string text = kind.empty() ? "object" : kind;
  text += ' ';
  if (!namespace_name.empty()) text += namespace_name + '/';
  return text + name;
}

bool IsListKind(std::string_view kind) {
  constexpr std::string_view kList = "list";
  if (kind.size() < kList.size()) return false;
  return std::equal(kList.begin(), kList.end(), kind.end() - kList.size(),
                    [](char a, char b) { return a == static_cast<char>(b | 0x20); });
}

bool IsObjectList(const Value& object) {
  const std::string_view kind = TextOf(object.Find("kind"));
  return kind == "List" || (IsListKind(kind) && object.Find("items") != nullptr);
}

TypeMeta ItemTypeOf(const Value& list) {
  const std::string_view kind = TextOf(list.Find("kind"));
  constexpr std::size_t kSuffix = 4;
  if (!IsListKind(kind) || kind.size() == kSuffix) return {};
  return {std::string(TextOf(list.Find("apiVersion"))), std::string(kind.substr(0, kind.size() - kSuffix))};
}

DecodedObject DecodeObject(const ValueTree& tree, const Value& object, const TypeMeta& item_type,
                           const std::string& file, Diagnostics& diagnostics, Origin origin) {
  DecodedObject decoded;
  Findings findings(tree, file, diagnostics, origin);
  const Field root(findings, object);
  decoded.line = tree.LineOf(object.position);
  if (object.kind != Value::Kind::kMap) {
    root.Error("must be an object, a map with apiVersion, kind and metadata; is " + std::string(KindName(object.kind)));
    return decoded;
  }
  const Value* kind = object.Find("kind");
  const Value* version = object.Find("apiVersion");
  const TypeMeta type = {version == nullptr ? item_type.api_version : std::string(TextOf(version)),
                         kind == nullptr ? item_type.kind : std::string(TextOf(kind))};
  const Recognised recognised = Recognise(object, type);
  decoded.key = ReadKey(object, recognised.kind.empty() ? type.kind : recognised.kind);
  const bool placed = recognised.kind.empty() || SettleNamespace(object, decoded.key);
  findings.SetObject(decoded.key.ToString());
  if (recognised.ours == Ours::kNo) {
    findings.Add(Severity::kNote, object.position, {},
                 "skipped, Sluice does not read " + type.api_version + ' ' + type.kind);
    decoded.outcome = Outcome::kSkipped;
    return decoded;
  }
  ReportType(root, type, recognised);
  if (tree.has_duplicates()) ReportDuplicates(tree, object, {}, findings);
  for (const auto& problem : tree.problems()) findings.Add(Severity::kError, problem.position, {}, problem.why);
  if (recognised.ours == Ours::kUnknown) return decoded;

  if (object.cut) root.Error("is not whole");
  ObjectMeta meta = DecodeMeta(root, decoded.key);
  const bool labels_readable = meta.labels_readable;
  if (recognised.kind == "Namespace") {
    decoded.object = DecodeNamespace(root, std::move(meta));
    decoded.unclear = !labels_readable;
  } else if (recognised.kind == "Node") {
    decoded.object = DecodeNode(root, std::move(meta));
  } else if (recognised.kind == "Pod") {
    Pod pod = DecodePod(root, std::move(meta));
    decoded.unclear = !placed || !labels_readable;
    // A pod without an address has nothing that policy could bind.
    if (findings.errors() == 0 || !pod.addresses.empty()) decoded.object = std::move(pod);
  } else if (const auto cluster_kind = ClusterPolicyKindOf(recognised.kind)) {
    ClusterPolicy policy = DecodeClusterPolicy(root, *cluster_kind, std::move(meta));
    if (findings.errors() == 0) {
      decoded.object = std::move(policy);
    } else if (auto refused = RefusedClusterPolicy(object, std::move(policy))) {
      decoded.object = *std::move(refused);
    } else {
      decoded.unclear = true;
    }
  } else if (recognised.kind == kStagedClusterKind) {
    StagedClusterPolicy staged = DecodeStagedClusterPolicy(root, std::move(meta));
    if (findings.errors() == 0) decoded.object = std::move(staged);
  } else if (IsStagedKind(recognised.kind)) {
    // A refused object stages nothing.
    StagedNetworkPolicy staged = DecodeStagedPolicy(root, recognised.kind, std::move(meta));
    if (findings.errors() == 0) decoded.object = std::move(staged);
  } else {
    NetworkPolicy policy = DecodeNetworkPolicy(root, std::move(meta));
    if (findings.errors() != 0) policy = RefusedPolicy(object, std::move(policy));
    decoded.object = std::move(policy);
    decoded.unclear = !placed;
  }
  decoded.outcome = findings.errors() == 0 ? Outcome::kAccepted : Outcome::kRefused;
  decoded.failed_closed = findings.TakeClosed();
  if (!placed) decoded.object = std::monostate();
  return decoded;
}

}  // namespace sluice
