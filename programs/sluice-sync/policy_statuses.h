// What the status of each cluster policy is to say: conditions out of what the decoder said of the object, and of how
// many dataplanes have it in force. Nothing in them names a dataplane or a node.
//
//   Accepted          the object is well-formed: Valid, UnsupportedField; Invalid
//   Programmed        this generation is in force in every dataplane: InForce; Pending, RefusedByDataplane, Invalid
//   PartiallyInvalid  some of its fields failed closed (CNP-08), else it is not set: UnsupportedField
//
// The dataplanes are those that this process pushes to, and one of each other node that reports (NodeReports).
//
// Within one thread.
#ifndef SLUICE_PROGRAMS_SLUICE_SYNC_POLICY_STATUSES_H_
#define SLUICE_PROGRAMS_SLUICE_SYNC_POLICY_STATUSES_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kube/event_poster.h"
#include "kube/node_reports.h"
#include "kube/object_reader.h"
#include "kube/status_writer.h"

namespace sluice {

class PolicyStatuses {
 public:
  using Clock = std::chrono::steady_clock;
  using Want = std::function<void(const EventSubject&, const ObjectStatus&)>;
  using Gone = std::function<void(Resource, const std::string&)>;

  // A policy that is not in force everywhere is only told of after so long: most soon are.
  static constexpr std::chrono::seconds kPatience{5};
  // That much later where looking has only begun: other nodes say once in half a minute how far they are.
  static constexpr std::chrono::seconds kFirstPatience{45};

  // Of all conditions.
  static std::vector<std::string> Types() { return {"Accepted", "PartiallyInvalid", "Programmed"}; }

  PolicyStatuses(Want want, Gone gone) : want_(std::move(want)), gone_(std::move(gone)) {}

  // A new version of the object, or a new object of that name. `revision`: of the feed that holds what is in force of
  // it: the object, or what stands for one that was refused.
  void See(const EventSubject& subject, const ReceivedObject& object, bool keeps_last_good, std::uint64_t revision);
  // A new version of the object, with the same spec.
  void SeeVersion(Resource resource, const std::string& version);
  void Forget(Resource resource, const std::string& name);
  // Between the two, all objects of the resource are named once more.
  void OnListBegin(Resource resource);
  void OnListEnd(Resource resource);
  // A dataplane did not take the policy, as `message` says.
  void SeeRefusal(const EventSubject& subject, const std::string& message);

  // `in_force`: of each dataplane that we push to, the feed's revision that it has; 0 of one that has not answered for
  // long. `others`: what other nodes report. What they together make of each policy is handed to Want, if it is new.
  void Look(Clock::time_point now, const std::vector<std::uint64_t>& in_force,
            const std::vector<NodeReport>& others = {});
  // What all dataplanes that we push to have in force.
  NodeReport Report(const std::vector<std::uint64_t>& in_force) const;

  bool empty() const { return policies_.empty(); }

 private:
  struct Policy {
    EventSubject subject;
    std::uint64_t revision = 0;
    std::string version;                     // resourceVersion in which this generation was first seen
    Clock::time_point lacks_since;           // the time 0: it is in force everywhere, or new
    std::string refusal;                     // of a dataplane
    std::string invalid;                     // why it was refused; empty: it was not
    std::string instead;                     // what is in force in place of it then
    std::vector<std::string> failed_closed;  // "FIELD: WHY"
    ObjectStatus told;
  };

  // How many dataplanes have it, and why another does not, where that is known.
  struct Standing {
    std::size_t in_force = 0;
    std::size_t dataplanes = 0;
    std::string refusal;
  };
  struct Versions {
    bool listing = false;
    std::string through;  // the newest that was seen; while all are listed, before that
    std::string listed;   // the newest of the list under way
  };

  static Standing StandingOf(const Policy& policy, const std::vector<std::uint64_t>& in_force,
                             const std::vector<NodeReport>& others);
  static std::vector<Condition> ConditionsOf(const Policy& policy, const Standing& standing);

  const Want want_;
  const Gone gone_;
  std::map<std::pair<Resource, std::string>, Policy> policies_;
  std::map<Resource, Versions> versions_;
  std::uint64_t news_ = 0;  // specs that were seen
  Clock::time_point looks_since_;
  Clock::time_point last_look_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICE_SYNC_POLICY_STATUSES_H_
