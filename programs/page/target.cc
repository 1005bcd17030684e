#include "page/target.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "codec/codec.h"
#include "page/flow_sample.h"
#include "page/workload_name.h"
#include "sluice/printable.h"
#include "sluice/time_text.h"

namespace sluice {
namespace {

using namespace std::chrono_literals;
using grpc::StatusCode;

constexpr auto kPatience = 10s;  // for an answer
constexpr auto kPatienceWithLists = 60s;
constexpr auto kBetweenPolicies = 30s;
constexpr auto kDenialsCall = 30s;  // then it checks whether a viewer is still there
constexpr auto kLookerStays = 60s;
constexpr std::uint32_t kDropsPerSecond = 100;
constexpr std::size_t kMostErrorBytes = 300;

std::string WhyNot(const grpc::Status& status) {
  if (status.ok()) return "";
  const std::string why = Printable(status.error_message(), kMostErrorBytes);
  switch (status.error_code()) {
    case StatusCode::UNAVAILABLE:
      return "it cannot be reached: " + why;
    case StatusCode::DEADLINE_EXCEEDED:
      return "it does not answer";
    case StatusCode::UNIMPLEMENTED:
      return "it is older, and does not know this";
    case StatusCode::CANCELLED:
      return "the call was ended";
    default:
      return why.empty() ? "it failed" : why;
  }
}

std::uint64_t UnixNowNs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(now / std::chrono::nanoseconds(1));
}

std::string TextOf(const nlohmann::json& object, const char* key) {
  const auto field = object.find(key);
  return field != object.end() && field->is_string() ? field->get<std::string>() : "";
}

}  // namespace

// A call's context, which Stop cancels.
class PageTarget::Call {
 public:
  Call(PageTarget& target, std::chrono::seconds patience) : target_(target) {
    if (patience != 0s) context_.set_deadline(std::chrono::system_clock::now() + patience);
    const std::lock_guard lock(target_.calls_mutex_);
    if (target_.stopped_) context_.TryCancel();
    target_.calls_.insert(&context_);
  }
  ~Call() {
    const std::lock_guard lock(target_.calls_mutex_);
    target_.calls_.erase(&context_);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  grpc::ClientContext* context() { return &context_; }

 private:
  PageTarget& target_;
  grpc::ClientContext context_;
};

PageTarget::PageTarget(std::string name, const std::shared_ptr<grpc::Channel>& channel)
    : name_(std::move(name)), stub_(v1::ObserveService::NewStub(channel)) {}

PageTarget::~PageTarget() {
  Stop();
  if (denials_.joinable()) denials_.join();
  // Values that ask for other values must finish before those.
  map_.Finish();
  staged_.Finish();
  policies_.Finish();
  pods_.Finish();
  status_.Finish();
}

void PageTarget::Stop() {
  const std::lock_guard lock(calls_mutex_);
  stopped_ = true;
  for (grpc::ClientContext* context : calls_) context->TryCancel();
}

std::shared_ptr<const PageTarget::StatusAnswer> PageTarget::Status() {
  return status_.Get(1s, [this] {
    StatusAnswer answer;
    Call call(*this, kPatience);
    answer.error = WhyNot(stub_->GetStatus(call.context(), {}, &answer.status));
    return answer;
  });
}

std::shared_ptr<const PageTarget::PoliciesAnswer> PageTarget::Policies() {
  return policies_.Get(3s, [this] { return AskPolicies(); });
}

PageTarget::PoliciesAnswer PageTarget::AskPolicies() {
  PoliciesAnswer answer;
  {
    Call call(*this, kPatienceWithLists);
    const auto reader = stub_->ListPolicies(call.context(), {});
    bool goes_on = false;
    for (v1::PolicyInfo info; reader->Read(&info);) {
      const bool more = info.more();
      if (goes_on) {
        answer.policies.back().mutable_rules()->MergeFrom(info.rules());
      } else {
        answer.policies.push_back(std::move(info));
      }
      goes_on = more;
    }
    answer.error = WhyNot(reader->Finish());
  }
  if (!answer.error.empty()) return answer;
  AddRates(answer);
  answer.covered = AskCovered();
  return answer;
}

void PageTarget::AddRates(PoliciesAnswer& answer) {
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - std::exchange(counted_at_, now)).count();
  std::map<std::string, std::uint64_t> counted;
  for (const v1::PolicyInfo& policy : answer.policies) {
    std::uint64_t& packets = counted[policy.policy()];
    for (const v1::RuleInfo& rule : policy.rules()) packets += rule.packets();
    const auto before = counted_.find(policy.policy());
    // a policy that is new, or counts from zero again, has no rate yet
    if (before == counted_.end() || before->second >= packets) continue;
    answer.packets_per_second[policy.policy()] = static_cast<double>(packets - before->second) / seconds;
  }
  counted_ = std::move(counted);
}

// The whole policy is fetched once for each generation, and only now and then if generations come fast. If it cannot be
// fetched, the last result stays.
std::map<RulePlace, CoveringRule> PageTarget::AskCovered() {
  const auto status = Status();
  const auto now = std::chrono::steady_clock::now();
  if (!status->error.empty() || status->status.generation() == covered_generation_) return covered_;
  if (covered_generation_ != 0 && now - covered_at_ < kBetweenPolicies) return covered_;
  covered_at_ = now;
  FullStateDecoder decoder;
  Call call(*this, kPatienceWithLists);
  const auto reader = stub_->GetPolicy(call.context(), {});
  for (v1::FullStateChunk chunk; reader->Read(&chunk);) {
    if (!decoder.Add(chunk)) continue;
    call.context()->TryCancel();
    reader->Finish();
    return covered_;
  }
  if (!reader->Finish().ok()) return covered_;
  covered_generation_ = status->status.generation();
  covered_ = CoveredRules(decoder.Take());
  return covered_;
}

std::shared_ptr<const PageTarget::StagedAnswer> PageTarget::Staged() {
  return staged_.Get(5s, [this] {
    StagedAnswer answer;
    Call call(*this, kPatienceWithLists);
    const auto reader = stub_->ListStaged(call.context(), {});
    for (v1::ListStagedResponse message; reader->Read(&message);) {
      if (message.has_summary()) answer.summary = std::move(*message.mutable_summary());
      if (message.has_difference()) answer.differences.push_back(std::move(*message.mutable_difference()));
      if (message.has_silent()) answer.silent.push_back(message.silent().namespace_() + '/' + message.silent().name());
    }
    answer.error = WhyNot(reader->Finish());
    return answer;
  });
}

MapEnd PageTarget::EndOf(const v1::StagedPod& pod) {
  return pod.name().empty() ? MapEnd() : EndOf(*Pods(), pod.namespace_() + '/' + pod.name());
}

std::shared_ptr<const PageTarget::PodsAnswer> PageTarget::Pods() {
  return pods_.Get(10s, [this] { return AskPods(); });
}

PageTarget::PodsAnswer PageTarget::AskPods() {
  PodsAnswer answer;
  Call call(*this, kPatienceWithLists);
  const auto reader = stub_->ListEndpoints(call.context(), {});
  for (v1::EndpointInfo info; reader->Read(&info);) {
    answer.ends[info.namespace_() + '/' + info.name()] = {info.namespace_(), WorkloadName(info.name(), info.labels())};
  }
  answer.error = WhyNot(reader->Finish());
  return answer;
}

std::string PageTarget::Explain(const v1::ExplainRequest& request, v1::Explanation* explanation) {
  Call call(*this, kPatience);
  return WhyNot(stub_->Explain(call.context(), request, explanation));
}

std::string PageTarget::FollowDrops(const std::stop_token& stop,
                                    const std::function<void(const v1::WatchDropsResponse&)>& take) {
  v1::WatchDropsRequest request;
  request.set_drops_per_second(kDropsPerSecond);
  Call call(*this, 0s);
  const std::stop_callback cancel(stop, [&call] { call.context()->TryCancel(); });
  const auto reader = stub_->WatchDrops(call.context(), request);
  for (v1::WatchDropsResponse message; reader->Read(&message);) take(message);
  return WhyNot(reader->Finish());
}

// An unknown pod, which is new or gone, is its own workload.
MapEnd PageTarget::EndOf(const PodsAnswer& pods, const std::string& pod) const {
  if (pod.empty()) return {};
  const auto known = pods.ends.find(pod);
  if (known != pods.ends.end()) return known->second;
  const std::size_t slash = pod.find('/');
  return {pod.substr(0, slash), slash == pod.npos ? "" : pod.substr(slash + 1)};
}

std::shared_ptr<const PageTarget::MapAnswer> PageTarget::Map() {
  WantDenials();
  return map_.Get(3s, [this] { return AskMap(); });
}

PageTarget::MapAnswer PageTarget::AskMap() {
  const auto pods = Pods();
  MapAnswer answer;
  answer.error = pods->error.empty() ? SampleFlows(*pods) : pods->error;
  {
    const std::lock_guard lock(map_mutex_);
    answer.denials_error = denials_error_;
    answer.edges = flows_.Read(UnixNowNs());
    answer.not_told = flows_.not_told();
  }
  for (const v1::StagedDifference& difference : Staged()->differences) {
    MapEdge& edge = answer.edges[{EndOf(difference.source_pod()), EndOf(difference.destination_pod())}];
    if (difference.would_allow()) {
      edge.would_allow += difference.packets();
    } else {
      edge.would_deny += difference.connections();
    }
  }
  return answer;
}

std::string PageTarget::SampleFlows(const PodsAnswer& pods) {
  v1::ListFlowsRequest request;
  request.set_samples(true);
  request.set_batched(true);  // for a sluiced that knows no samples
  FlowSample sample([&](const std::string& pod) { return EndOf(pods, pod); });
  Call call(*this, kPatienceWithLists);
  const auto reader = stub_->ListFlows(call.context(), request);
  for (v1::Flow message; reader->Read(&message);) {
    if (sample.Take(message)) continue;
    call.context()->TryCancel();
    reader->Finish();
    return "its list of flows cannot be read";
  }
  std::string error = WhyNot(reader->Finish());
  if (!error.empty()) return error;
  const std::lock_guard lock(map_mutex_);
  flows_.Sample(UnixNowNs(), sample.ends(), sample.TakeFlows());
  return "";
}

// Follows denials while somebody looks at the map, and for a while after.
void PageTarget::WantDenials() {
  const std::lock_guard lock(map_mutex_);
  map_asked_ = std::chrono::steady_clock::now();
  if (follows_denials_) return;
  if (denials_.joinable()) denials_.join();
  follows_denials_ = true;
  denials_ = std::thread([this] { FollowDenials(); });
}

void PageTarget::FollowDenials() {
  std::uint64_t since_ns = UnixNowNs() - FlowMap::kMinutes * 60 * FlowMap::kSecond;
  for (;;) {
    v1::WatchFlowsRequest request;
    request.set_since_unix_ns(since_ns);
    request.set_follow(true);
    v1::FlowCondition* denials = request.add_conditions();
    denials->set_name("type");
    denials->set_value("deny");
    grpc::Status status;
    {
      Call call(*this, kDenialsCall);
      const auto reader = stub_->WatchFlows(call.context(), request);
      for (v1::WatchFlowsResponse message; reader->Read(&message);) {
        for (const std::string& line : message.lines()) AddDenial(line);
        since_ns = UnixNowNs();
      }
      status = reader->Finish();
    }
    const bool is_over = status.error_code() != StatusCode::DEADLINE_EXCEEDED;
    const std::lock_guard lock(map_mutex_);
    denials_error_ = is_over ? WhyNot(status) : "";
    if (!is_over && std::chrono::steady_clock::now() - map_asked_ < kLookerStays) continue;
    follows_denials_ = false;
    return;
  }
}

void PageTarget::AddDenial(const std::string& line) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object() || TextOf(json, "type") != "deny") return;
  const auto packets = json.find("packets");
  const auto time_ns = ParseRfc3339(TextOf(json, "time"));
  if (packets == json.end() || !packets->is_number_unsigned() || !time_ns) return;
  const auto pods = Pods();
  const auto end_of = [&](const char* side) -> MapEnd {
    const auto end = json.find(side);
    if (end == json.end() || !end->is_object()) return {};
    const std::string pod = TextOf(*end, "pod");
    return pod.empty() ? MapEnd{} : EndOf(*pods, TextOf(*end, "namespace") + '/' + pod);
  };
  const MapEnd source = end_of("src");
  const MapEnd destination = end_of("dst");
  const std::lock_guard lock(map_mutex_);
  flows_.AddDenied(source, destination, packets->get<std::uint64_t>(), *time_ns);
}

}  // namespace sluice
