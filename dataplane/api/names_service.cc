#include "api/names_service.h"

#include <string>
#include <utility>
#include <vector>

#include "codec/codec.h"
#include "sluice/printable.h"

namespace sluice {
namespace {

using grpc::Status;
using grpc::StatusCode;

constexpr int kMostAnswers = 1000;
constexpr int kMostNames = 16;
constexpr int kMostAddresses = 1000;
constexpr std::size_t kMostPairs = 20'000;  // of one call: about ten milliseconds
constexpr std::size_t kMostSender = 128;
constexpr std::size_t kMostName = 254;

Status Invalid(std::size_t answer, const std::string& what) {
  return {StatusCode::INVALID_ARGUMENT, "answers[" + std::to_string(answer) + "]: " + what};
}

struct Answered {
  std::vector<std::string> names;
  std::vector<IpAddress> addresses;
  std::uint32_t ttl_s = 0;
};

Status Decode(std::size_t place, const v1::NameAnswer& message, Answered* answer) {
  if (message.names().empty() || message.names_size() > kMostNames) {
    return Invalid(place, "wants 1 to " + std::to_string(kMostNames) + " names");
  }
  if (message.addresses_size() > kMostAddresses) {
    return Invalid(place, "has more than " + std::to_string(kMostAddresses) + " addresses");
  }
  for (const std::string& name : message.names()) {
    if (name.empty() || name.size() > kMostName) return Invalid(place, "a name has 1 to 254 characters");
    answer->names.push_back(name);
  }
  for (const std::string& bytes : message.addresses()) {
    const auto address = DecodeAddress(bytes);
    if (!address) return Invalid(place, "an address has 4 or 16 bytes, this one " + std::to_string(bytes.size()));
    answer->addresses.push_back(*address);
  }
  answer->ttl_s = message.ttl_s();
  return Status::OK;
}

}  // namespace

grpc::ServerUnaryReactor* NamesService::Push(grpc::CallbackServerContext* context, const v1::PushNamesRequest* request,
                                             v1::PushNamesResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(Answer(*context, *request, response));
  return reactor;
}

// All of it is taken, or none of it.
Status NamesService::Answer(const grpc::CallbackServerContext& context, const v1::PushNamesRequest& request,
                            v1::PushNamesResponse* response) {
  if (const std::string refusal = policy_.RefusalOf(context); !refusal.empty()) {
    return {StatusCode::PERMISSION_DENIED, refusal};
  }
  if (names_.store == nullptr) return {StatusCode::FAILED_PRECONDITION, "this dataplane learns no names"};
  if (request.sender().empty() || request.sender().size() > kMostSender) {
    return {StatusCode::INVALID_ARGUMENT, "sender: wants 1 to " + std::to_string(kMostSender) + " characters"};
  }
  if (request.answers_size() > kMostAnswers) {
    return {StatusCode::INVALID_ARGUMENT,
            "answers: more than " + std::to_string(kMostAnswers) + "; make several calls"};
  }
  std::vector<Answered> answers(static_cast<std::size_t>(request.answers_size()));
  std::size_t pairs = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (const Status status = Decode(i, request.answers(static_cast<int>(i)), &answers[i]); !status.ok()) return status;
    pairs += answers[i].names.size() * answers[i].addresses.size();
  }
  if (pairs > kMostPairs) {
    return {StatusCode::INVALID_ARGUMENT,
            "answers: more than " + std::to_string(kMostPairs) + " pairs of name and address; make several calls"};
  }
  const std::string source = "pushed by " + Printable(request.sender(), kMostSender);
  const NameTime now = names_.now();
  NamesLearnt sum;
  for (const Answered& answer : answers) {
    const NamesLearnt learnt = names_.store->Learn({answer.names, answer.addresses, answer.ttl_s, source}, now);
    sum.kept += learnt.kept;
    sum.fresh += learnt.fresh;
    sum.evicted += learnt.evicted;
  }
  response->set_kept(sum.kept);
  response->set_fresh(sum.fresh);
  response->set_evicted(sum.evicted);
  return Status::OK;
}

}  // namespace sluice
