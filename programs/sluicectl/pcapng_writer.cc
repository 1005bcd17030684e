#include "sluicectl/pcapng_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace sluice {
namespace {

// Block types and options, by their numbers in the draft.
constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr std::uint32_t kInterfaceDescription = 1;
constexpr std::uint32_t kNameResolution = 4;
constexpr std::uint32_t kEnhancedPacket = 6;
constexpr std::uint16_t kOptionEnd = 0;
constexpr std::uint16_t kOptionComment = 1;
constexpr std::uint16_t kOptionUserApplication = 4;  // of a section
constexpr std::uint16_t kOptionName = 2;             // of an interface
constexpr std::uint16_t kOptionTimeResolution = 9;   // ... 10^-n s
constexpr std::uint16_t kOptionVerdict = 7;          // of a packet
constexpr char kVerdictOfXdp = 2;                    // type of a verdict: Linux's XDP actions
constexpr std::uint64_t kXdpDrop = 1;
constexpr std::uint64_t kXdpPass = 2;
constexpr std::uint16_t kNameOfIpv4 = 1;
constexpr std::uint16_t kNameOfIpv6 = 2;
constexpr std::uint16_t kLinkTypeEthernet = 1;
constexpr std::size_t kMostTextBytes = 4096;  // for a comment or a name; lengths have 16 bits

// In this machine's byte order, which the section header states.
template <typename Number>
void Add(std::string& body, Number number) {
  body.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void Pad(std::string& body) { body.resize((body.size() + 3) & ~std::size_t{3}, '\0'); }

// Options, and the records of a name resolution block, have the same form.
void AddOption(std::string& body, std::uint16_t code, std::string_view value) {
  Add(body, code);
  Add(body, static_cast<std::uint16_t>(value.size()));
  body += value;
  Pad(body);
}

}  // namespace

PcapngWriter::~PcapngWriter() {
  if (is_new_ && !has_begun_) unlink(path_.c_str());
}

std::optional<Diagnostic> PcapngWriter::Open(const std::string& path) {
  path_ = path;
  if (path == "-") {
    file_.reset(stdout);
    return std::nullopt;
  }
  constexpr mode_t kMode = 0666;  // without what the user's umask removes
  int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kMode);
  is_new_ = fd >= 0;
  if (!is_new_ && errno == EEXIST) fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd >= 0) file_.reset(fdopen(fd, "wb"));
  if (file_ == nullptr) error_ = errno;
  return Flush();
}

std::optional<Diagnostic> PcapngWriter::Begin(std::string_view application) {
  has_begun_ = true;
  // Only files can be cut, not pipes.
  if (struct stat status{}; fstat(fileno(file_.get()), &status) == 0 && S_ISREG(status.st_mode) && path_ != "-" &&
                            ftruncate(fileno(file_.get()), 0) != 0) {
    error_ = errno;
  }
  std::string body;
  Add(body, std::uint32_t{0x1a2b3c4d});
  Add(body, std::uint16_t{1});
  Add(body, std::uint16_t{0});
  Add(body, ~std::uint64_t{0});  // the section's length is unknown
  AddOption(body, kOptionUserApplication, application);
  AddOption(body, kOptionEnd, "");
  WriteBlock(kSectionHeader, std::move(body));
  return Flush();
}

void PcapngWriter::Name(std::string_view address, std::string_view name) {
  name = name.substr(0, kMostTextBytes);
  if (name.empty() || (address.size() != 4 && address.size() != 16)) return;
  const auto known = names_.find(address);
  if (known != names_.end() && known->second == name) return;
  names_.insert_or_assign(std::string(address), std::string(name));
  std::string record(address);
  record += name;
  record += '\0';
  std::string body;
  AddOption(body, address.size() == 4 ? kNameOfIpv4 : kNameOfIpv6, record);
  AddOption(body, kOptionEnd, "");
  WriteBlock(kNameResolution, std::move(body));
}

std::uint32_t PcapngWriter::InterfaceOf(std::string_view device) {
  const auto known = interfaces_.find(device);
  if (known != interfaces_.end()) return known->second;
  const auto number = static_cast<std::uint32_t>(interfaces_.size());
  interfaces_.emplace(device, number);
  std::string body;
  Add(body, kLinkTypeEthernet);
  Add(body, std::uint16_t{0});
  Add(body, std::uint32_t{0});  // frames may have any length
  AddOption(body, kOptionName, device.substr(0, kMostTextBytes));
  AddOption(body, kOptionTimeResolution, std::string_view("\x09", 1));
  AddOption(body, kOptionEnd, "");
  WriteBlock(kInterfaceDescription, std::move(body));
  return number;
}

void PcapngWriter::Write(const Packet& packet) {
  const std::uint32_t interface = InterfaceOf(packet.device);
  std::string body;
  Add(body, interface);
  Add(body, static_cast<std::uint32_t>(packet.unix_ns >> 32));
  Add(body, static_cast<std::uint32_t>(packet.unix_ns));
  Add(body, static_cast<std::uint32_t>(packet.bytes.size()));
  Add(body, packet.length);
  body += packet.bytes;
  Pad(body);
  AddOption(body, kOptionComment, packet.comment.substr(0, kMostTextBytes));
  std::string verdict(1, kVerdictOfXdp);
  Add(verdict, packet.passed ? kXdpPass : kXdpDrop);
  AddOption(body, kOptionVerdict, verdict);
  AddOption(body, kOptionEnd, "");
  WriteBlock(kEnhancedPacket, std::move(body));
}

void PcapngWriter::WriteBlock(std::uint32_t type, std::string body) {
  const auto length = static_cast<std::uint32_t>(body.size() + 12);
  std::string block;
  Add(block, type);
  Add(block, length);
  block += body;
  Add(block, length);
  if (error_ == 0 && std::fwrite(block.data(), 1, block.size(), file_.get()) != block.size()) error_ = errno;
}

std::optional<Diagnostic> PcapngWriter::Flush() {
  if (error_ == 0 && std::fflush(file_.get()) != 0) error_ = errno;
  if (error_ == 0) return std::nullopt;
  Diagnostic wrong;
  wrong.file = path_;
  wrong.message = std::string("cannot be written: ") + std::strerror(error_);
  return wrong;
}

}  // namespace sluice
