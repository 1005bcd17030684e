#include "observe/rotating_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace sluice {
namespace {

// The file has names of pods and policies in it.
constexpr mode_t kMode = 0640;
constexpr std::chrono::seconds kBetweenLooks(1);

std::string Errno(const std::string& path) { return path + ": " + std::strerror(errno); }

// Removes `from` once `to` holds all of it. Returns an empty text, or the reason for failure.
std::string Compress(const std::string& from, const std::string& to) {
  const int in = open(from.c_str(), O_RDONLY | O_CLOEXEC);
  if (in < 0) return Errno(from);
  const int out = open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode);
  gzFile file = out < 0 ? nullptr : gzdopen(out, "wb1");
  std::string error = file == nullptr ? Errno(to) : "";
  std::array<char, 1 << 16> bytes;
  for (ssize_t got = 1; got > 0 && error.empty();) {
    got = read(in, bytes.data(), bytes.size());
    if (got < 0) error = Errno(from);
    if (got > 0 && gzwrite(file, bytes.data(), static_cast<unsigned>(got)) != got) error = Errno(to);
  }
  if (file != nullptr && gzclose(file) != Z_OK && error.empty()) error = Errno(to);
  if (file == nullptr && out >= 0) close(out);
  close(in);
  unlink(error.empty() ? from.c_str() : to.c_str());
  return error;
}

}  // namespace

RotatingFile::RotatingFile(std::string path, std::uint64_t most_bytes, std::uint32_t kept, bool gzip)
    : path_(std::move(path)), most_bytes_(most_bytes), kept_(kept), gzip_(gzip) {}

RotatingFile::~RotatingFile() { Close(); }

void RotatingFile::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

std::string RotatingFile::NameOf(std::uint32_t number) const {
  return path_ + '.' + std::to_string(number) + (gzip_ ? ".gz" : "");
}

std::string RotatingFile::Open() {
  const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, kMode);
  if (fd < 0) return Errno(path_);
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(fd);
    return path_ + ": is no regular file";
  }
  fd_ = fd;
  bytes_ = static_cast<std::uint64_t>(status.st_size);
  looked_ = std::chrono::steady_clock::now();
  return "";
}

// logrotate and similar programs rename the file, and expect a new one.
bool RotatingFile::WasTakenAway() const {
  struct stat ours {};
  struct stat named {};
  if (fstat(fd_, &ours) != 0 || stat(path_.c_str(), &named) != 0) return true;
  return ours.st_ino != named.st_ino || ours.st_dev != named.st_dev;
}

std::string RotatingFile::Rotate() {
  Close();
  if (kept_ == 0) {
    if (unlink(path_.c_str()) != 0) return Errno(path_);
    return Open();
  }
  for (std::uint32_t number = kept_ - 1; number > 0; --number) {
    if (rename(NameOf(number).c_str(), NameOf(number + 1).c_str()) != 0 && errno != ENOENT)
      return Errno(NameOf(number));
  }
  const std::string plain = path_ + ".1";
  if (rename(path_.c_str(), plain.c_str()) != 0) return Errno(path_);
  // If there is no room for the compressed file, the plain one stays until it is replaced.
  if (gzip_) Compress(plain, NameOf(1));
  return Open();
}

std::string RotatingFile::Append(std::string_view lines, std::size_t& taken) {
  taken = 0;
  const auto now = std::chrono::steady_clock::now();
  if (fd_ >= 0 && now - looked_ >= kBetweenLooks) {
    looked_ = now;
    if (WasTakenAway()) Close();
  }
  std::string error;
  if (fd_ < 0) error = Open();
  if (error.empty() && bytes_ != 0 && bytes_ + lines.size() > most_bytes_) error = Rotate();
  if (!error.empty()) return error;
  const ssize_t written = write(fd_, lines.data(), lines.size());
  if (written == static_cast<ssize_t>(lines.size())) {
    taken = lines.size();
    bytes_ += taken;
    return "";
  }
  if (written < 0) return Errno(path_);
  const std::size_t last = lines.substr(0, static_cast<std::size_t>(written)).rfind('\n');
  taken = last == lines.npos ? 0 : last + 1;
  bytes_ += taken;
  if (static_cast<std::size_t>(written) > taken && ftruncate(fd_, static_cast<off_t>(bytes_)) != 0) Close();
  return path_ + ": " + std::strerror(ENOSPC);
}

}  // namespace sluice
