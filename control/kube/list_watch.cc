#include "kube/list_watch.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "sluice/printable.h"

namespace sluice {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr long kOk = 200, kBadRequest = 400, kUnauthorized = 401, kForbidden = 403, kGone = 410, kInvalid = 422,
               kTooManyRequests = 429, kUnavailable = 503, kTimeout = 504;

// A watch that lasted this long was a success, even if it sent nothing.
constexpr seconds kLasting(5);
// For an answer that is no object: a Status, or a proxy's page.
constexpr std::size_t kLongestRefusal = 64 << 10;
// A list that brings less than this within the answer's time-out is given up, however the bytes are spread.
constexpr std::size_t kLeastProgress = 1 << 10;
// At most this many objects of a page are held until the page ends. A server that ignores the limit sends more; then
// the held ones are delivered once the list has said what it is a list of.
constexpr std::size_t kMostHeld = 1000;
// After this many failures of the same request in a row, the list begins anew, or is asked for in pages.
constexpr int kMostFailures = 3;

// The version is from the future: the server's storage was restored from a backup, or it is still catching up.
bool IsTooLargeVersion(const ApiStatus& status) {
  return status.message.find("Too large resource version") != std::string::npos;
}

std::optional<std::uint64_t> NumberOf(const std::string& version) {
  std::uint64_t number = 0;
  const char* end = version.data() + version.size();
  const auto [at, error] = std::from_chars(version.data(), end, number);
  return error == std::errc{} && at == end ? std::optional(number) : std::nullopt;
}

// Versions of one resource ascend (KEP-5504). If one of the two is no number, nothing is known.
bool OlderThan(const std::string& version, const std::string& other) {
  const auto number = NumberOf(version), other_number = NumberOf(other);
  return number && other_number && *number < *other_number;
}

std::string SetBack(const std::string& from, const std::string& to) {
  return "the API server's state was set back from version " + Printable(from, 40) + " to " + Printable(to, 40) +
         ", as by a restored backup";
}

std::string Counts(const Removal& removal) {
  return std::to_string(removal.unnamed) + " of the " + std::to_string(removal.known) + " that are known";
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
      reader_(resource, client.access().server.url, options.api_version),
      stage_(options.streaming_list ? Stage::kStreamingList : Stage::kPagedList),
      next_attempt_(Clock::now()) {}

ListWatch::~ListWatch() { client_.Cancel(*this); }

ListWatch::Clock::time_point ListWatch::Due() const {
  const Clock::time_point due = under_way_ ? deadline_ : next_attempt_;
  return look_again_ ? std::min(due, *look_again_) : due;
}

void ListWatch::Tick(Clock::time_point now) {
  if (look_again_ && now >= *look_again_) {
    look_again_.reset();
    if (!listing()) {
      client_.Cancel(*this);
      under_way_ = false;
      Relist(milliseconds(0));
    }
  }
  if (now < Due()) return;
  if (!under_way_) return Start();
  client_.Cancel(*this);
  under_way_ = false;
  OnLate(now);
}

std::string ListWatch::PathOf(Stage stage) {
  std::string path(InfoOf(resource_).path);
  if (!options_.api_version.empty()) path = "/apis/" + options_.api_version + '/' + std::string(InfoOf(resource_).name);
  auto add = [&path, separator = '?'](std::string_view name, std::string_view value) mutable {
    path += separator;
    path.append(name) += '=';
    path += EncodeQuery(value);
    separator = '&';
  };
  if (!options_.field_selector.empty()) add("fieldSelector", options_.field_selector);
  if (!options_.label_selector.empty()) add("labelSelector", options_.label_selector);
  if (stage == Stage::kVersion) {
    add("limit", "1");
    return path;
  }
  if (stage == Stage::kPagedList) {
    // If the token of a list's pages keeps expiring, the list is asked for in one go. Memory can bear that, too.
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
  unextended_ = 0;
  events_came_ = false;
  bookmarked_ = false;
  lines_.Clear();
  list_.Clear();
  page_.clear();
  page_type_ = ListMeta::Type::kUnknown;
  page_arrival_.reset();
  refusal_body_.clear();
  error_event_.reset();
  doubted_ = false;
  unreadable_.clear();
  started_ = contact_ = Clock::now();
  deadline_ = started_ + options_.answer_timeout;
  watch_timeout_ = std::chrono::ceil<seconds>(options_.watch_timeout * backoff_.Between(0.8, 1.0));
  if (stage_ == Stage::kWatch) ++health_.watches;
  const bool new_list = listing() && continue_token_.empty();
  if (new_list) {
    // This is another snapshot than the one before. Objects that only the one before has named may be gone by now.
    replacing_ = false;
    list_version_.clear();
    listed_ = 0;
    ++health_.lists;
  }
  client_.Start({ApiRequest::Method::kGet, PathOf(stage_), {}, new_list && asked_again_}, *this);
}

void ListWatch::OnHeaders(long status) {
  status_ = status;
  Contact(0);
  // A watch may be silent for long. For other requests, only the end shows whether the answer is right.
  if (status == kOk && trouble_of_ == TroubleOf::kConnection && stage_ == Stage::kWatch) Recovered();
}

bool ListWatch::OnBody(std::string_view bytes) {
  health_.bytes += bytes.size();
  if (status_ != kOk) {
    refusal_body_.append(bytes.substr(0, kLongestRefusal - std::min(kLongestRefusal, refusal_body_.size())));
    return refusal_body_.size() < kLongestRefusal;
  }
  const Arrival arrival{Clock::now(), std::chrono::system_clock::now()};
  bool go_on = false;
  switch (stage_) {
    case Stage::kPagedList:
      go_on = OnListBytes(bytes, arrival);
      break;
    case Stage::kVersion:
      go_on = OnVersionBytes(bytes);
      break;
    case Stage::kStreamingList:
    case Stage::kWatch:
      go_on = OnWatchBytes(bytes, arrival);
      break;
  }
  Contact(bytes.size());
  return go_on;
}

void ListWatch::Contact(std::size_t bytes) {
  contact_ = Clock::now();
  health_.last_contact_ns = duration_cast<nanoseconds>(contact_.time_since_epoch()).count();
  if (stage_ == Stage::kWatch) {
    const Clock::time_point end = started_ + watch_timeout_ + options_.timeout_margin;
    deadline_ = bookmarked_ ? std::min(end, contact_ + options_.bookmark_timeout) : end;
    return;
  }
  unextended_ += bytes;
  if (bytes > 0 && unextended_ < kLeastProgress) return;
  unextended_ = 0;
  deadline_ = contact_ + options_.answer_timeout;
}

bool ListWatch::OnListBytes(std::string_view bytes, const Arrival& arrival) {
  if (!page_arrival_) page_arrival_ = arrival;
  list_.Append(bytes);
  while (const auto item = list_.Next()) {
    if (!AddItem(*item)) return false;
  }
  if (list_.too_long()) unreadable_ = "the list holds an object that is longer than any that the API server stores";
  if (list_.broken()) unreadable_ = "the answer is no list of objects";
  return unreadable_.empty();
}

bool ListWatch::AddItem(std::string_view item) {
  if (page_type_ == ListMeta::Type::kUnknown && page_.empty()) {
    const ListMeta so_far = reader_.ReadListMeta(list_.frame() + "]}");
    page_type_ = so_far.type;
    if (page_type_ == ListMeta::Type::kWrong) {
      unreadable_ = so_far.why;
      return false;
    }
  }
  std::string why;
  auto object = reader_.ReadItem(item, why);
  if (!object) {
    unreadable_ = "the list holds " + why;
    return false;
  }
  page_.push_back(std::move(*object));
  if (page_.size() >= kMostHeld && page_type_ == ListMeta::Type::kRight) DeliverPage();
  return true;
}

void ListWatch::DeliverPage() {
  if (!replacing_) BeginReplace();
  for (ReceivedObject& object : page_) Upsert(std::move(object), *page_arrival_);
  page_.clear();
}

bool ListWatch::OnVersionBytes(std::string_view bytes) {
  list_.Append(bytes);
  while (list_.Next()) continue;
  if (list_.broken() || list_.too_long()) unreadable_ = "the answer is no list of objects";
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
  if (event.type == Type::kBookmark) return OnBookmark(event);
  // The versions of a streaming list's objects are in no order. Before its end, no watch can go on from one of them.
  if (stage_ == Stage::kWatch) {
    const std::string& version = event.object.resource_version;
    // For a deleted object, some servers give the version that it had before.
    const bool of_before = event.type == Type::kDeleted && OlderThan(version, resource_version_);
    if (!version.empty() && !of_before && !Advance(version)) return false;
  }
  if (event.type == Type::kDeleted) {
    ++health_.deletes;
    sink_.OnDelete(resource_, event.object.decoded.key, arrival);
  } else {
    Upsert(std::move(event.object), arrival);
  }
  return true;
}

bool ListWatch::OnBookmark(const WatchEvent& event) {
  if (stage_ == Stage::kStreamingList) return !event.ends_initial_list || EndReplace(event.resource_version);
  bookmarked_ = true;
  return Advance(event.resource_version);
}

bool ListWatch::Advance(const std::string& version) {
  if (OlderThan(version, resource_version_)) {
    unreadable_ = SetBack(resource_version_, version);
    return false;
  }
  resource_version_ = version;
  events_came_ = true;
  failures_ = 0;
  backoff_.Reset();
  Recovered();
  return true;
}

void ListWatch::Upsert(ReceivedObject object, const Arrival& arrival) {
  ++health_.upserts;
  if (listing()) ++listed_;
  sink_.OnUpsert(resource_, std::move(object), arrival);
}

void ListWatch::BeginReplace() {
  replacing_ = true;
  sink_.OnReplaceBegin(resource_);
}

bool ListWatch::EndReplace(const std::string& resource_version) {
  const Removal removal = sink_.RemovalOf(resource_);
  const bool large = synced() && 2 * removal.unnamed > removal.known;
  if (large && !asked_again_) {
    doubted_ = asked_again_ = true;
    ++health_.doubted_lists;
    sink_.OnNotice(resource_, "the list would remove " + Counts(removal) + "; asking once more before that is done");
    return false;
  }
  if (asked_again_) {
    sink_.OnNotice(
        resource_,
        (large ? "the second list agrees, and removes " : "the second list differs, and removes ") + Counts(removal));
  }
  if (OlderThan(resource_version, resource_version_)) {
    sink_.OnNotice(resource_, SetBack(resource_version_, resource_version));
  }
  health_.large_removals += large;
  look_again_.reset();
  if (large || (!synced() && listed_ == 0)) look_again_ = Clock::now() + options_.look_again_after;
  replacing_ = false;
  asked_again_ = false;
  resource_version_ = resource_version;
  continue_token_.clear();
  expired_pages_ = 0;
  failures_ = 0;
  stage_ = Stage::kWatch;
  sink_.OnReplaceEnd(resource_);
  health_.synced = true;
  health_.forbidden = false;
  Recovered();
  return true;
}

void ListWatch::OnLate(Clock::time_point now) {
  const milliseconds silence = bookmarked_ ? options_.bookmark_timeout : options_.timeout_margin;
  if (stage_ == Stage::kWatch && status_ == kOk && now - contact_ < silence) {
    // The watch still sends, after the time that we asked for. That is no trouble: the next watch goes on from here.
    return RetryAfter(milliseconds(0));
  }
  Trouble("nothing came in time; trying again", TroubleOf::kConnection);
  if (stage_ == Stage::kStreamingList) return ListAnew(Stage::kPagedList, milliseconds(0));
  TryAgain(Failure::kPassing, backoff_.Next());
}

void ListWatch::OnDone(const ApiResult& result) {
  under_way_ = false;
  if (stage_ == Stage::kWatch && Clock::now() - started_ >= kLasting) backoff_.Reset();
  if (doubted_) return ListAnew(Stage::kPagedList, options_.ask_again_after);
  if (error_event_) return OnRefused(*error_event_);
  if (!unreadable_.empty()) return OnUnreadable();
  if (!result.error.empty()) {
    const bool broke_off = listing() && status_ == kOk;
    Trouble(result.error, broke_off ? TroubleOf::kAnswer : TroubleOf::kConnection);
    return TryAgain(broke_off ? Failure::kCounts : Failure::kPassing, backoff_.Next());
  }
  if (result.status != kOk) {
    ApiStatus status = ReadApiStatus(result.status, refusal_body_);
    if (result.retry_after_s) status.retry_after_s = result.retry_after_s;
    return OnRefused(std::move(status));
  }
  switch (stage_) {
    case Stage::kPagedList:
    case Stage::kVersion:
      return OnListEnded();
    case Stage::kStreamingList:
      Trouble("the list ended before it was whole; listing again", TroubleOf::kAnswer);
      return TryAgain(Failure::kCounts, backoff_.Next());
    case Stage::kWatch:
      return OnWatchEnded();
  }
}

void ListWatch::OnUnreadable() {
  const milliseconds wait = backoff_.Next();
  if (stage_ == Stage::kPagedList || stage_ == Stage::kVersion) {
    Trouble(unreadable_ + "; asking again", TroubleOf::kAnswer);
    return TryAgain(Failure::kCounts, wait);
  }
  // Nobody knows what the unreadable part was, so nobody knows what we missed.
  Trouble(unreadable_ + "; listing again", TroubleOf::kAnswer);
  Relist(wait);
}

void ListWatch::OnListEnded() {
  if (!list_.complete()) {
    unreadable_ = "the answer is cut short";
    return OnUnreadable();
  }
  const ListMeta meta = reader_.ReadListMeta(list_.frame());
  if (!meta.why.empty()) {
    unreadable_ = meta.why;
    return OnUnreadable();
  }
  stage_ == Stage::kVersion ? OnVersion(meta.resource_version) : OnPage(meta);
}

void ListWatch::OnPage(const ListMeta& meta) {
  // The pages of one list have one version, and each goes on after the one before.
  const bool other_list = !list_version_.empty() && meta.resource_version != list_version_;
  if (other_list || (!meta.continue_token.empty() && meta.continue_token == continue_token_)) {
    Trouble("the pages are not of one list; listing again", TroubleOf::kAnswer);
    return ListAnew(Stage::kPagedList, backoff_.Next());
  }
  if (!page_arrival_) page_arrival_ = Arrival{Clock::now(), std::chrono::system_clock::now()};
  DeliverPage();
  list_version_ = meta.resource_version;
  failures_ = 0;
  if (meta.continue_token.empty()) {
    if (!EndReplace(meta.resource_version)) return ListAnew(Stage::kPagedList, options_.ask_again_after);
  } else {
    continue_token_ = meta.continue_token;
    Recovered();
  }
  RetryAfter(milliseconds(0));
}

void ListWatch::OnVersion(const std::string& present) {
  if (OlderThan(present, resource_version_)) {
    // A watch from a version in the future would be silent until then, and would not report what comes before it.
    Trouble(SetBack(resource_version_, present) + "; listing again", TroubleOf::kAnswer);
    ++health_.relists;
    return Relist(backoff_.Next());
  }
  stage_ = Stage::kWatch;
  RetryAfter(milliseconds(0));
}

void ListWatch::OnWatchEnded() {
  const Clock::duration lasted = Clock::now() - started_;
  constexpr seconds kEarlier(1);  // than asked, because clocks differ
  if (lasted + kEarlier >= watch_timeout_) return RetryAfter(milliseconds(0));
  // A watch that ends sooner comes from a server that is going away.
  if (events_came_ || lasted >= kLasting) return TryAgain(Failure::kPassing, backoff_.Next());
  if (failures_ + 1 >= kMostFailures) Trouble("watches end as soon as they begin; listing again", TroubleOf::kAnswer);
  TryAgain(Failure::kCounts, backoff_.Next());
}

void ListWatch::OnRefused(ApiStatus status) {
  const bool passing =
      status.code == kTooManyRequests || status.code == kUnavailable || status.code == kTimeout || status.retry_after_s;
  if (status.code == kGone || status.reason == "Expired") return OnGone();
  if (stage_ == Stage::kStreamingList && !passing &&
      (error_event_ || status.code == kBadRequest || status.code == kInvalid)) {
    return ListAnew(Stage::kPagedList, milliseconds(0));
  }
  std::string message = "HTTP " + std::to_string(status.code) + ' ' + status.reason + ": " + status.message;
  if (status.code == kUnauthorized) {
    client_.RejectCredentials();
    message += "; the credentials of " + client_.access().origin + " are not accepted";
  } else if (status.code == kForbidden) {
    message += "; bind the role in deploy/rbac.yaml to the user of " + client_.access().origin;
  }
  milliseconds wait = backoff_.Next();
  const seconds asked(std::max(0L, status.retry_after_s.value_or(0)));
  // Compared in seconds, because a server's value may be too large for milliseconds.
  const auto longest = std::chrono::ceil<seconds>(options_.longest_wait);
  if (asked > longest) {
    message += "; it asks us to wait " + std::to_string(asked.count()) + " s, and we wait " +
               std::to_string(longest.count()) + " s";
  }
  wait = std::max(wait, asked > longest ? options_.longest_wait : milliseconds(asked));
  health_.forbidden = status.code == kForbidden;
  Trouble(message, error_event_ ? TroubleOf::kAnswer : TroubleOf::kConnection);
  if (stage_ == Stage::kWatch && IsTooLargeVersion(status)) return Relist(wait);
  const bool of_access = status.code == kUnauthorized || status.code == kForbidden;
  TryAgain(passing || of_access ? Failure::kPassing : Failure::kCounts, wait);
}

void ListWatch::OnGone() {
  if (stage_ == Stage::kPagedList && !continue_token_.empty()) ++expired_pages_;
  ++health_.relists;
  Relist(backoff_.Next());
}

void ListWatch::Relist(milliseconds wait) {
  // If 410 cut a streaming list short, it would cut the next one short, too.
  const bool streaming = options_.streaming_list && !listing();
  ListAnew(streaming ? Stage::kStreamingList : Stage::kPagedList, wait);
}

void ListWatch::ListAnew(Stage stage, milliseconds wait) {
  stage_ = stage;
  continue_token_.clear();
  failures_ = 0;
  RetryAfter(wait);
}

void ListWatch::TryAgain(Failure failure, milliseconds wait) {
  if (failure == Failure::kCounts && stage_ != Stage::kVersion) ++failures_;
  if (failures_ >= kMostFailures && stage_ != Stage::kVersion) {
    return listing() ? ListAnew(Stage::kPagedList, wait) : Relist(wait);
  }
  if (stage_ == Stage::kWatch) stage_ = Stage::kVersion;
  RetryAfter(wait);
}

void ListWatch::RetryAfter(milliseconds wait) { next_attempt_ = Clock::now() + wait; }

void ListWatch::Trouble(const std::string& message, TroubleOf of) {
  ++health_.errors;
  trouble_of_ = of;
  if (message == trouble_) return;
  trouble_ = message;
  sink_.OnTrouble(resource_, message);
}

void ListWatch::Recovered() {
  if (trouble_.empty()) return;
  trouble_.clear();
  trouble_of_ = TroubleOf::kConnection;
  sink_.OnRecovered(resource_);
}

}  // namespace sluice
