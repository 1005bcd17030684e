#include "kube/node_reports.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "kube/api_status.h"
#include "kube/api_text.h"

namespace sluice {
namespace {

using nlohmann::json;

constexpr const char* kLabel = "sluice.internal/report";
constexpr const char* kAnnotation = "sluice.internal/cluster-policies";
constexpr std::string_view kNamePrefix = "sluice-sync.";
constexpr std::size_t kLongestPage = std::size_t{8} << 20;
constexpr int kPageItems = 500;
constexpr std::chrono::seconds kReportTimeout(30);

bool IsNumber(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::string MemberText(const json& map, const char* key) {
  if (!map.is_object()) return "";
  const auto found = map.find(key);
  return found != map.end() && found->is_string() ? found->get<std::string>() : "";
}

const json& Member(const json& map, const char* key) {
  static const json kNothing = json::object();
  if (!map.is_object()) return kNothing;
  const auto found = map.find(key);
  return found == map.end() ? kNothing : *found;
}

std::string AnnotationOf(const NodeReport& report) {
  json all = json::object();
  for (const auto& [resource, of] : report.resources) {
    json& text = all[std::string(InfoOf(resource).name)];
    text = {{"through", of.through}};
    if (!of.lacking.empty()) text["lacking"] = of.lacking;
    if (of.more != 0) text["more"] = of.more;
  }
  return all.dump(-1, ' ', false, json::error_handler_t::replace);
}

// A part that cannot be read counts as missing: it puts nothing in force.
NodeReport ReportIn(const std::string& text) {
  NodeReport report;
  const json all = json::parse(text, nullptr, false);
  if (!all.is_object()) return report;
  for (const Resource resource : kOptionalResources) {
    const auto found = all.find(InfoOf(resource).name);
    if (found == all.end() || !found->is_object()) continue;
    NodeReport::OfResource& of = report.resources[resource];
    of.through = MemberText(*found, "through");
    const json& more = Member(*found, "more");
    of.more = more.is_number_unsigned() ? more.get<std::size_t>() : 0;
    const json& lacking = Member(*found, "lacking");
    if (!lacking.is_object()) continue;
    for (const auto& [name, why] : lacking.items()) of.lacking[name] = why.is_string() ? why.get<std::string>() : "";
  }
  return report;
}

}  // namespace

// Kubernetes promises that versions of one resource compare as numbers (KEP-5504); they have up to 64 bits today.
bool IsVersionReached(std::string_view version, std::string_view wanted) {
  if (!IsNumber(version) || !IsNumber(wanted)) return false;
  const auto digits = [](std::string_view text) {
    return text.substr(std::min(text.find_first_not_of('0'), text.size() - 1));
  };
  const std::string_view has = digits(version), wants = digits(wanted);
  return has.size() != wants.size() ? has.size() > wants.size() : has >= wants;
}

bool NodeReport::Has(Resource resource, const std::string& name, const std::string& version) const {
  const auto found = resources.find(resource);
  if (!current || found == resources.end()) return false;
  const OfResource& of = found->second;
  return of.more == 0 && !of.lacking.contains(name) && IsVersionReached(of.through, version);
}

NodeReports::NodeReports(const NodeReportOptions& options, ApiClient& client, Trouble trouble)
    : options_(options), client_(client), trouble_(std::move(trouble)) {}

NodeReports::~NodeReports() { client_.Cancel(*this); }

// If only versions went on, this is reported when the Lease is renewed: each write of a status is
// such a change, on each node.
void NodeReports::Publish(const NodeReport& report, const std::string& node_uid) {
  const auto say_more = [this](const auto& entry) {
    const auto before = ours_.resources.find(entry.first);
    return before == ours_.resources.end() || before->second.lacking != entry.second.lacking ||
           before->second.more != entry.second.more;
  };
  if (node_uid != node_uid_ || report.news != ours_.news || std::ranges::any_of(report.resources, say_more))
    written_ = false;
  ours_ = report;
  node_uid_ = node_uid;
}

void NodeReports::Read(bool reads) {
  if (std::exchange(reads_, reads) == reads) return;
  known_ = false;
  seen_.clear();
  last_look_ = {};
}

std::vector<NodeReport> NodeReports::Others(Clock::time_point now) const {
  std::vector<NodeReport> others;
  for (const auto& [node, seen] : seen_) {
    if (node == options_.node) continue;
    others.push_back(seen.report);
    others.back().current = now - seen.since < options_.stale;
  }
  return others;
}

NodeReports::Clock::time_point NodeReports::WriteDue() const {
  if (!publishes()) return Clock::time_point::max();
  if (last_write_ == Clock::time_point()) return last_write_;
  return last_write_ + (written_ ? options_.renew : options_.least);
}

NodeReports::Clock::time_point NodeReports::Due() const {
  if (under_way_ != Request::kNone) return started_ + kReportTimeout;
  return std::min(WriteDue(), reads_ ? last_look_ + options_.look : Clock::time_point::max());
}

void NodeReports::Tick(Clock::time_point now) {
  if (under_way_ != Request::kNone) {
    if (now - started_ < kReportTimeout) return;
    client_.Cancel(*this);
    OnDone({0, "the API server does not answer", std::nullopt});
    return;
  }
  if (now >= WriteDue()) return Write(now);
  if (!reads_ || now < last_look_ + options_.look) return;
  page_.clear();
  List("", now);
}

void NodeReports::Write(Clock::time_point now) {
  const std::string name = std::string(kNamePrefix) + options_.node;
  json metadata = {{"name", name},
                   {"namespace", options_.namespace_name},
                   {"labels", {{"app.kubernetes.io/name", "sluice-sync"}, {kLabel, "node"}}},
                   {"annotations", {{kAnnotation, AnnotationOf(ours_)}}}};
  if (!node_uid_.empty()) {
    metadata["ownerReferences"] = {
        {{"apiVersion", "v1"}, {"kind", "Node"}, {"name", options_.node}, {"uid", node_uid_}}};
  }
  const json lease = {{"apiVersion", "coordination.k8s.io/v1"},
                      {"kind", "Lease"},
                      {"metadata", std::move(metadata)},
                      {"spec",
                       {{"holderIdentity", options_.node},
                        {"leaseDurationSeconds", std::max<long>(1, options_.stale / std::chrono::seconds(1))},
                        {"renewTime", MicroTimeText()}}}};
  under_way_ = Request::kWrite;
  started_ = last_write_ = now;
  written_ = true;
  answer_.clear();
  client_.Start({ApiRequest::Method::kApply,
                 "/apis/coordination.k8s.io/v1/namespaces/" + EncodeQuery(options_.namespace_name) + "/leases/" +
                     EncodeQuery(name) + "?fieldManager=sluice-sync&force=true",
                 lease.dump(-1, ' ', false, json::error_handler_t::replace)},
                *this);
}

void NodeReports::List(const std::string& continue_token, Clock::time_point now) {
  under_way_ = Request::kList;
  started_ = last_look_ = now;
  answer_.clear();
  std::string path = "/apis/coordination.k8s.io/v1/namespaces/" + EncodeQuery(options_.namespace_name) +
                     "/leases?labelSelector=" + EncodeQuery(std::string(kLabel) + "=node") +
                     "&limit=" + std::to_string(kPageItems);
  if (!continue_token.empty()) path += "&continue=" + EncodeQuery(continue_token);
  client_.Start({ApiRequest::Method::kGet, path, {}}, *this);
}

void NodeReports::OnHeaders(long status) { status_ = status; }

bool NodeReports::OnBody(std::string_view bytes) {
  answer_.append(bytes.substr(0, kLongestPage - answer_.size()));
  return answer_.size() < kLongestPage;
}

void NodeReports::OnDone(const ApiResult& result) {
  constexpr long kDone = 200, kMade = 201;
  const Clock::time_point now = Clock::now();
  const Request asked = std::exchange(under_way_, Request::kNone);
  if (!result.error.empty() || (result.status != kDone && result.status != kMade)) return Fail(result, asked, now);
  told_.clear();
  if (asked == Request::kList && reads_) ReadPage(now);
}

void NodeReports::ReadPage(Clock::time_point now) {
  const json list = json::parse(answer_, nullptr, false);
  const json& items = Member(list, "items");
  if (!items.is_array()) return Fail({0, "the answer is no list of Leases", std::nullopt}, Request::kList, now);
  for (const json& item : items) {
    const json& metadata = Member(item, "metadata");
    const std::string name = MemberText(metadata, "name");
    if (!name.starts_with(kNamePrefix)) continue;
    const std::string node = name.substr(kNamePrefix.size());
    const std::string version = MemberText(metadata, "resourceVersion");
    const auto before = seen_.find(node);
    const bool same = before != seen_.end() && before->second.version == version;
    page_[node] =
        same ? before->second : Seen{ReportIn(MemberText(Member(metadata, "annotations"), kAnnotation)), version, now};
  }
  const std::string continue_token = MemberText(Member(list, "metadata"), "continue");
  if (!continue_token.empty()) return List(continue_token, now);
  seen_ = std::move(page_);
  page_.clear();
  known_ = true;
}

// An old role does not let us. Then status counts only what we push to ourselves, as before there were reports.
void NodeReports::Fail(const ApiResult& result, Request asked, Clock::time_point now) {
  constexpr long kNoCredentials = 401, kNotAllowed = 403;
  const long code = result.error.empty() ? result.status : 0;
  if (code == kNoCredentials) client_.RejectCredentials();
  if (asked == Request::kWrite) written_ = false;
  if (asked == Request::kWrite) last_write_ = now - options_.least + std::min(options_.renew, options_.look * 3);
  if (asked == Request::kList && code == kNotAllowed) known_ = true;
  const std::string why = code == 0 ? result.error : ReadApiStatus(code, answer_).message;
  const std::string what = asked == Request::kWrite
                               ? "what this node has in force of cluster policies is not reported: "
                               : "what nodes have in force of cluster policies is not known: ";
  const std::string text = what + why + (code == kNotAllowed ? "; apply deploy/rbac.yaml" : "");
  if (std::exchange(told_, text) != text) trouble_(text);
}

}  // namespace sluice
