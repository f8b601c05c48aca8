// Every bound in one place. A limit that users may change is a configuration key and its default
// stands here.
#pragma once

#include <chrono>
#include <cstddef>

namespace hearth::limits {

// HTTP heads
inline constexpr std::size_t kHeadBytesMax = 64 * 1024;
inline constexpr std::size_t kHeadersMax = 100;
inline constexpr std::chrono::seconds kHeadTimeout{20};
inline constexpr std::chrono::seconds kIdleTimeout{120};
// A peer that neither sends nor takes a byte of a body for this long is cut off.
inline constexpr std::chrono::seconds kBodyStallTimeout{60};
inline constexpr std::size_t kConnectionsMax = 10'000;

// Bodies held in memory
inline constexpr std::size_t kApiBodyBytesMax = 3 * 1024 * 1024;  // Kubernetes: 3 MiB
inline constexpr std::size_t kEventBytesMax = 1024 * 1024;
// A delivery has them as headers, of which there are kHeadersMax, beside HTTP's own and what a
// broker adds.
inline constexpr std::size_t kEventExtensionsMax = 80;
inline constexpr std::size_t kInvokeBodyBytesMax = 64 * 1024 * 1024;
inline constexpr std::size_t kXmlBodyBytesMax = 1024 * 1024;       // DeleteObjects of 1,000 keys
inline constexpr std::size_t kManifestBytesMax = 4 * 1024 * 1024;  // OCI distribution
// All bodies that one server holds; what goes beyond waits this long for room.
inline constexpr std::size_t kBodyBytesHeldMax = 64 * 1024 * 1024;
inline constexpr std::chrono::seconds kBodyRoomPatience{10};

// Documents
inline constexpr std::size_t kJsonDepthMax = 200;
// Of an object of the API as it is stored, with the managedFields that the server adds. Less than
// of a text: lists, watch events and tables put it some levels deeper, and who reads those holds
// them to kJsonDepthMax.
inline constexpr std::size_t kObjectDepthMax = kJsonDepthMax - 8;
inline constexpr std::size_t kYamlBytesMax = 8 * 1024 * 1024;
// Of a text, all its documents together; aliases count as what they repeat.
inline constexpr std::size_t kYamlNodesMax = 1'000'000;
// What aliases may make of a document, for each node and alias that is written in it. As go-yaml,
// and so kubectl, has it for up to 400,000 nodes: 99 of 100 may come from aliases, of few all.
inline constexpr std::size_t kYamlNodesPerWrittenNodeMax = 100;
inline constexpr std::size_t kYamlFewNodes = 1000;
// Of all %TAG directives in front of a document: libyaml needs the square of their number, and
// their bytes for each tag.
inline constexpr std::size_t kYamlDirectivesBytesMax = 1024;

// Build contexts and archives
inline constexpr std::size_t kContextFilesMax = 20'000;
inline constexpr std::size_t kContextBytesMax = 512ULL * 1024 * 1024;
inline constexpr std::size_t kConfigMapContextBytesMax = 700 * 1024;
// Of a path in them, and in a layer. Bytes: half of the kernel's PATH_MAX; the other half is for
// the folder that they are unpacked to. Components: much work on a path looks at each folder above
// it; the deepest trees of package managers have a few dozen.
inline constexpr std::size_t kPathBytesMax = 2048;
inline constexpr std::size_t kPathDepthMax = 256;

// Watches
inline constexpr std::size_t kWatchQueueMax = 2'000;
inline constexpr std::size_t kWatchHistoryEvents = 20'000;

// Functions
inline constexpr std::size_t kRequestsQueuedPerRevisionMax = 10'000;  // Knative: breaker depth
inline constexpr std::size_t kLogLineBytesMax = 64 * 1024;
inline constexpr std::size_t kLogFileBytesMax = 4 * 1024 * 1024;

}  // namespace hearth::limits
