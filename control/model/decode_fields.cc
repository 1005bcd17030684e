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

void DecodeMatchLabel(const Field& entry, LabelSelector& selector) {
  if (!IsLabelKey(entry.key())) entry.KeyError(std::string(kLabelKeyForm));
  const std::string value(entry.String().value_or(""));
  if (!IsLabelValue(value)) entry.Error(std::string(kLabelValueForm));
  selector.requirements.push_back({std::string(entry.key()), LabelRequirement::Operator::kIn, {value}});
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

void DecodeMatchExpression(const Field& item, LabelSelector& selector) {
  item.CheckOnly({"key", "operator", "values"});
  LabelRequirement requirement;
  const Field key = item.Get("key");
  requirement.key = key.String().value_or("");
  if (!key.present()) {
    key.Error("is required");
  } else if (key.is(Value::Kind::kString) && !IsLabelKey(requirement.key)) {
    key.Error(std::string(kLabelKeyForm));
  }
  const auto op = DecodeOperator(item.Get("operator"));
  const Field values = item.Get("values");
  values.EachItem([&](const Field& value) {
    const std::string text(value.String().value_or(""));
    if (!IsLabelValue(text)) value.Error(std::string(kLabelValueForm));
    requirement.values.push_back(text);
  });
  if (op) {
    requirement.op = *op;
    const bool wants_values = *op == LabelRequirement::Operator::kIn || *op == LabelRequirement::Operator::kNotIn;
    if (wants_values && values.Size() == 0) values.Error("needs at least one value for In and NotIn");
    if (!wants_values && values.Size() != 0) values.Error("must be empty for Exists and DoesNotExist");
  }
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
    return std::nullopt;
  }
  return address;
}

std::optional<Prefix> DecodePrefix(const Field& field) {
  const auto text = field.String();
  if (!text) return std::nullopt;
  const auto prefix = Prefix::Parse(*text);
  if (!prefix) {
    field.Error('"' + std::string(*text) + "\" is not a CIDR such as 10.0.0.0/8 or fd00::/64, without leading zeros");
  } else if (IpAddress::Parse(text->substr(0, text->find('/')))->IsV4Mapped()) {
    field.Error('"' + std::string(*text) + "\" is an IPv4-mapped CIDR; write it as IPv4");
    return std::nullopt;
  }
  return prefix;
}

}  // namespace sluice
