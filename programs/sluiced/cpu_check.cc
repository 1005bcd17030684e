// Refuses a processor that cannot run the rest of the program, before any of the rest runs.
//
// Only this file is compiled for the baseline of its architecture (see CMakeLists.txt). It uses nothing that is not,
// and runs before every other static initializer of the program.
#include <unistd.h>

#include <cstdlib>

namespace {

#if defined(__x86_64__)
bool ProcessorFits() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
         __builtin_cpu_supports("fma") && __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("sse4.2");
}
#else
bool ProcessorFits() { return true; }
#endif

[[gnu::constructor(101)]] void RefuseOldProcessor() {
  if (ProcessorFits()) return;
  constexpr char kText[] =
      "sluiced: this processor lacks instructions that sluiced is built for (x86-64-v3: AVX2, BMI, BMI2, FMA); "
      "use a processor of 2013 (Intel Haswell), 2015 (AMD Excavator) or later, or build without -march=x86-64-v3\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText, sizeof kText - 1);
  _exit(EXIT_FAILURE);
}

}  // namespace
