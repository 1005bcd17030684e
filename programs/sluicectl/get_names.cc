// `sluicectl get names`: the names that a running sluiced learnt, of those that rules ask for.
#include "codec/codec.h"
#include "sluicectl/get.h"
#include "sluicectl/learnt_names_text.h"

namespace sluice {

int GetNames(const GetOptions& options, Stub& stub) {
  v1::ListNamesRequest request;
  if (options.names.size() == 1) request.set_name(options.names[0]);
  request.set_lapsed(options.live.format != "table");
  if (!options.filter.address.empty()) {
    const auto address = IpAddress::Parse(options.filter.address);
    if (!address) return Fail("--address '" + options.filter.address + "': wants an address");
    request.set_address(EncodeAddress(*address));
  }
  const bool for_people = IsForPeople(options.live);
  const auto add = [&](auto show, const v1::LearntName& name) {
    Json row = ToJson(name);
    if (for_people) {
      row["learnt_text"] = AgoText(name.learnt_unix_ns());
      row["until_text"] = ClockText(name.until_unix_ns()) + (name.lapsed() ? " (over)" : "");
    }
    show(row);
  };
  return List<v1::LearntName>(
      options, "names",
      {{"NAME", "name", false, 32},
       {"ADDRESS", "address", false, 15},
       {"LEARNT", "learnt_text", false, 12},
       {"UNTIL", "until_text", false, 9},
       {"FROM", "source"}},
      [&](Call* call) { return stub.ListNames(call, request); }, add);
}

}  // namespace sluice
