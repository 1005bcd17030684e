// A file to which lines are appended. When it is large, it makes room for the next one: PATH becomes PATH.1 (or
// PATH.1.gz), PATH.1 becomes PATH.2, and files that are too old are removed.
//
// Used by one thread. A line is in the file whole or not at all, even if the disk is full.
#ifndef SLUICE_DATAPLANE_OBSERVE_ROTATING_FILE_H_
#define SLUICE_DATAPLANE_OBSERVE_ROTATING_FILE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

class RotatingFile {
 public:
  // Opens nothing. `kept`: how many older files are kept; 0: none.
  RotatingFile(std::string path, std::uint64_t most_bytes, std::uint32_t kept, bool gzip);
  ~RotatingFile();
  RotatingFile(const RotatingFile&) = delete;
  RotatingFile& operator=(const RotatingFile&) = delete;

  // Appends lines, each with its newline. Opens the file if it is not open, or if another program took it away. Returns
  // an empty text, or why the lines were not all written: then only the first `taken` bytes found room.
  std::string Append(std::string_view lines, std::size_t& taken);

 private:
  std::string Open();
  std::string Rotate();
  std::string NameOf(std::uint32_t number) const;
  bool WasTakenAway() const;
  void Close();

  const std::string path_;
  const std::uint64_t most_bytes_;
  const std::uint32_t kept_;
  const bool gzip_;
  int fd_ = -1;
  std::uint64_t bytes_ = 0;
  std::chrono::steady_clock::time_point looked_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_ROTATING_FILE_H_
