// Blobs and their uploads: pull, push in one request, in a stream or in chunks, mount.
#include <cerrno>

#include <fmt/format.h>
#include <unistd.h>

#include "emulator/registry/errors.h"
#include "emulator/registry/registry.h"
#include "platform/base/text.h"
#include "platform/http/exchange.h"

namespace hearth::registry {
namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;

struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

// One range of bytes (RFC 9110 §14.1.2). Another form is ignored, as the rule allows: `whole`.
struct RangeAnswer {
  enum class Kind { kWhole, kPart, kUnsatisfiable } kind = Kind::kWhole;
  ByteRange part;
};

RangeAnswer parse_range(std::string_view text, std::uint64_t size) {
  const RangeAnswer whole;
  if (!text.starts_with("bytes=") || text.contains(',')) return whole;
  text.remove_prefix(6);
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return whole;
  const auto first = base::parse_int<std::uint64_t>(text.substr(0, dash));
  const auto last = base::parse_int<std::uint64_t>(text.substr(dash + 1));
  const RangeAnswer none{.kind = RangeAnswer::Kind::kUnsatisfiable, .part = {}};
  if (dash == 0) {
    if (!last) return whole;
    if (*last == 0 || size == 0) return none;
    return {RangeAnswer::Kind::kPart, {size - std::min(*last, size), size - 1}};
  }
  if (!first || (!last && dash + 1 != text.size())) return whole;
  if (*first >= size || (last && *last < *first)) return none;
  return {RangeAnswer::Kind::kPart, {*first, std::min(last.value_or(size - 1), size - 1)}};
}

// "0-1023" of PATCH and PUT; without "bytes", other than HTTP's own Content-Range.
std::optional<ByteRange> parse_content_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = base::parse_int<std::uint64_t>(text.substr(0, dash));
  const auto last = base::parse_int<std::uint64_t>(text.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return ByteRange{*first, *last};
}

// Where the client goes on, and what has arrived ("0-0" also when nothing has).
http::ResponseHead upload_head(int status, const Upload& upload) {
  http::ResponseHead head{.status = status, .headers = {}};
  head.headers.add("Location",
                   fmt::format("/v2/{}/blobs/uploads/{}", upload.repository, upload.id));
  const std::uint64_t size = upload.writer.size();
  head.headers.add("Range", fmt::format("0-{}", size == 0 ? 0 : size - 1));
  head.headers.add("Docker-Upload-UUID", upload.id);
  return head;
}

http::ResponseHead created_head(std::string_view repository, const oci::Digest& digest) {
  http::ResponseHead head{.status = 201, .headers = {}};
  head.headers.add("Location", fmt::format("/v2/{}/blobs/{}", repository, digest.text()));
  head.headers.add("Docker-Content-Digest", digest.text());
  return head;
}

// A chunk must begin where the last one ended and be as long as it says.
bool is_next_chunk(const http::Exchange& exchange, const Upload& upload) {
  const auto text = exchange.request().headers.get("content-range");
  if (!text) return true;
  const auto range = parse_content_range(*text);
  if (!range || range->first != upload.writer.size()) return false;
  const auto length = exchange.content_length();
  return !length || *length == range->last - range->first + 1;
}

}  // namespace

Task<Status> Registry::blob(http::Exchange& exchange, Route route) {
  const auto digest = oci::Digest::parse(route.item);
  if (!digest) {
    co_return co_await respond_error(exchange, WireError::kDigestInvalid, digest.error().message);
  }
  const std::string& method = exchange.request().method;
  if (method == "DELETE") {
    const auto removed = co_await writer_.write<bool>(
        [route, digest = *digest](sqlite::Database& database) -> Result<bool> {
          HEARTH_CHECK_OK(unlink_blob(database, route.repository, digest));
          return true;
        });
    if (removed) co_return co_await exchange.respond({.status = 202, .headers = {}}, {});
    const bool absent = removed.error().code == Code::kNotFound;
    co_return co_await respond_error(exchange,
                                     absent ? WireError::kBlobUnknown : wire_error(removed.error()),
                                     removed.error().message);
  }
  if (method != "GET" && method != "HEAD") {
    co_return co_await respond_error(exchange, WireError::kUnsupported, "use GET, HEAD or DELETE");
  }
  const auto size = blob_size(database_, route.repository, *digest);
  if (!size) co_return co_await respond_error(exchange, WireError::kUnknown, size.error().message);
  if (!*size || !blobs_.contains(digest->hex())) {
    co_return co_await respond_error(exchange, WireError::kBlobUnknown, "no such blob");
  }
  co_return co_await send_blob(exchange, *digest, **size);
}

Task<Status> Registry::send_blob(http::Exchange& exchange, oci::Digest digest, std::uint64_t size) {
  const auto fd = blobs_.open_blob(digest.hex());
  if (!fd) co_return co_await respond_error(exchange, WireError::kBlobUnknown, "no such blob");
  const RangeAnswer range = parse_range(exchange.request().headers.get_or("range", {}), size);
  http::ResponseHead head;
  head.headers.add("Docker-Content-Digest", digest.text());
  head.headers.add("Accept-Ranges", "bytes");
  if (range.kind == RangeAnswer::Kind::kUnsatisfiable) {
    head.status = 416;
    head.headers.add("Content-Range", fmt::format("bytes */{}", size));
    co_return co_await exchange.respond(head, {});
  }
  head.headers.add("Content-Type", "application/octet-stream");
  head.headers.add("ETag", fmt::format("\"{}\"", digest.text()));
  head.headers.add("Cache-Control", "max-age=31536000, immutable");
  std::uint64_t at = 0;
  std::uint64_t left = size;
  if (range.kind == RangeAnswer::Kind::kPart) {
    head.status = 206;
    at = range.part.first;
    left = range.part.last - at + 1;
    head.headers.add("Content-Range", fmt::format("bytes {}-{}/{}", at, range.part.last, size));
  }
  HEARTH_CO_CHECK_OK(co_await exchange.begin(head, left));
  std::string piece(std::min<std::uint64_t>(left, kPieceBytes), '\0');
  while (left > 0 && exchange.request().method == "GET") {
    const ssize_t got = ::pread(fd->get(), piece.data(), std::min<std::uint64_t>(left, kPieceBytes),
                                static_cast<off_t>(at));
    if (got <= 0) co_return fail(system_error(errno, "reading a blob"));
    const auto count = static_cast<std::size_t>(got);
    HEARTH_CO_CHECK_OK(co_await exchange.write(std::string_view(piece).substr(0, count)));
    at += count;
    left -= count;
  }
  co_return co_await exchange.finish();
}

Task<Result<bool>> Registry::mount(std::string repository, std::string from, oci::Digest digest) {
  // Without `from` any repository will do: everything here has one owner.
  HEARTH_CO_TRY(size, blob_size(database_, from, digest));
  if (!size || !blobs_.contains(digest.hex())) co_return false;
  HEARTH_CO_CHECK_OK(co_await link(
      {.repository = std::move(repository), .digest = digest, .size = *size, .now = now()}));
  co_return true;
}

Task<Status> Registry::start_upload(http::Exchange& exchange, Route route, Query query) {
  if (const std::string_view text = query_value(query, "mount"); !text.empty()) {
    const auto digest = oci::Digest::parse(text);
    if (digest) {
      const auto mounted =
          co_await mount(route.repository, std::string(query_value(query, "from")), *digest);
      if (mounted && *mounted) {
        co_return co_await exchange.respond(created_head(route.repository, *digest), {});
      }
    }
    // What can't be mounted is uploaded (spec.md §mounting): go on with a session.
  }
  auto upload = uploads_.open(blobs_, route.repository);
  if (!upload) {
    const bool busy = upload.error().code == Code::kRateLimited;
    co_return co_await respond_error(
        exchange, busy ? WireError::kTooManyRequests : wire_error(upload.error()),
        upload.error().message);
  }
  const std::string_view digest = query_value(query, "digest");
  if (digest.empty()) co_return co_await exchange.respond(upload_head(202, **upload), {});
  co_return co_await finish_upload(exchange, std::move(*upload), std::string(digest));
}

Task<Status> Registry::upload(http::Exchange& exchange, Route route, Query query) {
  std::shared_ptr<Upload> found = uploads_.find(route.repository, route.item);
  if (found == nullptr) {
    co_return co_await respond_error(exchange, WireError::kBlobUploadUnknown, "no such upload");
  }
  if (found->busy) {
    co_return co_await respond_error(exchange, WireError::kBlobUploadInvalid,
                                     "another request feeds this upload");
  }
  const std::string& method = exchange.request().method;
  if (method == "GET") co_return co_await exchange.respond(upload_head(204, *found), {});
  if (method == "DELETE") {
    uploads_.close(route.item);
    co_return co_await exchange.respond({.status = 204, .headers = {}}, {});
  }
  if (method != "PATCH" && method != "PUT") {
    co_return co_await respond_error(exchange, WireError::kUnsupported,
                                     "use GET, PATCH, PUT or DELETE");
  }
  if (!is_next_chunk(exchange, *found)) {
    // The head says where to go on.
    co_return co_await exchange.respond(upload_head(416, *found), {});
  }
  if (method == "PUT") {
    co_return co_await finish_upload(exchange, std::move(found),
                                     std::string(query_value(query, "digest")));
  }
  const Status received = co_await receive(exchange, found);
  if (!received) {
    co_return co_await respond_error(exchange, wire_error(received.error()),
                                     received.error().message);
  }
  co_return co_await exchange.respond(upload_head(202, *found), {});
}

Task<Status> Registry::receive(http::Exchange& exchange, std::shared_ptr<Upload> upload) {
  struct Busy {
    explicit Busy(Upload& value) : upload(value) { upload.busy = true; }
    ~Busy() { upload.busy = false; }
    Upload& upload;
  } busy(*upload);
  std::string piece(kPieceBytes, '\0');
  while (true) {
    HEARTH_CO_TRY(got, co_await exchange.read(piece.data(), piece.size()));
    if (got == 0) break;
    HEARTH_CO_CHECK_OK(upload->append(std::string_view(piece).substr(0, got)));
  }
  upload->last_used = clock_.monotonic();
  co_return Status();
}

Task<Status> Registry::finish_upload(http::Exchange& exchange, std::shared_ptr<Upload> upload,
                                     std::string digest_text) {
  const auto digest = oci::Digest::parse(digest_text);
  if (!digest) {
    co_return co_await respond_error(exchange, WireError::kDigestInvalid, digest.error().message);
  }
  const Status received = co_await receive(exchange, upload);
  if (!received) {
    co_return co_await respond_error(exchange, wire_error(received.error()),
                                     received.error().message);
  }
  uploads_.close(upload->id);
  const oci::Digest actual = oci::Digest::from_raw(upload->hasher.finish());
  if (actual != *digest) {
    co_return co_await respond_error(exchange, WireError::kDigestInvalid,
                                     fmt::format("the bytes have digest {}", actual.text()));
  }
  const auto stored = co_await upload->writer.commit();
  Status linked = stored ? Status() : fail(stored.error());
  if (stored) {
    linked = co_await link(
        {.repository = upload->repository, .digest = *digest, .size = stored->size, .now = now()});
  }
  if (!linked) {
    co_return co_await respond_error(exchange, wire_error(linked.error()), linked.error().message);
  }
  co_return co_await exchange.respond(created_head(upload->repository, *digest), {});
}

Task<Status> Registry::link(BlobLink link) {
  const auto written = co_await writer_.write<bool>(
      [link = std::move(link)](sqlite::Database& database) -> Result<bool> {
        HEARTH_CHECK_OK(link_blob(database, link));
        return true;
      });
  co_return written ? Status() : fail(written.error());
}

}  // namespace hearth::registry
