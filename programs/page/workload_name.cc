#include "page/workload_name.h"

#include <optional>

namespace sluice {
namespace {

std::optional<std::string_view> LabelOf(std::string_view labels, std::string_view key) {
  while (!labels.empty()) {
    const std::string_view label = labels.substr(0, labels.find(','));
    labels.remove_prefix(label.size() == labels.size() ? labels.size() : label.size() + 1);
    const std::size_t equals = label.find('=');
    if (equals != label.npos && label.substr(0, equals) == key) return label.substr(equals + 1);
  }
  return std::nullopt;
}

// Removes the last part, which the controller made: "web-x7k2p" becomes "web".
std::string_view WithoutLastPart(std::string_view name) {
  const std::size_t dash = name.rfind('-');
  return dash == name.npos || dash == 0 ? name : name.substr(0, dash);
}

}  // namespace

std::string WorkloadName(std::string_view pod, std::string_view labels) {
  if (const auto job = LabelOf(labels, "batch.kubernetes.io/job-name")) return std::string(*job);
  if (const auto job = LabelOf(labels, "job-name")) return std::string(*job);
  if (const auto hash = LabelOf(labels, "pod-template-hash"); hash && !hash->empty()) {
    const std::string_view set = WithoutLastPart(pod);
    const std::string suffix = '-' + std::string(*hash);
    const bool is_deployment = set.size() > suffix.size() && set.ends_with(suffix);
    return std::string(is_deployment ? set.substr(0, set.size() - suffix.size()) : set);
  }
  const bool has_controller =
      LabelOf(labels, "controller-revision-hash") || LabelOf(labels, "statefulset.kubernetes.io/pod-name");
  return std::string(has_controller ? WithoutLastPart(pod) : pod);
}

}  // namespace sluice
