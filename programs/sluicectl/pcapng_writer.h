// A pcapng file (draft-ietf-opsawg-pcapng) of Ethernet frames, each with a comment and a verdict, and with names for
// addresses.
//
// What was written is a whole file at any time, but for what is buffered. One thread.
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
    std::string_view bytes;    // what there is of the frame
    std::uint32_t length = 0;  // what it was on the wire
    std::string_view device;   // where it came in
    std::string_view comment;  // UTF-8
    bool passed = false;       // forwarded, not dropped or rejected
  };

  PcapngWriter() = default;
  // Where nothing was begun, a file that was there is as it was, and one that was not is gone.
  ~PcapngWriter();
  PcapngWriter(const PcapngWriter&) = delete;
  PcapngWriter& operator=(const PcapngWriter&) = delete;

  // "-": standard output. Says what is wrong. A file that is there keeps what it has.
  std::optional<Diagnostic> Open(const std::string& path);
  // The file has no more than this section's header from here on. What follows wants that.
  std::optional<Diagnostic> Begin(std::string_view application);
  // `address`: 4 or 16 bytes. Written once for each name that an address has.
  void Name(std::string_view address, std::string_view name);
  void Write(const Packet& packet);
  // Writes out what is buffered; says what could not be written, now or before.
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
