// Writes the capture that ports repeat: one packet of each flow, in the order of their numbers; or with both=1 one in
// each direction.
//
// Usage: write_capture FILE [family=4] [flows=1000] [rules=1000] [tuples=1] [protocol=udp] [bytes=64] [both=0]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "traffic.h"

namespace sluice {
namespace {

struct FileHeader {  // pcap, version 2.4, microseconds
  std::uint32_t magic = 0xa1b2c3d4;
  std::uint16_t major = 2, minor = 4;
  std::uint32_t zone = 0, accuracy = 0, snap_length = 65535, link = 1;
};
struct RecordHeader {
  std::uint32_t seconds = 0, microseconds = 0, captured = 0, length = 0;
};

int Run(const std::string& path, const Arguments& arguments) {
  const Traffic traffic = TrafficOf(arguments);
  const FrameShape shape = ShapeOf(arguments);
  const std::uint32_t flows = arguments.Number("flows", 1000);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wb"), std::fclose);
  if (!file) return std::perror(path.c_str()), 1;
  const FileHeader header;
  bool good = std::fwrite(&header, sizeof header, 1, file.get()) == 1;
  std::vector<std::uint8_t> frame(2048);
  const std::uint32_t directions = arguments.Number("both", 0) != 0 ? 2 : 1;
  const std::uint32_t packets = std::max(directions * flows, 64u);  // a burst
  for (std::uint32_t i = 0; i < packets && good; ++i) {
    const PacketKind kind = i % directions == 0 ? PacketKind::kRequest : PacketKind::kReply;
    const std::uint32_t length = WriteFrame(shape, traffic.Flow(i / directions % flows), kind, frame.data());
    RecordHeader record;
    record.captured = record.length = length;
    good = std::fwrite(&record, sizeof record, 1, file.get()) == 1 &&
           std::fwrite(frame.data(), length, 1, file.get()) == 1;
  }
  if (!good || std::fflush(file.get()) != 0) return std::perror(path.c_str()), 1;
  return 0;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: write_capture FILE [KEY=VALUE...]\n"), 2;
  return sluice::Run(argv[1], sluice::Arguments("write_capture", argc - 1, argv + 1));
}
