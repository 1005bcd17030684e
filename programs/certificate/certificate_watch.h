// When our own certificate ends, told in good time.
//
// It is due for renewal in the last fifth of its life, and two weeks before its end at the latest: whoever renews by
// machine does so at two thirds, whoever renews by hand wants days. Look: one thread; ends: any.
#ifndef SLUICE_PROGRAMS_CERTIFICATE_CERTIFICATE_WATCH_H_
#define SLUICE_PROGRAMS_CERTIFICATE_CERTIFICATE_WATCH_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace sluice {

struct CertificateLife {
  std::chrono::sys_seconds begins;
  std::chrono::sys_seconds ends;
};

// Of what a PEM file holds: where it is a chain, until its first certificate ends. Or what is wrong, with the file's
// name.
std::variant<CertificateLife, std::string> ReadCertificateLife(const std::string& file);

class CertificateWatch {
 public:
  // An empty name: there is none to watch.
  explicit CertificateWatch(std::string file) : file_(std::move(file)) {}

  // To be called often; reads the file every few seconds. A warning for the log, each day anew, while it is due for
  // renewal, has ended, or cannot be read.
  std::optional<std::string> Look(std::chrono::system_clock::time_point now = std::chrono::system_clock::now());

  const std::string& file() const { return file_; }
  // Seconds since 1970; 0: not known.
  std::int64_t ends_unix_s() const { return ends_unix_s_; }

 private:
  const std::string file_;
  std::atomic<std::int64_t> ends_unix_s_ = 0;
  std::optional<std::chrono::system_clock::time_point> looked_;
  std::chrono::system_clock::time_point said_;
  std::string saying_;  // what is wrong, without what changes with time; empty: nothing
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_CERTIFICATE_CERTIFICATE_WATCH_H_
