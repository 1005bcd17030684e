#include "kube/list_watch.h"

#include <utility>

namespace sluice {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr long kOk = 200, kBadRequest = 400, kUnauthorized = 401, kForbidden = 403, kGone = 410, kInvalid = 422,
               kTooManyRequests = 429, kUnavailable = 503, kTimeout = 504;

// A watch that lasted so long was a success, even if it said nothing.
constexpr seconds kLasting(5);
// Of an answer that is no object: a Status, or a proxy's page.
constexpr std::size_t kLongestRefusal = 64 << 10;

// A version from the future: the server's storage was restored from a backup, or it is still catching up.
bool IsTooLargeVersion(const ApiStatus& status) {
  return status.message.find("Too large resource version") != std::string::npos;
}

}  // namespace

ListWatch::ListWatch(Resource resource, const WatchOptions& options, ApiClient& client, ObjectSink& sink,
                     WatchHealth& health, std::uint64_t seed)
    : resource_(resource),
      options_(options),
      client_(client),
      sink_(sink),
      health_(health),
      backoff_(options.backoff_least, options.backoff_most, seed),
      reader_(resource, client.access().server.url),
      stage_(options.streaming_list ? Stage::kStreamingList : Stage::kPagedList),
      next_attempt_(Clock::now()) {}

ListWatch::~ListWatch() { client_.Cancel(*this); }

void ListWatch::Tick(Clock::time_point now) {
  if (now < Due()) return;
  if (!under_way_) return Start();
  client_.Cancel(*this);
  under_way_ = false;
  Trouble("nothing came in time; trying again");
  if (stage_ == Stage::kStreamingList) return ListInPages();
  RetryAfter(backoff_.Next());
}

std::string ListWatch::PathOf(Stage stage) {
  std::string path(InfoOf(resource_).path);
  auto add = [&path, separator = '?'](std::string_view name, std::string_view value) mutable {
    path += separator;
    path.append(name) += '=';
    path += EncodeQuery(value);
    separator = '&';
  };
  if (!options_.field_selector.empty()) add("fieldSelector", options_.field_selector);
  if (!options_.label_selector.empty()) add("labelSelector", options_.label_selector);
  if (stage == Stage::kPagedList) {
    // Pages whose token keeps expiring are given up for a list in one go, which memory bears as well.
    constexpr int kExpiriesBorne = 2;
    if (expired_pages_ < kExpiriesBorne) add("limit", std::to_string(options_.page_size));
    if (!continue_token_.empty()) add("continue", continue_token_);
    return path;
  }
  add("watch", "true");
  add("allowWatchBookmarks", "true");
  add("timeoutSeconds", std::to_string(watch_timeout_.count()));
  if (stage == Stage::kStreamingList) {
    add("sendInitialEvents", "true");
    add("resourceVersionMatch", "NotOlderThan");
  } else {
    add("resourceVersion", resource_version_);
  }
  return path;
}

void ListWatch::Start() {
  under_way_ = true;
  status_ = 0;
  bookmarked_ = false;
  lines_.Clear();
  list_.Clear();
  refusal_body_.clear();
  error_event_.reset();
  unreadable_.clear();
  started_ = Clock::now();
  deadline_ = started_ + options_.answer_timeout;
  watch_timeout_ = std::chrono::ceil<seconds>(options_.watch_timeout * backoff_.Between(0.8, 1.0));
  if (stage_ == Stage::kWatch) {
    ++health_.watches;
  } else if (continue_token_.empty()) {
    ++health_.lists;
  }
  client_.Start({ApiRequest::Method::kGet, PathOf(stage_), {}}, *this);
}

void ListWatch::OnHeaders(long status) {
  status_ = status;
  Contact();
  if (status != kOk || trouble_.empty()) return;
  trouble_.clear();
  sink_.OnRecovered(resource_);
}

bool ListWatch::OnBody(std::string_view bytes) {
  health_.bytes += bytes.size();
  if (status_ != kOk) {
    refusal_body_.append(bytes.substr(0, kLongestRefusal - std::min(kLongestRefusal, refusal_body_.size())));
    return true;
  }
  const Arrival arrival{Clock::now(), std::chrono::system_clock::now()};
  const bool go_on = stage_ == Stage::kPagedList ? OnListBytes(bytes, arrival) : OnWatchBytes(bytes, arrival);
  Contact();
  return go_on;
}

void ListWatch::Contact() {
  const Clock::time_point now = Clock::now();
  health_.last_contact_ns = duration_cast<nanoseconds>(now.time_since_epoch()).count();
  Clock::duration silence = options_.answer_timeout;
  if (stage_ == Stage::kWatch) {
    silence = bookmarked_ ? Clock::duration(options_.bookmark_timeout) : watch_timeout_ + options_.timeout_margin;
  }
  deadline_ = now + silence;
}

bool ListWatch::OnListBytes(std::string_view bytes, const Arrival& arrival) {
  if (!replacing_) BeginReplace();
  list_.Append(bytes);
  while (const auto item = list_.Next()) Upsert(reader_.ReadItem(*item), arrival);
  if (list_.too_long()) unreadable_ = "the list holds an object that is longer than any that the API server stores";
  return unreadable_.empty();
}

bool ListWatch::OnWatchBytes(std::string_view bytes, const Arrival& arrival) {
  lines_.Append(bytes);
  while (const auto line = lines_.Next()) {
    if (!OnEvent(reader_.ReadEvent(*line), arrival)) return false;
  }
  if (lines_.too_long()) unreadable_ = "the watch holds an object that is longer than any that the API server stores";
  return unreadable_.empty();
}

bool ListWatch::OnEvent(WatchEvent event, const Arrival& arrival) {
  using Type = WatchEvent::Type;
  if (event.type == Type::kError) {
    error_event_ = std::move(event.status);
    return false;
  }
  if (event.type == Type::kUnreadable) {
    unreadable_ = event.why;
    return false;
  }
  if (stage_ == Stage::kStreamingList && !replacing_) BeginReplace();
  if (event.type == Type::kBookmark) {
    if (event.ends_initial_list) {
      EndReplace(event.resource_version);
    } else if (stage_ == Stage::kWatch) {
      resource_version_ = event.resource_version;
      bookmarked_ = true;
      backoff_.Reset();
    }
    return true;
  }
  // The versions of a streaming list's objects are in no order: none is one to go on from before its end.
  if (stage_ == Stage::kWatch) {
    backoff_.Reset();
    if (!event.object.resource_version.empty()) resource_version_ = event.object.resource_version;
  }
  if (event.type == Type::kDeleted) {
    ++health_.deletes;
    sink_.OnDelete(resource_, event.object.decoded.key, arrival);
  } else {
    Upsert(std::move(event.object), arrival);
  }
  return true;
}

void ListWatch::Upsert(ReceivedObject object, const Arrival& arrival) {
  ++health_.upserts;
  sink_.OnUpsert(resource_, std::move(object), arrival);
}

void ListWatch::BeginReplace() {
  replacing_ = true;
  sink_.OnReplaceBegin(resource_);
}

void ListWatch::EndReplace(const std::string& resource_version) {
  replacing_ = false;
  resource_version_ = resource_version;
  continue_token_.clear();
  expired_pages_ = 0;
  stage_ = Stage::kWatch;
  sink_.OnReplaceEnd(resource_);
  health_.synced = true;
}

void ListWatch::OnDone(const ApiResult& result) {
  under_way_ = false;
  if (stage_ == Stage::kWatch && Clock::now() - started_ >= kLasting) backoff_.Reset();
  if (error_event_) return OnRefused(*error_event_);
  if (!unreadable_.empty()) {
    // What it was is not known, so neither is what we missed.
    Trouble(unreadable_ + "; listing again");
    return Relist();
  }
  if (!result.error.empty()) {
    Trouble(result.error);
    return RetryAfter(backoff_.Next());
  }
  if (result.status != kOk) {
    ApiStatus status = ReadApiStatus(result.status, refusal_body_);
    if (result.retry_after_s) status.retry_after_s = result.retry_after_s;
    return OnRefused(status);
  }
  switch (stage_) {
    case Stage::kPagedList:
      return OnPageEnded();
    case Stage::kStreamingList:
      Trouble("the list ended before it was whole; listing again");
      return RetryAfter(backoff_.Next());
    case Stage::kWatch:
      // As asked by timeoutSeconds. One that ends sooner is a server's that goes away.
      return RetryAfter(Clock::now() - started_ >= kLasting ? milliseconds(0) : backoff_.Next());
  }
}

void ListWatch::OnPageEnded() {
  const ListMeta meta = reader_.ReadListMeta(list_.frame());
  if (!list_.complete() || !meta.readable) {
    Trouble("the answer is no list of objects; trying again");
    return RetryAfter(backoff_.Next());
  }
  if (!replacing_) BeginReplace();
  if (meta.continue_token.empty()) {
    EndReplace(meta.resource_version);
  } else {
    continue_token_ = meta.continue_token;
  }
  RetryAfter(milliseconds(0));
}

void ListWatch::OnRefused(const ApiStatus& status) {
  const bool passing =
      status.code == kTooManyRequests || status.code == kUnavailable || status.code == kTimeout || status.retry_after_s;
  if (status.code == kGone || status.reason == "Expired") return OnGone();
  if (stage_ == Stage::kStreamingList && !passing &&
      (error_event_ || status.code == kBadRequest || status.code == kInvalid)) {
    return ListInPages();
  }
  std::string message = "HTTP " + std::to_string(status.code) + ' ' + status.reason + ": " + status.message;
  if (status.code == kUnauthorized) {
    client_.RejectCredentials();
    message += "; the credentials of " + client_.access().origin + " are not accepted";
  } else if (status.code == kForbidden) {
    message += "; bind the role in deploy/rbac.yaml to the user of " + client_.access().origin;
  }
  Trouble(message);
  if (stage_ == Stage::kWatch && IsTooLargeVersion(status)) return Relist();
  const milliseconds wait = backoff_.Next();
  RetryAfter(std::max(wait, milliseconds(seconds(status.retry_after_s.value_or(0)))));
}

void ListWatch::ListInPages() {
  stage_ = Stage::kPagedList;
  continue_token_.clear();
  replacing_ = false;
  RetryAfter(milliseconds(0));
}

void ListWatch::OnGone() {
  if (stage_ == Stage::kPagedList && !continue_token_.empty()) ++expired_pages_;
  ++health_.relists;
  Relist();
}

void ListWatch::Relist() {
  // A streaming list that was cut short by 410 would be again.
  const bool streaming = options_.streaming_list && stage_ == Stage::kWatch;
  stage_ = streaming ? Stage::kStreamingList : Stage::kPagedList;
  continue_token_.clear();
  replacing_ = false;
  RetryAfter(backoff_.Next());
}

void ListWatch::RetryAfter(milliseconds wait) {
  // A streaming list begins anew; a paged one goes on with its page.
  if (stage_ == Stage::kStreamingList) replacing_ = false;
  next_attempt_ = Clock::now() + wait;
}

void ListWatch::Trouble(const std::string& message) {
  ++health_.errors;
  if (message == trouble_) return;
  trouble_ = message;
  sink_.OnTrouble(resource_, message);
}

}  // namespace sluice
