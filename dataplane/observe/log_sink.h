// Where lines of a log go: a file that rotates, standard output, or a Unix socket. Nothing here waits for a reader, or
// fails because of one. What cannot be written is lost, and the writer is told.
//
// Used by one thread. A line is written whole or not at all.
#ifndef SLUICE_DATAPLANE_OBSERVE_LOG_SINK_H_
#define SLUICE_DATAPLANE_OBSERVE_LOG_SINK_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {

class LogSink {
 public:
  struct Rotation {
    std::uint64_t most_bytes = std::uint64_t{10} << 20;  // size of a file before the next one begins
    std::uint32_t kept = 5;                              // older files that are kept
    bool gzip = false;                                   // compresses the older files
  };

  // Requires a place that CheckLogPlace accepts. Opens nothing.
  static std::unique_ptr<LogSink> Of(const std::string& to, const Rotation& rotation);
  virtual ~LogSink() = default;

  // False: the line is lost, and problem() says why.
  virtual bool Write(std::string_view line) = 0;
  // Call it a few times a second. Does what no line triggers: connects again, sends what waits.
  virtual void Tend() {}
  // Writes out what waits, as far as that does not block.
  virtual void Finish() {}

  // The number of lines that Write took and that were lost afterwards, since the last call.
  std::uint64_t TakeLostLater() { return std::exchange(lost_later_, 0); }

  // Empty while lines are accepted.
  const std::string& problem() const { return problem_; }

 protected:
  bool Fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  bool Succeed() {
    problem_.clear();
    return true;
  }
  void LoseLater(std::uint64_t lines) { lost_later_ += lines; }

 private:
  std::string problem_;
  std::uint64_t lost_later_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_LOG_SINK_H_
