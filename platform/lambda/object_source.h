// A function's code from an object store: one object, an archive's content, or all below a prefix.
#pragma once

#include <filesystem>
#include <string>

#include "platform/lambda/source.h"
#include "platform/s3/client.h"

namespace hearth::async {
class BlockingPool;
}

namespace hearth::lambda {

// A key ending in '/' is a prefix. A single object that is a tar or zip archive, by its name or its
// first bytes, is unpacked (on the pool, below `scratch`); what tries to leave the tree is refused.
// kNotFound names bucket and key.
Task<Result<SourceTree>> fetch_objects(s3::Client& client, async::BlockingPool& pool,
                                       std::filesystem::path scratch, std::string bucket,
                                       std::string key);

// A digest over names and ETags of what fetch_objects would read; kNotFound when that is nothing.
Task<Result<std::string>> version_of_objects(s3::Client& client, std::string bucket,
                                             std::string key);

}  // namespace hearth::lambda
