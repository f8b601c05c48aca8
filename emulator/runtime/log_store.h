// The output of instances, one folder with one file (and one rotated one) each; lines carry the
// time they arrived. Followers are woken by every append.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "platform/async/signal.h"
#include "platform/async/task.h"
#include "platform/base/clock.h"
#include "platform/base/result.h"
#include "platform/base/unique_fd.h"

namespace hearth::runtime {

struct ReadLogOptions {
  bool follow = false;
  bool timestamps = false;
  std::optional<std::int64_t> tail_lines;
  std::optional<std::int64_t> since_seconds;
  std::optional<std::int64_t> limit_bytes;
};

using LogSink = std::function<Task<Status>(std::string_view)>;

class LogStore {
 public:
  LogStore(async::Loop& loop, std::filesystem::path root, const base::Clock& clock);
  ~LogStore();

  void append(const std::string& id, std::string_view bytes);
  // The instance has ended: followers finish; the file stays until remove().
  void close(const std::string& id);
  // kNotFound when there is no such log.
  Task<Status> read(std::string id, ReadLogOptions options, LogSink sink);
  // The last lines, without times; "" when there are none.
  std::string tail(const std::string& id, std::size_t lines) const;
  void remove(const std::string& id);

 private:
  struct Entry;
  struct Position {
    std::size_t offset = 0;
    std::uint64_t rotations = 0;
  };
  Entry& entry(const std::string& id);
  std::filesystem::path path_of(const std::string& id) const;
  Task<Status> follow(std::string id, std::shared_ptr<Entry> log, Position read_to, bool timestamps,
                      LogSink sink);
  void write_line(const std::string& id, Entry& entry, std::string_view line);

  async::Loop& loop_;
  std::filesystem::path root_;
  const base::Clock& clock_;
  std::map<std::string, std::shared_ptr<Entry>> entries_;
};

}  // namespace hearth::runtime
