// Reads and writes captures of Ethernet frames, by libpcap: reads pcap and pcapng, writes pcap with nanoseconds.
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
  std::vector<std::uint8_t> bytes;  // the part that the capture holds
  std::uint32_t frame_length = 0;   // the length on the wire; larger if the capture cut the frame
};

class CaptureReader {
 public:
  CaptureReader();
  ~CaptureReader();

  // Returns what is wrong: unreadable, no capture, or not of Ethernet.
  std::optional<Diagnostic> Open(const std::string& path);
  // Returns the next frame; nothing at the end, or if the file is cut off, which error() then says.
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
  // `frame_length`: as in CapturedFrame.
  void Write(std::uint64_t time_ns, std::span<const std::uint8_t> bytes, std::uint32_t frame_length);
  // Writes out what is buffered; returns what could not be written.
  std::optional<Diagnostic> Close();

 private:
  struct Handle;

  std::string path_;
  std::unique_ptr<Handle> handle_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_CAPTURE_H_
