#include "resolve/selection_text.h"

#include <openssl/evp.h>

#include <array>
#include <stdexcept>

#include "model/selector_text.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr std::size_t kSpelledBlocks = 16;  // longer lists are named by their hash

std::string BlockText(const CidrBlock& block) {
  std::string text = block.cidr.ToString();
  for (std::size_t i = 0; i < block.excepts.size(); ++i) {
    text += i == 0 ? " except " : ",";
    text += block.excepts[i].ToString();
  }
  return text;
}

void AppendBytes(const Prefix& prefix, std::vector<std::uint8_t>* bytes) {
  std::array<std::uint8_t, 18> packed{};
  packed[0] = static_cast<std::uint8_t>(prefix.base.family);
  packed[1] = prefix.length;
  prefix.base.CopyBytes(packed.data() + 2);
  bytes->insert(bytes->end(), packed.begin(), packed.begin() + 2 + AddressBits(prefix.base.family) / 8);
}

std::string ContentHash(const std::vector<CidrBlock>& blocks) {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(blocks.size() * 16);
  for (const CidrBlock& block : blocks) {
    AppendBytes(block.cidr, &bytes);
    const auto excepts = static_cast<std::uint32_t>(block.excepts.size());
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<std::uint8_t>(excepts >> shift));
    for (const Prefix& except : block.excepts) AppendBytes(except, &bytes);
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("libcrypto offers no SHA-256");
  }
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (int i = 0; i < 16; ++i) {
    text += kHex[digest[i] >> 4];
    text += kHex[digest[i] & 15];
  }
  return text;
}

}  // namespace

std::string PodsText(std::string_view namespace_name, const LabelSelector& pods) {
  const std::string selector = SelectorText(pods);
  std::string text;
  text.reserve(selector.size() + namespace_name.size() + 10);
  return text.append("pods[").append(selector).append("] in ").append(namespace_name);
}

std::string PodsText(const LabelSelector& namespaces, const LabelSelector& pods) {
  return "pods[" + SelectorText(pods) + "] in namespaces[" + SelectorText(namespaces) + ']';
}

std::string BlocksText(const std::vector<CidrBlock>& blocks) {
  if (blocks.size() > kSpelledBlocks) return std::to_string(blocks.size()) + " blocks sha256:" + ContentHash(blocks);
  std::string joined;
  for (const CidrBlock& block : blocks) {
    if (!joined.empty()) joined += " or ";
    joined += BlockText(block);
  }
  return joined;
}

std::string NamedPortText(std::uint8_t protocol, std::string_view name, const std::vector<std::uint16_t>& numbers) {
  std::string text = protocol == kProtoTcp ? "TCP/" : protocol == kProtoUdp ? "UDP/" : "SCTP/";
  text += name;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    text += i == 0 ? '=' : ',';
    text += std::to_string(numbers[i]);
  }
  return text;
}

}  // namespace sluice
