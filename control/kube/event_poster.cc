#include "kube/event_poster.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "kube/api_text.h"

namespace sluice {
namespace {

constexpr std::size_t kMostWaiting = 200;
constexpr std::size_t kMostTold = 10'000;
constexpr std::chrono::seconds kAnswerTimeout(30);
constexpr std::size_t kLongestMessage = 1024;  // the API server refuses longer ones

// FNV-1a: the same in every process.
std::string NameOf(const EventSubject& subject, const std::string& reason, const std::string& message) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::string* text : {&subject.uid, &subject.namespace_name, &subject.name, &reason, &message}) {
    for (const char c : *text + '\n') hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  char name[32];
  std::snprintf(name, sizeof name, "sluice-%016llx", static_cast<unsigned long long>(hash));
  return name;
}

}  // namespace

EventPoster::EventPoster(const EventOptions& options, ApiClient& client, EventHealth& health)
    : options_(options), client_(client), health_(health), tokens_(options.burst), refilled_(Clock::now()) {}

EventPoster::~EventPoster() { client_.Cancel(*this); }

void EventPoster::Post(const EventSubject& subject, const std::string& reason, const std::string& message) {
  const Clock::time_point now = Clock::now();
  const std::int64_t now_s = std::time(nullptr);
  const std::string what = subject.uid + '\n' + subject.name + '\n' + reason + '\n' + message;
  if (told_.size() >= kMostTold) ForgetOld(now);
  const auto [found, is_new] = told_.try_emplace(what, Told{now, now_s, 1});
  Told& told = found->second;
  if (!is_new) {
    ++told.count;
    if (now - told.at < options_.repeat_after) {
      ++health_.repeated;
      return;
    }
    told.at = now;
  }
  if (waiting_.size() >= kMostWaiting) {
    ++health_.dropped;
    return;
  }
  waiting_.push_back({subject, reason, CutText(message, kLongestMessage), told.first_s, told.count});
}

void EventPoster::ForgetOld(Clock::time_point now) {
  std::erase_if(told_, [&](const auto& entry) { return now - entry.second.at >= options_.repeat_after; });
  // There is a flood of different Events. To say something twice is the lesser evil.
  if (told_.size() >= kMostTold) told_.clear();
}

void EventPoster::Tick(Clock::time_point now) {
  const double intervals = std::chrono::duration<double>(now - refilled_) / options_.interval;
  tokens_ = std::min<double>(options_.burst, tokens_ + intervals);
  refilled_ = now;
  if (under_way_ && now - started_ >= kAnswerTimeout) {
    client_.Cancel(*this);
    OnDone({});
  }
  if (under_way_ || waiting_.empty() || tokens_ < 1) return;
  tokens_ -= 1;
  under_way_ = true;
  started_ = now;
  client_.Start(RequestFor(waiting_.front()), *this);
  waiting_.pop_front();
}

ApiRequest EventPoster::RequestFor(const Waiting& event) {
  const ResourceInfo& info = InfoOf(event.subject.resource);
  // Events on objects without a namespace are kept in `default`.
  const std::string space = event.subject.namespace_name.empty() ? "default" : event.subject.namespace_name;
  const std::string now = TimeText(std::time(nullptr));
  nlohmann::json subject = {{"apiVersion", info.api_version},
                            {"kind", info.kind},
                            {"name", event.subject.name},
                            {"uid", event.subject.uid},
                            {"resourceVersion", event.subject.resource_version}};
  if (!event.subject.namespace_name.empty()) subject["namespace"] = event.subject.namespace_name;
  const nlohmann::json body = {
      {"apiVersion", "v1"},
      {"kind", "Event"},
      {"metadata", {{"name", NameOf(event.subject, event.reason, event.message)}, {"namespace", space}}},
      {"involvedObject", subject},
      {"type", "Warning"},
      {"reason", event.reason},
      {"message", event.message},
      {"source", {{"component", options_.component}, {"host", options_.host}}},
      {"reportingComponent", options_.component},
      {"reportingInstance", options_.host},
      {"firstTimestamp", TimeText(event.first_s)},
      {"lastTimestamp", now},
      {"count", event.count}};
  return {ApiRequest::Method::kPost, "/api/v1/namespaces/" + EncodeQuery(space) + "/events",
          body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
}

void EventPoster::OnHeaders(long) {}

bool EventPoster::OnBody(std::string_view) { return true; }

void EventPoster::OnDone(const ApiResult& result) {
  under_way_ = false;
  constexpr long kCreated = 201, kConflict = 409;
  ++(result.status == kCreated ? health_.posted : result.status == kConflict ? health_.repeated : health_.dropped);
}

}  // namespace sluice
