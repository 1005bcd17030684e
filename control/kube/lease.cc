#include "kube/lease.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "kube/api_status.h"
#include "kube/api_text.h"

namespace sluice {
namespace {

constexpr std::size_t kLongestLease = std::size_t{1} << 20;

std::string TextIn(const nlohmann::json& map, const char* key) {
  const auto found = map.find(key);
  return found != map.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Lease::Lease(const LeaseOptions& options, ApiClient& client, Trouble trouble)
    : options_(options), client_(client), trouble_(std::move(trouble)) {}

Lease::~Lease() { client_.Cancel(*this); }

void Lease::Tick(Clock::time_point now) {
  if (under_way_ != Request::kNone) {
    if (now - started_ < options_.duration) return;
    client_.Cancel(*this);
    under_way_ = Request::kNone;
    next_ = now;
  }
  if (now < next_) return;
  Send(held(now) ? Request::kUpdate : Request::kLook, now);
}

void Lease::Send(Request kind, Clock::time_point now) {
  const std::string all = "/apis/coordination.k8s.io/v1/namespaces/" + EncodeQuery(options_.namespace_name) + "/leases";
  ApiRequest request{ApiRequest::Method::kGet, all + '/' + EncodeQuery(options_.name), {}};
  if (kind == Request::kCreate) request = {ApiRequest::Method::kPost, all, Body(now)};
  if (kind == Request::kUpdate) request = {ApiRequest::Method::kPut, request.path, Body(now)};
  under_way_ = kind;
  started_ = now;
  next_ = now + options_.interval;
  answer_.clear();
  client_.Start(request, *this);
}

std::string Lease::Body(Clock::time_point now) const {
  nlohmann::json metadata = {{"name", options_.name}, {"namespace", options_.namespace_name}};
  if (!version_.empty()) metadata["resourceVersion"] = version_;  // without it, a change by others would be no conflict
  const std::string time = MicroTimeText();
  nlohmann::json spec = {{"holderIdentity", options_.holder},
                         {"leaseDurationSeconds", std::max<long>(1, options_.duration / std::chrono::seconds(1))},
                         {"renewTime", time},
                         {"leaseTransitions", transitions_}};
  if (!held(now)) spec["acquireTime"] = time;
  return nlohmann::json{{"apiVersion", "coordination.k8s.io/v1"},
                        {"kind", "Lease"},
                        {"metadata", std::move(metadata)},
                        {"spec", std::move(spec)}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void Lease::OnHeaders(long status) { status_ = status; }

bool Lease::OnBody(std::string_view bytes) {
  answer_.append(bytes.substr(0, kLongestLease - answer_.size()));
  return answer_.size() < kLongestLease;
}

void Lease::OnDone(const ApiResult& result) {
  constexpr long kOk = 200, kCreated = 201, kUnauthorized = 401, kNotFound = 404, kConflict = 409;
  const Clock::time_point now = Clock::now();
  const Request asked = std::exchange(under_way_, Request::kNone);
  if (!result.error.empty()) return Fail(result.error);
  if (result.status == kUnauthorized) client_.RejectCredentials();
  if (asked == Request::kLook && result.status == kOk) return ReadLooked(now);
  const bool written = result.status == kOk || result.status == kCreated;
  if (written) {
    const nlohmann::json lease = nlohmann::json::parse(answer_, nullptr, false);
    version_ = lease.is_object() && lease.contains("metadata") ? TextIn(lease["metadata"], "resourceVersion") : "";
    if (version_.empty()) return Fail("the answer is no Lease");
    // Others wait for `duration` after they saw the renewal, which is after now.
    held_until_ = started_ + options_.duration * 2 / 3;
    told_.clear();
    return;
  }
  if (asked != Request::kLook && result.status == kConflict) {  // another process was faster
    held_until_ = {};
    return;
  }
  const ApiStatus status = ReadApiStatus(result.status, answer_);
  // A missing namespace gets the same answer as a missing Lease.
  if (asked == Request::kLook && result.status == kNotFound) {
    version_.clear();
    return Send(Request::kCreate, now);
  }
  Fail(status.message);
}

void Lease::ReadLooked(Clock::time_point now) {
  const nlohmann::json lease = nlohmann::json::parse(answer_, nullptr, false);
  if (!lease.is_object() || !lease.contains("metadata") || !lease["metadata"].is_object()) {
    return Fail("the answer is no Lease");
  }
  const std::string version = TextIn(lease["metadata"], "resourceVersion");
  if (std::exchange(version_, version) != version) seen_ = now;
  const nlohmann::json spec = lease.value("spec", nlohmann::json::object());
  const std::string holder = spec.is_object() ? TextIn(spec, "holderIdentity") : "";
  if (spec.is_object() && spec.contains("leaseTransitions") && spec["leaseTransitions"].is_number_integer()) {
    transitions_ = spec["leaseTransitions"].get<long>();
  }
  told_.clear();
  if (holder != options_.holder && !holder.empty() && now - seen_ < options_.duration) return;
  if (holder != options_.holder) ++transitions_;
  Send(Request::kUpdate, now);
}

void Lease::Fail(const std::string& why) {
  if (std::exchange(told_, why) != why) {
    trouble_("the Lease " + options_.namespace_name + '/' + options_.name + " cannot be held: " + why +
             "; apply deploy/rbac.yaml. Status is written by nobody until then");
  }
}

}  // namespace sluice
