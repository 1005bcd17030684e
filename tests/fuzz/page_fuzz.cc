// Any request at the page: who may not see it is refused, whatever else the request says; who may gets one answer, and
// what is said as JSON is JSON. Below it, one sluiced answers over gRPC, in this process.
//
// An input is what a server reads of a request: "PATH?QUERY", then lines "Name: value" of the headers that count, and
// "From: ADDRESS" for the client's.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "fuzz/fuzz.h"
#include "http/http_request.h"
#include "page/page_site.h"
#include "sluice/v1/observe.grpc.pb.h"

namespace sluice {
namespace {

constexpr std::string_view kToken = "0123456789abcdef0123456789abcdef";

void Require(bool holds) {
  if (!holds) std::abort();
}

// Names as the page meets them: what a request asks for matches some of them.
class Observed final : public v1::ObserveService::Service {
 public:
  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*, v1::Status* status) override {
    status->set_version("fuzz");
    status->set_generation(3);
    return grpc::Status::OK;
  }
  grpc::Status ListEndpoints(grpc::ServerContext*, const v1::ListEndpointsRequest*,
                             grpc::ServerWriter<v1::EndpointInfo>* writer) override {
    for (const char* name : {"web-0", "web-1", "database"}) {
      v1::EndpointInfo info;
      info.set_namespace_("shop");
      info.set_name(name);
      writer->Write(info);
    }
    return grpc::Status::OK;
  }
  grpc::Status ListFlows(grpc::ServerContext*, const v1::ListFlowsRequest*,
                         grpc::ServerWriter<v1::Flow>* writer) override {
    for (const char* source : {"shop/web-0", "shop/web-1", "other/gone", ""}) {
      v1::Flow flow;
      flow.set_source_pod(source);
      flow.set_destination_pod("shop/database");
      flow.set_packets(7);
      writer->Write(flow);
    }
    return grpc::Status::OK;
  }
  grpc::Status ListPolicies(grpc::ServerContext*, const v1::ListPoliciesRequest*,
                            grpc::ServerWriter<v1::PolicyInfo>* writer) override {
    for (const char* name : {"shop/default-deny", "shop/database"}) {
      v1::PolicyInfo policy;
      policy.set_policy(name);
      policy.set_tier(v1::TIER_NETWORK_POLICY);
      v1::RuleInfo& rule = *policy.add_rules();
      rule.set_direction(v1::DIRECTION_INGRESS);
      rule.set_packets(name == std::string_view("shop/database") ? 1 : 0);
      writer->Write(policy);
    }
    return grpc::Status::OK;
  }
  grpc::Status ListStaged(grpc::ServerContext*, const v1::ListStagedRequest*,
                          grpc::ServerWriter<v1::ListStagedResponse>* writer) override {
    v1::ListStagedResponse message;
    v1::StagedDifference& difference = *message.mutable_difference();
    difference.mutable_source_pod()->set_namespace_("shop");
    difference.mutable_source_pod()->set_name("web-0");
    difference.mutable_staged_ingress()->set_policy("shop/staged");
    difference.set_connections(2);
    writer->Write(message);
    return grpc::Status::OK;
  }
  grpc::Status Explain(grpc::ServerContext*, const v1::ExplainRequest* request, v1::Explanation* explanation) override {
    Require(request->protocol() < 256 && request->destination_port() < 65536);
    for (const std::string* address : {&request->source(), &request->destination()}) {
      Require(address->empty() || address->size() == 4 || address->size() == 16);
    }
    Require(request->source().empty() || request->source_pod().empty());
    explanation->set_verdict("drop");
    explanation->set_source(request->source_pod());
    return grpc::Status::OK;
  }
};

// Two sites that look at it, with a token and without; never taken down, as a fuzzer's process just ends.
struct World {
  World() {
    server = grpc::ServerBuilder().RegisterService(&observed).BuildAndStart();
    for (PageSite* site : {&open, &locked}) {
      site->Look({std::make_shared<PageTarget>("gw1", server->InProcessChannel({}))});
    }
  }

  Observed observed;
  std::unique_ptr<grpc::Server> server;
  PageSite open{""};
  PageSite locked{std::string(kToken)};
};

class OneReply final : public HttpReply {
 public:
  void Send(int status, std::string_view type, std::string_view text) override {
    Require(status_ == 0);
    status_ = status;
    Require(type != "application/json" || nlohmann::json::accept(text));
    Require(!text.empty());
  }
  void BeginStream(std::string_view type) override { Send(200, type, " "); }
  bool Write(std::string_view) override { return false; }

  int status_ = 0;
};

// A name that DNS may have answered for is never one.
bool IsHostOfThisHost(std::string_view host) {
  const bool is_localhost = host == "localhost" || host.starts_with("localhost:");
  return is_localhost || (!host.empty() && host.find_first_not_of("0123456789abcdefABCDEF.:[]") == host.npos);
}

HttpRequest RequestOf(std::string_view text) {
  HttpRequest request;
  const auto take_line = [&text] {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    return line;
  };
  const std::string_view target = take_line();
  request.path = target.substr(0, target.find('?'));
  request.query = ParseQuery(target.substr(std::min(target.size(), request.path.size() + 1)));
  Require(request.query.size() <= kMostParameters);
  while (!text.empty()) {
    const std::string_view line = take_line();
    const std::size_t colon = line.find(": ");
    if (colon == line.npos) continue;
    const std::string_view name = line.substr(0, colon), value = line.substr(colon + 2);
    if (name == "Host") request.host = value;
    if (name == "Authorization") request.authorization = value;
    if (name == "Sec-Fetch-Site") request.fetch_site = value;
    if (name == "From") request.from_loopback = IsLoopback(value);
  }
  return request;
}

void Check(PageSite& site, bool has_token, const HttpRequest& request) {
  OneReply reply;
  site.Get(request, reply);
  Require(reply.status_ != 0);
  if (reply.status_ != 200) return;
  Require(IsHostOfThisHost(request.host));
  Require(has_token || request.from_loopback);
  if (!request.path.starts_with("/api/")) return;
  Require(request.fetch_site.empty() || request.fetch_site == "same-origin" || request.fetch_site == "none");
  Require(!has_token || request.authorization == "Bearer " + std::string(kToken));
}

}  // namespace
}  // namespace sluice

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto* const world = new sluice::World;
  const sluice::HttpRequest request = sluice::RequestOf({reinterpret_cast<const char*>(data), size});
  sluice::Check(world->open, false, request);
  sluice::Check(world->locked, true, request);
  return 0;
}

std::vector<std::vector<std::uint8_t>> FuzzSeeds() {
  std::vector<std::vector<std::uint8_t>> seeds;
  const auto add = [&](const std::string& text) { seeds.emplace_back(text.begin(), text.end()); };
  const std::string here = "\nHost: 127.0.0.1:9465\nFrom: 127.0.0.1\nSec-Fetch-Site: same-origin\n";
  const std::string with_token = here + "Authorization: Bearer " + std::string(sluice::kToken) + '\n';
  for (const char* target :
       {"/", "/page.js", "/api/dataplanes", "/api/map?open=shop&hide=other&open=", "/api/policies?q=shop&show=unused",
        "/api/policies?show=covered", "/api/policies?show=hit&q=%2e%25", "/api/staged?q=web", "/api/pods?q=web-",
        "/api/explain?dataplane=0&src=shop/web-0&dst=10.0.0.2&proto=tcp&port=5432",
        "/api/explain?src=fd00::1&dst=%ff&proto=255&port=65536", "/api/drops", "/api/none"}) {
    add(target + with_token);
  }
  add("/" + std::string("\nHost: localhost\nFrom: ::1\n"));
  add("/api/map" + std::string("\nHost: [::1]:9465\nFrom: ::ffff:127.0.0.1\nSec-Fetch-Site: none\n"));
  add("/api/map" + std::string("\nHost: evil.example\nFrom: 127.0.0.1\n"));
  add("/api/map" + std::string("\nHost: 192.0.2.1\nFrom: 192.0.2.7\nSec-Fetch-Site: cross-site\n"));
  return seeds;
}
