#include "edge/capture_file.h"

#include <gtest/gtest.h>
#include <pcap/pcap.h>

namespace sluice {

void WriteCapture(const std::string& path, const std::vector<ByteVector>& frames) {
  pcap_t* capture = pcap_open_dead(DLT_EN10MB, 65535);
  pcap_dumper_t* file = pcap_dump_open(capture, path.c_str());
  ASSERT_NE(file, nullptr) << pcap_geterr(capture);
  for (const ByteVector& frame : frames) {
    const auto size = static_cast<bpf_u_int32>(frame.size());
    const pcap_pkthdr header{{}, size, size};
    pcap_dump(reinterpret_cast<u_char*>(file), &header, frame.data());
  }
  pcap_dump_close(file);
  pcap_close(capture);
}

std::vector<ByteVector> ReadCapture(const std::string& path) {
  char error[PCAP_ERRBUF_SIZE];
  pcap_t* capture = pcap_open_offline(path.c_str(), error);
  EXPECT_NE(capture, nullptr) << error;
  std::vector<ByteVector> frames;
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  while (capture != nullptr && pcap_next_ex(capture, &header, &data) == 1) {
    frames.emplace_back(data, data + header->caplen);
  }
  if (capture != nullptr) pcap_close(capture);
  return frames;
}

}  // namespace sluice
