// Writes answers: a buffered stream with JSON's quoting, and tables for people.
#ifndef SLUICE_PROGRAMS_SLUICECTL_OUTPUT_H_
#define SLUICE_PROGRAMS_SLUICECTL_OUTPUT_H_

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// Standard output through one large buffer: `check` writes a million lines in well under a second. Nothing else may
// write to standard output at that time.
class Output {
 public:
  Output() { buffer_.reserve(kFlushAt + 4096); }
  ~Output() { Flush(); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  Output& operator<<(std::string_view text) {
    buffer_ += text;
    if (buffer_.size() >= kFlushAt) Flush();
    return *this;
  }
  Output& operator<<(std::int64_t number);
  Output& operator<<(char) = delete;  // it would be taken for a number

  // False if anything could not be written; standard error has a line about it.
  bool Flush();

 private:
  static constexpr std::size_t kFlushAt = 256 * 1024;

  std::string buffer_;
  bool failed_ = false;
};

// Rows in aligned columns. Rows are held and written a thousand at a time. The first thousand set the columns' widths:
// a wider cell that comes later moves only the rest of its own row.
class TextTable {
 public:
  // Columns are at least `widths` wide; by default, as wide as their headers.
  TextTable(Output& output, std::vector<std::string> headers, std::vector<std::size_t> widths = {},
            bool no_headers = false);
  ~TextTable();
  TextTable(const TextTable&) = delete;
  TextTable& operator=(const TextTable&) = delete;

  // Requires as many cells as headers. Cells are shown as in sluice/printable.h.
  void AddRow(std::vector<std::string> cells);
  // Writes the rows that are held.
  void Flush();

 private:
  Output& output_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> widths_;
  bool fixed_ = false;  // the widths are fixed, since rows were written
};

// Returns JSON of ASCII only (RFC 8259 section 7): all else is escaped, so that no terminal takes it for a command.
// Bytes that are not UTF-8 become U+FFFD. A text includes its quotes; with an `indent`, each member has its own line.
std::string JsonText(std::string_view text);
std::string JsonText(const nlohmann::ordered_json& value, int indent = -1);

// "tcp", "udp", "sctp", "icmp", "icmpv6", else the number.
std::string ProtocolName(std::uint8_t protocol);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_OUTPUT_H_
