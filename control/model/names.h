// The syntax of Kubernetes names, and suggestions for mistyped ones. Pure functions.
#ifndef SLUICE_CONTROL_MODEL_NAMES_H_
#define SLUICE_CONTROL_MODEL_NAMES_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice {

// RFC 1123 label: at most 63 of a-z, 0-9 and '-', not at either end.
bool IsDnsLabel(std::string_view text);
// RFC 1123 subdomain: labels joined by dots, at most 253 characters.
bool IsDnsSubdomain(std::string_view text);
// A label's key: [subdomain/]name, where the name has the form of a label's value but is not empty.
bool IsLabelKey(std::string_view text);
// A label's value: empty, or at most 63 of A-Z, a-z, 0-9, '-', '_', '.', alphanumeric at both ends.
bool IsLabelValue(std::string_view text);
// RFC 6335 service name: at most 15 of a-z, 0-9 and '-', at least one letter, no '-' at either end, no "--".
bool IsPortName(std::string_view text);

// The one of `names` that `text` was probably meant to be. It is not equal to `text`, but differs only in case, or by
// one edit (by up to two edits from 6 characters on). Nothing if no name is that near.
std::optional<std::string_view> Nearest(std::string_view text, std::span<const std::string_view> names);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_NAMES_H_
