// A file of records with checksums: how what is kept lies on disk, and how much of what is found there is used.
//
// A first line that says what the records are; then the records, each `length, CRC-32 of the payload, CRC-32 of these
// eight bytes` (4 bytes each, little endian) and the payload. Records are appended; a machine that loses power
// meanwhile leaves a torn tail.
//
// Functions without state; any thread. An error is a text that goes on after the file's name.
#ifndef SLUICE_DATAPLANE_KEEP_RECORD_FILE_H_
#define SLUICE_DATAPLANE_KEEP_RECORD_FILE_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice {

// A longer one would not be read again. Far more than a message may be, since a sender may encode it shorter than we
// do.
inline constexpr std::size_t kMaxRecordBytes = std::size_t{128} << 20;

struct RecordsRead {
  std::size_t good_bytes = 0;  // the first line and the records that were handed over
  std::size_t torn_bytes = 0;  // behind them: the file's torn tail
};

struct ReadSpan {
  std::size_t most_bytes = std::numeric_limits<std::size_t>::max();  // of the file; the end of a record
  const std::atomic<bool>* stop = nullptr;                           // may be null; true: give up
};

// Hands the records over, in order. Nothing: there is no such file. An error: it cannot be read, begins otherwise, a
// record was refused (`add` says why), or it is damaged. A record that is not whole is the torn tail if no whole one
// follows it, and damage if one does.
std::variant<std::monostate, RecordsRead, std::string> ReadRecords(
    const std::string& path, std::string_view first_line, const ReadSpan& span,
    const std::function<std::optional<std::string>(std::string_view)>& add);

// A new file, or in place of what was there, of these records; on disk once it returns. `bytes`: its size. Empty: done.
std::string WriteRecords(const std::string& path, std::string_view first_line, const std::vector<std::string>& records,
                         std::size_t& bytes);

// Appends to the first `bytes` of the file, which are kept whatever happens; what is behind them is not. `bytes` grows
// if it is done. The kernel has it then, not the disk.
std::string AppendRecords(const std::string& path, const std::vector<std::string>& records, std::size_t& bytes);

// Appends what `source` holds from its byte `from` on; on disk once it returns.
std::string AppendRest(const std::string& source, std::size_t from, const std::string& target);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_KEEP_RECORD_FILE_H_
