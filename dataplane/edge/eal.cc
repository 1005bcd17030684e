#include "edge/eal.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>

namespace sluice {
namespace {

// DPDK logs to one stream for the whole process. Its last lines say why DPDK refused something.
class MessageLog {
 public:
  void Append(std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    for (const char c : bytes) {
      if (c != '\n') {
        line_ += c;
      } else if (!line_.empty()) {
        lines_.push_back(std::move(line_));
        line_.clear();
        if (lines_.size() > kKept) lines_.pop_front();
      }
    }
  }

  std::string Take() {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const std::string& line : lines_) text += (text.empty() ? "" : "; ") + line;
    lines_.clear();
    return text;
  }

 private:
  static constexpr std::size_t kKept = 4;

  std::mutex mutex_;
  std::string line_;
  std::deque<std::string> lines_;
};

MessageLog& DpdkLog() {
  static MessageLog log;
  return log;
}

ssize_t WriteToLog(void*, const char* bytes, std::size_t size) {
  DpdkLog().Append({bytes, size});
  return static_cast<ssize_t>(size);
}

std::vector<std::uint32_t> AllowedCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<std::uint32_t> cores;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cores;
  for (std::uint32_t core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

std::string Join(const std::vector<std::uint32_t>& numbers) {
  std::string text;
  for (const std::uint32_t number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

// Gives "0@2,1@3": EAL's core 0 is CPU 2, and so on. In this form, several of EAL's cores may share a CPU.
std::string LcoreList(const std::vector<std::uint32_t>& cores) {
  std::string text;
  for (std::size_t i = 0; i < cores.size(); ++i) {
    text += (i == 0 ? "" : ",") + std::to_string(i) + "@" + std::to_string(cores[i]);
  }
  return text;
}

}  // namespace

std::variant<std::vector<std::uint32_t>, std::string> CoresOf(const std::vector<std::uint32_t>& wanted) {
  const std::vector<std::uint32_t> allowed = AllowedCores();
  std::vector<std::uint32_t> cores = wanted;
  if (cores.empty()) cores.assign(allowed.begin(), allowed.begin() + std::min<std::ptrdiff_t>(2, std::ssize(allowed)));
  for (const std::uint32_t core : cores) {
    if (!std::binary_search(allowed.begin(), allowed.end(), core)) {
      return "core " + std::to_string(core) + ": this process may use " + Join(allowed) + " only";
    }
  }
  if (cores.size() == 1) cores.push_back(cores[0]);
  return cores;
}

std::uint64_t FreeHugepageMb() {
  std::uint64_t free_kb = 0;
  std::error_code error;
  for (const auto& folder : std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", error)) {
    constexpr std::string_view kPrefix = "hugepages-";
    std::uint64_t pages = 0;
    std::ifstream(folder.path() / "free_hugepages") >> pages;
    free_kb += pages * std::strtoull(folder.path().filename().c_str() + kPrefix.size(), nullptr, 10);
  }
  return free_kb / 1024;
}

std::optional<std::string> StartEal(const EalSettings& settings, const std::function<void(std::string_view)>& say) {
  cookie_io_functions_t functions{};
  functions.write = WriteToLog;
  std::FILE* stream = fopencookie(nullptr, "w", functions);
  if (stream == nullptr || rte_openlog_stream(stream) != 0) return "DPDK's log cannot be redirected: out of memory";
  std::setvbuf(stream, nullptr, _IOLBF, 0);

  bool no_huge = settings.no_huge;
  if (const std::uint64_t free_mb = FreeHugepageMb(); !no_huge && free_mb < settings.memory_mb) {
    no_huge = true;
    say("hugepages: " + std::to_string(free_mb) + " MB are free, " + std::to_string(settings.memory_mb) +
        " MB are wanted: running on ordinary memory (as with --no-huge); to have them: echo " +
        std::to_string(settings.memory_mb / 2 + 1) + " > /proc/sys/vm/nr_hugepages");
  }

  std::vector<std::string> arguments = {"sluiced",
                                        "--no-telemetry",
                                        "--file-prefix=sluice-" + std::to_string(getpid()),
                                        "--log-level=notice",
                                        "--lcores=" + LcoreList(settings.cores),
                                        "--main-lcore=0"};
  // Nothing is left on disk in either case. DPDK does not accept both options together.
  if (no_huge) {
    arguments.insert(arguments.end(), {"--no-huge", "--no-shconf", "-m", std::to_string(settings.memory_mb)});
  } else {
    arguments.push_back("--in-memory");
  }
  if (settings.pci_addresses.empty()) arguments.push_back("--no-pci");
  for (const std::string& address : settings.pci_addresses) arguments.insert(arguments.end(), {"-a", address});

  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) {
    return std::string("DPDK does not start: ") + rte_strerror(rte_errno) + " (" + TakeDpdkMessages() + ")";
  }
  TakeDpdkMessages();
  return std::nullopt;
}

std::string TakeDpdkMessages() { return DpdkLog().Take(); }

}  // namespace sluice
