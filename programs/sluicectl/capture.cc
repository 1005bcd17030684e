#include "sluicectl/capture.h"

#include <pcap/pcap.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace sluice {
namespace {

constexpr int kSnapLength = 262144;  // libpcap's own maximum

Diagnostic Wrong(const std::string& path, std::string message) {
  Diagnostic error;
  error.file = path;
  error.message = std::move(message);
  return error;
}

struct PcapClose {
  void operator()(pcap_t* pcap) const { pcap_close(pcap); }
};
using Pcap = std::unique_ptr<pcap_t, PcapClose>;

}  // namespace

struct CaptureReader::Handle {
  Pcap pcap;
};

CaptureReader::CaptureReader() = default;
CaptureReader::~CaptureReader() = default;

std::optional<Diagnostic> CaptureReader::Open(const std::string& path) {
  path_ = path;
  char message[PCAP_ERRBUF_SIZE] = "";
  Pcap pcap(pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, message));
  if (pcap == nullptr) return Wrong(path, std::string("cannot be read as pcap or pcapng: ") + message);
  const int type = pcap_datalink(pcap.get());
  if (type != DLT_EN10MB) {
    const char* name = pcap_datalink_val_to_name(type);
    return Wrong(path, "holds frames of type " + (name != nullptr ? name : std::to_string(type)) +
                           "; only Ethernet can be replayed. Capture on one interface, not on `any`");
  }
  handle_ = std::make_unique<Handle>(Handle{std::move(pcap)});
  return std::nullopt;
}

std::optional<CapturedFrame> CaptureReader::Next() {
  if (handle_ == nullptr || error_) return std::nullopt;
  pcap_pkthdr* header = nullptr;
  const u_char* bytes = nullptr;
  const int result = pcap_next_ex(handle_->pcap.get(), &header, &bytes);
  if (result == PCAP_ERROR) error_ = Wrong(path_, std::string("breaks off: ") + pcap_geterr(handle_->pcap.get()));
  if (result != 1) return std::nullopt;
  CapturedFrame frame;
  // With nanosecond precision tv_usec holds nanoseconds.
  frame.time_ns =
      static_cast<std::uint64_t>(header->ts.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(header->ts.tv_usec);
  frame.bytes.assign(bytes, bytes + header->caplen);
  frame.frame_length = header->len;
  return frame;
}

struct CaptureWriter::Handle {
  Pcap pcap;
  pcap_dumper_t* dumper = nullptr;
  ~Handle() {
    if (dumper != nullptr) pcap_dump_close(dumper);
  }
};

CaptureWriter::CaptureWriter() = default;
CaptureWriter::~CaptureWriter() = default;

std::optional<Diagnostic> CaptureWriter::Open(const std::string& path) {
  path_ = path;
  Pcap pcap(pcap_open_dead_with_tstamp_precision(DLT_EN10MB, kSnapLength, PCAP_TSTAMP_PRECISION_NANO));
  pcap_dumper_t* dumper = pcap_dump_open(pcap.get(), path.c_str());
  if (dumper == nullptr) return Wrong(path, std::string("cannot be written: ") + pcap_geterr(pcap.get()));
  handle_ = std::make_unique<Handle>();
  handle_->pcap = std::move(pcap);
  handle_->dumper = dumper;
  return std::nullopt;
}

void CaptureWriter::Write(std::uint64_t time_ns, std::span<const std::uint8_t> bytes, std::uint32_t frame_length) {
  pcap_pkthdr header{};
  header.ts.tv_sec = static_cast<time_t>(time_ns / 1'000'000'000);
  header.ts.tv_usec = static_cast<suseconds_t>(time_ns % 1'000'000'000);
  header.caplen = static_cast<bpf_u_int32>(bytes.size());
  header.len = frame_length;
  pcap_dump(reinterpret_cast<u_char*>(handle_->dumper), &header, bytes.data());
}

std::optional<Diagnostic> CaptureWriter::Close() {
  const bool written = pcap_dump_flush(handle_->dumper) == 0 && std::ferror(pcap_dump_file(handle_->dumper)) == 0;
  const int why = errno;
  handle_.reset();
  if (written) return std::nullopt;
  return Wrong(path_, std::string("cannot be written: ") + std::strerror(why));
}

}  // namespace sluice
