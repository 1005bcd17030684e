#include "kube/status_writer.h"

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

#include "kube/api_status.h"
#include "kube/api_text.h"

namespace sluice {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kRequestTimeout(30);
constexpr std::size_t kLongestObject = std::size_t{8} << 20;
constexpr std::size_t kLongestConditionMessage = 4096;  // the API server refuses more than 32,768
constexpr std::size_t kMostObjectsTold = 10'000;
// HTTP status codes.
enum Code : long {
  kCodeOk = 200,
  kCodeUnauthorized = 401,
  kCodeForbidden = 403,
  kCodeNotFound = 404,
  kCodeConflict = 409,
  kCodeTooMany = 429,
  kCodeServerError = 500,
};

// The object's condition of that type, or null.
const json* FindCondition(const json& object, const std::string& type) {
  const auto status = object.find("status");
  if (status == object.end() || !status->is_object()) return nullptr;
  const auto conditions = status->find("conditions");
  if (conditions == status->end() || !conditions->is_array()) return nullptr;
  const auto found = std::find_if(conditions->begin(), conditions->end(), [&](const json& each) {
    return each.is_object() && each.value("type", json()) == type;
  });
  return found == conditions->end() ? nullptr : &*found;
}

// Returns what changes the object's status to the wanted one. Nothing: the object already has it.
std::optional<std::string> StatusPatch(const json& object, const EventSubject& subject, const ObjectStatus& wanted,
                                       const std::string& version, const std::vector<std::string>& types) {
  const std::string now = TimeText(std::time(nullptr));
  json conditions = json::array();
  bool differs = false;
  for (const Condition& condition : wanted.conditions) {
    json wants = {{"type", condition.type},
                  {"status", condition.holds ? "True" : "False"},
                  {"reason", condition.reason},
                  {"message", CutText(condition.message, kLongestConditionMessage)},
                  {"observedGeneration", wanted.generation}};
    const json* has = FindCondition(object, condition.type);
    for (const auto& [field, value] : wants.items()) differs |= has == nullptr || has->value(field, json()) != value;
    const bool turned = has == nullptr || has->value("status", json()) != wants["status"];
    const json since = has == nullptr ? json() : has->value("lastTransitionTime", json());
    wants["lastTransitionTime"] = turned || !since.is_string() ? json(now) : since;
    conditions.push_back(std::move(wants));
  }
  for (const std::string& type : types) {
    const bool is_wanted = std::any_of(wanted.conditions.begin(), wanted.conditions.end(),
                                       [&](const Condition& condition) { return condition.type == type; });
    differs |= !is_wanted && FindCondition(object, type) != nullptr;
  }
  if (!differs) return std::nullopt;
  return json{{"apiVersion", version},
              {"kind", InfoOf(subject.resource).kind},
              {"metadata", {{"name", subject.name}, {"uid", subject.uid}}},
              {"status", {{"conditions", std::move(conditions)}}}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

StatusWriter::StatusWriter(const StatusOptions& options, ApiClient& client, StatusHealth& health,
                           std::function<std::string(Resource)> version_of, Trouble trouble, std::uint64_t seed)
    : options_(options),
      client_(client),
      health_(health),
      version_of_(std::move(version_of)),
      trouble_(std::move(trouble)),
      lease_(options.lease, client,
             [this](const std::string& why) { trouble_(Resource::kClusterNetworkPolicies, why); }),
      backoff_(options.backoff_least, options.backoff_most, seed),
      tokens_(options.burst),
      refilled_(Clock::now()) {}

StatusWriter::~StatusWriter() { client_.Cancel(*this); }

void StatusWriter::Want(const EventSubject& subject, const ObjectStatus& status) {
  const Key key{subject.resource, subject.name};
  Wanted& wanted = wanted_[key];
  if (wanted.subject.uid == subject.uid && wanted.status == status) return;
  wanted.looked_for_until = {};
  wanted.subject = subject;
  wanted.status = status;
  if (led_) Wait(key, wanted);
}

void StatusWriter::Forget(Resource resource, const std::string& name) { wanted_.erase({resource, name}); }

void StatusWriter::Compete(bool competes, bool writes) {
  competes_ = competes;
  writes_ = writes;
}

void StatusWriter::Wait(const Key& key, Wanted& wanted) {
  if (!std::exchange(wanted.waits, true)) waiting_.push_back(key);
}

void StatusWriter::Tick(Clock::time_point now) {
  if (idle()) {
    led_ = false;
    return;
  }
  lease_.Tick(now);
  const bool leads = lease_.held(now);
  if (std::exchange(led_, leads) != leads) {
    // Another process wrote meanwhile, or will.
    waiting_.clear();
    for (auto& [key, wanted] : wanted_) {
      wanted.waits = false;
      if (leads) Wait(key, wanted);
    }
  }
  if (under_way_ != Request::kNone) {
    if (now - started_ < kRequestTimeout) return;
    client_.Cancel(*this);
    OnDone({0, "the API server does not answer", std::nullopt});
    return;
  }
  LookForAgain(now);
  while (leads && writes_ && now >= not_before_ && !waiting_.empty()) {
    const Key key = waiting_.front();
    const auto found = wanted_.find(key);
    const std::string version = found == wanted_.end() ? "" : version_of_(key.first);
    if (!version.empty() && !TakeToken(now)) return;
    waiting_.pop_front();
    if (found != wanted_.end()) found->second.waits = false;
    if (!version.empty()) return Look(key, version, now);
  }
}

StatusWriter::Clock::time_point StatusWriter::Due() const {
  if (idle()) return Clock::time_point::max();
  if (waiting_.empty() || !writes_ || under_way_ != Request::kNone) return lease_.Due();
  return std::min(lease_.Due(), std::max(not_before_, tokens_ < 1 ? refilled_ + options_.interval : refilled_));
}

void StatusWriter::LookForAgain(Clock::time_point now) {
  while (!not_found_.empty()) {
    const auto found = wanted_.find(not_found_.front());
    if (found != wanted_.end() && now < found->second.looked_for_until) return;
    if (found != wanted_.end()) Wait(found->first, found->second);
    not_found_.pop_front();
  }
}

bool StatusWriter::TakeToken(Clock::time_point now) {
  const double intervals = std::chrono::duration<double>(now - refilled_) / options_.interval;
  tokens_ = std::min<double>(options_.burst, tokens_ + intervals);
  refilled_ = now;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

void StatusWriter::Look(const Key& key, const std::string& version, Clock::time_point now) {
  current_ = key;
  version_ = version;
  under_way_ = Request::kLook;
  started_ = now;
  answer_.clear();
  client_.Start(
      {ApiRequest::Method::kGet,
       "/apis/" + version + '/' + std::string(InfoOf(key.first).name) + '/' + EncodeQuery(key.second) + "/status",
       {}},
      *this);
}

void StatusWriter::OnHeaders(long status) { status_ = status; }

bool StatusWriter::OnBody(std::string_view bytes) {
  answer_.append(bytes.substr(0, kLongestObject - answer_.size()));
  return answer_.size() < kLongestObject;
}

void StatusWriter::OnDone(const ApiResult& result) {
  const Clock::time_point now = Clock::now();
  const Request asked = std::exchange(under_way_, Request::kNone);
  if (!result.error.empty() || result.status != kCodeOk) return Fail(result, now);
  if (asked == Request::kLook) return Compare(now);
  ++health_.written;
  backoff_.Reset();
  trouble_told_.clear();
}

void StatusWriter::Compare(Clock::time_point now) {
  const auto found = wanted_.find(current_);
  if (found == wanted_.end() || !lease_.held(now)) return;
  const json object = json::parse(answer_, nullptr, false);
  if (!object.is_object() || !object.contains("metadata") || !object["metadata"].is_object()) {
    return Fail({0, "the answer is no " + std::string(InfoOf(current_.first).kind), std::nullopt}, now);
  }
  const json& uid = object["metadata"].value("uid", json());
  if (uid != found->second.subject.uid) return;  // the watch will report the other object
  const std::optional<std::string> body =
      StatusPatch(object, found->second.subject, found->second.status, version_, options_.types);
  if (!body) {
    ++health_.same;
    return;
  }
  under_way_ = Request::kApply;
  started_ = now;
  answer_.clear();
  client_.Start({ApiRequest::Method::kApply,
                 "/apis/" + version_ + '/' + std::string(InfoOf(current_.first).name) + '/' +
                     EncodeQuery(current_.second) + "/status?fieldManager=" + EncodeQuery(options_.manager),
                 *body},
                *this);
}

void StatusWriter::Fail(const ApiResult& result, Clock::time_point now) {
  ++health_.failed;
  const auto found = wanted_.find(current_);
  if (found == wanted_.end()) return;  // the object went meanwhile
  Wanted& wanted = found->second;
  const ApiStatus status = ReadApiStatus(result.status, answer_);
  const std::string what = "the status of " + current_.second + " is not written: ";
  const long code = result.error.empty() ? result.status : 0;
  if (code == kCodeNotFound) {
    // Mostly the object went, and the watch will report it. A missing subresource gets the same answer.
    if (wanted.looked_for_until != Clock::time_point()) {
      return TellOnce(what + "its CustomResourceDefinition has no status subresource; install network-policy-api's");
    }
    wanted.looked_for_until = now + options_.gone_after;
    return not_found_.push_back(current_);
  }
  if (code == kCodeConflict) {
    if (status.message.find("UID in precondition") != std::string::npos) return;  // the name has another object
    return TellOnce(what + "another one writes these conditions, and they are left to it: " + status.message);
  }
  const bool may_pass = code == 0 || code == kCodeUnauthorized || code == kCodeForbidden || code == kCodeTooMany ||
                        code >= kCodeServerError;
  if (!may_pass) return TellOnce(what + "the API server refuses it: " + status.message);
  if (code == kCodeUnauthorized) client_.RejectCredentials();
  Wait(current_, wanted);
  const long asked_s = result.retry_after_s.value_or(status.retry_after_s.value_or(0));
  not_before_ = now + std::max<Clock::duration>(backoff_.Next(), std::chrono::seconds(std::clamp(asked_s, 0L, 300L)));
  const std::string why = code == 0                ? result.error
                          : code == kCodeForbidden ? status.message + "; apply deploy/rbac.yaml"
                                                   : status.message;
  if (std::exchange(trouble_told_, why) == why) return;
  trouble_(current_.first, "status is not written, and tried again: " + why);
}

void StatusWriter::TellOnce(const std::string& what) {
  if (told_.size() >= kMostObjectsTold) told_.clear();
  if (told_.insert(what).second) trouble_(current_.first, what);
}

}  // namespace sluice
