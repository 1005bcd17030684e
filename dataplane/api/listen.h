// Sockets that listen, at the addresses that an operator names. The control thread.
#ifndef SLUICE_DATAPLANE_API_LISTEN_H_
#define SLUICE_DATAPLANE_API_LISTEN_H_

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice {

bool IsUnixAddress(std::string_view address);
// "unix:PATH" less "unix:".
std::string UnixPathOf(std::string_view address);

// Checks the form of "unix:PATH" or "HOST:PORT". The error says which form is right.
std::optional<std::string> CheckAddress(const std::string& address);

struct Listening {
  std::vector<int> fds;  // the caller's to close: one for each address that the host's name stands for
  int port = 0;          // of TCP, 1 for a Unix socket
};

// A Unix socket is for its owner and the group (0660), and takes the place of one at which nobody listens any more. A
// TCP port of 0 is any free one. The error names the reason and the remedy.
std::variant<Listening, std::string> Listen(const std::string& address);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_LISTEN_H_
