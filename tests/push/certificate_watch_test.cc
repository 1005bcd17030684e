#include "certificate/certificate_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <variant>

#include "kube/process.h"
#include "push/authority.h"

namespace sluice {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Optional;

class CertificateWatchTest : public testing::Test {
 protected:
  CertificateWatchTest() { authority_.Sign("ours", {}); }

  CertificateLife Life(const std::string& file) {
    const auto read = ReadCertificateLife(file);
    EXPECT_TRUE(std::holds_alternative<CertificateLife>(read)) << std::get<std::string>(read);
    return std::get<CertificateLife>(read);
  }
  static std::string Text(const std::string& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }

  TempFolder folder_;
  Authority authority_{folder_ / "authority"};
  const std::string file_ = authority_.Certificate("ours");
};

TEST_F(CertificateWatchTest, TwoDaysOfLifeAreReadAsTwoDays) {
  const CertificateLife life = Life(file_);
  EXPECT_EQ(life.ends - life.begins, hours(48));
}

TEST_F(CertificateWatchTest, AChainEndsWithWhatEndsFirst) {
  authority_.Sign("late", {.expired = true});
  WriteFile(folder_ / "chain.pem", Text(file_) + Text(authority_.Certificate("late")));
  EXPECT_EQ(Life(folder_ / "chain.pem").ends, Life(authority_.Certificate("late")).ends);
}

TEST_F(CertificateWatchTest, WarnsFromTheLastFifthOfItsLifeOnADayApart) {
  const auto ends = Life(file_).ends;
  CertificateWatch watch(file_);
  EXPECT_EQ(watch.ends_unix_s(), 0);
  EXPECT_EQ(watch.Look(ends - hours(10)), std::nullopt);
  EXPECT_EQ(watch.ends_unix_s(), ends.time_since_epoch().count());
  EXPECT_THAT(watch.Look(ends - hours(9)), Optional(AllOf(HasSubstr(file_), HasSubstr("expires in 9 hours"))));
  EXPECT_EQ(watch.Look(ends - hours(8)), std::nullopt);
  EXPECT_THAT(watch.Look(ends + minutes(3)), Optional(HasSubstr("expired 3 minutes ago")));
  EXPECT_EQ(watch.Look(ends + hours(24)), std::nullopt);
  EXPECT_THAT(watch.Look(ends + hours(25)), Optional(HasSubstr("expired 25 hours ago")));
}

TEST_F(CertificateWatchTest, OneThatIsRenewedIsFineAgain) {
  authority_.Sign("late", {.expired = true});
  const std::string late = authority_.Certificate("late");
  const auto now = std::chrono::system_clock::now();
  CertificateWatch watch(late);
  EXPECT_THAT(watch.Look(now), Optional(HasSubstr("expired ")));
  WriteFile(late, Text(file_));
  EXPECT_EQ(watch.Look(now + seconds(1)), std::nullopt) << "it does not look all the time";
  EXPECT_EQ(watch.Look(now + seconds(10)), std::nullopt);
  EXPECT_EQ(watch.ends_unix_s(), Life(file_).ends.time_since_epoch().count());
}

TEST_F(CertificateWatchTest, WhatCannotBeReadIsSaidOnceAndTheLastTimeStays) {
  const auto now = std::chrono::system_clock::now();
  CertificateWatch watch(file_);
  watch.Look(now);
  const auto ends = watch.ends_unix_s();
  WriteFile(file_, "no certificate\n");
  EXPECT_THAT(watch.Look(now + seconds(10)), Optional(HasSubstr("holds no certificate in PEM form")));
  EXPECT_EQ(watch.Look(now + seconds(20)), std::nullopt);
  EXPECT_EQ(watch.ends_unix_s(), ends);
  CertificateWatch missing(folder_ / "missing.pem");
  EXPECT_THAT(missing.Look(now), Optional(HasSubstr("cannot be read: No such file")));
}

TEST_F(CertificateWatchTest, WithoutAFileThereIsNothingToSay) {
  CertificateWatch watch("");
  EXPECT_EQ(watch.Look(), std::nullopt);
  EXPECT_EQ(watch.ends_unix_s(), 0);
}

}  // namespace
}  // namespace sluice
