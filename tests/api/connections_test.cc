// Connections without end: nobody is shut out by them, neither while they stand nor afterwards.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "api/doorkeeper.h"
#include "api/limits.h"
#include "api/listen.h"
#include "api/observed_plane.h"
#include "api/raw_client.h"
#include "api/run_command.h"
#include "support/sanitizers.h"

namespace sluice {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class ConnectionsTest : public ObservedFixture {
 protected:
  std::string Target() const { return "unix:" + Socket(); }
  bool SomebodyElseIsAnswered() const { return RunSluicectl(Target(), "get ports").code == 0; }
  std::vector<std::unique_ptr<RawClient>> Open(std::size_t count) const {
    std::vector<std::unique_ptr<RawClient>> clients;
    for (std::size_t i = 0; i < count; ++i) clients.push_back(std::make_unique<RawClient>(Socket()));
    return clients;
  }
};

// A limit of this process while it lives.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t most) {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit limit{most, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  ~FewDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

// gRPC's own listeners would be deaf from then on.
TEST_F(ConnectionsTest, WhenDescriptorsWereUsedUpConnectionsAreAcceptedAfterwards) {
  if (test::kAddressSanitizer) GTEST_SKIP() << "without descriptors the sanitizers cannot look at an object's class";
  {
    const FewDescriptors few(
        static_cast<rlim_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {})) + 8);
    const auto clients = Open(8);
    const auto is_said = Contains(HasSubstr("no connection can be accepted just now (Too many open files)"));
    for (int i = 0; i < 2000 && !testing::Matches(is_said)(said()); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_THAT(said(), is_said);
  }
  EXPECT_TRUE(SomebodyElseIsAnswered());
}

TEST_F(ConnectionsTest, AClientThatTakesAllConnectionsLosesOneToSomebodyElse) {
  const auto clients = Open(kMaxConnections + 20);
  EXPECT_TRUE(SomebodyElseIsAnswered());
  EXPECT_THAT(said(), Contains(HasSubstr("ends for one of process")));
  EXPECT_THAT(said(), Contains(HasSubstr("is turned away")));
}

TEST_F(ConnectionsTest, ThoseThatEndedCountNoMore) {
  for (int round = 0; round < 3; ++round) {
    auto clients = Open(kMaxConnections - 10);
    for (const auto& client : clients) client->Call("/sluice.v1.ObserveService/ListPorts");
    EXPECT_TRUE(SomebodyElseIsAnswered()) << round;
    clients.clear();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));  // gRPC hears of it
  }
  EXPECT_THAT(said(), testing::Not(Contains(HasSubstr("turned away"))));
}

TEST_F(ConnectionsTest, AnOlderConnectionOfSomebodyElseStaysWhileOneClientTakesAll) {
  RunningCommand other(Target(), "drops --follow --limit 1");
  const auto watches = [this] { return plane_.worker.pipeline().drop_ring().Watches(DropReason::kPolicyDenied); };
  for (int i = 0; i < 1000 && !watches(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ASSERT_TRUE(watches());
  // This process has them all, and may have no more; the command is another's and stays.
  const auto clients = Open(kMaxConnections + 20);
  EXPECT_TRUE(SomebodyElseIsAnswered());
  plane_.worker.SendQuietly({PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Tcp(1234, 81, kTcpSyn).Bytes()});
  const auto end = other.Wait();
  EXPECT_EQ(end.code, 0) << end.out;
}

// At a Unix socket a client that finds no room is refused at once, and says that nobody listens.
TEST_F(ConnectionsTest, ManyMayWaitToBeAccepted) {
  const std::string path = Socket() + ".waits";
  auto listening = Listen("unix:" + path);
  ASSERT_TRUE(std::holds_alternative<Listening>(listening)) << std::get<std::string>(listening);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  std::vector<int> clients;
  for (std::size_t i = 0; i < 4 * kMaxConnections; ++i) {
    clients.push_back(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_EQ(connect(clients.back(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0)
        << "connection " << i << ": " << std::strerror(errno);
  }
  for (const int fd : clients) close(fd);
  for (const int fd : std::get<Listening>(listening).fds) close(fd);
}

TEST(DoorkeeperTest, OfTwoClientsTheOneThatHasMoreGivesWay) {
  auto listening = Listen("127.0.0.1:0");
  ASSERT_TRUE(std::holds_alternative<Listening>(listening)) << std::get<std::string>(listening);
  const auto& [fds, port] = std::get<Listening>(listening);
  std::atomic<int> admitted = 0;
  std::mutex mutex;
  std::vector<std::string> said;
  std::vector<int> connections;
  {
    Doorkeeper doorkeeper(4, [&](std::string_view line) {
      const std::lock_guard lock(mutex);
      said.emplace_back(line);
    });
    for (const int fd : fds) {
      doorkeeper.Watch(fd, false, [&](int connection) {
        const std::lock_guard lock(mutex);
        connections.push_back(connection);
        ++admitted;
      });
    }
    doorkeeper.Start();
    const auto connect_from = [port = port](const char* source) {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in from{}, to{};
      from.sin_family = to.sin_family = AF_INET;
      inet_pton(AF_INET, source, &from.sin_addr);
      to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      to.sin_port = htons(static_cast<std::uint16_t>(port));
      EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from), 0);
      EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
      return fd;
    };
    const auto is_cut = [](int fd) {
      char byte = 0;
      return recv(fd, &byte, 1, 0) == 0;
    };
    std::vector<int> clients;
    for (int i = 0; i < 4; ++i) clients.push_back(connect_from("127.0.0.2"));
    for (int i = 0; i < 1000 && admitted < 4; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    clients.push_back(connect_from("127.0.0.3"));
    EXPECT_TRUE(is_cut(clients[0])) << "the oldest of 127.0.0.2";
    clients.push_back(connect_from("127.0.0.3"));
    EXPECT_TRUE(is_cut(clients[1]));
    clients.push_back(connect_from("127.0.0.3"));
    EXPECT_TRUE(is_cut(clients[6])) << "both have two";
    clients.push_back(connect_from("127.0.0.4"));
    EXPECT_TRUE(is_cut(clients[2])) << "one of those that have two";
    for (int i = 0; i < 5000 && admitted < 7; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(admitted, 7);
    const std::lock_guard lock(mutex);
    ASSERT_FALSE(said.empty());
    EXPECT_EQ(said[0], "there are 4 connections: the oldest of 127.0.0.2, which has 4, ends for one of 127.0.0.3");
    for (const int fd : clients) close(fd);
  }
  for (const int fd : connections) close(fd);
}

TEST(ListenTest, AHostThatIsNoneOrAPortThatIsTakenIsSaid) {
  EXPECT_THAT(std::get<std::string>(Listen("no.such.host.invalid:7777")), HasSubstr("is no address of this host"));
  EXPECT_THAT(std::get<std::string>(Listen("192.0.2.1:7777")), HasSubstr("cannot be listened at: Cannot assign"));
  auto first = Listen("localhost:0");
  ASSERT_TRUE(std::holds_alternative<Listening>(first));
  const auto& [fds, port] = std::get<Listening>(first);
  EXPECT_THAT(std::get<std::string>(Listen("localhost:" + std::to_string(port))), HasSubstr("Address already in use"));
  for (const int fd : fds) close(fd);
}

}  // namespace
}  // namespace sluice
