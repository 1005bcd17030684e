// Captures (pcap) as lists of frames.
#ifndef SLUICE_TESTS_EDGE_CAPTURE_FILE_H_
#define SLUICE_TESTS_EDGE_CAPTURE_FILE_H_

#include <string>
#include <vector>

#include "support/packet_builder.h"

namespace sluice {

void WriteCapture(const std::string& path, const std::vector<ByteVector>& frames);
// A file that cannot be read fails the test.
std::vector<ByteVector> ReadCapture(const std::string& path);

}  // namespace sluice

#endif  // SLUICE_TESTS_EDGE_CAPTURE_FILE_H_
