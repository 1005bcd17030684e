#include "observe/ipfix_sink.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <optional>
#include <random>
#include <utility>

#include "observe/flow_log_settings.h"
#include "observe/ipfix.h"

namespace sluice {
namespace {

using IpfixClock = std::chrono::steady_clock;

constexpr std::size_t kMostDatagram = 1400;  // the templates fit, and no path fragments it
constexpr std::size_t kMostTcpMessage = std::size_t{16} << 10;
constexpr std::size_t kMostWaitingBytes = std::size_t{1} << 20;  // for a slow collector
constexpr std::chrono::seconds kBetweenConnects(1);
constexpr std::chrono::seconds kTemplatesAgain(60);  // over UDP, a collector may have missed them, or may be a new one

constexpr std::chrono::seconds kSureAgain(5);  // time without a refusal

std::uint32_t UnixSeconds() {
  return static_cast<std::uint32_t>(std::chrono::system_clock::now().time_since_epoch() / std::chrono::seconds(1));
}

class IpfixSink final : public LogSink {
 public:
  IpfixSink(const IpfixPlace& place, std::string name)
      : place_(place), name_(std::move(name)), messages_(std::random_device()()) {}
  ~IpfixSink() override { Close(); }

  bool Write(std::string_view record) override {
    if (!IsOpen()) return false;  // problem() says why
    if (!messages_.Fits(record, MostMessage()) && !messages_.IsEmpty()) Post();
    if (waiting_bytes_ > kMostWaitingBytes) return Fail(name_ + ": the collector is too slow");
    messages_.Add(record);
    return true;
  }
  void Tend() override {
    if (!IsOpen()) return;
    if (!messages_.IsEmpty()) Post();
    Send();
  }
  void Finish() override { Tend(); }

 private:
  struct Message {
    std::string bytes;
    std::uint32_t flows = 0;
  };

  std::size_t MostMessage() const { return place_.is_udp ? kMostDatagram : kMostTcpMessage; }

  // Appends the message to the queue, with templates before it if they are due.
  void Post() {
    const auto now = IpfixClock::now();
    if (now >= templates_due_) {
      templates_due_ = place_.is_udp ? now + kTemplatesAgain : IpfixClock::time_point::max();
      Queue({messages_.Templates(UnixSeconds()), 0});
    }
    const std::uint32_t flows = messages_.flows();
    Queue({messages_.Take(UnixSeconds()), flows});
    Send();
  }
  void Queue(Message message) {
    waiting_bytes_ += message.bytes.size();
    waiting_.push_back(std::move(message));
  }

  void Send() {
    while (!waiting_.empty()) {
      Message& first = waiting_.front();
      const ssize_t taken =
          send(fd_, first.bytes.data() + sent_, first.bytes.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (taken < 0 && errno == EINTR) continue;
      if (taken < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOTCONN || errno == EINPROGRESS)) return;
      if (taken < 0) return Lost(errno);
      sent_ += static_cast<std::size_t>(taken);
      if (sent_ < first.bytes.size()) continue;
      waiting_bytes_ -= first.bytes.size();
      sent_ = 0;
      waiting_.pop_front();
      // Over UDP, a collector that is gone refuses only now and then.
      if (!problem().empty() && (!place_.is_udp || IpfixClock::now() - refused_ > kSureAgain)) Succeed();
    }
  }

  bool IsOpen() {
    if (fd_ >= 0) return true;
    const auto now = IpfixClock::now();
    if (now < try_again_) return false;
    try_again_ = now + kBetweenConnects;
    sockaddr_storage address{};
    const socklen_t length = AddressOf(address);
    fd_ = socket(address.ss_family, (place_.is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd_ < 0 || (connect(fd_, reinterpret_cast<const sockaddr*>(&address), length) != 0 && errno != EINPROGRESS)) {
      Lost(errno);
      return false;
    }
    templates_due_ = {};
    messages_.BeginSequence();
    return true;
  }

  socklen_t AddressOf(sockaddr_storage& storage) const {
    if (place_.address.family == Family::kIpv4) {
      auto& ipv4 = reinterpret_cast<sockaddr_in&>(storage);
      ipv4.sin_family = AF_INET;
      ipv4.sin_port = htons(place_.port);
      ipv4.sin_addr.s_addr = htonl(static_cast<std::uint32_t>(place_.address.lo));
      return sizeof ipv4;
    }
    auto& ipv6 = reinterpret_cast<sockaddr_in6&>(storage);
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(place_.port);
    for (std::size_t i = 0; i < 16; ++i) {
      const std::uint64_t word = i < 8 ? place_.address.hi : place_.address.lo;
      ipv6.sin6_addr.s6_addr[i] = static_cast<std::uint8_t>(word >> (8 * (7 - i % 8)));
    }
    return sizeof ipv6;
  }

  // Over UDP, the error is about an earlier datagram: only that one is known to be lost, and the socket stays usable.
  // Over TCP, everything that waits is lost with the connection.
  void Lost(int error) {
    Fail(name_ + ": " + std::strerror(error) + "; whoever collects listens there");
    if (place_.is_udp && fd_ >= 0) {
      refused_ = IpfixClock::now();
      LoseLater(waiting_.front().flows);
      waiting_bytes_ -= waiting_.front().bytes.size();
      waiting_.pop_front();
      templates_due_ = {};  // the next collector has no templates
      return;
    }
    std::uint64_t flows = messages_.flows();
    for (const Message& message : waiting_) flows += message.flows;
    LoseLater(flows);
    if (!messages_.IsEmpty()) messages_.Take(0);
    Close();
  }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
    waiting_.clear();
    waiting_bytes_ = sent_ = 0;
  }

  const IpfixPlace place_;
  const std::string name_;
  IpfixMessages messages_;
  std::deque<Message> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::size_t sent_ = 0;  // bytes of the first of them
  int fd_ = -1;
  IpfixClock::time_point try_again_;
  IpfixClock::time_point templates_due_;
  IpfixClock::time_point refused_;
};

}  // namespace

std::unique_ptr<LogSink> MakeIpfixSink(const std::string& to) {
  return std::make_unique<IpfixSink>(*ParseIpfixPlace(to), to);
}

}  // namespace sluice
