// Fields that several kinds share.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "model/decode_kinds.h"
#include "model/names.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr std::string_view kLabelKeyForm =
    "is not a label key: an optional DNS subdomain and '/', then at most 63 letters, digits, '-', '_', '.'";
constexpr std::string_view kLabelValueForm =
    "is not a label value: at most 63 letters, digits, '-', '_', '.', a letter or digit at both ends";

// Returns nothing, with an error, if it cannot be a label's value. A number becomes its text, but is an error, too.
std::optional<std::string> DecodeLabelValue(const Field& field) {
  const auto text = field.Text();
  if (!text && field.present()) return std::nullopt;
  std::string value(text.value_or(""));
  if (IsLabelValue(value)) return value;
  if (field.is(Value::Kind::kString)) field.Error(std::string(kLabelValueForm));
  return std::nullopt;
}

void DecodeMatchLabel(const Field& entry, LabelSelector& selector) {
  const bool key_valid = IsLabelKey(entry.key());
  if (!key_valid) entry.KeyError(std::string(kLabelKeyForm));
  auto value = DecodeLabelValue(entry);
  if (!key_valid || !value) return;
  selector.requirements.push_back({std::string(entry.key()), LabelRequirement::Operator::kIn, {*std::move(value)}});
}

std::optional<LabelRequirement::Operator> DecodeOperator(const Field& field) {
  using Operator = LabelRequirement::Operator;
  if (!field.present()) {
    field.Error("is required: In, NotIn, Exists or DoesNotExist");
    return std::nullopt;
  }
  const auto text = field.String();
  if (!text) return std::nullopt;
  if (*text == "In") return Operator::kIn;
  if (*text == "NotIn") return Operator::kNotIn;
  if (*text == "Exists") return Operator::kExists;
  if (*text == "DoesNotExist") return Operator::kDoesNotExist;
  field.Error("must be In, NotIn, Exists or DoesNotExist, is \"" + std::string(*text) + '"');
  return std::nullopt;
}

// Returns the requirement's key, or nothing and an error.
std::optional<std::string> DecodeKey(const Field& field) {
  if (!field.present()) {
    field.Error("is required");
    return std::nullopt;
  }
  const auto text = field.Text();
  if (!text) return std::nullopt;
  if (IsLabelKey(*text)) return std::string(*text);
  if (field.is(Value::Kind::kString)) field.Error(std::string(kLabelKeyForm));
  return std::nullopt;
}

void DecodeMatchExpression(const Field& item, LabelSelector& selector) {
  item.CheckOnly({"key", "operator", "values"});
  auto key = DecodeKey(item.Get("key"));
  const auto op = DecodeOperator(item.Get("operator"));
  const Field values = item.Get("values");
  LabelRequirement requirement;
  values.EachItem([&](const Field& field) {
    if (auto value = DecodeLabelValue(field)) requirement.values.push_back(*std::move(value));
  });
  bool readable = key && op && !item.cut() && !values.cut() && requirement.values.size() == values.Size() &&
                  (!values.present() || values.is(Value::Kind::kList));
  if (op) {
    const bool wants_values = *op == LabelRequirement::Operator::kIn || *op == LabelRequirement::Operator::kNotIn;
    if (wants_values && values.Size() == 0) values.Error("needs at least one value for In and NotIn");
    if (!wants_values && values.Size() != 0) values.Error("must be empty for Exists and DoesNotExist");
    readable = readable && wants_values == (values.Size() != 0);
  }
  if (!readable) return;
  requirement.key = *std::move(key);
  requirement.op = *op;
  std::sort(requirement.values.begin(), requirement.values.end());
  requirement.values.erase(std::unique(requirement.values.begin(), requirement.values.end()), requirement.values.end());
  selector.requirements.push_back(std::move(requirement));
}

}  // namespace

LabelSelector DecodeSelector(const Field& field) {
  LabelSelector selector;
  field.CheckOnly({"matchLabels", "matchExpressions"});
  const Field labels = field.Get("matchLabels");
  labels.EachEntry([&](const Field& entry) { DecodeMatchLabel(entry, selector); });
  const Field expressions = field.Get("matchExpressions");
  expressions.EachItem([&](const Field& item) { DecodeMatchExpression(item, selector); });
  std::sort(selector.requirements.begin(), selector.requirements.end());
  selector.requirements.erase(std::unique(selector.requirements.begin(), selector.requirements.end()),
                              selector.requirements.end());
  return selector;
}

std::optional<std::uint8_t> DecodeProtocol(const Field& field) {
  if (!field.present()) return kProtoTcp;
  const auto text = field.String();
  if (!text) return std::nullopt;
  if (*text == "TCP") return kProtoTcp;
  if (*text == "UDP") return kProtoUdp;
  if (*text == "SCTP") return kProtoSctp;
  field.Error("must be TCP, UDP or SCTP, is \"" + std::string(*text) + '"');
  return std::nullopt;
}

std::optional<IpAddress> DecodeAddress(const Field& field) {
  const auto text = field.String();
  if (!text || text->empty()) return std::nullopt;
  const auto address = IpAddress::Parse(*text);
  if (!address) {
    field.Error('"' + std::string(*text) + "\" is not an IPv4 or IPv6 address");
  } else if (address->IsV4Mapped()) {
    field.Error('"' + std::string(*text) + "\" is an IPv4-mapped address; write it as IPv4");
    return IpAddress::V4(address->v4());
  }
  return address;
}

std::optional<Prefix> DecodePrefix(const Field& field) {
  const auto text = field.String();
  if (!text) return std::nullopt;
  const auto prefix = Prefix::Parse(*text);
  if (const auto address = IpAddress::Parse(*text)) {
    const std::string whole = std::to_string(AddressBits(address->family));
    field.Error('"' + std::string(*text) + "\" has no prefix length; this address alone is " + std::string(*text) +
                '/' + whole);
  } else if (!prefix) {
    field.Error('"' + std::string(*text) + "\" is not a CIDR such as 10.0.0.0/8 or fd00::/64, without leading zeros");
  } else if (IpAddress::Parse(text->substr(0, text->find('/')))->IsV4Mapped()) {
    field.Error('"' + std::string(*text) + "\" is an IPv4-mapped CIDR; write it as IPv4");
    return std::nullopt;
  }
  return prefix;
}

}  // namespace sluice
