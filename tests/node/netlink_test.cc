// Lists of the kernel's, while they change. In a network namespace of the test's own, which wants root.
#include "hook/netlink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>

namespace sluice {
namespace {

constexpr int kStay = 60;    // more than fit a buffer of the kernel's, so that a list takes several
constexpr int kLists = 200;  // that are read while others come and go

std::string NameOf(char kind, int number) { return kind + std::to_string(number); }

// Interfaces that were there all the time, in each list.
void ExpectAllThatStay(Netlink& netlink) {
  for (int i = 0; i < kLists; ++i) {
    const auto links = netlink.Links();
    ASSERT_TRUE(std::holds_alternative<std::vector<Link>>(links)) << std::get<std::string>(links);
    const auto stays = [](const Link& link) { return link.name.starts_with('s') || link.name.starts_with('t'); };
    const auto& all = std::get<std::vector<Link>>(links);
    ASSERT_EQ(std::count_if(all.begin(), all.end(), stays), 2 * kStay) << "list " << i;
  }
}

TEST(NetlinkTest, WhatIsThereIsInEachListHoweverOthersComeAndGo) {
  std::string skipped;
  // A namespace is a thread's, and of those that it starts.
  std::thread([&] {
    if (unshare(CLONE_NEWNET) != 0) {
      skipped = std::strerror(errno);
      return;
    }
    auto netlink = Netlink::Open();
    ASSERT_TRUE(std::holds_alternative<Netlink>(netlink));
    for (int i = 0; i < kStay; ++i) {
      ASSERT_EQ(std::get<Netlink>(netlink).AddVethPair(NameOf('s', i), NameOf('t', i)), std::nullopt);
    }
    std::atomic<bool> is_over = false;
    std::thread others([&] {
      auto own = Netlink::Open();
      for (int i = 0; !is_over; ++i) {
        EXPECT_EQ(std::get<Netlink>(own).AddVethPair(NameOf('x', i), NameOf('y', i)), std::nullopt);
        EXPECT_EQ(std::get<Netlink>(own).Delete(NameOf('x', i)), std::nullopt);
      }
    });
    ExpectAllThatStay(std::get<Netlink>(netlink));
    is_over = true;
    others.join();
  }).join();
  if (!skipped.empty()) GTEST_SKIP() << "wants root, for a network namespace: " << skipped;
}

}  // namespace
}  // namespace sluice
