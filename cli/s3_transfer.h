// Copies of single objects between files and a store, with progress on standard error.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "cli/s3_client.h"

namespace hearth::cli {

// What is longer goes up in parts.
inline constexpr std::uint64_t kS3PartBytes = 8 * 1024 * 1024;

// The size of a part for a file: kS3PartBytes, or more where 10,000 parts would not do.
std::uint64_t part_bytes_for(std::uint64_t file_bytes);

// Shows "12.0 MiB of 64.0 MiB, 31.2 MiB/s" on a terminal while it grows, nothing elsewhere.
class S3Progress {
 public:
  explicit S3Progress(std::string what, std::uint64_t total = 0);
  ~S3Progress();
  S3Progress(const S3Progress&) = delete;
  S3Progress& operator=(const S3Progress&) = delete;
  void add(std::uint64_t bytes);

 private:
  std::string what_;
  std::uint64_t total_;
  std::uint64_t done_ = 0;
  std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::time_point shown_;
  bool terminal_;
};

// In parts when it is long; an upload that fails is aborted. `content_type` empty: by the name.
Status upload_file(S3Client& client, const std::filesystem::path& file, const S3Location& to,
                   const std::string& content_type);
// Standard input, whatever its length.
Status upload_stream(S3Client& client, int fd, const S3Location& to,
                     const std::string& content_type);
// Into a file beside `file` that takes its place once it is whole.
Status download_file(S3Client& client, const S3Location& from, const std::filesystem::path& file);
// To standard output, as it comes.
Status print_object(S3Client& client, const S3Location& from);

}  // namespace hearth::cli
