#include "edge/ring_wire.h"

#include <gtest/gtest.h>
#include <rte_eth_ring.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "edge/eal.h"

namespace sluice {
namespace {

constexpr unsigned kRingSize = 8192;
constexpr unsigned kBuffers = 16383;

void Append(rte_mbuf* mbuf, const std::uint8_t* bytes, std::size_t size) {
  std::memcpy(rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(size)), bytes, size);
}

}  // namespace

void StartEalForTest(std::uint32_t workers) {
  EalSettings settings;
  const auto cores = std::get<std::vector<std::uint32_t>>(CoresOf({}));
  settings.cores = {cores[0]};
  for (std::uint32_t i = 0; i < workers; ++i) settings.cores.push_back(cores[(i + 1) % cores.size()]);
  settings.no_huge = true;
  settings.memory_mb = 256;
  const auto error = StartEal(settings, [](std::string_view) {});
  ASSERT_FALSE(error) << *error;
}

RingWire::RingWire() {
  // A closed device keeps its name until the process ends.
  static int made = 0;
  // Devices are locked by name across processes, and tests run side by side.
  const std::string name = "w" + std::to_string(getpid()) + "_" + std::to_string(made++) + "_";
  buffers_ =
      rte_pktmbuf_pool_create((name + "buffers").c_str(), kBuffers, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  EXPECT_NE(buffers_, nullptr);
  for (int side = 0; side < 2; ++side) {
    const std::string end = name + std::to_string(side);
    into_[side] = rte_ring_create((end + "_in").c_str(), kRingSize, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    out_of_[side] = rte_ring_create((end + "_out").c_str(), kRingSize, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    EXPECT_GE(rte_eth_from_rings(end.c_str(), &into_[side], 1, &out_of_[side], 1, 0), 0);
    settings_.ports[side].device = "net_ring_" + end;
  }
}

RingWire::~RingWire() {
  for (int side = 0; side < 2; ++side) {
    Receive(side);
    rte_ring_free(into_[side]);
    rte_ring_free(out_of_[side]);
  }
  rte_mempool_free(buffers_);
}

bool RingWire::Send(int side, const ByteVector& frame) {
  rte_mbuf* mbuf = rte_pktmbuf_alloc(buffers_);
  if (mbuf == nullptr) return false;
  Append(mbuf, frame.data(), frame.size());
  if (rte_ring_sp_enqueue(into_[side], mbuf) == 0) return true;
  rte_pktmbuf_free(mbuf);
  return false;
}

bool RingWire::SendInTwoSegments(int side, const ByteVector& frame, std::uint16_t first_segment) {
  rte_mbuf* head = rte_pktmbuf_alloc(buffers_);
  rte_mbuf* tail = rte_pktmbuf_alloc(buffers_);
  Append(head, frame.data(), first_segment);
  Append(tail, frame.data() + first_segment, frame.size() - first_segment);
  return rte_pktmbuf_chain(head, tail) == 0 && rte_ring_sp_enqueue(into_[side], head) == 0;
}

std::vector<ByteVector> RingWire::Receive(int side) {
  std::vector<ByteVector> frames;
  void* object = nullptr;
  while (rte_ring_sc_dequeue(out_of_[side], &object) == 0) {
    auto* mbuf = static_cast<rte_mbuf*>(object);
    ByteVector bytes;
    for (const rte_mbuf* segment = mbuf; segment != nullptr; segment = segment->next) {
      const auto* data = rte_pktmbuf_mtod(segment, const std::uint8_t*);
      bytes.insert(bytes.end(), data, data + segment->data_len);
    }
    frames.push_back(std::move(bytes));
    rte_pktmbuf_free(mbuf);
  }
  return frames;
}

std::vector<ByteVector> RingWire::ReceiveSome(int side, std::size_t count) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  std::vector<ByteVector> frames;
  while (frames.size() < count && std::chrono::steady_clock::now() < deadline) {
    for (ByteVector& frame : Receive(side)) frames.push_back(std::move(frame));
    std::this_thread::yield();
  }
  return frames;
}

std::size_t RingWire::Waiting() const { return rte_ring_count(into_[0]) + rte_ring_count(into_[1]); }

bool RingWire::AllBuffersAreBack() const { return rte_mempool_full(buffers_) != 0; }

}  // namespace sluice
