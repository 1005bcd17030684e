// The operator's TLS files, and the copies of them that gRPC is given.
//
// gRPC 1.51 looks at files by itself, but ends the process where one is empty, and takes whatever else it finds. So it
// looks at copies in memory instead. These change when the files do, all together, and only to what is whole, sound and
// at rest for a second: with anything else, connections go on with what was there before.
//
// Our own certificate's end is told in good time, too: in the last fifth of its life, and two weeks before its end at
// the latest. Whoever renews by machine does so at two thirds, whoever renews by hand wants days.
//
// Clients of a second authority, the viewers', are let in as well: the copy of `ca` holds both. What they may do is
// told call by call (MayPush).
//
// Open and Look: one thread; certificate_ends_unix_s and MayPush: any.
#ifndef SLUICE_PROGRAMS_CERTIFICATE_TLS_FILES_H_
#define SLUICE_PROGRAMS_CERTIFICATE_TLS_FILES_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <variant>

#include "certificate/tls_material.h"
#include "sluice/diagnostic.h"

namespace sluice {

class TlsFiles {
 public:
  struct News {
    Severity severity;
    std::string text;
  };

  // Without names there is nothing to open, to watch or to say.
  explicit TlsFiles(TlsNames names) : names_(std::move(names)) {}
  ~TlsFiles();
  TlsFiles(const TlsFiles&) = delete;
  TlsFiles& operator=(const TlsFiles&) = delete;

  // Makes the copies. What is wrong with the files, or nothing.
  std::optional<std::string> Open();

  // To be called often; reads the files about once a second. A note when the copies changed; a warning, each day anew,
  // while the files are not sound, or the certificate in use is due for renewal or has ended. Requires Open.
  std::optional<News> Look(std::chrono::system_clock::time_point now = std::chrono::system_clock::now());

  // The operator's.
  const TlsNames& names() const { return names_; }
  // The copies', for this process alone, and for as long as this object lives. Certificate and key share one file, so
  // that nobody reads one of before and one of after.
  const TlsNames& copies() const { return copies_; }
  // Of the certificate in use, in seconds since 1970; 0: there is none.
  std::int64_t certificate_ends_unix_s() const { return ends_unix_s_; }
  // Whether a client that was let in with these certificates (PEM, its own first) may change policy. With viewers, only
  // if an authority of `ca` signed it and none of viewers did. A connection may be older than the files in use.
  bool MayPush(const std::string& chain) const;

 private:
  std::optional<std::string> Take(TlsMaterial material);
  std::optional<News> Warn(std::string wrong, std::string line, std::chrono::system_clock::time_point now);
  std::optional<News> WarnOfEnd(std::chrono::system_clock::time_point now);

  const TlsNames names_;
  TlsNames copies_;
  int pair_fd_ = -1;
  int ca_fd_ = -1;
  std::int64_t exchanges_ = 0;
  TlsMaterial in_use_;
  mutable std::mutex mutex_;
  std::string pushers_ca_;  // in_use_.ca, under the mutex
  std::string viewers_ca_;  // in_use_.viewer_ca, likewise
  CertificateLife life_{};
  std::atomic<std::int64_t> ends_unix_s_ = 0;
  std::variant<TlsMaterial, std::string> seen_;  // at the last look
  std::optional<std::chrono::system_clock::time_point> looked_;
  std::chrono::system_clock::time_point said_;
  std::string saying_;  // what is wrong, without what changes with time; empty: nothing
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_CERTIFICATE_TLS_FILES_H_
