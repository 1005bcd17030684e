// Any bytes as a capture, pcap or pcapng: reading ends, every frame is within what the file holds, and what is wrong is
// said.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "fuzz/fuzz.h"
#include "sluicectl/capture.h"
#include "sluicectl/pcapng_writer.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

// A file without a name.
class MemoryFile {
 public:
  MemoryFile() : fd_(memfd_create("capture", MFD_CLOEXEC)) { Require(fd_ >= 0); }
  ~MemoryFile() { close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }
  void Write(const std::uint8_t* data, std::size_t size) const {
    Require(write(fd_, data, size) == static_cast<ssize_t>(size));
  }

 private:
  const int fd_;
};

std::vector<std::uint8_t> BytesOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryFile file;
  file.Write(data, size);
  sluice::CaptureReader reader;
  if (const auto wrong = reader.Open(file.path())) {
    Require(!wrong->message.empty());
    return 0;
  }
  std::size_t frames = 0;
  while (const auto frame = reader.Next()) {
    Require(frame->bytes.size() <= size);
    Require(++frames <= size);
  }
  return 0;
}

std::vector<std::vector<std::uint8_t>> FuzzSeeds() {
  std::vector<std::vector<std::uint8_t>> seeds;
  const std::string frame(60, 'x');
  {
    const MemoryFile file;
    sluice::PcapngWriter writer;
    Require(!writer.Open(file.path()) && !writer.Begin("fuzz"));
    writer.Name(std::string("\x0a\x00\x00\x01", 4), "shop/web-0");
    writer.Write(
        {1'796'009'127'123'456'789, frame, 1000, "left", "drop policy_denied: shop/dns egress default", false});
    writer.Write({1'796'009'127'123'456'790, frame, 60, "right", "forward", true});
    Require(!writer.Flush());
    seeds.push_back(BytesOf(file.path()));
  }
  const MemoryFile file;
  sluice::CaptureWriter writer;
  Require(!writer.Open(file.path()));
  writer.Write(1'796'009'127'123'456'789, std::vector<std::uint8_t>(60, 'x'), 60);
  Require(!writer.Close());
  seeds.push_back(BytesOf(file.path()));
  return seeds;
}
