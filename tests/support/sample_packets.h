// One packet of every kind that the parser tells apart, good and bad. Parser tests check each one's outcome, whole and
// cut short; fuzzers start from them.
#ifndef SLUICE_TESTS_SUPPORT_SAMPLE_PACKETS_H_
#define SLUICE_TESTS_SUPPORT_SAMPLE_PACKETS_H_

#include <string>
#include <vector>

#include "sluice/drop_reason.h"
#include "support/packet_builder.h"

namespace sluice {

struct SamplePacket {
  std::string name;
  ByteVector bytes;
  DropReason reason = DropReason::kNone;  // what Parse says of it
};

const std::vector<SamplePacket>& SamplePackets();

}  // namespace sluice

#endif  // SLUICE_TESTS_SUPPORT_SAMPLE_PACKETS_H_
