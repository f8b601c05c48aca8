#include "emulator/runtime/log_store.h"

#include <vector>

#include <fcntl.h>
#include <fmt/format.h>

#include "platform/async/loop.h"
#include "platform/base/file.h"
#include "platform/base/limits.h"
#include "platform/base/text.h"

namespace hearth::runtime {

struct LogStore::Entry {
  explicit Entry(async::Loop& loop) : grown(loop) {}
  base::UniqueFd file;
  std::size_t file_bytes = 0;
  std::string partial;  // the line that has no end yet
  async::Signal grown;
  std::uint64_t rotations = 0;
  bool closed = false;
};

namespace {

// "2026-11-21T03:04:05.000001Z text": what a line in the file looks like.
constexpr std::size_t kTimestampSize = 27;

struct Line {
  std::string_view timestamp;
  std::string_view text;
};

std::vector<Line> lines_of(std::string_view bytes) {
  std::vector<Line> out;
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    if (end == bytes.npos) break;
    const std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    if (line.size() > kTimestampSize) {
      out.push_back({line.substr(0, kTimestampSize), line.substr(kTimestampSize + 1)});
    } else {
      out.push_back({line, {}});
    }
  }
  return out;
}

void append_line(std::string& out, const Line& line, bool timestamps) {
  if (timestamps) out.append(line.timestamp).append(" ");
  out.append(line.text).append("\n");
}

// What is there already, as far as it is asked for; `since` is a timestamp, or empty.
std::string select(std::string_view bytes, const ReadLogOptions& options, std::string_view since) {
  const std::vector<Line> lines = lines_of(bytes);
  std::size_t first = 0;
  if (options.tail_lines && *options.tail_lines >= 0 &&
      lines.size() > static_cast<std::size_t>(*options.tail_lines)) {
    first = lines.size() - static_cast<std::size_t>(*options.tail_lines);
  }
  std::string out;
  for (std::size_t i = first; i < lines.size(); ++i) {
    if (lines[i].timestamp >= since) append_line(out, lines[i], options.timestamps);
  }
  if (options.limit_bytes && *options.limit_bytes >= 0) {
    out.resize(std::min(out.size(), static_cast<std::size_t>(*options.limit_bytes)));
  }
  return out;
}

}  // namespace

LogStore::LogStore(async::Loop& loop, std::filesystem::path root, const base::Clock& clock)
    : loop_(loop), root_(std::move(root)), clock_(clock) {}
LogStore::~LogStore() = default;

std::filesystem::path LogStore::path_of(const std::string& id) const {
  return root_ / (id + ".log");
}

LogStore::Entry& LogStore::entry(const std::string& id) {
  auto& slot = entries_[id];
  if (!slot) slot = std::make_shared<Entry>(loop_);
  return *slot;
}

void LogStore::append(const std::string& id, std::string_view bytes) {
  Entry& log = entry(id);
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    log.partial.append(bytes.substr(0, end));
    bytes.remove_prefix(end == bytes.npos ? bytes.size() : end + 1);
    // A line without an end must not grow for ever.
    if (end == bytes.npos && log.partial.size() < limits::kLogLineBytesMax) break;
    write_line(id, log, log.partial);
    log.partial.clear();
  }
  log.grown.notify();
}

void LogStore::write_line(const std::string& id, Entry& log, std::string_view line) {
  const std::filesystem::path path = path_of(id);
  if (log.file_bytes > limits::kLogFileBytesMax) {
    log.file.reset();
    std::error_code ignored;
    std::filesystem::rename(path, path.string() + ".1", ignored);
    log.file_bytes = 0;
    ++log.rotations;
  }
  if (!log.file) {
    log.file =
        base::UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!log.file) return;
  }
  std::string text = base::format_rfc3339_micros(clock_.wall());
  text.append(" ").append(line.substr(0, limits::kLogLineBytesMax)).append("\n");
  log.file_bytes += text.size();
  // A full disk loses log lines, never an instance.
  (void)base::write_all(log.file.get(), text);
}

void LogStore::close(const std::string& id) {
  const auto it = entries_.find(id);
  if (it == entries_.end()) return;
  if (!it->second->partial.empty()) {
    write_line(id, *it->second, it->second->partial);
    it->second->partial.clear();
  }
  it->second->closed = true;
  it->second->file.reset();
  it->second->grown.notify();
}

Task<Status> LogStore::read(std::string id, ReadLogOptions options, LogSink sink) {
  const auto known = entries_.find(id);
  const std::shared_ptr<Entry> log = known == entries_.end() ? nullptr : known->second;
  auto bytes = base::read_file(path_of(id));
  if (!bytes && !log) co_return fail(Code::kNotFound, fmt::format("no log of \"{}\"", id));
  // Taken now: the log may grow and rotate while the sink is busy.
  const Position read_to{bytes ? bytes->size() : 0, log ? log->rotations : 0};
  std::string since;
  if (options.since_seconds) {
    since =
        base::format_rfc3339_micros(clock_.wall() - std::chrono::seconds(*options.since_seconds));
  }
  const std::string present = bytes ? select(*bytes, options, since) : "";
  HEARTH_CO_CHECK_OK(co_await sink(present));
  if (!options.follow || !log) co_return Status();
  co_return co_await follow(std::move(id), log, read_to, options.timestamps, std::move(sink));
}

Task<Status> LogStore::follow(std::string id, std::shared_ptr<Entry> log, Position read_to,
                              bool timestamps, LogSink sink) {
  while (true) {
    if (log->rotations != read_to.rotations) read_to = {0, log->rotations};
    auto bytes = base::read_file(path_of(id));
    if (!bytes || bytes->size() <= read_to.offset) {
      // Only when there is nothing new: what came while the sink was busy woke nobody.
      if (log->closed || !co_await log->grown.wait()) co_return Status();
      continue;
    }
    std::string out;
    for (const Line& line : lines_of(std::string_view(*bytes).substr(read_to.offset))) {
      append_line(out, line, timestamps);
    }
    read_to.offset = bytes->size();
    HEARTH_CO_CHECK_OK(co_await sink(out));
  }
}

std::string LogStore::tail(const std::string& id, std::size_t count) const {
  const auto bytes = base::read_file(path_of(id));
  if (!bytes) return {};
  const auto lines = lines_of(*bytes);
  std::string out;
  for (std::size_t i = lines.size() > count ? lines.size() - count : 0; i < lines.size(); ++i) {
    append_line(out, lines[i], false);
  }
  return out;
}

void LogStore::remove(const std::string& id) {
  entries_.erase(id);
  std::error_code ignored;
  std::filesystem::remove(path_of(id), ignored);
  std::filesystem::remove(path_of(id).string() + ".1", ignored);
}

}  // namespace hearth::runtime
