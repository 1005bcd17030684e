// A memif of two ends in this process: what becomes of the memory that they share when one of them goes.
#include "edge/memif_guard.h"

#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "edge/port.h"
#include "edge/readers.h"
#include "ring_wire.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;

template <typename Condition>
bool Eventually(Condition holds) {
  for (int i = 0; i < 2000 && !holds(); ++i) std::this_thread::sleep_for(milliseconds(1));
  return holds();
}

// Of shared memory; each end maps it for itself.
int Mappings() {
  std::ifstream maps("/proc/self/maps");
  int count = 0;
  for (std::string line; std::getline(maps, line);) count += line.find("memfd:memif") != std::string::npos ? 1 : 0;
  return count;
}

class MemifGuardTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { StartEalForTest(1); }

  void SetUp() override {
    static int made = 0;
    const std::string number = std::to_string(made++);
    buffers_ =
        rte_pktmbuf_pool_create(("memif" + number).c_str(), 4095, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    ASSERT_NE(buffers_, nullptr);
    socket_ = std::filesystem::temp_directory_path() / ("memif" + std::to_string(getpid()) + "_" + number);
    server_.device = "net_memif_s" + number + ",role=server,socket-abstract=no,socket=" + socket_.string();
    client_.device = "net_memif_c" + number + ",role=client,socket-abstract=no,socket=" + socket_.string();
    edge_.rx_descriptors = edge_.tx_descriptors = 256;
  }

  void TearDown() override {
    rte_mempool_free(buffers_);
    std::filesystem::remove(socket_);
  }

  std::unique_ptr<Port> Open(const PortSettings& settings, Readers& readers, std::uint32_t workers = 1) {
    auto port = Port::Open(settings, edge_, 0, workers, buffers_, readers);
    if (const auto* error = std::get_if<std::string>(&port)) {
      ADD_FAILURE() << *error;
      return nullptr;
    }
    return std::get<std::unique_ptr<Port>>(std::move(port));
  }

  rte_mempool* buffers_ = nullptr;
  std::filesystem::path socket_;
  PortSettings server_;
  PortSettings client_;
  EdgeSettings edge_;
};

bool IsUsable(Port& port) {
  port.Watch();
  return port.view().usable;
}

// Both ends share this process's interrupt thread and its guard, so each closes in a thread of its own.
std::jthread Close(std::unique_ptr<Port>& port, std::atomic<bool>& closed) {
  return std::jthread([&] {
    port.reset();
    closed = true;
  });
}

TEST_F(MemifGuardTest, MemoryStaysMappedUntilTheWorkerIsOut) {
  Readers workers(1);
  Readers nobody(1);
  const auto server = Open(server_, workers);
  ASSERT_TRUE(server);
  EXPECT_FALSE(server->view().usable);
  auto client = Open(client_, nobody);
  ASSERT_TRUE(client);
  ASSERT_TRUE(Eventually([&] { return IsUsable(*server) && IsUsable(*client); }));
  ASSERT_EQ(Mappings(), 2);

  workers.Join(0);  // it may be inside rte_eth_rx_burst from here on
  std::atomic<bool> client_closed{false};
  {
    const std::jthread closing = Close(client, client_closed);
    EXPECT_TRUE(Eventually([&] { return !server->view().usable; }));
    std::this_thread::sleep_for(milliseconds(50));
    EXPECT_GE(Mappings(), 1);
    workers.Quiescent(0);
    EXPECT_TRUE(Eventually([] { return Mappings() == 0; }));
    workers.Leave(0);
  }

  client = Open(client_, nobody);
  ASSERT_TRUE(client);
  EXPECT_TRUE(Eventually([&] { return IsUsable(*server); }));
}

TEST_F(MemifGuardTest, PortClosesAfterTheInterruptThreadIsDoneWithIt) {
  Readers workers(1);
  Readers nobody(1);
  auto server = Open(server_, workers);
  auto client = Open(client_, nobody);
  ASSERT_TRUE(server && client);
  ASSERT_TRUE(Eventually([&] { return IsUsable(*server) && IsUsable(*client); }));
  workers.Join(0);
  std::atomic<bool> client_closed{false};
  std::atomic<bool> server_closed{false};
  {
    const std::jthread closing = Close(client, client_closed);
    EXPECT_TRUE(Eventually([&] { return !server->view().usable; }));
    const std::jthread closing_too = Close(server, server_closed);
    std::this_thread::sleep_for(milliseconds(50));
    EXPECT_FALSE(server_closed);
    EXPECT_GE(Mappings(), 1);
    workers.Leave(0);
  }
  EXPECT_EQ(Mappings(), 0);
}

TEST_F(MemifGuardTest, ClientWhoseServerComesLaterHasRingsTowardItsOnlyQueue) {
  Readers nobody(1);
  PortSettings client;
  client.device = "memif:" + socket_.string();
  const auto port = Open(client, nobody, /*workers=*/2);
  ASSERT_TRUE(port);
  EXPECT_FALSE(port->view().usable);
  EXPECT_EQ(port->view().to_home.size(), 2u);
  const auto server = Open(server_, nobody);
  ASSERT_TRUE(server);
  EXPECT_TRUE(Eventually([&] { return IsUsable(*port); }));
  EXPECT_EQ(port->view().tx_queues, 1u);
}

}  // namespace
}  // namespace sluice
