#include "certificate/tls_files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string_view>
#include <utility>

namespace sluice {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;
using std::chrono::system_clock;

constexpr seconds kLookInterval(1);
constexpr std::chrono::hours kSayInterval(24);
constexpr std::chrono::hours kDueAtMost(14 * 24);
constexpr int kDueShare = 5;

std::string DateText(sys_seconds time) {
  const std::time_t unix_s = time.time_since_epoch().count();
  std::tm parts{};
  gmtime_r(&unix_s, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string SpanText(seconds span) {
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(span).count();
  if (hours >= 48) return std::to_string(hours / 24) + " days";
  if (hours >= 2) return std::to_string(hours) + " hours";
  return std::to_string(std::chrono::duration_cast<std::chrono::minutes>(span).count()) + " minutes";
}

// Makes a file in memory. Returns its descriptor, or -1.
int StoreInMemory(std::string_view content, std::int64_t changed_unix_s) {
  const int fd = memfd_create("sluice-tls", MFD_CLOEXEC);
  if (fd < 0) return -1;
  const timespec times[] = {{0, UTIME_OMIT}, {changed_unix_s, 0}};
  for (ssize_t written = 0; !content.empty(); content.remove_prefix(static_cast<std::size_t>(written))) {
    if ((written = write(fd, content.data(), content.size())) < 0) break;
  }
  if (content.empty() && futimens(fd, times) == 0) return fd;
  const int why = errno;
  close(fd);
  errno = why;
  return -1;
}

// Replaces the descriptor's content by `content` at once; -1 becomes a new descriptor. False: see errno.
bool Exchange(int& fd, std::string_view content, std::int64_t changed_unix_s) {
  const int stored = StoreInMemory(content, changed_unix_s);
  if (stored < 0) return false;
  if (fd < 0) {
    fd = stored;
    return true;
  }
  const bool done = dup3(stored, fd, O_CLOEXEC) >= 0;
  const int why = errno;
  close(stored);
  errno = why;
  return done;
}

std::string PathOf(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

}  // namespace

TlsFiles::~TlsFiles() {
  for (const int fd : {pair_fd_, ca_fd_}) {
    if (fd >= 0) close(fd);
  }
}

std::optional<std::string> TlsFiles::Open() {
  if (names_.certificate.empty()) return std::nullopt;
  auto read = ReadTls(names_);
  if (auto* error = std::get_if<std::string>(&read)) return std::move(*error);
  if (auto error = Take(std::get<TlsMaterial>(std::move(read)))) return error;
  copies_ = {PathOf(pair_fd_), PathOf(pair_fd_), PathOf(ca_fd_)};
  if (access(copies_.ca.c_str(), R_OK) != 0) return copies_.ca + ": " + std::strerror(errno) + "; is /proc mounted?";
  return std::nullopt;
}

std::optional<std::string> TlsFiles::Take(TlsMaterial material) {
  const auto checked = CheckTls(material, names_);
  if (const auto* error = std::get_if<std::string>(&checked)) return *error;
  // If a pair's time of change, in whole seconds, differs before and after reading, gRPC takes the pair for a torn one
  // and reads it again. So each exchange gets a second of its own.
  ++exchanges_;
  const std::string both = material.viewer_ca.empty() ? material.ca : material.ca + '\n' + material.viewer_ca;
  if (!Exchange(ca_fd_, both, exchanges_) ||
      !Exchange(pair_fd_, material.key + '\n' + material.certificate, exchanges_)) {
    return std::string("TLS files cannot be copied in memory: ") + std::strerror(errno);
  }
  life_ = std::get<CertificateLife>(checked);
  ends_unix_s_ = life_.ends.time_since_epoch().count();
  in_use_ = std::move(material);
  const std::lock_guard lock(mutex_);
  pushers_ca_ = in_use_.ca;
  viewers_ca_ = in_use_.viewer_ca;
  return std::nullopt;
}

bool TlsFiles::MayPush(const std::string& chain) const {
  if (names_.viewer_ca.empty()) return true;
  std::string pushers_ca;
  std::string viewers_ca;
  {
    const std::lock_guard lock(mutex_);
    pushers_ca = pushers_ca_;
    viewers_ca = viewers_ca_;
  }
  return IsSignedBy(chain, pushers_ca) && !IsSignedBy(chain, viewers_ca);
}

std::optional<TlsFiles::News> TlsFiles::Look(system_clock::time_point now) {
  // Looks go on even if the clock was set back.
  if (copies_.ca.empty() || (looked_ && now >= *looked_ && now - *looked_ < kLookInterval)) return std::nullopt;
  looked_ = now;
  auto read = ReadTls(names_);
  const bool at_rest = read == seen_;
  seen_ = read;
  auto* const material = std::get_if<TlsMaterial>(&read);
  if (material != nullptr && *material == in_use_) return WarnOfEnd(now);
  if (!at_rest) return std::nullopt;
  const std::optional<std::string> error =
      material == nullptr ? std::get<std::string>(read) : Take(std::move(*material));
  if (error) return Warn(*error, *error + "; connections go on with what was there before", now);
  saying_.clear();
  return News{Severity::kNote,
              "new TLS files are in use: certificate '" + names_.certificate + "' ends at " + DateText(life_.ends)};
}

std::optional<TlsFiles::News> TlsFiles::WarnOfEnd(system_clock::time_point now) {
  const auto left = std::chrono::duration_cast<seconds>(life_.ends - now);
  const auto due = std::min<seconds>((life_.ends - life_.begins) / kDueShare, kDueAtMost);
  if (left >= due) {
    saying_.clear();
    return std::nullopt;
  }
  const bool over = left <= seconds(0);
  return Warn((over ? "over " : "due ") + DateText(life_.ends),
              "certificate '" + names_.certificate + (over ? "' expired " : "' expires in ") +
                  SpanText(over ? -left : left) + (over ? " ago, at " : ", at ") + DateText(life_.ends) +
                  (over ? ": new connections with it are refused" : "") + "; put a new one in its place",
              now);
}

std::optional<TlsFiles::News> TlsFiles::Warn(std::string wrong, std::string line, system_clock::time_point now) {
  if (wrong == saying_ && now >= said_ && now - said_ < kSayInterval) return std::nullopt;
  saying_ = std::move(wrong);
  said_ = now;
  return News{Severity::kWarning, std::move(line)};
}

}  // namespace sluice
