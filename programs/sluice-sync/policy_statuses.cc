#include "sluice-sync/policy_statuses.h"

#include <algorithm>
#include <variant>

namespace sluice {
namespace {

std::string TextOf(const Diagnostic& diagnostic) {
  return (diagnostic.field.empty() ? "" : diagnostic.field + ": ") + diagnostic.message;
}

std::string Joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : "; ") + text;
  return all;
}

}  // namespace

void PolicyStatuses::See(const EventSubject& subject, const ReceivedObject& object, bool keeps_last_good,
                         std::uint64_t revision) {
  Policy& policy = policies_[{subject.resource, subject.name}];
  policy = {};
  policy.subject = subject;
  policy.revision = revision;
  policy.told.generation = object.generation;
  const auto& diagnostics = object.diagnostics;
  for (const std::string& field : object.decoded.failed_closed) {
    const auto why = std::find_if(diagnostics.begin(), diagnostics.end(),
                                  [&](const Diagnostic& diagnostic) { return diagnostic.field == field; });
    policy.failed_closed.push_back(why == diagnostics.end() ? field : TextOf(*why));
  }
  if (object.decoded.outcome != DecodedObject::Outcome::kRefused) return;
  std::vector<std::string> errors;
  for (const Diagnostic& diagnostic : diagnostics) {
    if (diagnostic.severity == Severity::kError) errors.push_back(TextOf(diagnostic));
  }
  policy.invalid = errors.empty() ? "it cannot be read" : Joined(errors);
  const bool stands = !std::holds_alternative<std::monostate>(object.decoded.object);
  policy.instead = keeps_last_good ? "its last valid version stays"
                   : stands        ? "none of its Accepts is, and its subject is denied what each Deny or Pass is of"
                                   : "nothing is in its place, since its tier or subject cannot be read";
}

void PolicyStatuses::Forget(Resource resource, const std::string& name) {
  if (policies_.erase({resource, name}) != 0) gone_(resource, name);
}

void PolicyStatuses::SeeRefusal(const EventSubject& subject, const std::string& message) {
  const auto found = policies_.find({subject.resource, subject.name});
  if (found != policies_.end()) found->second.refusal = message;
}

void PolicyStatuses::Look(Clock::time_point now, const std::vector<std::uint64_t>& in_force) {
  for (auto& [key, policy] : policies_) {
    const auto count = static_cast<std::size_t>(std::ranges::count_if(
        in_force, [wanted = policy.revision](std::uint64_t revision) { return revision >= wanted; }));
    const bool everywhere = count == in_force.size();
    if (everywhere) {
      policy.refusal.clear();
      policy.lacks_since = {};
    } else {
      if (policy.lacks_since == Clock::time_point()) policy.lacks_since = now;
      if (policy.refusal.empty() && now - policy.lacks_since < kPatience) continue;
    }
    std::vector<Condition> conditions = ConditionsOf(policy, count, in_force.size());
    if (conditions == policy.told.conditions) continue;
    policy.told.conditions = std::move(conditions);
    want_(policy.subject, policy.told);
  }
}

std::vector<Condition> PolicyStatuses::ConditionsOf(const Policy& policy, std::size_t in_force,
                                                    std::size_t dataplanes) {
  const std::string generation = "generation " + std::to_string(policy.told.generation);
  const std::string where = " in " + std::to_string(in_force) + " of " + std::to_string(dataplanes) + " dataplane" +
                            (dataplanes == 1 ? "" : "s");
  const std::string closed = Joined(policy.failed_closed);
  if (!policy.invalid.empty()) {
    return {{"Accepted", false, "Invalid", policy.invalid},
            {"Programmed", false, "Invalid", generation + " is not in force; " + policy.instead}};
  }
  std::vector<Condition> conditions;
  if (closed.empty()) {
    conditions.push_back({"Accepted", true, "Valid", "all of it is supported"});
  } else {
    conditions.push_back({"Accepted", true, "UnsupportedField", "what is not supported of it fails closed: " + closed});
    conditions.push_back({"PartiallyInvalid", true, "UnsupportedField", closed});
  }
  if (in_force == dataplanes) {
    conditions.push_back({"Programmed", true, "InForce", generation + " is in force" + where});
  } else if (!policy.refusal.empty()) {
    conditions.push_back({"Programmed", false, "RefusedByDataplane",
                          generation + " is in force" + where + "; refused: " + policy.refusal});
  } else {
    conditions.push_back({"Programmed", false, "Pending", generation + " is in force" + where});
  }
  return conditions;
}

}  // namespace sluice
