// Random identifiers from the kernel's generator.
#pragma once

#include <cstddef>
#include <string>

namespace hearth::base {

std::string random_bytes(std::size_t count);
std::string random_hex(std::size_t bytes);
std::string random_uuid();  // version 4
// Kubernetes' generateName suffix: letters and digits that form no words.
std::string random_suffix(std::size_t length = 5);

}  // namespace hearth::base
