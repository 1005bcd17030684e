// Messages in parts, and what a message will take in memory.
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "codec/codec.h"
#include "codec/limits.h"
#include "codec/parts.h"
#include "codec/unpacked_bytes.h"
#include "resolve/resolve.h"
#include "support/shapes.h"

namespace sluice {
namespace {

std::size_t Unpacked(const google::protobuf::Message& prototype, const std::string& bytes,
                     std::size_t most = kMaxUnpackedBytes) {
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  return UnpackedBytes(prototype, stream, most);
}

TEST(Parts, AMessageComesBackWholeWhateverItsLength) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, kPartBytes - 1, kPartBytes, kPartBytes + 1, 3 * kPartBytes}) {
    std::string message(size, 'x');
    if (size > 0) message.back() = 'y';
    PartGatherer gatherer;
    int parts = 0;
    ASSERT_TRUE(SendInParts(message, [&](const v1::Part& part) {
      EXPECT_LE(part.bytes().size(), kPartBytes);
      EXPECT_FALSE(gatherer.complete());
      ++parts;
      return gatherer.Add(part);
    }));
    EXPECT_EQ(parts, std::max<std::size_t>(1, (size + kPartBytes - 1) / kPartBytes));
    ASSERT_TRUE(gatherer.complete());
    EXPECT_EQ(gatherer.Take(), message);
    EXPECT_FALSE(gatherer.complete());
    EXPECT_FALSE(gatherer.under_way());
  }
}

TEST(Parts, TooManyAreForgotten) {
  PartGatherer gatherer;
  v1::Part part;
  part.set_bytes(std::string(kMaxGatheredBytes / 4 + 1, 'x'));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(gatherer.Add(part));
  EXPECT_TRUE(gatherer.under_way());
  EXPECT_FALSE(gatherer.Add(part));
  EXPECT_FALSE(gatherer.under_way());
}

TEST(Parts, WhoStopsIsNotSentMore) {
  int parts = 0;
  EXPECT_FALSE(SendInParts(std::string(5 * kPartBytes, 'x'), [&](const v1::Part&) { return ++parts < 2; }));
  EXPECT_EQ(parts, 2);
}

// It may say too much, never too little.
TEST(UnpackedBytes, IsNoLessThanWhatAMessageTakesAndNotFarMore) {
  for (const Shape& shape : Shapes()) {
    const ResolvedPolicy policy = Resolve(shape.make(0.005), nullptr);
    EncodeFullState(policy, 7, 1, 100'000'000, [&](const v1::FullStateChunk& chunk) {
      v1::PushRequest request;
      *request.mutable_full_state() = chunk;
      v1::PushRequest parsed;
      const std::string bytes = request.SerializeAsString();
      EXPECT_TRUE(parsed.ParseFromString(bytes));
      const std::size_t estimate = Unpacked(parsed, bytes);
      EXPECT_GE(estimate, parsed.SpaceUsedLong()) << shape.name;
      EXPECT_LE(estimate, 3 * parsed.SpaceUsedLong() + 1000) << shape.name;
      // Of CIDRs, which pack best, 40 MB may come in one message; of all else 64.
      EXPECT_LE(estimate, 24 * bytes.size() + 1000) << shape.name;
      return true;
    });
  }
}

TEST(UnpackedBytes, OfManyEmptyObjectsTextsNumbersAndUnknownFieldsIsSeenBefore) {
  const auto repeated = [](const std::string& field) {
    std::string bytes;
    for (int i = 0; i < 100'000; ++i) bytes += field;
    return bytes;
  };
  for (const std::string& field :
       {std::string("\x1a\0", 2), std::string("\x22\1\0", 3), std::string("\x52\0", 2), std::string("\x30\0", 2),
        std::string("\xfa\1\0", 3), std::string("\xf8\1\0", 3), std::string("\xfb\1\xfc\1", 4)}) {
    v1::Update parsed;
    const std::string bytes = repeated(field);
    ASSERT_TRUE(parsed.ParseFromString(bytes));
    EXPECT_GE(Unpacked(parsed, bytes), parsed.SpaceUsedLong()) << int{field[0]};
  }
}

TEST(UnpackedBytes, StopsAtWhatIsEnough) {
  std::string bytes;
  for (int i = 0; i < 1'000'000; ++i) bytes += std::string("\x52\0", 2);
  const std::size_t counted = Unpacked(v1::Update(), bytes, 10'000);
  EXPECT_GT(counted, 10'000u);
  EXPECT_LT(counted, 11'000u);
}

TEST(UnpackedBytes, OfWhatIsNoMessageEnds) {
  std::mt19937 random(3);
  for (int round = 0; round < 5000; ++round) {
    std::string bytes(random() % 64, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    Unpacked(v1::PushRequest(), bytes);
  }
}

}  // namespace
}  // namespace sluice
