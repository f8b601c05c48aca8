#include "cli/text_table.h"

#include <algorithm>

#include "platform/base/printable.h"
#include "platform/base/text.h"

namespace hearth::cli {

void TextTable::add(std::vector<std::string> row) {
  for (std::string& cell : row) {
    cell = &cell == &row.back() ? base::printable_lines(cell) : base::printable(cell);
  }
  rows_.push_back(std::move(row));
}

void TextTable::print(std::ostream& out) const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      // The last column has no padding: no trailing blanks.
      if (i + 1 < row.size())
        line.append(row[i]).append(widths[i] - row[i].size() + 3, ' ');
      else
        line += base::replace_all(row[i], "\n", "\n" + std::string(line.size(), ' '));
    }
    // Nor where the last cells are empty.
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << "\n";
  }
}

}  // namespace hearth::cli
