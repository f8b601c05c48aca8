// The API's Table (meta.k8s.io/v1) as text: the server says columns and cells, as for kubectl.
#pragma once

#include <string>
#include <vector>

#include "cli/text_table.h"
#include "platform/base/json.h"

namespace hearth::cli {

// Which cells are shown: those of priority 0, all of them when `wide`.
std::vector<std::size_t> shown_columns(const Json& definitions, bool wide);

// Printable.
std::string cell_text(const Json& cell);

struct TableStyle {
  bool wide = false;
  bool with_namespace = false;
  std::string name_prefix = {};  // "configmap/", where several kinds are shown
};
TextTable text_table_of(const Json& table, const TableStyle& style);

}  // namespace hearth::cli
