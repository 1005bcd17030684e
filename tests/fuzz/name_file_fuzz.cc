// Any bytes as the file of names: it is whole or it is none, what was read is written and read again as the same, and
// the store takes no more of it than rules ask for.
#include <cstdlib>
#include <sstream>
#include <string>

#include "fuzz/fuzz.h"
#include "names/name_file.h"

namespace sluice {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

NameFile Parse(const std::string& text) {
  std::istringstream in(text);
  return ParseNameFile(in, "names");
}

void Check(const std::string& text) {
  const NameFile file = Parse(text);
  if (!file.problem.empty()) return Require(file.pairs.empty());
  // Sources are made one word when they are written.
  const std::string written = NameFileText(file.pairs);
  const NameFile again = Parse(written);
  Require(again.problem.empty() && again.pairs.size() == file.pairs.size());
  Require(NameFileText(again.pairs) == written);
  for (std::size_t i = 0; i < file.pairs.size(); ++i) {
    LearntPair pair = file.pairs[i];
    pair.source = again.pairs[i].source;
    Require(pair == again.pairs[i]);
  }
  NameStore store({.addresses_a_name = 3, .pairs = 8});
  const NameTime now{1'000'000'000, 1'700'000'000'000'000'000};
  Require(store.Restore(file.pairs, now) == 0);
  store.SetPatterns({"a.example.com", "*.example.org"});
  Require(store.Restore(file.pairs, now) <= file.pairs.size());
  Require(store.counters().kept_pairs <= 8);
  for (const LearntPair& pair : store.List(now, true)) Require(store.AsksFor(pair.name) && !pair.lapsed);
}

}  // namespace
}  // namespace sluice

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sluice::Check(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}

std::vector<std::vector<std::uint8_t>> FuzzSeeds() {
  std::vector<std::vector<std::uint8_t>> seeds;
  for (const std::string text :
       {"sluice names 1\nend 0\n",
        "sluice names 1\na.example.com 192.0.2.1 1699999999000000000 1700000060000000000 10.96.0.10\n"
        "b.example.org 2001:db8::1 1699999999000000000 18446744073709551615 pushed_by_x\nend 2\n",
        "sluice names 1\na.example.com 192.0.2.1 18446744073709551615 1700000060000000000 r\nend 1\n",
        "sluice names 1\nend 192.0.2.1 1 2 r\nend 1\n", "sluice names 2\nend 0\n"}) {
    seeds.emplace_back(text.begin(), text.end());
  }
  return seeds;
}
