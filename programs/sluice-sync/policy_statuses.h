// The status of each cluster policy: conditions made from what the decoder said of the object, and from how many
// dataplanes have it in force. No condition names a dataplane or a node.
//
//   Accepted          the object is well-formed: Valid, UnsupportedField; Invalid
//   Programmed        this generation is in force in every dataplane: InForce; Pending, RefusedByDataplane, Invalid
//   PartiallyInvalid  some of its fields failed closed (CNP-08), else it is not set: UnsupportedField
//
// The dataplanes are those that this process pushes to, and one for each other node that reports (NodeReports).
//
// Used within one thread.
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

  // A policy that is not in force everywhere is reported only after this time: most soon are.
  static constexpr std::chrono::seconds kPatience{5};
  // The additional time after the process began to look: other nodes report their progress once in half a minute.
  static constexpr std::chrono::seconds kFirstPatience{45};

  // The types of all conditions.
  static std::vector<std::string> Types() { return {"Accepted", "PartiallyInvalid", "Programmed"}; }

  PolicyStatuses(Want want, Gone gone) : want_(std::move(want)), gone_(std::move(gone)) {}

  // Takes a new version of the object, or a new object of that name. `revision`: the feed's revision that holds what is
  // in force for it: the object, or what replaces a refused one.
  void See(const EventSubject& subject, const ReceivedObject& object, bool keeps_last_good, std::uint64_t revision);
  // Takes a new version of the object with the same spec.
  void SeeVersion(Resource resource, const std::string& version);
  void Forget(Resource resource, const std::string& name);
  // Between these two calls, all objects of the resource are named once more.
  void OnListBegin(Resource resource);
  void OnListEnd(Resource resource);
  // A dataplane refused the policy; `message` says why.
  void SeeRefusal(const EventSubject& subject, const std::string& message);

  // `in_force`: for each dataplane that we push to, the feed's revision that it has; 0 if it has not answered for long.
  // `others`: the reports of other nodes. The resulting status of each policy is passed to Want, if it is new.
  void Look(Clock::time_point now, const std::vector<std::uint64_t>& in_force,
            const std::vector<NodeReport>& others = {});
  // Reports what all dataplanes that we push to have in force.
  NodeReport Report(const std::vector<std::uint64_t>& in_force) const;

  bool empty() const { return policies_.empty(); }

 private:
  struct Policy {
    EventSubject subject;
    std::uint64_t revision = 0;
    std::string version;                     // resourceVersion in which this generation was first seen
    Clock::time_point lacks_since;           // the time 0: it is in force everywhere, or new
    std::string refusal;                     // by a dataplane
    std::string invalid;                     // why it was refused; empty: it was not
    std::string instead;                     // what is then in force instead
    std::vector<std::string> failed_closed;  // "FIELD: WHY"
    ObjectStatus told;
  };

  // How many dataplanes have it, and why another does not, if that is known.
  struct Standing {
    std::size_t in_force = 0;
    std::size_t dataplanes = 0;
    std::string refusal;
  };
  struct Versions {
    bool listing = false;
    std::string through;  // the newest version seen; during a list, before the list
    std::string listed;   // the newest version in the present list
  };

  static Standing StandingOf(const Policy& policy, const std::vector<std::uint64_t>& in_force,
                             const std::vector<NodeReport>& others);
  static std::vector<Condition> ConditionsOf(const Policy& policy, const Standing& standing);

  const Want want_;
  const Gone gone_;
  std::map<std::pair<Resource, std::string>, Policy> policies_;
  std::map<Resource, Versions> versions_;
  std::uint64_t news_ = 0;  // number of specs seen
  Clock::time_point looks_since_;
  Clock::time_point last_look_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICE_SYNC_POLICY_STATUSES_H_
