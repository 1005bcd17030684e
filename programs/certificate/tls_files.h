// The operator's TLS files, and the copies of them that gRPC gets.
//
// gRPC 1.51 watches files by itself, but it ends the process if one is empty, and accepts whatever else it finds. So it
// watches copies in memory instead. The copies change when the files do, all together, and only if the files are whole,
// sound and unchanged for a second. Otherwise connections go on with the old content.
//
// It also warns in good time before our own certificate ends: in the last fifth of its life, and two weeks before its
// end at the latest. Automatic renewal happens at two thirds; a person who renews by hand wants days.
//
// Clients of a second authority, the viewers', may connect as well: the copy of `ca` holds both authorities. What a
// client may do is decided for each call (MayPush).
//
// Open and Look: one thread; certificate_ends_unix_s and MayPush: any thread.
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

  // Without names, nothing is opened, watched or said.
  explicit TlsFiles(TlsNames names) : names_(std::move(names)) {}
  ~TlsFiles();
  TlsFiles(const TlsFiles&) = delete;
  TlsFiles& operator=(const TlsFiles&) = delete;

  // Makes the copies. Returns what is wrong with the files, or nothing.
  std::optional<std::string> Open();

  // Call it often; it reads the files about once a second. Returns a note when the copies changed. Returns a warning
  // once a day while the files are not sound, or the certificate in use is due for renewal or has ended. Requires Open.
  std::optional<News> Look(std::chrono::system_clock::time_point now = std::chrono::system_clock::now());

  // The operator's files.
  const TlsNames& names() const { return names_; }
  // The copies' names, only for this process, and only while this object lives. Certificate and key share one file, so
  // that nobody reads an old one and a new one together.
  const TlsNames& copies() const { return copies_; }
  // The end of the certificate in use, in seconds since 1970; 0: there is none.
  std::int64_t certificate_ends_unix_s() const { return ends_unix_s_; }
  // Whether a client that connected with these certificates (PEM, its own first) may change policy. If there are
  // viewers, an authority of `ca` must have signed it, and none of viewers. Connections may be older than the files.
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
  std::string pushers_ca_;  // in_use_.ca, protected by the mutex
  std::string viewers_ca_;  // in_use_.viewer_ca, protected by the mutex
  CertificateLife life_{};
  std::atomic<std::int64_t> ends_unix_s_ = 0;
  std::variant<TlsMaterial, std::string> seen_;  // at the last look
  std::optional<std::chrono::system_clock::time_point> looked_;
  std::chrono::system_clock::time_point said_;
  std::string saying_;  // what is wrong, without the parts that change with time; empty: nothing
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_CERTIFICATE_TLS_FILES_H_
