// A pcapng file (draft-ietf-opsawg-pcapng) of Ethernet frames, each with a comment and a verdict, and with names for
// addresses.
//
// The file is complete at any time, except for what is buffered. Used by one thread.
#ifndef SLUICE_PROGRAMS_SLUICECTL_PCAPNG_WRITER_H_
#define SLUICE_PROGRAMS_SLUICECTL_PCAPNG_WRITER_H_

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/diagnostic.h"

namespace sluice {

class PcapngWriter {
 public:
  struct Packet {
    std::uint64_t unix_ns = 0;
    std::string_view bytes;    // the part of the frame that there is
    std::uint32_t length = 0;  // the length on the wire
    std::string_view device;   // where it came in
    std::string_view comment;  // UTF-8
    bool passed = false;       // forwarded, not dropped or rejected
  };

  PcapngWriter() = default;
  // If Begin was not called, an existing file stays as it was, and a new one is removed.
  ~PcapngWriter();
  PcapngWriter(const PcapngWriter&) = delete;
  PcapngWriter& operator=(const PcapngWriter&) = delete;

  // "-": standard output. Returns what is wrong. An existing file keeps its content.
  std::optional<Diagnostic> Open(const std::string& path);
  // From here on the file has nothing but this section's header. The functions below require it.
  std::optional<Diagnostic> Begin(std::string_view application);
  // `address`: 4 or 16 bytes. Each name of an address is written once.
  void Name(std::string_view address, std::string_view name);
  void Write(const Packet& packet);
  // Writes out what is buffered; returns what could not be written, now or before.
  std::optional<Diagnostic> Flush();

 private:
  struct Close {
    void operator()(std::FILE* file) const {
      if (file != stdout) std::fclose(file);
    }
  };

  std::uint32_t InterfaceOf(std::string_view device);
  void WriteBlock(std::uint32_t type, std::string body);

  std::string path_;
  bool is_new_ = false;
  bool has_begun_ = false;
  std::unique_ptr<std::FILE, Close> file_;
  std::map<std::string, std::uint32_t, std::less<>> interfaces_;  // by device
  std::map<std::string, std::string, std::less<>> names_;         // by address
  int error_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_PCAPNG_WRITER_H_
