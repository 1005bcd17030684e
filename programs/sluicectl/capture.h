// Captures of Ethernet frames, read and written by libpcap: pcap and pcapng in, pcap with nanoseconds out.
#ifndef SLUICE_PROGRAMS_SLUICECTL_CAPTURE_H_
#define SLUICE_PROGRAMS_SLUICECTL_CAPTURE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sluice/diagnostic.h"

namespace sluice {

struct CapturedFrame {
  std::uint64_t time_ns = 0;        // since 1970
  std::vector<std::uint8_t> bytes;  // what the capture holds of it
  std::uint32_t frame_length = 0;   // what it was on the wire: more where the capture cut it short
};

class CaptureReader {
 public:
  CaptureReader();
  ~CaptureReader();

  // Says what is wrong: unreadable, no capture, not of Ethernet.
  std::optional<Diagnostic> Open(const std::string& path);
  // The next frame; nothing at the end, or where the file breaks off, which error() then says.
  std::optional<CapturedFrame> Next();
  const std::optional<Diagnostic>& error() const { return error_; }

 private:
  struct Handle;

  std::string path_;
  std::unique_ptr<Handle> handle_;
  std::optional<Diagnostic> error_;
};

class CaptureWriter {
 public:
  CaptureWriter();
  ~CaptureWriter();

  std::optional<Diagnostic> Open(const std::string& path);
  // `frame_length` as in CapturedFrame.
  void Write(std::uint64_t time_ns, std::span<const std::uint8_t> bytes, std::uint32_t frame_length);
  // Writes out what is buffered; says what could not be written.
  std::optional<Diagnostic> Close();

 private:
  struct Handle;

  std::string path_;
  std::unique_ptr<Handle> handle_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_CAPTURE_H_
