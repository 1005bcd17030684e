#include "support/packet_script.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <sstream>
#include <stdexcept>

namespace sluice {
namespace {

using Words = std::vector<std::string>;

Words SplitAt(std::string_view text, std::string_view separator) {
  Words parts;
  for (std::size_t at = 0;;) {
    const std::size_t end = text.find(separator, at);
    parts.emplace_back(text.substr(at, end - at));
    if (end == std::string_view::npos) return parts;
    at = end + separator.size();
  }
}

Words WordsOf(const std::string& text) {
  std::istringstream stream(text);
  Words words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::uint64_t Number(const std::string& text) {
  std::size_t used = 0;
  const std::uint64_t value = std::stoull(text, &used, 0);
  if (used != text.size()) throw std::invalid_argument("not a number: " + text);
  return value;
}

template <typename T>
T Number(const std::string& text) {
  return static_cast<T>(Number(text));
}

ByteVector Hex(const std::string& text) {
  if (text.size() % 2 != 0) throw std::invalid_argument("hex digits come in pairs: " + text);
  ByteVector bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) bytes.push_back(Number<std::uint8_t>("0x" + text.substr(i, 2)));
  return bytes;
}

// "ID:OFFSET" or "ID:OFFSET+".
struct FragmentPlace {
  explicit FragmentPlace(std::string text) {
    if (text.ends_with('+')) {
      more = true;
      text.pop_back();
    }
    const Words parts = SplitAt(text, ":");
    id = Number<std::uint32_t>(parts.at(0));
    offset = Number<std::uint16_t>(parts.at(1));
  }
  std::uint32_t id = 0;
  std::uint16_t offset = 0;
  bool more = false;
};

std::uint8_t TcpFlags(const std::string& text) {
  static const std::map<std::string, std::uint8_t> kFlags = {{"none", 0},      {"FIN", kTcpFin}, {"SYN", kTcpSyn},
                                                             {"RST", kTcpRst}, {"PSH", kTcpPsh}, {"ACK", kTcpAck},
                                                             {"URG", kTcpUrg}, {"ECE", 64},      {"CWR", 128}};
  std::uint8_t flags = 0;
  for (const std::string& name : SplitAt(text, ",")) flags |= kFlags.at(name);
  return flags;
}

// One layer's words: positional ones, and key=value. Each must be asked for, else it is a mistake.
class Layer {
 public:
  explicit Layer(const std::string& text) {
    for (const std::string& word : WordsOf(text)) {
      const std::size_t equals = word.find('=');
      if (word == ">") continue;
      if (equals == std::string::npos) {
        positional_.push_back(word);
      } else {
        values_[word.substr(0, equals)] = word.substr(equals + 1);
      }
    }
  }

  const std::string& name() const { return positional_.at(0); }
  const std::string& At(std::size_t index) {
    asked_ = std::max(asked_, index + 1);
    return positional_.at(index);
  }
  bool Has(std::size_t index) const { return index < positional_.size(); }
  // Calls `use` with the value of `key` where it is given.
  void Take(const std::string& key, const std::function<void(const std::string&)>& use) {
    if (const auto found = values_.find(key); found != values_.end()) {
      use(found->second);
      values_.erase(found);
    }
  }
  std::string Value(const std::string& key, const std::string& otherwise) {
    std::string value = otherwise;
    Take(key, [&value](const std::string& given) { value = given; });
    return value;
  }
  void RequireAllUsed() const {
    if (!values_.empty()) throw std::invalid_argument(name() + " has no " + values_.begin()->first + "=");
    if (asked_ < positional_.size()) throw std::invalid_argument("what is " + positional_[asked_] + "?");
  }

 private:
  Words positional_;
  std::map<std::string, std::string> values_;
  std::size_t asked_ = 1;
};

class Line {
 public:
  // `text`: layers only. Returns the frame.
  ByteVector Build(const std::string& text) {
    const Words layers = SplitAt(text, " / ");
    if (Layer(layers.front()).name() != "eth") builder_.Ethernet();
    for (const std::string& words : layers) {
      Layer layer(words);
      const auto add = kLayers().find(layer.name());
      if (add == kLayers().end()) throw std::invalid_argument("no layer is called " + layer.name());
      add->second(*this, layer);
      layer.RequireAllUsed();
    }
    return builder_.Bytes();
  }

 private:
  using Add = void (*)(Line&, Layer&);

  static const std::map<std::string, Add>& kLayers() {
    static const std::map<std::string, Add> kMap = {
        {"eth",
         [](Line& line, Layer& layer) {
           line.builder_.Ethernet(layer.At(1), layer.At(2));
           line.EtherType(layer);
         }},
        {"vlan",
         [](Line& line, Layer& layer) {
           line.builder_.Vlan(Number<std::uint16_t>(layer.At(1)), Number<std::uint16_t>(layer.Value("tpid", "0x8100")));
           line.EtherType(layer);
         }},
        {"arp", [](Line& line, Layer& layer) { line.builder_.Arp(layer.At(1), layer.At(2)); }},
        {"ipv4",
         [](Line& line, Layer& layer) {
           line.builder_.Ipv4(layer.At(1), layer.At(2));
           line.Ip(layer);
         }},
        {"ipv6",
         [](Line& line, Layer& layer) {
           line.builder_.Ipv6(layer.At(1), layer.At(2));
           line.Ip(layer);
         }},
        {"hop-by-hop",
         [](Line& line, Layer& layer) {
           line.builder_.HopByHop(OptionsOf(layer));
           line.Extension(layer);
         }},
        {"destination-options",
         [](Line& line, Layer& layer) {
           line.builder_.DestinationOptions(OptionsOf(layer));
           line.Extension(layer);
         }},
        {"routing",
         [](Line& line, Layer& layer) {
           line.builder_.Routing(Number<std::uint8_t>(layer.At(1)));
           line.Extension(layer);
         }},
        {"fragment",
         [](Line& line, Layer& layer) {
           const FragmentPlace place(layer.At(1));
           line.builder_.FragmentHeader(place.id, place.offset, place.more);
           line.Extension(layer);
         }},
        {"ah",
         [](Line& line, Layer& layer) {
           line.builder_.AuthenticationHeader();
           line.Extension(layer);
         }},
        {"extension",
         [](Line& line, Layer& layer) {
           line.builder_.Extension(Number<std::uint8_t>(layer.At(1)));
           line.Extension(layer);
         }},
        {"tcp", [](Line& line, Layer& layer) { line.Tcp(layer); }},
        {"udp",
         [](Line& line, Layer& layer) {
           PacketBuilder& builder = line.builder_;
           builder.Udp(Number<std::uint16_t>(layer.At(1)), Number<std::uint16_t>(layer.At(2)));
           layer.Take("length", [&](const auto& value) { builder.UdpLength(Number<std::uint16_t>(value)); });
           layer.Take("checksum", [&](const auto& value) { builder.L4Checksum(Number<std::uint16_t>(value)); });
         }},
        {"sctp",
         [](Line& line, Layer& layer) {
           line.builder_.Sctp(Number<std::uint16_t>(layer.At(1)), Number<std::uint16_t>(layer.At(2)),
                              Number<std::uint32_t>(layer.Value("tag", "1")));
         }},
        {"init", [](Line& line, Layer&) { line.builder_.InitChunk(); }},
        {"chunk",
         [](Line& line, Layer& layer) {
           std::optional<std::uint16_t> length;
           layer.Take("length", [&](const auto& value) { length = Number<std::uint16_t>(value); });
           line.builder_.Chunk(Number<std::uint8_t>(layer.At(1)), Hex(layer.Value("hex", "")), length);
         }},
        {"icmp",
         [](Line& line, Layer& layer) {
           line.builder_.Icmp(Number<std::uint8_t>(layer.At(1)), Number<std::uint8_t>(layer.At(2)),
                              Number<std::uint32_t>(layer.Value("rest", "0")));
         }},
        {"icmpv6",
         [](Line& line, Layer& layer) {
           line.builder_.Icmpv6(Number<std::uint8_t>(layer.At(1)), Number<std::uint8_t>(layer.At(2)),
                                Number<std::uint32_t>(layer.Value("rest", "0")));
         }},
        {"payload", [](Line& line, Layer& layer) { line.builder_.Payload(Number<std::size_t>(layer.At(1))); }},
        {"hex", [](Line& line, Layer& layer) { line.builder_.Payload(Hex(layer.At(1))); }},
        {"address",
         [](Line& line, Layer& layer) {
           const auto address = IpAddress::Parse(layer.At(1));
           if (!address) throw std::invalid_argument("not an address: " + layer.At(1));
           ByteVector bytes(address->is_v4() ? 4 : 16);
           address->CopyBytes(bytes.data());
           line.builder_.Payload(bytes);
         }},
    };
    return kMap;
  }

  void EtherType(Layer& layer) {
    layer.Take("type", [this](const auto& value) { builder_.EtherType(Number<std::uint16_t>(value)); });
  }

  void Ip(Layer& layer) {
    layer.Take("version", [this](const auto& value) { builder_.Version(Number<std::uint8_t>(value)); });
    layer.Take("hop", [this](const auto& value) { builder_.HopLimit(Number<std::uint8_t>(value)); });
    layer.Take("proto", [this](const auto& value) { builder_.Protocol(Number<std::uint8_t>(value)); });
    layer.Take("total", [this](const auto& value) { builder_.TotalLength(Number<std::uint16_t>(value)); });
    layer.Take("options", [this](const auto& value) { builder_.Options(Hex(value)); });
    layer.Take("words", [this](const auto& value) { builder_.HeaderWords(Number<std::uint8_t>(value)); });
    layer.Take("id", [this](const auto& value) { builder_.Identification(Number<std::uint16_t>(value)); });
    layer.Take("checksum", [this](const auto& value) { builder_.IpChecksum(Number<std::uint16_t>(value)); });
    layer.Take("fragment", [this](const auto& value) {
      const FragmentPlace place(value);
      builder_.FragmentOf(static_cast<std::uint16_t>(place.id), place.offset, place.more);
    });
    if (layer.Has(3) && layer.At(3) == "df") builder_.DontFragment();
  }

  static ByteVector OptionsOf(Layer& layer) {
    ByteVector options = Hex(layer.Value("options", ""));
    layer.Take("router-alert", [&](const auto& value) { options = RouterAlert(Number<std::uint16_t>(value)); });
    return options;
  }

  void Extension(Layer& layer) {
    layer.Take("length", [this](const auto& value) { builder_.ExtensionLength(Number<std::uint8_t>(value)); });
    layer.Take("proto", [this](const auto& value) { builder_.Protocol(Number<std::uint8_t>(value)); });
  }

  void Tcp(Layer& layer) {
    builder_.Tcp(Number<std::uint16_t>(layer.At(1)), Number<std::uint16_t>(layer.At(2)), TcpFlags(layer.At(3)),
                 Number<std::uint32_t>(layer.Value("seq", "1")), Number<std::uint32_t>(layer.Value("ack", "0")));
    layer.Take("options", [this](const auto& value) { builder_.Options(Hex(value)); });
    layer.Take("words", [this](const auto& value) { builder_.HeaderWords(Number<std::uint8_t>(value)); });
    layer.Take("window", [this](const auto& value) { builder_.Window(Number<std::uint16_t>(value)); });
  }

  PacketBuilder builder_;
};

// The frames that `operation` makes of one.
std::vector<ByteVector> Apply(const std::string& operation, ByteVector frame) {
  Layer words(operation);
  std::vector<ByteVector> frames;
  if (words.name() == "cut") {
    frame.resize(Number<std::size_t>(words.At(1)));
    frames.push_back(std::move(frame));
  } else if (words.name() == "split") {
    const std::string id = words.Value("id", "1");
    const auto fragments = SplitIntoFragments(frame, Number<std::size_t>(words.At(1)), Number<std::uint32_t>(id));
    const std::string order = words.Value("order", "");
    if (order.empty()) {
      frames = fragments;
    } else {
      for (const std::string& index : SplitAt(order, ",")) frames.push_back(fragments.at(Number<std::size_t>(index)));
    }
  } else {
    throw std::invalid_argument("no operation is called " + words.name());
  }
  words.RequireAllUsed();
  return frames;
}

std::string Trim(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

void AddLine(const std::string& text, int number, std::vector<ScriptedPacket>& packets) {
  const Words sides = SplitAt(text, "->");
  if (sides.size() != 2) throw std::invalid_argument("a line ends in `-> VERDICT STATE-OR-REASON`");
  const Words operations = SplitAt(sides[0], "|");
  const std::string head = Trim(operations[0]);
  const std::size_t blank = head.find_first_of(" \t");
  if (blank == std::string::npos) throw std::invalid_argument("a line is `SECONDS LAYERS -> EXPECTATION`");
  const auto time_us = static_cast<std::uint64_t>(std::llround(std::stod(head.substr(0, blank)) * 1e6));
  std::vector<ByteVector> frames = {Line().Build(Trim(head.substr(blank)))};
  for (std::size_t i = 1; i < operations.size(); ++i) {
    std::vector<ByteVector> results;
    for (ByteVector& frame : frames) {
      for (ByteVector& result : Apply(operations[i], std::move(frame))) results.push_back(std::move(result));
    }
    frames = std::move(results);
  }
  const Words expected = SplitAt(sides[1], ",");
  for (const std::string& words : expected) {
    if (WordsOf(words).size() != 2) throw std::invalid_argument("an expectation is two words: " + words);
  }
  for (std::size_t i = 0; i < frames.size(); ++i) {
    packets.push_back({time_us, std::move(frames[i]), Trim(expected[std::min(i, expected.size() - 1)]), number});
  }
}

void Append32(std::string& bytes, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(value >> shift));
}

}  // namespace

std::vector<ScriptedPacket> ParsePacketScript(std::string_view text) {
  std::vector<ScriptedPacket> packets;
  std::string pending;
  int pending_line = 0;
  const auto finish = [&] {
    try {
      if (!pending.empty()) AddLine(pending, pending_line, packets);
    } catch (const std::exception& error) {
      throw std::runtime_error("line " + std::to_string(pending_line) + ": " + error.what() + ": " + pending);
    }
    pending.clear();
  };
  int number = 0;
  for (const std::string& line : SplitAt(text, "\n")) {
    ++number;
    if (Trim(line).empty() || line.starts_with('#')) continue;
    if (line[0] == ' ' || line[0] == '\t') {
      pending += " " + Trim(line);
      continue;
    }
    finish();
    pending = line;
    pending_line = number;
  }
  finish();
  return packets;
}

std::string WritePcap(const std::vector<ScriptedPacket>& packets) {
  constexpr std::uint32_t kMagic = 0xa1b2c3d4, kVersion = 2 | 4 << 16, kSnapLength = 262144, kEthernet = 1;
  std::string bytes;
  for (const std::uint32_t word : {kMagic, kVersion, 0u, 0u, kSnapLength, kEthernet}) Append32(bytes, word);
  for (const ScriptedPacket& packet : packets) {
    const auto size = static_cast<std::uint32_t>(packet.bytes.size());
    Append32(bytes, static_cast<std::uint32_t>(packet.time_us / 1'000'000));
    Append32(bytes, static_cast<std::uint32_t>(packet.time_us % 1'000'000));
    Append32(bytes, size);
    Append32(bytes, size);
    bytes.append(packet.bytes.begin(), packet.bytes.end());
  }
  return bytes;
}

}  // namespace sluice
