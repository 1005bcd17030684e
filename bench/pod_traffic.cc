// Traffic between two pods, from the kernel's own sockets.
//
// Usage: pod_traffic serve ADDRESS PORT
//        pod_traffic stream|requests|connections|datagrams ADDRESS PORT SECONDS [CONNECTIONS=1]
// A client prints one line of JSON. stream: bits a second over so many connections. requests: 64 bytes there and back
// on one connection, microseconds. connections: opened, a byte there and back, closed, so many at once, a second.
// datagrams: of 64 bytes, that came, a second.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBuffer = 128 * 1024;
constexpr std::size_t kMessage = 64;

// What a connection's first byte asks for.
constexpr char kDiscard = 'd', kEcho = 'e', kOnce = 'o', kDatagrams = 'u';

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

sockaddr_in EndOf(const char* address, const char* port) {
  sockaddr_in end{};
  end.sin_family = AF_INET;
  end.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  if (inet_pton(AF_INET, address, &end.sin_addr) != 1) Fail(address);
  return end;
}

int Open(int type) {
  const int fd = socket(AF_INET, type, 0);
  if (fd < 0) Fail("socket");
  return fd;
}

int Connect(const sockaddr_in& end, char wanted) {
  const int fd = Open(SOCK_STREAM);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&end), sizeof end) != 0) Fail("connect");
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (send(fd, &wanted, 1, 0) != 1) Fail("send");
  return fd;
}

bool ReceiveAll(int fd, char* bytes, std::size_t size) {
  return recv(fd, bytes, size, MSG_WAITALL) == static_cast<ssize_t>(size);
}

double Since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::atomic<std::uint64_t> datagrams = 0;

// Answers now and then, as protocols over UDP do.
void CountDatagrams(int fd) {
  constexpr std::uint64_t kAnswered = 64;
  std::array<char, 2048> buffer;
  sockaddr_in from{};
  socklen_t size = sizeof from;
  while (recvfrom(fd, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size) >= 0) {
    if (datagrams.fetch_add(1, std::memory_order_relaxed) % kAnswered != 0) continue;
    sendto(fd, buffer.data(), kMessage, 0, reinterpret_cast<const sockaddr*>(&from), size);
  }
}

void ServeOne(int fd, char wanted) {
  std::vector<char> buffer(kBuffer);
  while (true) {
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) break;
    if (wanted == kEcho && send(fd, buffer.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) != got) break;
  }
  close(fd);
}

int Serve(const sockaddr_in& end) {
  const int listener = Open(SOCK_STREAM), receiver = Open(SOCK_DGRAM);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  for (const int fd : {listener, receiver}) {
    if (bind(fd, reinterpret_cast<const sockaddr*>(&end), sizeof end) != 0) Fail("bind");
  }
  if (listen(listener, 1024) != 0) Fail("listen");
  std::thread(CountDatagrams, receiver).detach();
  std::puts("ready");
  std::fflush(stdout);
  while (true) {
    const int fd = accept(listener, nullptr, nullptr);
    char wanted = 0;
    if (fd < 0 || recv(fd, &wanted, 1, 0) != 1) {
      close(fd);
      continue;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (wanted == kOnce) {
      send(fd, &wanted, 1, MSG_NOSIGNAL);
      close(fd);
    } else if (wanted == kDatagrams) {
      const std::uint64_t count = datagrams.load(std::memory_order_relaxed);
      send(fd, &count, sizeof count, MSG_NOSIGNAL);
      close(fd);
    } else {
      std::thread(ServeOne, fd, wanted).detach();
    }
  }
}

int Stream(const sockaddr_in& end, double seconds, int connections) {
  std::atomic<std::uint64_t> bytes = 0;
  std::atomic<bool> is_over = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < connections; ++i) {
    threads.emplace_back([&] {
      const int fd = Connect(end, kDiscard);
      const std::vector<char> buffer(kBuffer);
      while (!is_over) {
        const ssize_t sent = send(fd, buffer.data(), buffer.size(), MSG_NOSIGNAL);
        if (sent < 0) Fail("send");
        bytes.fetch_add(static_cast<std::uint64_t>(sent), std::memory_order_relaxed);
      }
      close(fd);
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // until it runs evenly
  const std::uint64_t before = bytes;
  const Clock::time_point start = Clock::now();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  const double taken = Since(start);
  const std::uint64_t counted = bytes - before;
  is_over = true;
  for (std::thread& thread : threads) thread.join();
  std::printf("{\"gbps\": %.3f, \"bytes\": %llu}\n", static_cast<double>(counted) * 8e-9 / taken,
              static_cast<unsigned long long>(bytes.load()));
  return 0;
}

int Requests(const sockaddr_in& end, double seconds) {
  const int fd = Connect(end, kEcho);
  std::array<char, kMessage> message{};
  std::vector<double> microseconds;
  const Clock::time_point begin = Clock::now();
  while (Since(begin) < seconds + 0.2) {
    const Clock::time_point start = Clock::now();
    if (send(fd, message.data(), message.size(), 0) < 0 || !ReceiveAll(fd, message.data(), message.size()))
      Fail("echo");
    if (Since(begin) > 0.2) microseconds.push_back(Since(start) * 1e6);
  }
  std::sort(microseconds.begin(), microseconds.end());
  const auto at = [&](double share) {
    return microseconds[static_cast<std::size_t>(share * static_cast<double>(microseconds.size() - 1))];
  };
  std::printf("{\"p50_us\": %.2f, \"p99_us\": %.2f}\n", at(0.5), at(0.99));
  return 0;
}

void OpenAndClose(const sockaddr_in& end) {
  const int fd = Connect(end, kOnce);
  std::array<char, 2> answer;
  if (!ReceiveAll(fd, answer.data(), 1)) Fail("answer");
  recv(fd, answer.data(), 1, 0);  // the server closes first, so that no port here waits
  close(fd);
}

int Connections(const sockaddr_in& end, double seconds, int at_once) {
  std::atomic<std::uint64_t> count = 0;
  const Clock::time_point start = Clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < at_once; ++i) {
    threads.emplace_back([&] {
      for (; Since(start) < seconds; ++count) OpenAndClose(end);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("{\"per_second\": %.0f}\n", static_cast<double>(count) / Since(start));
  return 0;
}

std::uint64_t DatagramsAt(const sockaddr_in& end) {
  const int fd = Connect(end, kDatagrams);
  std::uint64_t count = 0;
  if (!ReceiveAll(fd, reinterpret_cast<char*>(&count), sizeof count)) Fail("count");
  close(fd);
  return count;
}

int Datagrams(const sockaddr_in& end, double seconds) {
  const std::uint64_t before = DatagramsAt(end);
  const int fd = Open(SOCK_DGRAM);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&end), sizeof end) != 0) Fail("connect");
  const std::array<char, kMessage> message{};
  const Clock::time_point start = Clock::now();
  while (Since(start) < seconds) {
    for (int i = 0; i < 64; ++i) send(fd, message.data(), message.size(), 0);
  }
  const double taken = Since(start);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  std::printf("{\"per_second\": %.0f}\n", static_cast<double>(DatagramsAt(end) - before) / taken);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "serve" && argc == 4) return Serve(EndOf(argv[2], argv[3]));
  if (argc == 5 || argc == 6) {
    const sockaddr_in end = EndOf(argv[2], argv[3]);
    const double seconds = std::atof(argv[4]);
    if (what == "stream") return Stream(end, seconds, argc == 6 ? std::atoi(argv[5]) : 1);
    if (what == "requests") return Requests(end, seconds);
    if (what == "connections") return Connections(end, seconds, argc == 6 ? std::atoi(argv[5]) : 1);
    if (what == "datagrams") return Datagrams(end, seconds);
  }
  std::fprintf(stderr, "usage: pod_traffic serve ADDRESS PORT | WHAT ADDRESS PORT SECONDS [CONNECTIONS]\n");
  return 2;
}
