#include "sluicectl/output.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "sluice/printable.h"
#include "sluice/protocol.h"

namespace sluice {

Output& Output::operator<<(std::int64_t number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  return *this << std::string_view(digits, static_cast<std::size_t>(end - digits));
}

bool Output::Flush() {
  if (!failed_ &&
      (std::fwrite(buffer_.data(), 1, buffer_.size(), stdout) != buffer_.size() || std::fflush(stdout) != 0)) {
    failed_ = true;
    // The reader may have seen enough, like `head`.
    if (errno != EPIPE) std::fprintf(stderr, "error: cannot write to standard output: %s\n", std::strerror(errno));
  }
  buffer_.clear();
  return !failed_;
}

TextTable::TextTable(Output& output, std::vector<std::string> headers, std::vector<std::size_t> widths, bool no_headers)
    : output_(output), widths_(std::move(widths)) {
  widths_.resize(headers.size());
  if (!no_headers) rows_.push_back(std::move(headers));
}

TextTable::~TextTable() { Flush(); }

void TextTable::AddRow(std::vector<std::string> cells) {
  constexpr std::size_t kRowsHeld = 1000;
  for (std::string& cell : cells) cell = Printable(cell, kPrintableBytes);
  rows_.push_back(std::move(cells));
  if (rows_.size() >= kRowsHeld) Flush();
}

void TextTable::Flush() {
  if (!fixed_) {
    for (const auto& row : rows_) {
      for (std::size_t i = 0; i < row.size(); ++i) widths_[i] = std::max(widths_[i], row[i].size());
    }
  }
  fixed_ = fixed_ || !rows_.empty();
  std::string line;
  for (const auto& row : rows_) {
    line.clear();
    std::size_t begin = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line.resize(std::max(begin, line.size() + 2), ' ');
      line += row[i];
      begin += widths_[i] + 2;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    output_ << line << "\n";
  }
  rows_.clear();
}

std::string JsonText(std::string_view text) {
  const auto is_plain = [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; };
  if (std::all_of(text.begin(), text.end(), is_plain)) return std::string("\"").append(text).append("\"");
  return JsonText(nlohmann::ordered_json(text));
}

std::string JsonText(const nlohmann::ordered_json& value, int indent) {
  return value.dump(indent, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

std::string ProtocolName(std::uint8_t protocol) {
  const std::string_view name = ToolNameOf(protocol);
  return name.empty() ? std::to_string(protocol) : std::string(name);
}

}  // namespace sluice
