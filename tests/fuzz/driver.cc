// Runs a fuzzer on its seeds, then on random mutations of them for a time: `NAME_fuzz [--seconds N] [--seed N]
// [FILE...]`. With FILEs it runs these instead, which is how a failure is looked into. `--write-seeds DIR` writes the
// seeds as a corpus for libFuzzer. An input that ends the process is left in ./NAME_fuzz.failed.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>

#include "fuzz/fuzz.h"

namespace {

using Input = std::vector<std::uint8_t>;

constexpr std::size_t kMaxInput = 16 * 1024;

const Input* running = nullptr;
std::string failed_path;

// Only what a signal handler may call.
void SaveRunning(int signal) {
  if (std::FILE* file = std::fopen(failed_path.c_str(), "wb"); file != nullptr && running != nullptr) {
    std::fwrite(running->data(), 1, running->size(), file);
    std::fclose(file);
    std::fprintf(stderr, "the input is in %s\n", failed_path.c_str());
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void Run(const Input& input) {
  running = &input;
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

class Mutator {
 public:
  Mutator(std::vector<Input> seeds, std::uint64_t seed) : seeds_(std::move(seeds)), random_(seed) {}

  Input Next() {
    Input input = seeds_[Below(seeds_.size())];
    for (std::size_t count = 1 + Below(5); count > 0; --count) Change(input);
    return input;
  }

 private:
  std::size_t Below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }

  void Change(Input& input) {
    static constexpr std::uint8_t kTelling[] = {0,  1,  2,    4,    5,    7,    8,    15,  16,
                                                20, 40, 0x45, 0x60, 0x7f, 0x80, 0xfe, 0xff};
    const std::size_t at = Below(input.size() + 1);
    const auto place = input.begin() + static_cast<std::ptrdiff_t>(at);
    switch (Below(7)) {
      case 0:
        if (at < input.size()) input[at] ^= static_cast<std::uint8_t>(1 << Below(8));
        break;
      case 1:
        if (at < input.size()) input[at] = kTelling[Below(std::size(kTelling))];
        break;
      case 2:
        if (at < input.size()) input[at] = static_cast<std::uint8_t>(random_());
        break;
      case 3:
        input.resize(at);
        break;
      case 4:
        if (input.size() < kMaxInput) input.insert(place, 1 + Below(16), static_cast<std::uint8_t>(random_()));
        break;
      case 5:
        input.erase(place,
                    place + static_cast<std::ptrdiff_t>(Below(std::min<std::size_t>(16, input.size() - at) + 1)));
        break;
      default: {  // the end of another seed
        const Input& other = seeds_[Below(seeds_.size())];
        const auto from = other.begin() + static_cast<std::ptrdiff_t>(Below(other.size() + 1));
        if (input.size() + other.size() < kMaxInput) input.insert(place, from, other.end());
        break;
      }
    }
  }

  std::vector<Input> seeds_;
  std::mt19937_64 random_;
};

Input ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "%s: cannot be read\n", path.c_str());
    std::exit(2);
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteSeeds(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  int number = 0;
  for (const Input& seed : FuzzSeeds()) {
    std::ofstream file(folder / ("seed-" + std::to_string(number++)), std::ios::binary);
    file.write(reinterpret_cast<const char*>(seed.data()), static_cast<std::streamsize>(seed.size()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  using Clock = std::chrono::steady_clock;
  std::uint64_t seed = 1;
  double seconds = 5;
  std::vector<Input> inputs;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const bool has_value = i + 1 < argc;
    if (argument == "--seconds" && has_value) {
      seconds = std::atof(argv[++i]);
    } else if (argument == "--seed" && has_value) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (argument == "--write-seeds" && has_value) {
      WriteSeeds(argv[++i]);
      return 0;
    } else {
      inputs.push_back(ReadFile(argv[i]));
    }
  }
  failed_path = std::filesystem::path(argv[0]).filename().string() + ".failed";
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(signal, SaveRunning);
  if (!inputs.empty()) {
    for (const Input& input : inputs) Run(input);
    return 0;
  }
  const std::vector<Input> seeds = FuzzSeeds();
  for (const Input& input : seeds) Run(input);
  Mutator mutator(seeds, seed);
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  std::uint64_t count = seeds.size();
  for (; Clock::now() < end; ++count) Run(mutator.Next());
  std::printf("%llu inputs, no failure\n", static_cast<unsigned long long>(count));
  return 0;
}
