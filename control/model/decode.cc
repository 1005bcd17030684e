#include "model/decode.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <utility>

#include "model/decode_kinds.h"
#include "model/names.h"

namespace sluice {
namespace {

using Outcome = DecodedObject::Outcome;

constexpr std::string_view kCore = "v1";
constexpr std::string_view kNetworking = "networking.k8s.io/v1";
constexpr std::array<std::string_view, 3> kCoreKinds = {"Namespace", "Node", "Pod"};
constexpr std::array<std::string_view, 1> kNetworkingKinds = {"NetworkPolicy"};

std::string_view TextOf(const Value* value) {
  return value != nullptr && value->kind == Value::Kind::kString ? value->text : std::string_view();
}

// `digits` characters of `text` from `at` on as a number; -1 if they are none.
int Digits(std::string_view text, std::size_t at, std::size_t digits) {
  int number = 0;
  if (at + digits > text.size()) return -1;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + digits, number);
  return error == std::errc{} && end == text.data() + at + digits && number >= 0 ? number : -1;
}

// RFC 3339, to the second.
std::optional<std::int64_t> ParseTime(std::string_view text) {
  using namespace std::chrono;
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't')) return std::nullopt;
  if (text[13] != ':' || text[16] != ':') return std::nullopt;
  const int hour = Digits(text, 11, 2), minute = Digits(text, 14, 2), second = Digits(text, 17, 2);
  const int year_number = Digits(text, 0, 4), month_number = Digits(text, 5, 2), day_number = Digits(text, 8, 2);
  if (std::min({hour, minute, second, year_number, month_number, day_number}) < 0) return std::nullopt;
  const year_month_day date{year(year_number), month(month_number), day(day_number)};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  std::int64_t time = sys_days(date).time_since_epoch().count() * 86400LL + hour * 3600 + minute * 60 + second;
  std::size_t at = 19;
  if (text[at] == '.') at = std::min(text.find_first_not_of("0123456789", at + 1), text.size());
  const std::string_view zone = text.substr(at);
  if (zone == "Z" || zone == "z") return time;
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') return std::nullopt;
  const int zone_hours = Digits(zone, 1, 2), zone_minutes = Digits(zone, 4, 2);
  if (zone_hours < 0 || zone_hours > 23 || zone_minutes < 0 || zone_minutes > 59) return std::nullopt;
  const int offset = zone_hours * 3600 + zone_minutes * 60;
  return zone[0] == '+' ? time - offset : time + offset;
}

void DecodeLabels(const Field& field, ObjectMeta& meta) {
  const std::size_t errors_before = field.errors();
  field.EachEntry([&](const Field& entry) {
    if (!IsLabelKey(entry.key())) entry.KeyError("is not a label key");
    const auto text = entry.String();
    if (!text && entry.present()) return;
    const std::string value(text.value_or(""));
    if (!IsLabelValue(value)) {
      return entry.Error(
          "is not a label value: at most 63 letters, digits, '-', '_', '.', a letter or digit at both ends");
    }
    meta.labels.emplace_back(entry.key(), value);
  });
  if (!field.present() || field.is(Value::Kind::kMap)) {
    meta.labels_valid = field.errors() == errors_before;
  } else {
    meta.labels_valid = false;
  }
  std::stable_sort(meta.labels.begin(), meta.labels.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto same_key = [](const auto& a, const auto& b) { return a.first == b.first; };
  meta.labels.erase(std::unique(meta.labels.begin(), meta.labels.end(), same_key), meta.labels.end());
}

ObjectMeta DecodeMeta(const Field& root, const ObjectKey& key) {
  ObjectMeta meta;
  const Field field = root.Get("metadata");
  field.CheckOnly({"name", "namespace", "labels", "annotations", "creationTimestamp", "uid", "resourceVersion",
                   "generation", "generateName", "deletionTimestamp", "deletionGracePeriodSeconds", "finalizers",
                   "managedFields", "ownerReferences", "selfLink"});
  const bool namespaced = key.kind == "Pod" || key.kind == "NetworkPolicy";
  const Field name = field.Get("name");
  meta.name = name.String().value_or("");
  if (!name.present() || (name.is(Value::Kind::kString) && meta.name.empty())) {
    name.Error("is required");
  } else if (name.is(Value::Kind::kString)) {
    const bool valid = key.kind == "Namespace" ? IsDnsLabel(meta.name) : IsDnsSubdomain(meta.name);
    if (!valid) name.Error("\"" + meta.name + "\" is not a name: only a-z, 0-9, '-' and, but in a namespace's, '.'");
  }
  if (namespaced) {
    const Field space = field.Get("namespace");
    meta.namespace_name = key.namespace_name;
    const std::string_view text = space.String().value_or("");
    if (!text.empty() && !IsDnsLabel(text)) space.Error("is not the name of a namespace: only a-z, 0-9, '-'");
  }
  const Field labels = field.Get("labels");
  DecodeLabels(labels, meta);
  const Field created = field.Get("creationTimestamp");
  if (const auto text = created.String()) {
    const auto time = ParseTime(*text);
    if (!time) created.Error("\"" + std::string(*text) + "\" is not a time such as 2026-01-31T12:00:00Z");
    meta.created = time.value_or(0);
  }
  return meta;
}

ObjectKey ReadKey(const Value& object, std::string_view kind) {
  ObjectKey key{std::string(kind), {}, {}};
  const Value* metadata = object.Find("metadata");
  if (metadata == nullptr) return key;
  key.name = TextOf(metadata->Find("name"));
  const Value* space = metadata->Find("namespace");
  if (kind == "Namespace" || kind == "Node") return key;
  key.namespace_name = TextOf(space);
  const bool missing = space == nullptr || space->kind == Value::Kind::kNull || space->kind == Value::Kind::kString;
  if (key.namespace_name.empty() && missing && (kind == "Pod" || kind == "NetworkPolicy")) {
    key.namespace_name = "default";  // NP-12
  }
  return key;
}

// Paths of keys given twice, found by a walk that only such objects need.
void ReportDuplicates(const ValueTree& tree, const Value& value, const std::string& path, Findings& findings) {
  std::size_t index = 0;
  for (const Value* child = value.first; child != nullptr && !findings.full(); child = child->next, ++index) {
    std::string child_path = path;
    if (value.kind == Value::Kind::kList) {
      child_path += '[' + std::to_string(index) + ']';
    } else {
      child_path += (path.empty() ? "" : ".") + std::string(child->key);
      if (child->duplicate) {
        const std::uint32_t first = tree.LineOf(value.Find(child->key)->key_position);
        findings.Add(Severity::kError, child->key_position, child_path,
                     "given twice; the first is in line " + std::to_string(first));
      }
    }
    ReportDuplicates(tree, *child, child_path, findings);
  }
}

// Whether the object is of a kind that we read. Unclear: it may be meant to be one, and an error says so.
enum class Ours { kYes, kNo, kUnclear };

Ours Recognise(std::string_view api_version, std::string_view kind, const Field& root) {
  const Field kind_field = root.Get("kind");
  const Field version_field = root.Get("apiVersion");
  const bool core_kind = std::find(kCoreKinds.begin(), kCoreKinds.end(), kind) != kCoreKinds.end();
  if (kind.empty()) {
    if (!kind_field.present() || kind_field.String() == "") kind_field.Error("is required");
    return Ours::kUnclear;
  }
  if (api_version.empty()) {
    if (!version_field.present() || version_field.String() == "") version_field.Error("is required");
    return Ours::kUnclear;
  }
  const std::string_view group = api_version.substr(0, api_version.find('/'));
  if (kind == "NetworkPolicy") {
    if (api_version == kNetworking) return Ours::kYes;
    constexpr std::array<std::string_view, 3> kMeant = {"networking.k8s.io", "extensions", kCore};
    if (std::find(kMeant.begin(), kMeant.end(), group) == kMeant.end() && !Nearest(group, kMeant)) return Ours::kNo;
    version_field.Error("must be networking.k8s.io/v1 for a NetworkPolicy, is \"" + std::string(api_version) + '"');
    return Ours::kUnclear;
  }
  if (core_kind && api_version == kCore) return Ours::kYes;
  if (core_kind && api_version.find('/') == api_version.npos) {
    version_field.Error("must be v1 for a " + std::string(kind) + ", is \"" + std::string(api_version) + '"');
    return Ours::kUnclear;
  }
  const auto meant = api_version == kCore         ? Nearest(kind, kCoreKinds)
                     : api_version == kNetworking ? Nearest(kind, kNetworkingKinds)
                                                  : std::nullopt;
  if (!meant) return Ours::kNo;
  kind_field.Error("unknown kind; did you mean " + std::string(*meant) + "?");
  return Ours::kUnclear;
}

template <typename T>
void Store(Readable<T> readable, const Findings& findings, DecodedObject& decoded) {
  const bool accepted = findings.errors() == 0;
  decoded.outcome = accepted ? Outcome::kAccepted : Outcome::kRefused;
  if (accepted || (readable.usable && !decoded.key.name.empty())) decoded.object = std::move(readable.object);
}

}  // namespace

std::string ObjectKey::ToString() const {
  if (name.empty()) return kind;
  std::string text = kind.empty() ? "object" : kind;
  text += ' ';
  if (!namespace_name.empty()) text += namespace_name + '/';
  return text + name;
}

bool IsObjectList(const Value& object) {
  const std::string_view kind = TextOf(object.Find("kind"));
  return kind == "List" || (kind.ends_with("List") && object.Find("items") != nullptr);
}

TypeMeta ItemTypeOf(const Value& list) {
  const std::string_view kind = TextOf(list.Find("kind"));
  if (kind == "List" || !kind.ends_with("List")) return {};
  return {std::string(TextOf(list.Find("apiVersion"))), std::string(kind.substr(0, kind.size() - 4))};
}

DecodedObject DecodeObject(const ValueTree& tree, const Value& object, const TypeMeta& item_type,
                           const std::string& file, Diagnostics& diagnostics) {
  DecodedObject decoded;
  Findings findings(tree, file, diagnostics);
  const Field root(findings, object);
  decoded.line = tree.LineOf(object.position);
  if (object.kind != Value::Kind::kMap) {
    root.Error("must be an object, a map with apiVersion, kind and metadata; is " + std::string(KindName(object.kind)));
    return decoded;
  }
  const Value* kind_value = object.Find("kind");
  const Value* version_value = object.Find("apiVersion");
  const std::string_view kind = kind_value == nullptr ? item_type.kind : TextOf(kind_value);
  const std::string_view api_version = version_value == nullptr ? item_type.api_version : TextOf(version_value);
  decoded.key = ReadKey(object, kind);
  findings.SetObject(decoded.key.ToString());
  const Ours ours = Recognise(api_version, kind, root);
  if (ours == Ours::kNo) {
    findings.Add(Severity::kNote, object.position, {},
                 "skipped, Sluice does not read " + std::string(api_version) + ' ' + std::string(kind));
    decoded.outcome = Outcome::kSkipped;
    return decoded;
  }
  if (tree.has_duplicates()) ReportDuplicates(tree, object, {}, findings);
  if (ours == Ours::kUnclear) return decoded;

  ObjectMeta meta = DecodeMeta(root, decoded.key);
  if (kind == "Namespace") {
    Store(DecodeNamespace(root, std::move(meta)), findings, decoded);
  } else if (kind == "Node") {
    Store(DecodeNode(root, std::move(meta)), findings, decoded);
  } else if (kind == "Pod") {
    Store(DecodePod(root, std::move(meta)), findings, decoded);
  } else {
    auto policy = DecodeNetworkPolicy(root, std::move(meta));
    if (findings.errors() != 0 && policy.usable) policy.object = RefusedPolicy(object, std::move(policy.object));
    Store(std::move(policy), findings, decoded);
  }
  return decoded;
}

}  // namespace sluice
