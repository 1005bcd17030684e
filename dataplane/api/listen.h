// Opens listening sockets at the addresses that an operator names. Runs on the control thread.
#ifndef SLUICE_DATAPLANE_API_LISTEN_H_
#define SLUICE_DATAPLANE_API_LISTEN_H_

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice {

bool IsUnixAddress(std::string_view address);
// Returns "unix:PATH" without "unix:".
std::string UnixPathOf(std::string_view address);

// Checks the form of "unix:PATH" or "HOST:PORT". The error says which form is right.
std::optional<std::string> CheckAddress(const std::string& address);

struct Listening {
  std::vector<int> fds;  // one for each address of the host's name; the caller closes them
  int port = 0;          // the TCP port; 1 for a Unix socket
};

// A Unix socket is open to its owner and group (0660), and replaces a socket at which nobody listens any more. TCP port
// 0 means any free port. The error names the reason and the remedy.
std::variant<Listening, std::string> Listen(const std::string& address);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_LISTEN_H_
