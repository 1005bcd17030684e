// What a fuzzer defines: LLVM's libFuzzer's entry point, and the inputs to start from.
//
// Each NAME_fuzz.cc is linked with libFuzzer in the fuzz build (clang), and with driver.cc in all others.
#ifndef SLUICE_TESTS_FUZZ_FUZZ_H_
#define SLUICE_TESTS_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdint>
#include <vector>

// Runs the code under test on one input. A failure ends the process (abort, or a sanitizer's report). Returns 0.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// Inputs that mutation starts from; at least one.
std::vector<std::vector<std::uint8_t>> FuzzSeeds();

#endif  // SLUICE_TESTS_FUZZ_FUZZ_H_
