// Names that are pushed, and what is then said of them.
#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

#include "api/observed_plane.h"
#include "api/run_command.h"
#include "codec/codec.h"
#include "sluice/v1/names.grpc.pb.h"
#include "sluice/v1/observe.grpc.pb.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class NamesTest : public ObservedFixture {
 protected:
  NamesTest() : names_(v1::NamesService::NewStub(Connect())), observe_stub_(v1::ObserveService::NewStub(Connect())) {
    ResolvedPolicy policy = ServerAdmitsClient();
    Section egress;
    egress.policy = "names";
    egress.direction = Direction::kEgress;
    egress.tier = Tier::kAdmin;
    egress.priority = 1;
    egress.subjects = 0;
    egress.isolates = false;
    egress.rules.resize(2);
    egress.rules[0].domain_names = DomainPatterns({"s3.example.com", "*.example.org"});
    egress.rules[1].action = Action::kDeny;
    egress.rules[1].index = 1;
    policy.sections.push_back(egress);
    policy.sections.Sort();
    Sender sender(Connect(), "test");
    EXPECT_TRUE(sender.SendFullState(policy, 8, 1).applied());
  }

  static v1::PushNamesRequest Request(std::vector<std::string> names, std::vector<std::string> addresses,
                                      std::uint32_t ttl_s) {
    v1::PushNamesRequest request;
    request.set_sender("resolver 1");
    v1::NameAnswer* answer = request.add_answers();
    for (std::string& name : names) answer->add_names(std::move(name));
    for (const std::string& address : addresses) answer->add_addresses(EncodeAddress(Ip(address)));
    answer->set_ttl_s(ttl_s);
    return request;
  }
  v1::PushNamesResponse Push(const v1::PushNamesRequest& request) {
    grpc::ClientContext context;
    v1::PushNamesResponse response;
    const grpc::Status status = names_->Push(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  grpc::Status Refused(const v1::PushNamesRequest& request) {
    grpc::ClientContext context;
    v1::PushNamesResponse response;
    return names_->Push(&context, request, &response);
  }
  std::vector<std::string> List(const v1::ListNamesRequest& request = {}) {
    grpc::ClientContext context;
    const auto reader = observe_stub_->ListNames(&context, request);
    std::vector<std::string> lines;
    v1::LearntName name;
    while (reader->Read(&name)) {
      lines.push_back(name.name() + ' ' + DecodeAddress(name.address())->ToString() + (name.lapsed() ? " lapsed" : ""));
    }
    EXPECT_TRUE(reader->Finish().ok());
    return lines;
  }
  v1::Explanation Explain(const std::string& destination) {
    v1::ExplainRequest request;
    request.set_source_pod("default/client");
    request.set_destination(EncodeAddress(Ip(destination)));
    request.set_protocol(kProtoTcp);
    request.set_destination_port(443);
    grpc::ClientContext context;
    v1::Explanation explanation;
    EXPECT_TRUE(observe_stub_->Explain(&context, request, &explanation).ok());
    return explanation;
  }
  RunningCommand::End Run(const std::string& arguments) const {
    return RunSluicectl(std::string("unix:") + Socket(), arguments);
  }
  void Advance(std::uint64_t seconds) {
    names_now_.clock_ns += seconds * 1'000'000'000;
    names_now_.unix_ns += seconds * 1'000'000'000;
  }

  std::unique_ptr<v1::NamesService::Stub> names_;
  std::unique_ptr<v1::ObserveService::Stub> observe_stub_;
};

TEST_F(NamesTest, FQ_02_WhatIsPushedIsInForceForItsTime) {
  EXPECT_EQ(Explain("203.0.113.9").verdict(), "deny");
  const auto pushed = Push(Request({"S3.example.com.", "other.example.net"}, {"203.0.113.9", "2001:db8::9"}, 0));
  EXPECT_EQ(pushed.kept(), 2u);
  EXPECT_EQ(pushed.fresh(), 2u);
  const v1::Explanation explanation = Explain("203.0.113.9");
  EXPECT_EQ(explanation.verdict(), "allow");
  EXPECT_EQ(explanation.egress().rule().policy(), "names");
  ASSERT_EQ(explanation.destination_names_size(), 1);
  EXPECT_EQ(explanation.destination_names(0).name(), "s3.example.com");
  EXPECT_EQ(explanation.destination_names(0).source(), "pushed by resolver 1");
  Advance(30);
  EXPECT_EQ(Explain("203.0.113.9").verdict(), "deny");
  EXPECT_TRUE(Explain("203.0.113.9").destination_names(0).lapsed());
}

TEST_F(NamesTest, NamesAreListedByNameAndAddress) {
  Push(Request({"s3.example.com"}, {"203.0.113.9"}, 60));
  Push(Request({"a.example.org"}, {"203.0.113.9", "203.0.113.10"}, 30));
  EXPECT_THAT(List(),
              ElementsAre("a.example.org 203.0.113.9", "a.example.org 203.0.113.10", "s3.example.com 203.0.113.9"));
  v1::ListNamesRequest request;
  request.set_name("*.Example.org.");
  request.set_address(EncodeAddress(Ip("203.0.113.9")));
  EXPECT_THAT(List(request), ElementsAre("a.example.org 203.0.113.9"));
  Advance(40);
  EXPECT_THAT(List(), ElementsAre("s3.example.com 203.0.113.9"));
  request.set_lapsed(true);
  EXPECT_THAT(List(request), ElementsAre("a.example.org 203.0.113.9 lapsed"));
  v1::Status status;
  grpc::ClientContext context;
  ASSERT_TRUE(observe_stub_->GetStatus(&context, {}, &status).ok());
  EXPECT_EQ(status.domain_patterns(), 2u);
  EXPECT_EQ(status.names(), 2u);
}

TEST_F(NamesTest, NamesThatNoRuleAsksForAreNotKept) {
  EXPECT_EQ(Push(Request({"example.org", "x.s3.example.com"}, {"203.0.113.9"}, 60)).kept(), 0u);
  Push(Request({"s3.example.com"}, {"203.0.113.9"}, 60));
  Sender sender(Connect(), "test");
  EXPECT_TRUE(sender.SendFullState(ServerAdmitsClient(), 9, 1).applied());
  EXPECT_THAT(List(), ElementsAre());
}

TEST_F(NamesTest, WhatCannotBeIsRefusedWhole) {
  const auto refused = [&](const v1::PushNamesRequest& request, const std::string& why) {
    const grpc::Status status = Refused(request);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << why;
    EXPECT_THAT(status.error_message(), HasSubstr(why));
  };
  v1::PushNamesRequest request = Request({"s3.example.com"}, {"203.0.113.9"}, 60);
  v1::PushNamesRequest wrong = request;
  wrong.add_answers()->add_names("a.example.org");
  wrong.mutable_answers(1)->add_addresses("12345");
  refused(wrong, "answers[1]: an address has 4 or 16 bytes, this one 5");
  wrong = request;
  wrong.clear_sender();
  refused(wrong, "sender");
  wrong = request;
  wrong.mutable_answers(0)->clear_names();
  refused(wrong, "answers[0]: wants 1 to 16 names");
  wrong = request;
  wrong.mutable_answers(0)->set_names(0, std::string(300, 'a'));
  refused(wrong, "answers[0]: a name has 1 to 254 characters");
  wrong = request;
  for (int i = 0; i < 1000; ++i) wrong.mutable_answers(0)->add_addresses(EncodeAddress(Ip("203.0.113.9")));
  refused(wrong, "answers[0]: has more than 1000 addresses");
  wrong = request;
  for (int i = 0; i < 1000; ++i) *wrong.add_answers() = request.answers(0);
  refused(wrong, "answers: more than 1000");
  wrong = request;
  for (int i = 1; i < 1000; ++i) wrong.mutable_answers(0)->add_addresses(EncodeAddress(Ip("203.0.113.9")));
  for (int i = 0; i < 20; ++i) *wrong.add_answers() = wrong.answers(0);
  refused(wrong, "answers: more than 20000 pairs");
  EXPECT_THAT(List(), ElementsAre());
}

TEST_F(NamesTest, TheCommandListsAndExplains) {
  Push(Request({"s3.example.com"}, {"203.0.113.9"}, 60));
  const auto list = Run("get names");
  EXPECT_EQ(list.code, 0);
  EXPECT_THAT(list.out, HasSubstr("s3.example.com"));
  EXPECT_THAT(list.out, HasSubstr("pushed by resolver 1"));
  EXPECT_THAT(Run("get names '*.example.org'").out, testing::Not(HasSubstr("s3.example.com")));
  const auto explained = Run("explain --src default/client --dst 203.0.113.9 --proto tcp --dport 443");
  EXPECT_EQ(explained.code, 0) << explained.out;
  EXPECT_THAT(explained.out, HasSubstr("verdict  allow by names egress[0]"));
  EXPECT_THAT(explained.out, testing::ContainsRegex(
                                 "203.0.113.9 is s3.example.com, learnt [0-9:]+, pushed by resolver 1, until [0-9:]+"));
}

}  // namespace
}  // namespace sluice
