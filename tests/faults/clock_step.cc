// Steps the clock of the day for one program, as an operator or a time server does for the whole machine, which no test
// may do: no namespace has that clock. Loaded in front of the C library (LD_PRELOAD), it adds the nanoseconds that the
// file SLUICE_TEST_CLOCK holds to every reading of CLOCK_REALTIME, and takes them off every deadline of that clock that
// the program hands to the kernel. The steady clock stays as it is, as in life.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdint>
#include <cstdlib>

namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

template <typename Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

const volatile std::int64_t* MapStep() {
  static const std::int64_t kNone = 0;
  const char* path = std::getenv("SLUICE_TEST_CLOCK");
  const int file = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  void* map = file < 0 ? MAP_FAILED : mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, file, 0);
  return map == MAP_FAILED ? &kNone : static_cast<const volatile std::int64_t*>(map);
}

std::int64_t StepNs() {
  static const volatile std::int64_t* const kStep = MapStep();
  return *kStep;
}

void Shift(timespec& time, std::int64_t by_ns) {
  const std::int64_t ns = time.tv_sec * kNsPerSecond + time.tv_nsec + by_ns;
  time.tv_sec = ns / kNsPerSecond;
  time.tv_nsec = ns % kNsPerSecond;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static const auto kNext = Next<int(clockid_t, timespec*)>("clock_gettime");
  const int result = kNext(clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) Shift(*time, StepNs());
  return result;
}

int gettimeofday(timeval* now, void*) noexcept {
  timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  *now = {time.tv_sec, time.tv_nsec / 1000};
  return 0;
}

time_t time(time_t* seconds) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (seconds != nullptr) *seconds = now.tv_sec;
  return now.tv_sec;
}

// gRPC's condition variables wait by the clock of the day.
int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* deadline) {
  static const auto kNext =
      Next<int(pthread_cond_t*, pthread_mutex_t*, clockid_t, const timespec*)>("pthread_cond_clockwait");
  // One whose clock is the steady one has deadlines that are no days of this century.
  constexpr time_t kYear2000 = 946'684'800;
  if (deadline->tv_sec < kYear2000) return kNext(condition, mutex, CLOCK_MONOTONIC, deadline);
  timespec real = *deadline;
  Shift(real, -StepNs());
  return kNext(condition, mutex, CLOCK_REALTIME, &real);
}

long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  long arguments[6];
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  static const auto kNext = Next<long(long, ...)>("syscall");
  timespec real;
  const auto* deadline = reinterpret_cast<const timespec*>(arguments[3]);
  if (number == SYS_futex && (arguments[1] & FUTEX_CLOCK_REALTIME) != 0 && deadline != nullptr) {
    real = *deadline;
    Shift(real, -StepNs());
    arguments[3] = reinterpret_cast<long>(&real);
  }
  return kNext(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

}  // extern "C"
