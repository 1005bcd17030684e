// Random edits and random faults for a bounded time, by a seed that is printed: fault_test --seed N --seconds S.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "faults/api_proxy.h"
#include "faults/fault_rig.h"
#include "faults/link.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

class RandomFaults : public FaultTest {
 protected:
  void Prepare(std::uint64_t seed) {
    random_.seed(seed);
    rig_.set_target(link_.target());
    rig_.set_api_server(proxy_.url());
  }

  template <typename Element>
  const Element& Any(const std::vector<Element>& all) {
    return all[random_() % all.size()];
  }
  std::uint64_t Below(std::uint64_t limit) { return random_() % limit; }

  Json AnyPeer() {
    switch (Below(4)) {
      case 0:
        return PodsWhere("app", Any<std::string>({"a", "b", "c", "d"}));
      case 1:
        return SpacesWhere("team", Any<std::string>({"red", "blue", "green"}));
      case 2:
        return {{"namespaceSelector", Json::object()}, {"podSelector", {{"matchLabels", {{"side", "left"}}}}}};
      default:
        return {{"ipBlock", {{"cidr", Any<std::string>({"10.7.0.0/24", "10.7.1.0/31", "192.0.2.0/24"})}}}};
    }
  }
  Json AnyRules(const char* peers) {
    Json rules = Json::array();
    for (std::uint64_t count = Below(3); count > 0; --count) {
      Json rule = Json::object();
      if (Below(4) > 0) rule[peers] = {AnyPeer()};
      if (Below(3) > 0) rule["ports"] = {{{"protocol", "UDP"}, {"port", 80 + static_cast<int>(Below(2))}}};
      rules.push_back(rule);
    }
    return rules;
  }
  Json AnySpec() {
    Json spec = {{"podSelector", Json::object()}, {"policyTypes", Json::array()}};
    if (Below(2) == 0) spec["podSelector"] = {{"matchLabels", {{"side", Any<std::string>({"left", "right"})}}}};
    const std::uint64_t directions = 1 + Below(3);
    if (directions & 1) {
      spec["policyTypes"].push_back("Ingress");
      spec["ingress"] = AnyRules("from");
    }
    if (directions & 2) {
      spec["policyTypes"].push_back("Egress");
      spec["egress"] = AnyRules("to");
    }
    return spec;
  }

  void EditSomething() {
    const std::string space = Any<std::string>({"red", "blue"});
    const RigPod& pod = kRigPods[Below(std::size(kRigPods))];
    std::uint64_t what = Below(8);
    if (only_ == Resource::kNamespaces) what = 0;
    if (only_ == Resource::kPods) what = 1 + Below(2);
    if (only_ == Resource::kNetworkPolicies) what = 3;
    switch (what) {
      case 0:
        return rig_.RelabelSpace(space, Any<std::string>({"red", "blue", "green"}));
      case 1:
        return rig_.MergePod(pod.space, pod.name,
                             {{"metadata", {{"labels", {{"side", Any<std::string>({"left", "right"})}}}}}});
      case 2:
        rig_.DeletePod(pod.space, pod.name);
        if (Below(2) == 0) std::this_thread::sleep_for(milliseconds(Below(20)));
        return rig_.MakePod(pod.space, pod.name, pod.address);
      default: {
        const std::string name = Any<std::string>({"one", "two", "three"});
        bool& there = policies_[space + '/' + name];
        const bool make = !there || Below(3) > 0;
        make ? rig_.PutPolicy(space, name, AnySpec()) : rig_.DeletePolicy(space, name);
        there = make;
      }
    }
  }

  // Of which objects there are edits until the table equals the cluster again; nothing: of all. Each resource is
  // followed by itself. Where one may be seconds behind the others, the table has what is no state of the cluster that
  // ever was, and the timeline could not say whether a packet may pass.
  void ChooseEdits() {
    only_ = Below(2) == 0 ? std::optional<Resource>() : kResources[Below(kResourceCount)];
    if (only_ == Resource::kNodes) only_ = Resource::kNetworkPolicies;
  }

  // The next answers of the API server for some resource are wrong.
  void AnswerWrongly() {
    if (!only_) return;
    const Resource resource = kResources[Below(kResourceCount)];
    std::vector<WrongAnswer> answers;
    for (std::uint64_t count = 1 + Below(3); count > 0; --count) {
      answers.push_back(static_cast<WrongAnswer>(Below(kWrongAnswerCount)));
    }
    proxy_.Plan(resource, answers);
    proxy_.Cut();
  }

  void KillSync() {
    rig_.sync().Kill();
    proxy_.Forget();
  }

  void MakeAFault() {
    switch (Below(11)) {
      case 0:
        link_.Cut();
        break;
      case 1:
        link_.Stall(true);
        break;
      case 2:
        rig_.sync().Freeze();
        break;
      case 3:
        KillSync();
        break;
      case 4:
        rig_.dataplane().process().Freeze();
        break;
      case 5:
      case 6:
        rig_.dataplane().Kill();
        break;
      case 7:
        ASSERT_TRUE(cluster().Compact());
        break;
      case 8:
      case 9:
        AnswerWrongly();
        break;
      default:
        if (Below(3) > 0) return;  // it takes seconds to start
        cluster().KillApiServer();
        if (Below(2) == 0) {
          ASSERT_TRUE(cluster().Compact());
        }
        ASSERT_TRUE(cluster().RestartApiServer()) << cluster().LastWords();
    }
    ++faults_;
  }

  void Mend() {
    link_.Stall(false);
    if (rig_.sync().running()) {
      rig_.sync().Thaw();
    } else {
      ASSERT_TRUE(rig_.StartSync());
    }
    if (rig_.dataplane().process().running()) {
      rig_.dataplane().process().Thaw();
    } else {
      ASSERT_TRUE(rig_.StartDataplane());
    }
  }

  // Wrong answers that are still to come have back-offs of up to 15 s between them.
  milliseconds Patience() {
    const bool done =
        std::all_of(kResources.begin(), kResources.end(), [this](Resource each) { return proxy_.Done(each); });
    return done ? seconds(15) : seconds(60);
  }

  std::mt19937_64 random_;
  std::optional<Resource> only_;
  ApiProxy proxy_{cluster().url(), cluster().ca_file()};
  Link link_{rig_.folder() / "link.sock", rig_.dataplane().target().substr(5)};
  std::map<std::string, bool> policies_;
  int edits_ = 0;
  int faults_ = 0;
  int settled_ = 0;
};

TEST_F(RandomFaults, LeaveTheTableEqualToTheClusterAndLetNothingThrough) {
  const std::uint64_t seed = Options().seed != 0 ? Options().seed : std::random_device()();
  std::cout << "--seed " << seed << " --seconds " << Options().seconds << std::endl;
  Prepare(seed);
  ASSERT_TRUE(rig_.Start());
  const auto end = steady_clock::now() + std::chrono::duration<double>(Options().seconds);
  while (steady_clock::now() < end && !HasFailure()) {
    for (std::uint64_t steps = 1 + Below(8); steps > 0 && !HasFatalFailure(); --steps) {
      if (Below(3) == 0) {
        MakeAFault();
      } else {
        EditSomething();
        ++edits_;
      }
      std::this_thread::sleep_for(std::chrono::microseconds(Below(30'000)));
    }
    Mend();
    if (HasFatalFailure() || (Below(4) == 0 && steady_clock::now() < end)) continue;
    ASSERT_TRUE(rig_.Settle(Patience())) << "after " << edits_ << " edits and " << faults_ << " faults";
    rig_.ExpectNothingLeaked();
    ChooseEdits();
    ++settled_;
  }
  Mend();
  ASSERT_TRUE(rig_.Settle(Patience()));
  std::cout << edits_ << " edits, " << faults_ << " faults, settled " << settled_ << " times, " << rig_.packets_sent()
            << " packets, " << proxy_.answered_wrongly() << " wrong answers" << std::endl;
}

}  // namespace
}  // namespace sluice
