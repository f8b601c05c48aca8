#include "emulator/objectstore/object_bytes.h"

#include <algorithm>
#include <cerrno>
#include <memory>

#include <unistd.h>

#include "emulator/objectstore/upload_body.h"

namespace hearth::objectstore {

Result<ObjectBytes> object_bytes(sqlite::Database& database, const ObjectRow& row) {
  ObjectBytes out;
  if (row.parts > 0) {
    HEARTH_TRY(parts, meta::object_parts(database, row.data_id));
    for (Part& part : parts) out.segments.push_back({std::move(part.digest), 0, part.size});
  } else if (!row.digest.empty()) {
    out.segments.push_back({row.digest, 0, row.size});
  } else if (row.size > 0) {
    HEARTH_TRY(bytes, meta::inline_bytes(database, row.data_id));
    out.inline_bytes = std::move(bytes);
  }
  return out;
}

std::vector<Segment> ObjectBytes::cut(ByteRange range) const {
  std::vector<Segment> out;
  std::uint64_t start = 0;
  for (const Segment& segment : segments) {
    const std::uint64_t end = start + segment.length;  // exclusive
    const std::uint64_t from = std::max(start, range.first);
    const std::uint64_t to = std::min(end, range.last + 1);
    if (from < to) out.push_back({segment.digest, segment.offset + from - start, to - from});
    start = end;
  }
  return out;
}

Result<std::size_t> read_at(int fd, char* data, std::size_t size, std::uint64_t offset) {
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t got =
        ::pread(fd, data + filled, size - filled, static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error(errno, "reading a blob"));
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return filled;
}

Task<Status> send_segments(Services& services, http::Exchange& exchange,
                           std::vector<Segment> segments) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(kTransferBytes);
  for (const Segment& segment : segments) {
    auto blob = services.blobs.open_blob(segment.digest);
    if (!blob) co_return fail(blob.error());
    std::uint64_t done = 0;
    while (done < segment.length) {
      const auto piece =
          static_cast<std::size_t>(std::min<std::uint64_t>(kTransferBytes, segment.length - done));
      HEARTH_CO_TRY(got, read_at(blob->get(), buffer.get(), piece, segment.offset + done));
      if (got == 0) co_return fail(Code::kCorrupt, "blob " + segment.digest + " is too short");
      HEARTH_CO_CHECK_OK(co_await exchange.write({buffer.get(), got}));
      done += got;
    }
  }
  co_return Status();
}

}  // namespace hearth::objectstore
