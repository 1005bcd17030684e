#include "sluiced/carrier.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "edge/owner.h"
#include "hook/wire_address.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kTurn(25);
constexpr milliseconds kCount(500);  // the interval for telling workers what passed
constexpr seconds kRound(10);        // ... and for asking about flows of which nothing passed
// A packet that found a place has left it long before, so another flow may get the place.
constexpr milliseconds kGrace(100);
constexpr std::size_t kQuestionsAtOnce = 1024;  // the publishing thread waits for no more
constexpr seconds kAnswer(1);
constexpr std::uint64_t kNsAMs = 1'000'000;

static_assert(SLUICE_MARKS == AddressChanges::kStripes);

template <typename Field>
Field Load(const Field& field) {
  return std::atomic_ref<Field>(const_cast<Field&>(field)).load(std::memory_order_acquire);
}
template <typename Field, typename Value>
void Store(Field& field, Value value) {
  std::atomic_ref<Field>(field).store(static_cast<Field>(value), std::memory_order_seq_cst);
}

FlowEnd SourceOf(const sluice_passage& passage) { return {FromWire(passage.source), ntohs(passage.source_port)}; }
FlowEnd DestinationOf(const sluice_passage& passage) {
  return {FromWire(passage.destination), ntohs(passage.destination_port)};
}

// Returns what both directions of a flow have in common.
sluice_passage FlowOfPassage(sluice_passage passage) {
  passage.index = 0;
  passage.direction = 0;
  const int order = std::memcmp(&passage.source, &passage.destination, sizeof passage.source);
  if (order > 0 || (order == 0 && passage.source_port > passage.destination_port)) {
    std::swap(passage.source, passage.destination);
    std::swap(passage.source_port, passage.destination_port);
  }
  return passage;
}

// A carried flow is in its protocol's state between opening and closing.
FlowState StateOfCarried(std::uint16_t protocol) {
  return protocol == kProtoTcp    ? FlowState::kTcpEstablished
         : protocol == kProtoSctp ? FlowState::kSctpEstablished
                                  : FlowState::kUdpReplied;
}

std::uint32_t IdleMs(std::uint64_t last_ns) {
  const std::uint64_t now_ns = CarryClockNs();
  constexpr std::uint64_t kMost = std::uint64_t{1} << 30;
  return static_cast<std::uint32_t>(std::min((now_ns - std::min(now_ns, last_ns)) / kNsAMs, kMost));
}

}  // namespace

std::size_t PassageHash::operator()(const sluice_passage& passage) const {
  return std::hash<std::string_view>{}({reinterpret_cast<const char*>(&passage), sizeof passage});
}

bool PassageEqual::operator()(const sluice_passage& one, const sluice_passage& other) const {
  return std::memcmp(&one, &other, sizeof one) == 0;
}

Carrier::Carrier(std::unique_ptr<CarriedMaps> maps, Dataplane& plane, const Table& table, Mode mode,
                 bool waits_for_policy, Say say)
    : plane_(plane),
      mode_(mode),
      waits_for_policy_(waits_for_policy),
      say_(std::move(say)),
      maps_(std::move(maps)),
      entries_(1),
      by_mark_(SLUICE_MARKS) {
  maps_->SetOn(false);
  EndTable(table);
  thread_ = std::thread([this] { Run(); });
}

Carrier::~Carrier() { Stop(); }

void Carrier::Stop() {
  {
    const std::lock_guard lock(mutex_);
    if (is_stopping_) return;
    is_stopping_ = true;
    wake_.notify_all();
  }
  thread_.join();
  const std::lock_guard lock(mutex_);
  maps_->SetOn(false);
  if (!is_taken_over_) return;
  const std::vector<Question> all = GatherQuestions(true, true);
  for (std::size_t begin = 0; begin < all.size(); begin += kQuestionsAtOnce) {
    Meet(std::span(all).subspan(begin, std::min(kQuestionsAtOnce, all.size() - begin)), false);
  }
}

void Carrier::Run() {
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    wake_.wait_for(lock, kTurn, [this] { return is_stopping_; });
    if (is_stopping_) return;
    if (!is_taken_over_) continue;
    lock.unlock();
    Turn();
    lock.lock();
  }
}

void Carrier::Turn() {
  std::vector<Question> questions;
  {
    const std::lock_guard lock(mutex_);
    const Clock::time_point now = Clock::now();
    const bool is_count_due = now >= count_due_, is_round_due = is_count_due && now >= round_due_;
    if (is_count_due) count_due_ = now + kCount;
    if (is_round_due) round_due_ = now + kRound;
    questions = GatherQuestions(is_count_due, is_round_due);
  }
  for (std::size_t begin = 0; begin < questions.size(); begin += kQuestionsAtOnce) {
    const std::lock_guard lock(mutex_);
    Meet(std::span(questions).subspan(begin, std::min(kQuestionsAtOnce, questions.size() - begin)), true);
  }
  const std::lock_guard lock(mutex_);
  FreeEnded();
}

std::vector<Carrier::Question> Carrier::GatherQuestions(bool is_count_due, bool is_round_due) {
  std::vector<Question> questions;
  for (const sluice_passage& passage : maps_->TakeNoted()) {
    const auto known = by_passage_.find(passage);
    questions.push_back({passage, known == by_passage_.end() ? 0 : known->second, true});
  }
  const Clock::time_point now = Clock::now();
  for (std::uint32_t place = 1; is_count_due && place < entries_.size(); ++place) {
    const Entry& entry = entries_[place];
    if (entry.use != Entry::Use::kCarried) continue;
    const sluice_carried& shared = maps_->place(place);
    const bool has_news = Load(shared.has_closing) != 0 || Load(shared.packets) != shared.told_packets;
    if (has_news || is_round_due) questions.push_back({entry.passage, place, false});
  }
  for (const Ending& ending : endings_) {
    if (now - ending.since < kGrace && !is_stopping_) break;
    if (entries_[ending.place].passage.index == 0) continue;  // it was free
    questions.push_back({entries_[ending.place].passage, ending.place, false});
  }
  return questions;
}

// Tells the workers what passed, and acts on their answers.
void Carrier::Meet(std::span<const Question> questions, bool uses_answers) {
  if (questions.empty() || !IsMailFree()) return;
  std::vector<Post> posts(plane_.workers().size());
  for (std::size_t i = 0; i < questions.size(); ++i) {
    Post& post = posts[WorkerOf(questions[i].passage)];
    post.carried.push_back(FlowOf(questions[i]));
    post.questions.push_back(i);
  }
  for (Post& post : posts) {
    if (!post.carried.empty()) post.letter = std::make_unique<Letter>(MeetCarried{post.carried});
  }
  Deliver(posts);
  if (!uses_answers) return;
  for (const Post& post : posts) {
    for (std::size_t i = 0; i < post.questions.size(); ++i) Use(questions[post.questions[i]], post.carried[i]);
  }
}

// Takes what passed since the last call: it is told only here.
CarriedFlow Carrier::FlowOf(const Question& question) {
  CarriedFlow flow{.source = SourceOf(question.passage),
                   .destination = DestinationOf(question.passage),
                   .protocol = static_cast<std::uint8_t>(question.passage.protocol)};
  if (question.place == 0) return flow;
  sluice_carried& shared = maps_->place(question.place);
  const std::uint64_t packets = Load(shared.packets), bytes = Load(shared.bytes);
  flow.packets = packets - shared.told_packets;
  flow.bytes = bytes - shared.told_bytes;
  flow.idle_ms = IdleMs(Load(shared.last_ns));
  shared.told_packets = packets;
  shared.told_bytes = bytes;
  packets_.fetch_add(flow.packets, std::memory_order_relaxed);
  bytes_.fetch_add(flow.bytes, std::memory_order_relaxed);
  return flow;
}

void Carrier::Use(const Question& question, const CarriedFlow& answer) {
  if (question.place == 0) {
    if (answer.may_be_carried && mode_ == Mode::kCarry) Add(question.passage, answer);
    return;
  }
  if (entries_[question.place].use != Entry::Use::kCarried) return;
  const sluice_carried& shared = maps_->place(question.place);
  const bool goes_on = mode_ == Mode::kCarry && answer.may_be_carried && Load(shared.has_closing) == 0 &&
                       (shared.is_reply != 0) == answer.is_reply;
  goes_on ? Renew(question.place, answer, question.was_noted) : End(question.place);
}

void Carrier::Renew(std::uint32_t place, const CarriedFlow& answer, bool was_noted) {
  sluice_carried& shared = maps_->place(place);
  if (was_noted) Store(shared.last_ns, std::max<std::uint64_t>(Load(shared.last_ns), CarryClockNs()));
  Store(shared.timeout_ns, std::uint64_t{answer.timeout_ms} * kNsAMs);
  Store(shared.judged, answer.generation);
}

void Carrier::Add(const sluice_passage& passage, const CarriedFlow& answer) {
  if (by_passage_.contains(passage)) return;  // noted twice
  if (free_.empty() && entries_.size() == SLUICE_PLACES) {
    if (!std::exchange(said_full_, true)) say_("more flows than can be carried at once: the others go by the workers");
    return;
  }
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(entries_.size()));
    entries_.emplace_back();
  }
  const std::uint32_t place = free_.back();
  sluice_carried& shared = maps_->place(place);
  shared = {};
  shared.last_ns = CarryClockNs();
  shared.timeout_ns = std::uint64_t{answer.timeout_ms} * kNsAMs;
  shared.marks[0] = static_cast<std::uint32_t>(AddressChanges::StripeOf(FromWire(passage.source)));
  shared.marks[1] = static_cast<std::uint32_t>(AddressChanges::StripeOf(FromWire(passage.destination)));
  shared.is_reply = answer.is_reply ? 1 : 0;
  shared.is_guessed = answer.is_guessed ? 1 : 0;
  if (!maps_->Put(passage, place)) return;
  free_.pop_back();
  entries_[place] = {Entry::Use::kCarried, passage};
  Enter(place);
  Store(shared.judged, answer.generation);
}

// Makes the place findable by its passage and its flow, and links it to the flow's other direction. If the same
// direction had a place at another interface, that place is outdated.
void Carrier::Enter(std::uint32_t place) {
  const sluice_carried& shared = maps_->place(place);
  const std::size_t is_reply = shared.is_reply != 0 ? 1 : 0;
  by_passage_.emplace(entries_[place].passage, place);
  for (const std::uint32_t mark : shared.marks) by_mark_[mark % SLUICE_MARKS].push_back(place);
  const sluice_passage flow = FlowOfPassage(entries_[place].passage);
  if (const auto known = by_flow_.find(flow); known != by_flow_.end() && known->second[is_reply] != 0) {
    End(known->second[is_reply]);
  }
  std::array<std::uint32_t, 2>& places = by_flow_[flow];
  places[is_reply] = place;
  flows_.store(by_flow_.size(), std::memory_order_relaxed);
  const std::uint32_t other = places[1 - is_reply];
  if (other == 0) return;
  Store(maps_->place(place).other, other);
  Store(maps_->place(other).other, place);
}

// From here on nothing passes by the place. What passed in its last moment is told after the grace.
void Carrier::End(std::uint32_t place) {
  Entry& entry = entries_[place];
  sluice_carried& shared = maps_->place(place);
  Store(shared.judged, 0);
  maps_->Erase(entry.passage);
  by_passage_.erase(entry.passage);
  for (const std::uint32_t mark : shared.marks) std::erase(by_mark_[mark % SLUICE_MARKS], place);
  if (shared.other != 0) Store(maps_->place(shared.other).other, 0);
  if (const auto flow = by_flow_.find(FlowOfPassage(entry.passage)); flow != by_flow_.end()) {
    std::replace(flow->second.begin(), flow->second.end(), place, std::uint32_t{0});
    if (flow->second[0] == 0 && flow->second[1] == 0) by_flow_.erase(flow);
  }
  flows_.store(by_flow_.size(), std::memory_order_relaxed);
  EndLater(place);
}

void Carrier::EndLater(std::uint32_t place) {
  entries_[place].use = Entry::Use::kEnding;
  endings_.push_back({place, Clock::now()});
}

// Workers were asked about these places after their grace, if a turn came.
void Carrier::FreeEnded() {
  const Clock::time_point now = Clock::now();
  while (!endings_.empty() && now - endings_.front().since >= 2 * kGrace) {
    const std::uint32_t place = endings_.front().place;
    endings_.pop_front();
    entries_[place].use = Entry::Use::kFree;
    free_.push_back(place);
  }
}

void Carrier::BeginTable(const Table& table) {
  const std::lock_guard lock(mutex_);
  if (!is_taken_over_) return;
  std::vector<std::uint32_t> changed;
  WriteMarks(table, &changed);
  std::vector<Question> concerned;
  for (const std::uint32_t mark : changed) {
    for (const std::uint32_t place : by_mark_[mark]) concerned.push_back({entries_[place].passage, place, false});
  }
  Meet(concerned, false);
}

void Carrier::EndTable(const Table& table) {
  const std::lock_guard lock(mutex_);
  if (is_taken_over_ || (waits_for_policy_ && !table.has_policy())) return;
  TakeOver(table);
}

void Carrier::WriteMarks(const Table& table, std::vector<std::uint32_t>* changed) {
  const auto& stripes = table.changes().stripes();
  const bool is_new_epoch = std::exchange(epoch_, table.epoch()) != table.epoch();
  for (std::uint32_t mark = 0; mark < SLUICE_MARKS; ++mark) {
    if (stripes[mark] == written_[mark] && !is_new_epoch) continue;
    written_[mark] = stripes[mark];
    maps_->SetMark(mark, is_new_epoch ? table.generation() : WholeGeneration(table.generation(), stripes[mark]));
    if (changed != nullptr) changed->push_back(mark);
  }
}

// The workers adopt what an earlier process carried, and judge it. What the table lets pass is carried on, so that an
// idle flow outlives the next process, too. Nothing else passes by the earlier process's judgements.
void Carrier::TakeOver(const Table& table) {
  const auto passages = maps_->List();
  for (const auto& [passage, place] : passages) {
    if (place >= entries_.size()) entries_.resize(place + 1);
    entries_[place] = {Entry::Use::kCarried, passage};
    Store(maps_->place(place).judged, 0);
  }
  if (!passages.empty()) WaitForRound();
  Adopt(passages);
  WriteMarks(table, nullptr);
  is_taken_over_ = true;
  std::vector<Question> questions;
  for (std::uint32_t place = 1; place < entries_.size(); ++place) {
    if (entries_[place].use == Entry::Use::kFree) {
      EndLater(place);  // a packet may be passing by it for a moment
      continue;
    }
    maps_->place(place).other = 0;
    Enter(place);
    questions.push_back({entries_[place].passage, place, true});
  }
  for (std::size_t begin = 0; begin < questions.size(); begin += kQuestionsAtOnce) {
    Meet(std::span(questions).subspan(begin, std::min(kQuestionsAtOnce, questions.size() - begin)), true);
  }
  maps_->SetOn(mode_ == Mode::kCarry);
  if (passages.empty()) return;
  say_("flows that were carried without a sluiced: " + std::to_string(by_flow_.size()) + " go on");
}

// Waits until each worker reads its letters by the table that was published last: a worker reads one letter a round, by
// the table with which the round began.
void Carrier::WaitForRound() {
  std::vector<Post> posts(plane_.workers().size());
  for (Post& post : posts) post.letter = std::make_unique<Letter>(MeetCarried{});
  Deliver(posts);
}

void Carrier::Adopt(std::span<const std::pair<sluice_passage, std::uint32_t>> passages) {
  std::vector<Post> posts(plane_.workers().size());
  for (const auto& [passage, place] : passages) {
    const sluice_carried& shared = maps_->place(place);
    if (shared.has_closing != 0) continue;
    KeptFlow kept{.source = SourceOf(passage),
                  .destination = DestinationOf(passage),
                  .protocol = static_cast<std::uint8_t>(passage.protocol),
                  .state = StateOfCarried(passage.protocol),
                  .replied = true,
                  .guessed = shared.is_guessed != 0,
                  .idle_ms = IdleMs(Load(shared.last_ns))};
    if (shared.is_reply != 0) std::swap(kept.source, kept.destination);
    posts[WorkerOf(passage)].kept.push_back(kept);
  }
  for (Post& post : posts) {
    if (!post.kept.empty()) post.letter = std::make_unique<Letter>(AdoptFlows{.flows = post.kept});
  }
  Deliver(posts);
}

std::uint32_t Carrier::WorkerOf(const sluice_passage& passage) const {
  const std::uint32_t hash = AddressPairHash(FromWire(passage.source), FromWire(passage.destination));
  return OwnerOf(hash, static_cast<std::uint32_t>(plane_.workers().size()));
}

// False: a worker has not answered an older letter yet.
bool Carrier::IsMailFree() {
  const auto is_done = [](const Post& post) { return post.letter == nullptr || post.letter->IsDone(); };
  std::erase_if(overdue_, [&](const auto& posts) { return std::all_of(posts.begin(), posts.end(), is_done); });
  return overdue_.empty();
}

// Returns when all letters are answered. If a worker gives no answer in time, its answer is "carry nothing".
void Carrier::Deliver(std::vector<Post>& posts) {
  const auto is_done = [](const Post& post) { return post.letter == nullptr || post.letter->IsDone(); };
  for (std::size_t i = 0; i < posts.size(); ++i) {
    if (!posts[i].letter) continue;
    Worker& worker = *plane_.workers()[i];
    if (!worker.pipeline().mailbox().Post(*posts[i].letter)) posts[i] = {};
    worker.Wake();
  }
  const Clock::time_point deadline = Clock::now() + kAnswer;
  while (!std::all_of(posts.begin(), posts.end(), is_done)) {
    if (Clock::now() > deadline) {
      overdue_.push_back(std::exchange(posts, {}));
      return;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

CarriedTotals Carrier::totals() const {
  return {mode_ == Mode::kCarry, flows_.load(std::memory_order_relaxed), packets_.load(std::memory_order_relaxed),
          bytes_.load(std::memory_order_relaxed)};
}

}  // namespace sluice
