#include "sluice-sync/policy_statuses.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "kube/api_text.h"

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
  policy.version = object.resource_version;
  ++news_;
  SeeVersion(subject.resource, object.resource_version);
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

void PolicyStatuses::SeeVersion(Resource resource, const std::string& version) {
  Versions& versions = versions_[resource];
  std::string& newest = versions.listing ? versions.listed : versions.through;
  if (newest.empty() || IsVersionReached(version, newest)) newest = version;
}

void PolicyStatuses::OnListBegin(Resource resource) {
  versions_[resource].listing = true;
  versions_[resource].listed.clear();
}

// The list is complete, even if the API server's state was set back.
void PolicyStatuses::OnListEnd(Resource resource) {
  Versions& versions = versions_[resource];
  if (std::exchange(versions.listing, false)) versions.through = versions.listed;
}

void PolicyStatuses::Forget(Resource resource, const std::string& name) {
  if (policies_.erase({resource, name}) != 0) gone_(resource, name);
}

void PolicyStatuses::SeeRefusal(const EventSubject& subject, const std::string& message) {
  const auto found = policies_.find({subject.resource, subject.name});
  if (found != policies_.end()) found->second.refusal = message;
}

PolicyStatuses::Standing PolicyStatuses::StandingOf(const Policy& policy, const std::vector<std::uint64_t>& in_force,
                                                    const std::vector<NodeReport>& others) {
  const auto& [resource, namespace_name, name, uid, version] = policy.subject;
  Standing standing{0, in_force.size() + others.size(), policy.refusal};
  for (const std::uint64_t revision : in_force) standing.in_force += revision >= policy.revision;
  for (const NodeReport& other : others) {
    standing.in_force += other.Has(resource, name, policy.version);
    const auto of = other.resources.find(resource);
    if (!standing.refusal.empty() || of == other.resources.end()) continue;
    if (const auto lacks = of->second.lacking.find(name); lacks != of->second.lacking.end()) {
      standing.refusal = lacks->second;
    }
  }
  return standing;
}

void PolicyStatuses::Look(Clock::time_point now, const std::vector<std::uint64_t>& in_force,
                          const std::vector<NodeReport>& others) {
  if (now - last_look_ > kPatience) looks_since_ = now;
  last_look_ = now;
  const auto patience = others.empty() || now - looks_since_ > kFirstPatience ? kPatience : kFirstPatience;
  for (auto& [key, policy] : policies_) {
    const auto has = [wanted = policy.revision](std::uint64_t revision) { return revision >= wanted; };
    if (std::ranges::all_of(in_force, has)) policy.refusal.clear();
    const Standing standing = StandingOf(policy, in_force, others);
    if (standing.in_force == standing.dataplanes) {
      policy.lacks_since = {};
    } else {
      if (policy.lacks_since == Clock::time_point()) policy.lacks_since = now;
      if (standing.refusal.empty() && now - policy.lacks_since < patience) continue;
    }
    std::vector<Condition> conditions = ConditionsOf(policy, standing);
    if (conditions == policy.told.conditions) continue;
    policy.told.conditions = std::move(conditions);
    want_(policy.subject, policy.told);
  }
}

NodeReport PolicyStatuses::Report(const std::vector<std::uint64_t>& in_force) const {
  NodeReport report;
  report.news = news_;
  // Also for resources without policies: a node that will get the first policy is counted from the start.
  for (const auto& [resource, versions] : versions_) report.resources[resource].through = versions.through;
  for (const auto& [key, policy] : policies_) {
    const auto of = report.resources.find(key.first);
    const auto has = [wanted = policy.revision](std::uint64_t revision) { return revision >= wanted; };
    if (of == report.resources.end() || std::ranges::all_of(in_force, has)) continue;
    if (of->second.lacking.size() == NodeReport::kMostNamed) {
      ++of->second.more;
    } else {
      of->second.lacking[key.second] = CutText(policy.refusal, NodeReport::kLongestReason);
    }
  }
  return report;
}

std::vector<Condition> PolicyStatuses::ConditionsOf(const Policy& policy, const Standing& standing) {
  const std::string generation = "generation " + std::to_string(policy.told.generation);
  const std::string where = " in " + std::to_string(standing.in_force) + " of " + std::to_string(standing.dataplanes) +
                            " dataplane" + (standing.dataplanes == 1 ? "" : "s");
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
  if (standing.in_force == standing.dataplanes) {
    conditions.push_back({"Programmed", true, "InForce", generation + " is in force" + where});
  } else if (!standing.refusal.empty()) {
    conditions.push_back({"Programmed", false, "RefusedByDataplane",
                          generation + " is in force" + where + "; refused: " + standing.refusal});
  } else {
    conditions.push_back({"Programmed", false, "Pending", generation + " is in force" + where});
  }
  return conditions;
}

}  // namespace sluice
