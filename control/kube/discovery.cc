#include "kube/discovery.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "kube/api_status.h"
#include "sluice/printable.h"

namespace sluice {
namespace {

using nlohmann::json;

constexpr long kHttpOk = 200, kHttpNotFound = 404;
constexpr std::size_t kLongestAnswer = 4 << 20;
constexpr std::array<std::string_view, 4> kGroups = {"policy.networking.k8s.io", "policy.sluice.internal",
                                                     "projectcalico.org", "crd.projectcalico.org"};

struct Offer {
  std::string_view version;
  Resource resource;
};
// For each resource, the first entry that the API server has is used.
constexpr std::array<Offer, 8> kOffers = {{
    {"policy.networking.k8s.io/v1beta1", Resource::kClusterNetworkPolicies},
    {"policy.networking.k8s.io/v1alpha2", Resource::kClusterNetworkPolicies},
    {"policy.networking.k8s.io/v1alpha1", Resource::kAdminNetworkPolicies},
    {"policy.networking.k8s.io/v1alpha1", Resource::kBaselineAdminNetworkPolicies},
    {"policy.sluice.internal/v1alpha1", Resource::kStagedNetworkPolicies},
    {"policy.sluice.internal/v1alpha1", Resource::kStagedClusterNetworkPolicies},
    // From Calico's API server, or from its CustomResourceDefinitions.
    {"projectcalico.org/v3", Resource::kCalicoStagedNetworkPolicies},
    {"crd.projectcalico.org/v1", Resource::kCalicoStagedNetworkPolicies},
}};

std::string MemberText(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// The list, or null if it is none.
const json* MemberList(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_array() ? &*found : nullptr;
}

}  // namespace

Discovery::Discovery(const DiscoveryOptions& options, ApiClient& client, ObjectSink& sink, std::uint64_t seed)
    : options_(options),
      client_(client),
      sink_(sink),
      backoff_(options.backoff_least, options.backoff_most, seed),
      next_(Clock::now()) {}

Discovery::~Discovery() { client_.Cancel(*this); }

std::string Discovery::VersionOf(Resource resource) const {
  const auto found = versions_.find(resource);
  return found == versions_.end() ? std::string() : found->second;
}

void Discovery::Tick(Clock::time_point now) {
  if (now < next_) return;
  if (under_way_) {
    client_.Cancel(*this);
    under_way_ = false;
    return Fail("nothing came in time");
  }
  to_ask_.clear();
  asked_.clear();
  found_.clear();
  Ask(now);
}

void Discovery::Ask(Clock::time_point now) {
  under_way_ = true;
  status_ = 0;
  body_.clear();
  next_ = now + options_.answer_timeout;
  client_.Start({ApiRequest::Method::kGet, asked_.empty() ? "/apis" : "/apis/" + asked_, {}}, *this);
}

void Discovery::OnHeaders(long status) { status_ = status; }

bool Discovery::OnBody(std::string_view bytes) {
  body_ += bytes;
  return body_.size() <= kLongestAnswer;
}

void Discovery::OnDone(const ApiResult& result) {
  under_way_ = false;
  if (!result.error.empty()) return Fail(result.error);
  if (result.status != kHttpOk) {
    const ApiStatus status = ReadApiStatus(result.status, body_);
    return Fail("HTTP " + std::to_string(result.status) + ' ' + status.reason + ": " + status.message,
                result.status == kHttpNotFound && !asked_.empty());
  }
  const std::string wrong = asked_.empty() ? ReadGroups() : ReadResources();
  if (!wrong.empty()) return Fail(wrong);
  if (!to_ask_.empty()) {
    asked_ = std::move(to_ask_.back());
    to_ask_.pop_back();
    return Ask(Clock::now());
  }
  versions_ = std::move(found_);
  known_ = true;
  backoff_.Reset();
  next_ = Clock::now() + options_.interval;
  failing_since_ = {};
  if (trouble_.empty()) return;
  trouble_.clear();
  sink_.OnRecovered(Resource::kClusterNetworkPolicies);
}

std::string Discovery::ReadGroups() {
  const json answer = json::parse(body_, nullptr, false);
  const json* groups = MemberList(answer, "groups");
  if (MemberText(answer, "kind") != "APIGroupList" || groups == nullptr)
    return "the answer to /apis is no APIGroupList";
  for (const json& group : *groups) {
    const json* versions = MemberList(group, "versions");
    const bool is_ours = std::find(kGroups.begin(), kGroups.end(), MemberText(group, "name")) != kGroups.end();
    if (!is_ours || versions == nullptr) continue;
    for (const json& version : *versions) {
      const std::string name = MemberText(version, "groupVersion");
      const bool ours =
          std::any_of(kOffers.begin(), kOffers.end(), [&](const Offer& offer) { return offer.version == name; });
      if (ours) to_ask_.push_back(name);
    }
  }
  return {};
}

std::string Discovery::ReadResources() {
  const json answer = json::parse(body_, nullptr, false);
  const json* resources = MemberList(answer, "resources");
  if (MemberText(answer, "kind") != "APIResourceList" || MemberText(answer, "groupVersion") != asked_ ||
      resources == nullptr) {
    return "the answer to /apis/" + asked_ + " is no APIResourceList of it";
  }
  for (const json& resource : *resources) {
    const std::string name = MemberText(resource, "name");
    for (const Offer& offer : kOffers) {
      if (offer.version != asked_ || InfoOf(offer.resource).name != name) continue;
      const auto rank = [&](std::string_view version) {
        return std::find_if(kOffers.begin(), kOffers.end(), [&](const Offer& each) { return each.version == version; });
      };
      const auto [known, added] = found_.try_emplace(offer.resource, asked_);
      if (!added && rank(asked_) < rank(known->second)) known->second = asked_;
    }
  }
  return {};
}

// What was known stays known.
void Discovery::Fail(const std::string& why, bool may_be_a_moment) {
  const Clock::time_point now = Clock::now();
  next_ = now + backoff_.Next();
  if (failing_since_ == Clock::time_point()) failing_since_ = now;
  if (may_be_a_moment && now - failing_since_ < options_.moment) return;
  const std::string message =
      "whether the API server has cluster or staged policies is not known: " + Printable(why, 1000);
  if (message == trouble_) return;
  trouble_ = message;
  sink_.OnTrouble(Resource::kClusterNetworkPolicies, message);
}

}  // namespace sluice
