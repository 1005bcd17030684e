#include "start.h"

#include <cstdio>
#include <string>
#include <utility>
#include <variant>

#include "edge/eal.h"

namespace sluice {
namespace {

void Say(std::string_view program, std::string_view line) {
  std::fprintf(stderr, "%.*s: %.*s\n", static_cast<int>(program.size()), program.data(), static_cast<int>(line.size()),
               line.data());
}

bool Start(std::string_view program, EalSettings eal) {
  const auto error = StartEal(eal, [&](std::string_view line) { Say(program, line); });
  if (error) Say(program, *error);
  return !error;
}

}  // namespace

bool StartOnOneCore(std::string_view program) {
  const std::vector<std::uint32_t> cores = std::get<0>(CoresOf({}));
  EalSettings eal;
  eal.cores = {cores.back(), cores.back()};
  return Start(program, std::move(eal));
}

bool StartOnFirstCore(std::string_view program) {
  const std::vector<std::uint32_t> cores = std::get<0>(CoresOf({}));
  EalSettings eal;
  eal.cores = {cores.front(), cores.front()};
  return Start(program, std::move(eal));
}

bool StartOnTwoCores(std::string_view program, std::uint32_t memory_mb) {
  EalSettings eal;
  eal.cores = std::get<0>(CoresOf({}));
  eal.memory_mb = memory_mb;
  return Start(program, std::move(eal));
}

}  // namespace sluice
