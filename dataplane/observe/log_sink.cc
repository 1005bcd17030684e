#include "observe/log_sink.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "observe/rotating_file.h"

namespace sluice {
namespace {

using SinkClock = std::chrono::steady_clock;

constexpr std::string_view kFile = "file:";
constexpr std::string_view kUnix = "unix:";
constexpr std::size_t kMostWaiting = std::size_t{1} << 20;  // bytes for a slow reader
constexpr std::chrono::seconds kBetweenTries(1);

std::uint64_t CountLines(std::string_view text) {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

// Lines are written several at a time, as a system call for each would cost as much as making the line.
class FileSink final : public LogSink {
 public:
  FileSink(std::string path, const Rotation& rotation)
      : file_(std::move(path), rotation.most_bytes, rotation.kept, rotation.gzip),
        most_waiting_(std::min<std::uint64_t>(kMostUnwritten, rotation.most_bytes / 8)) {}

  bool Write(std::string_view line) override {
    if (!problem().empty()) return TryAgain(line);
    waiting_ += line;
    if (waiting_.size() >= most_waiting_) WriteOut();
    return true;
  }
  void Tend() override { WriteOut(); }
  void Finish() override { WriteOut(); }

 private:
  static constexpr std::uint64_t kMostUnwritten = std::uint64_t{64} << 10;

  // While the disk is full, it is not tried again for each line.
  bool TryAgain(std::string_view line) {
    if (SinkClock::now() < try_again_) return false;
    std::size_t taken = 0;
    return Outcome(file_.Append(line, taken));
  }
  void WriteOut() {
    if (waiting_.empty()) return;
    std::size_t taken = 0;
    Outcome(file_.Append(waiting_, taken));
    LoseLater(CountLines(std::string_view(waiting_).substr(taken)));
    waiting_.clear();
  }
  bool Outcome(std::string error) {
    if (error.empty()) return Succeed();
    try_again_ = SinkClock::now() + kBetweenTries;
    return Fail(std::move(error));
  }

  RotatingFile file_;
  const std::uint64_t most_waiting_;
  std::string waiting_;
  SinkClock::time_point try_again_;
};

// Writes to a descriptor that may not be ready. Bytes wait, within a bound, and lines are written whole.
class WaitingSink : public LogSink {
 public:
  bool Write(std::string_view line) override {
    if (!IsOpen()) return false;  // problem() says why
    if (waiting_.size() > kMostWaiting) Send();
    if (waiting_.size() > kMostWaiting) return Fail("whoever reads it is too slow");
    waiting_ += line;
    return Succeed();
  }
  void Tend() override {
    if (IsOpen()) Send();
  }
  void Finish() override { Tend(); }

 protected:
  // Whether it is open. Opens it if that is due.
  virtual bool IsOpen() = 0;
  // Returns the number of bytes that were taken, or -1 and errno.
  virtual ssize_t SendSome(const char* bytes, std::size_t count) = 0;
  virtual void Lost(int error) = 0;

 private:
  void Send() {
    std::size_t sent = 0;
    while (sent < waiting_.size()) {
      const ssize_t taken = SendSome(waiting_.data() + sent, waiting_.size() - sent);
      if (taken < 0 && errno == EINTR) continue;
      if (taken < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
      if (taken < 0) {
        const int error = errno;
        LoseLater(CountLines(std::string_view(waiting_).substr(sent)));
        waiting_.clear();
        return Lost(error);
      }
      sent += static_cast<std::size_t>(taken);
    }
    waiting_.erase(0, sent);
  }

  std::string waiting_;
};

class StandardOutput final : public WaitingSink {
 private:
  bool IsOpen() override { return !broken_; }
  // Others may share the descriptor, so its flags stay unchanged: bytes are written only if they are taken at once.
  ssize_t SendSome(const char* bytes, std::size_t count) override {
    pollfd wait{STDOUT_FILENO, POLLOUT, 0};
    if (poll(&wait, 1, 0) <= 0) {
      errno = EAGAIN;
      return -1;
    }
    return write(STDOUT_FILENO, bytes, std::min(count, std::size_t{PIPE_BUF}));  // a pipe that is ready takes that many
  }
  // Lost for good: nobody can open it again.
  void Lost(int error) override {
    broken_ = true;
    Fail(std::string("standard output: ") + std::strerror(error));
  }

  bool broken_ = false;
};

class UnixSocket final : public WaitingSink {
 public:
  explicit UnixSocket(std::string path) : path_(std::move(path)) {}
  ~UnixSocket() override { Close(); }

 private:
  bool IsOpen() override {
    if (fd_ >= 0) return true;
    const auto now = SinkClock::now();
    if (now < try_again_) return false;
    try_again_ = now + kBetweenTries;
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path_.copy(name.sun_path, sizeof name.sun_path - 1);
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd_ >= 0 && connect(fd_, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) return Succeed();
    Lost(errno);
    return false;
  }
  ssize_t SendSome(const char* bytes, std::size_t count) override { return send(fd_, bytes, count, MSG_NOSIGNAL); }
  void Lost(int error) override {
    Close();
    Fail(path_ + ": " + std::strerror(error) + "; whoever collects the log listens there");
  }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  const std::string path_;
  int fd_ = -1;
  SinkClock::time_point try_again_;
};

}  // namespace

std::unique_ptr<LogSink> LogSink::Of(const std::string& to, const Rotation& rotation) {
  if (to.starts_with(kFile)) return std::make_unique<FileSink>(to.substr(kFile.size()), rotation);
  if (to.starts_with(kUnix)) return std::make_unique<UnixSocket>(to.substr(kUnix.size()));
  return std::make_unique<StandardOutput>();
}

}  // namespace sluice
