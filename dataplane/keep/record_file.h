// A file of records with checksums: its format on disk, and how much of a damaged file is used.
//
// The first line says what the records are. Then come the records, each `length, CRC-32 of the payload, CRC-32 of these
// eight bytes` (4 bytes each, little endian) and the payload. Records are appended. A machine that loses power while it
// appends leaves a torn tail.
//
// Functions without state; any thread. An error is a text that continues after the file's name.
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

// A longer record would not be read again. The limit is far above that of a message, since a sender may encode a
// message shorter than we do.
inline constexpr std::size_t kMaxRecordBytes = std::size_t{128} << 20;

struct RecordsRead {
  std::size_t good_bytes = 0;  // the first line, and the records that were passed to `add`
  std::size_t torn_bytes = 0;  // after them: the file's torn tail
};

struct ReadSpan {
  std::size_t most_bytes = std::numeric_limits<std::size_t>::max();  // of the file; must be the end of a record
  const std::atomic<bool>* stop = nullptr;                           // may be null; true: give up
};

// Passes the records to `add`, in order. Nothing: there is no such file. An error: the file cannot be read, has another
// first line, is damaged, or `add` refused a record and says why. A record that is not whole is the torn tail if no
// whole one follows it, and damage if one does.
std::variant<std::monostate, RecordsRead, std::string> ReadRecords(
    const std::string& path, std::string_view first_line, const ReadSpan& span,
    const std::function<std::optional<std::string>(std::string_view)>& add);

// Writes a file of these records, new or over an old one; on disk when it returns. `bytes`: its size. Empty: done.
std::string WriteRecords(const std::string& path, std::string_view first_line, const std::vector<std::string>& records,
                         std::size_t& bytes);

// Appends after the first `bytes` of the file. These are kept whatever happens; bytes after them are not. On success,
// `bytes` grows, and the kernel has the records, but the disk may not.
std::string AppendRecords(const std::string& path, const std::vector<std::string>& records, std::size_t& bytes);

// Appends the bytes of `source` from byte `from` on; they are on disk when it returns.
std::string AppendRest(const std::string& source, std::size_t from, const std::string& target);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_KEEP_RECORD_FILE_H_
