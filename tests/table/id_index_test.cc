#include "table/id_index.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace sluice {
namespace {

// Hashes meet, so that what is asked for is told by its content.
std::uint64_t HashOf(const std::string& text) { return text.size() % 3; }

TEST(IdIndex, FindsByContentWhereHashesMeet) {
  IdIndex index;
  std::vector<std::string> texts;
  const auto find = [&](const std::string& text) {
    return index.Find(HashOf(text), [&](std::uint32_t id) { return texts[id] == text; });
  };
  EXPECT_TRUE(index.empty());
  EXPECT_EQ(find("0"), IdIndex::kNone);
  for (std::uint32_t i = 0; i < 500; ++i) {
    const std::string text = std::to_string(i);
    ASSERT_EQ(find(text), IdIndex::kNone);
    texts.push_back(text);
    index.Add(HashOf(text), i);
  }
  for (std::uint32_t i = 0; i < 500; ++i) ASSERT_EQ(find(std::to_string(i)), i);
  index.EraseFrom(100);
  for (std::uint32_t i = 0; i < 500; ++i) ASSERT_EQ(find(std::to_string(i)), i < 100 ? i : IdIndex::kNone);
  std::uint32_t count = 0;
  index.ForEach([&](std::uint32_t id) {
    EXPECT_LT(id, 100u);
    ++count;
  });
  EXPECT_EQ(count, 100u);
  index.EraseFrom(0);
  EXPECT_TRUE(index.empty());
}

}  // namespace
}  // namespace sluice
