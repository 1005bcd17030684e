// metav1.ObjectMeta, which every kind has.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "model/decode_kinds.h"
#include "model/names.h"
#include "model/recognise.h"

namespace sluice {
namespace {

using std::string_view_literals::operator""sv;

// No label can have this value, so that no selector names it.
constexpr std::string_view kUnreadableValue = "(unreadable)";

// Reads `digits` characters of `text`, beginning at `at`, as a number; -1 if they are not a number.
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

// A refused label is kept as far as it can be read: a number as its text. If no label can have its
// value, only the key is kept.
void DecodeLabels(const Field& field, ObjectMeta& meta) {
  field.EachEntry([&](const Field& entry) {
    const bool key_valid = IsLabelKey(entry.key());
    if (!key_valid) entry.KeyError("is not a label key");
    const auto text = entry.Text();
    const bool valid = text ? IsLabelValue(*text) : !entry.present();
    if (!valid && entry.is(Value::Kind::kString)) {
      entry.Error("is not a label value: at most 63 letters, digits, '-', '_', '.', a letter or digit at both ends");
    }
    std::string value(valid ? text.value_or("") : kUnreadableValue);
    if (key_valid) meta.labels.emplace_back(entry.key(), std::move(value));
  });
  meta.labels_readable = !field.present() || field.is(Value::Kind::kMap);
  std::sort(meta.labels.begin(), meta.labels.end());
}

}  // namespace

ObjectMeta DecodeMeta(const Field& root, const ObjectKey& key) {
  ObjectMeta meta;
  const Field field = root.Get("metadata");
  const auto known = {"name"sv,
                      "namespace"sv,
                      "labels"sv,
                      "annotations"sv,
                      "creationTimestamp"sv,
                      "uid"sv,
                      "resourceVersion"sv,
                      "generation"sv,
                      "generateName"sv,
                      "deletionTimestamp"sv,
                      "deletionGracePeriodSeconds"sv,
                      "finalizers"sv,
                      "managedFields"sv,
                      "ownerReferences"sv,
                      "selfLink"sv};
  // For these kinds few fields are read, and an unknown field does no harm. But all of a policy is enforced: if a field
  // of it is not known, what the field was meant to do is missing.
  const bool is_policy = key.kind != "Pod" && key.kind != "Node" && key.kind != "Namespace";
  is_policy ? field.CheckOnly(known) : field.CheckMostly(known);
  const bool namespaced = key.kind == "Pod" || key.kind == "NetworkPolicy" || IsStagedKind(key.kind);
  const Field name = field.Get("name");
  meta.name = key.name;
  const std::string_view written = name.String().value_or("");
  if (!name.present() || (name.is(Value::Kind::kString) && written.empty())) {
    name.Error("is required");
  } else if (name.is(Value::Kind::kString)) {
    const bool valid = key.kind == "Namespace" ? IsDnsLabel(written) : IsDnsSubdomain(written);
    if (!valid)
      name.Error("\"" + std::string(written) + "\" is not a name: only a-z, 0-9, '-' and, but in a namespace's, '.'");
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

}  // namespace sluice
