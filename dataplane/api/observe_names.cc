// ObserveService::ListNames: the learnt addresses of the names that rules ask for.
#include <optional>
#include <string>

#include "api/observe_service.h"
#include "api/rule_names.h"
#include "codec/codec.h"
#include "sluice/domain_name.h"

namespace sluice {
namespace {

using grpc::Status;

}  // namespace

void SetLearntName(const LearntPair& pair, v1::LearntName* message) {
  message->set_name(ShownName(pair.name));
  message->set_address(EncodeAddress(pair.address));
  message->set_learnt_unix_ns(pair.learnt_unix_ns);
  message->set_until_unix_ns(pair.until_unix_ns);
  message->set_source(ShownName(pair.source));
  message->set_lapsed(pair.lapsed);
}

Status ObserveService::ListNames(const v1::ListNamesRequest& request, AnswerWriter& writer) {
  const std::string wanted = CanonicalDomainName(request.name());
  const std::optional<IpAddress> address = DecodeAddress(request.address());
  if (!request.address().empty() && !address) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "address: an address has 4 or 16 bytes"};
  }
  if (names_.store == nullptr) return Status::OK;
  for (const LearntPair& pair : names_.store->List(names_.now(), request.lapsed())) {
    if (!wanted.empty() && !DomainNameMatches(wanted, pair.name)) continue;
    if (address && pair.address != *address) continue;
    v1::LearntName message;
    SetLearntName(pair, &message);
    if (!writer.Write(message)) return Status::CANCELLED;
  }
  return Status::OK;
}

}  // namespace sluice
