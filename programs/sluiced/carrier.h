// Carrying: established flows pass in the hooks, in the kernel, and the workers count what passed.
//
// The hooks note the passages (direction and interface of a flow) by which the filter let a packet pass. A thread
// beside the workers asks each flow's worker about it, by letter. It puts the passages of established flows into the
// hooks' map, with the generation that judged the flow. Twice a second, and before anything could end a flow, it tells
// the workers what passed. If a packet begins or ends a connection, or policy for its ends changed, the hooks send it
// up to the worker again at once; see carry.bpf.h.
//
// A change of policy is marked in the hooks' maps before workers have its table. So once the change is said to be in
// force, no packet passes by an older one. For flows that it concerns, what was carried until then is counted first.
//
// The maps outlive the process: carried flows go on without it. The next process adopts them, and policy judges them
// again.
#ifndef SLUICE_PROGRAMS_SLUICED_CARRIER_H_
#define SLUICE_PROGRAMS_SLUICED_CARRIER_H_

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/mailbox.h"
#include "edge/dataplane.h"
#include "hook/carried_maps.h"
#include "observe/dataplane_view.h"
#include "table/table.h"

namespace sluice {

struct PassageHash {
  std::size_t operator()(const sluice_passage& passage) const;
};
struct PassageEqual {
  bool operator()(const sluice_passage& one, const sluice_passage& other) const;
};

class Carrier {
 public:
  using Say = std::function<void(std::string_view)>;  // a line for the log
  enum class Mode {
    kCarry,
    kNever,  // stops carrying what was carried
  };

  // `plane` outlives it; its workers run, and `table` is in force there. Flows that an earlier process carried are
  // adopted now, or, with `waits_for_policy`, once a table has policy.
  Carrier(std::unique_ptr<CarriedMaps> maps, Dataplane& plane, const Table& table, Mode mode, bool waits_for_policy,
          Say say);
  ~Carrier();  // calls Stop
  Carrier(const Carrier&) = delete;
  Carrier& operator=(const Carrier&) = delete;

  // Called by the publisher of tables, in order: just before the workers have a table, and just after.
  void BeginTable(const Table& table);
  void EndTable(const Table& table);

  // Tells the workers everything that passed, and leaves the flows to the hooks. Call it before the plane stops.
  void Stop();

  // Any thread.
  CarriedTotals totals() const;

 private:
  using Clock = std::chrono::steady_clock;

  struct Entry {
    enum class Use : std::uint8_t { kFree, kCarried, kEnding } use = Use::kFree;
    sluice_passage passage{};
  };
  struct Ending {
    std::uint32_t place;
    Clock::time_point since;
  };
  // A question to a worker: about a passage that has a place, or could have one.
  struct Question {
    sluice_passage passage;
    std::uint32_t place = 0;
    bool was_noted = false;  // a packet of it reached the worker
  };
  struct Post {
    std::vector<KeptFlow> kept;
    std::vector<CarriedFlow> carried;
    std::vector<std::size_t> questions;  // by flow: the index of its question
    std::unique_ptr<Letter> letter;
  };

  void Run();
  void Turn();
  std::vector<Question> GatherQuestions(bool is_count_due, bool is_round_due);
  void Meet(std::span<const Question> questions, bool uses_answers);
  CarriedFlow FlowOf(const Question& question);
  void Use(const Question& question, const CarriedFlow& answer);
  void Add(const sluice_passage& passage, const CarriedFlow& answer);
  void Renew(std::uint32_t place, const CarriedFlow& answer, bool was_noted);
  void End(std::uint32_t place);
  void FreeEnded();
  void Enter(std::uint32_t place);
  void EndLater(std::uint32_t place);

  void TakeOver(const Table& table);
  void WaitForRound();
  void Adopt(std::span<const std::pair<sluice_passage, std::uint32_t>> passages);
  void WriteMarks(const Table& table, std::vector<std::uint32_t>* changed);

  std::uint32_t WorkerOf(const sluice_passage& passage) const;
  bool IsMailFree();
  void Deliver(std::vector<Post>& posts);

  Dataplane& plane_;
  const Mode mode_;
  const bool waits_for_policy_;
  const Say say_;

  std::mutex mutex_;  // protects the members below, except for the counters
  std::unique_ptr<CarriedMaps> maps_;
  bool is_taken_over_ = false;
  std::uint64_t epoch_ = 0;
  std::array<std::uint32_t, SLUICE_MARKS> written_{};  // as the table has them
  std::vector<Entry> entries_;                         // by place; 0 belongs to none
  std::vector<std::uint32_t> free_;
  std::deque<Ending> endings_;
  std::unordered_map<sluice_passage, std::uint32_t, PassageHash, PassageEqual> by_passage_;
  // By flow: the places of its two directions.
  std::unordered_map<sluice_passage, std::array<std::uint32_t, 2>, PassageHash, PassageEqual> by_flow_;
  std::vector<std::vector<std::uint32_t>> by_mark_;
  std::vector<std::vector<Post>> overdue_;  // letters that a worker has not answered: they must live until then
  bool said_full_ = false;
  Clock::time_point count_due_{}, round_due_{};

  std::condition_variable wake_;
  bool is_stopping_ = false;
  std::atomic<std::uint64_t> flows_ = 0, packets_ = 0, bytes_ = 0;
  std::thread thread_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_CARRIER_H_
