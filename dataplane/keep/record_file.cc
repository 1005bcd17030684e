#include "keep/record_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>

#include "keep/errno_text.h"

namespace sluice {
namespace {

constexpr std::size_t kHeaderBytes = 12;
// All but the last so many bytes reached the disk long ago: no power cut loses them.
constexpr std::size_t kMostTornBytes = 2 * kMaxRecordBytes;

struct Header {
  std::uint32_t length = 0;
  std::uint32_t payload_crc = 0;
};

std::uint32_t Crc(std::string_view bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

void PutNumber(std::uint32_t value, char* to) {
  for (int i = 0; i < 4; ++i) to[i] = static_cast<char>(value >> (8 * i));
}

std::uint32_t GetNumber(const char* from) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value |= std::uint32_t{static_cast<std::uint8_t>(from[i])} << (8 * i);
  return value;
}

std::array<char, kHeaderBytes> HeaderOf(std::string_view payload) {
  std::array<char, kHeaderBytes> header;
  PutNumber(static_cast<std::uint32_t>(payload.size()), header.data());
  PutNumber(Crc(payload), header.data() + 4);
  PutNumber(Crc({header.data(), 8}), header.data() + 8);
  return header;
}

// Returns nothing if `bytes` are not a header. Requires kHeaderBytes of them.
std::optional<Header> ReadHeader(std::string_view bytes) {
  if (Crc(bytes.substr(0, 8)) != GetNumber(bytes.data() + 8)) return std::nullopt;
  const Header header{GetNumber(bytes.data()), GetNumber(bytes.data() + 4)};
  if (header.length > kMaxRecordBytes) return std::nullopt;
  return header;
}

bool HoldsWholeRecord(std::string_view bytes) {
  for (; bytes.size() >= kHeaderBytes; bytes.remove_prefix(1)) {
    const auto header = ReadHeader(bytes);
    if (!header || header->length > bytes.size() - kHeaderBytes) continue;
    if (Crc(bytes.substr(kHeaderBytes, header->length)) == header->payload_crc) return true;
  }
  return false;
}

// The record at byte `from` is not whole. Returns the number of bytes from there to the end if they are the torn tail.
std::optional<std::size_t> TornTail(std::ifstream& file, std::size_t from) {
  file.clear();
  file.seekg(0, std::ios::end);
  const auto size = static_cast<std::size_t>(file.tellg());
  if (!file || size < from || size - from > kMostTornBytes) return std::nullopt;
  std::string tail(size - from, '\0');
  file.seekg(static_cast<std::streamoff>(from));
  file.read(tail.data(), static_cast<std::streamsize>(tail.size()));
  if (!file || HoldsWholeRecord(std::string_view(tail).substr(1))) return std::nullopt;
  return tail.size();
}

std::string WriteAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoText("cannot be written");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return "";
}

std::string WriteEach(int file, const std::vector<std::string>& records, std::size_t& bytes) {
  for (const std::string& record : records) {
    const auto header = HeaderOf(record);
    if (std::string error = WriteAll(file, {header.data(), header.size()}); !error.empty()) return error;
    if (std::string error = WriteAll(file, record); !error.empty()) return error;
    bytes += kHeaderBytes + record.size();
  }
  return "";
}

// Cuts what a process left after the first `bytes` if it ended while it appended: new records must not follow it.
std::string SeekEnd(int file, std::size_t bytes) {
  struct stat status;
  if (fstat(file, &status) != 0) return ErrnoText("cannot be written");
  if (static_cast<std::size_t>(status.st_size) < bytes) return "is shorter than it was";
  const auto end = static_cast<off_t>(bytes);
  if (status.st_size > end && ftruncate(file, end) != 0) return ErrnoText("cannot be cut");
  return lseek(file, end, SEEK_SET) < 0 ? ErrnoText("cannot be written") : "";
}

}  // namespace

std::variant<std::monostate, RecordsRead, std::string> ReadRecords(
    const std::string& path, std::string_view first_line, const ReadSpan& span,
    const std::function<std::optional<std::string>(std::string_view)>& add) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return std::monostate();
    return ErrnoText("cannot be read");
  }
  std::string bytes(first_line.size(), '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (file.bad()) return ErrnoText("cannot be read");
  if (bytes != first_line)
    return "it does not begin with '" + std::string(first_line.substr(0, first_line.size() - 1)) + "'";
  RecordsRead result{first_line.size(), 0};
  const auto read = [&](std::size_t size) {
    bytes.resize(size);
    file.read(bytes.data(), static_cast<std::streamsize>(size));
    return static_cast<std::size_t>(file.gcount()) == size;
  };
  while (result.good_bytes < span.most_bytes) {
    if (span.stop != nullptr && *span.stop) return "sluiced ends";
    std::optional<Header> header;
    if (read(kHeaderBytes)) header = ReadHeader(bytes);
    if (file.eof() && file.gcount() == 0) break;
    const bool whole = header && read(header->length) && Crc(bytes) == header->payload_crc;
    if (file.bad()) return ErrnoText("cannot be read");
    const std::string at = " at byte " + std::to_string(result.good_bytes);
    if (!whole) {
      const auto torn = TornTail(file, result.good_bytes);
      if (!torn) return "a record is damaged" + at;
      result.torn_bytes = *torn;
      break;
    }
    if (const auto refused = add(bytes)) return *refused + at;
    result.good_bytes += kHeaderBytes + header->length;
  }
  return result;
}

std::string WriteRecords(const std::string& path, std::string_view first_line, const std::vector<std::string>& records,
                         std::size_t& bytes) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return ErrnoText("cannot be made");
  bytes = first_line.size();
  std::string error = WriteAll(file, first_line);
  if (error.empty()) error = WriteEach(file, records, bytes);
  if (error.empty() && fsync(file) != 0) error = ErrnoText("cannot be written");
  if (close(file) != 0 && error.empty()) error = ErrnoText("cannot be written");
  return error;
}

std::string AppendRecords(const std::string& path, const std::vector<std::string>& records, std::size_t& bytes) {
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return ErrnoText("cannot be opened");
  std::size_t after = bytes;
  std::string error = SeekEnd(file, bytes);
  if (error.empty()) error = WriteEach(file, records, after);
  if (!error.empty() && ftruncate(file, static_cast<off_t>(bytes)) != 0) error += ", and holds half an update";
  close(file);
  if (error.empty()) bytes = after;
  return error;
}

std::string AppendRest(const std::string& source, std::size_t from, const std::string& target) {
  const int in = open(source.c_str(), O_RDONLY | O_CLOEXEC);
  const int out = open(target.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  std::string error;
  if (in < 0 || out < 0 || lseek(in, static_cast<off_t>(from), SEEK_SET) < 0) error = ErrnoText("cannot be read back");
  std::string bytes(std::size_t{256} << 10, '\0');
  while (error.empty()) {
    const ssize_t size = read(in, bytes.data(), bytes.size());
    if (size < 0) error = ErrnoText("cannot be read back");
    if (size <= 0) break;
    error = WriteAll(out, std::string_view(bytes).substr(0, static_cast<std::size_t>(size)));
  }
  if (error.empty() && fsync(out) != 0) error = ErrnoText("cannot be written");
  if (in >= 0) close(in);
  if (out >= 0) close(out);
  return error;
}

}  // namespace sluice
