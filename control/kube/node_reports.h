// What the sluice-sync of each node reports about cluster policies, for the one sluice-sync that writes their status.
// The report is an annotation of a Lease (coordination.k8s.io/v1) for each node, which the node's sluice-sync renews.
// The status itself names no node.
//
//   metadata.name         sluice-sync.NODE; the Node owns it, so that it goes with the node
//   metadata.labels       sluice.internal/report: node
//   metadata.annotations  sluice.internal/cluster-policies:
//                         {"clusternetworkpolicies":{"through":"4711","lacking":{"guard":"rules: too many"}}}
//   spec.renewTime        every 30 s
//
// Within one thread, that of its ApiClient.
#ifndef SLUICE_CONTROL_KUBE_NODE_REPORTS_H_
#define SLUICE_CONTROL_KUBE_NODE_REPORTS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kube/api_client.h"
#include "kube/resource.h"

namespace sluice {

// Whether a resourceVersion is equal to `wanted` or later, for the same resource: a number without a fixed size.
// False if either is no number.
bool IsVersionReached(std::string_view version, std::string_view wanted);

struct NodeReport {
  struct OfResource {
    std::string through;  // a resourceVersion: what was written up to it is in force as it was then,
    // except for the newest version of these, by name: why the dataplane refused it; empty: it may still come.
    std::map<std::string, std::string> lacking;
    std::size_t more = 0;  // and except for this many that found no room here

    friend bool operator==(const OfResource&, const OfResource&) = default;
  };
  static constexpr std::size_t kMostNamed = 50;
  static constexpr std::size_t kLongestReason = 200;

  std::map<Resource, OfResource> resources;  // for cluster policies
  std::uint64_t news = 0;                    // grows if more than versions went on; not in the Lease
  bool current = true;                       // false: nothing came from its node for long

  // Whether this version of the object is in force at the node.
  bool Has(Resource resource, const std::string& name, const std::string& version) const;
  friend bool operator==(const NodeReport&, const NodeReport&) = default;
};

struct NodeReportOptions {
  std::string namespace_name = "sluice-system";
  std::string node;                         // the node of the report that we publish; empty: we publish none
  std::chrono::milliseconds renew{30'000};  // for a report that stays the same
  std::chrono::milliseconds least{2'000};   // from one report to a changed one
  std::chrono::milliseconds look{3'000};    // between two looks at all reports
  std::chrono::milliseconds stale{90'000};  // if a report was not renewed for this long, nothing is known of its node
};

class NodeReports : public ApiHandler {
 public:
  using Clock = std::chrono::steady_clock;
  using Trouble = std::function<void(const std::string&)>;

  // The client must outlive it. `trouble` is told why reports are not written or read, with the remedy; not
  // repeated while it is the same.
  NodeReports(const NodeReportOptions& options, ApiClient& client, Trouble trouble);
  ~NodeReports() override;

  // From now on, this is our node's report. `node_uid`: the Node that will own the Lease; empty: none will.
  void Publish(const NodeReport& report, const std::string& node_uid);
  // Whether to look at the reports of others. When this becomes true, nothing is known of them until the first look.
  void Read(bool reads);

  // True: a look was made since Read(true), or the API server does not let us look.
  bool known() const { return known_; }
  // The reports of all nodes except our own.
  std::vector<NodeReport> Others(Clock::time_point now) const;

  void Tick(Clock::time_point now);
  Clock::time_point Due() const;

  void OnHeaders(long status) override;
  bool OnBody(std::string_view bytes) override;
  void OnDone(const ApiResult& result) override;

 private:
  enum class Request { kNone, kWrite, kList };
  struct Seen {
    NodeReport report;
    std::string version;      // of the Lease
    Clock::time_point since;  // since when it was so, by our clock: theirs is not trusted
  };

  bool publishes() const { return !options_.node.empty() && !ours_.resources.empty(); }
  Clock::time_point WriteDue() const;
  void Write(Clock::time_point now);
  void List(const std::string& continue_token, Clock::time_point now);
  void ReadPage(Clock::time_point now);
  void Fail(const ApiResult& result, Request asked, Clock::time_point now);

  const NodeReportOptions options_;
  ApiClient& client_;
  const Trouble trouble_;
  Request under_way_ = Request::kNone;
  Clock::time_point started_;
  long status_ = 0;
  std::string answer_;
  std::string told_;

  NodeReport ours_;
  std::string node_uid_;
  bool written_ = false;  // ours_ was written as it is
  Clock::time_point last_write_;

  bool reads_ = false;
  bool known_ = false;
  Clock::time_point last_look_;
  std::map<std::string, Seen> seen_;  // by node
  std::map<std::string, Seen> page_;  // by node, in the look in progress
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_NODE_REPORTS_H_
