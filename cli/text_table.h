// Columns of text, aligned with three spaces between them, as kubectl prints. Cells may hold text
// of anybody: they are made printable. The lines of a row's last cell stay, below each other.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace hearth::cli {

class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) { add(std::move(header)); }
  void add(std::vector<std::string> row);
  bool has_rows() const { return rows_.size() > 1; }
  void print(std::ostream& out) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace hearth::cli
