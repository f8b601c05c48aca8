#include "platform/oci/archive_stream.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <unistd.h>

#include "platform/base/beginning.h"
#include "platform/oci/xz_dictionary.h"

namespace hearth::oci {
namespace {

constexpr std::size_t kBufferSize = 256UL * 1024;
constexpr std::size_t kShownBytesMax = 200;
// What stands between the data of two entries: a zip's directory, a tar's attributes and the map of
// a sparse file. libarchive keeps the last in memory at twenty times its size.
constexpr std::uint64_t kHeaderBytesMax = 8ULL * 1024 * 1024;

// libarchive's text may have the archive's in it.
std::string reason(archive* reader) {
  const char* text = archive_error_string(reader);
  return text != nullptr ? shown(text) : "unknown error";
}

int filter_code(Packing packing) {
  switch (packing) {
    case Packing::kGzip:
      return ARCHIVE_FILTER_GZIP;
    case Packing::kZstd:
      return ARCHIVE_FILTER_ZSTD;
    case Packing::kBzip2:
      return ARCHIVE_FILTER_BZIP2;
    case Packing::kXz:
      return ARCHIVE_FILTER_XZ;
    case Packing::kNone:
      break;
  }
  return ARCHIVE_FILTER_NONE;
}

// An entry tells LZMA and PPMd how much memory to take, up to 4 GiB. The format's name is the only
// place where libarchive tells a method: "ZIP 2.0 (deflation)". The target of a link is unpacked
// before, with the header; but it fills little of that memory.
Status check_method(archive* reader, archive_entry* entry) {
  if (archive_format(reader) != ARCHIVE_FORMAT_ZIP) return {};
  const char* name = archive_format_name(reader);
  std::string_view method = name != nullptr ? name : "";
  method.remove_prefix(std::min(method.size(), method.find('(') + 1));
  method = method.substr(0, method.find(')'));
  constexpr std::array<std::string_view, 3> kTaken = {"uncompressed", "deflation", "bzip"};
  if (std::ranges::find(kTaken, method) != kTaken.end()) return {};
  const char* path = archive_entry_pathname(entry);
  return fail(Code::kUnsupported,
              fmt::format("{}: packed with {}; of zips, what is stored, deflate and bzip2 are read",
                          shown(path != nullptr ? path : ""), method));
}

}  // namespace

std::string shown(std::string_view text) { return base::beginning_of(text, kShownBytesMax); }

void ArchiveStream::FreeReader::operator()(archive* value) const { archive_read_free(value); }

ArchiveStream::ArchiveStream(int fd, StreamOptions options)
    : fd_(fd), options_(options), formats_(archive_read_new()) {}

Status ArchiveStream::open() {
  std::array<char, 512> first{};
  const off_t begin = ::lseek(fd_, 0, SEEK_CUR);
  const ssize_t got = begin < 0 ? -1 : ::pread(fd_, first.data(), first.size(), begin);
  if (got < 0) return fail(system_error(errno, "reading an archive"));
  const Packing packing = packing_of({first.data(), static_cast<std::size_t>(got)});
  if (packing == Packing::kXz) HEARTH_CHECK_OK(check_xz_dictionaries(fd_, begin));
  if (packing != Packing::kNone) {
    HEARTH_CHECK_OK(open_packed(packing));
  } else {
    buffer_.resize(kBufferSize);
  }
  return open_formats(packing == Packing::kNone);
}

// The one filter named, and no other behind it: each would bring its own memory and its own bounds.
Status ArchiveStream::open_packed(Packing packing) {
  packed_ = Reader(archive_read_new());
  archive* reader = packed_.get();
  archive_entry* all = nullptr;
  if (archive_read_append_filter(reader, filter_code(packing)) != ARCHIVE_OK ||
      archive_read_support_format_raw(reader) != ARCHIVE_OK ||
      archive_read_open_fd(reader, fd_, kBufferSize) != ARCHIVE_OK ||
      archive_read_next_header(reader, &all) != ARCHIVE_OK) {
    return fail(Code::kInvalid, "no archive: " + reason(reader));
  }
  return {};
}

Status ArchiveStream::open_formats(bool seekable) {
  archive* reader = formats_.get();
  archive_read_support_format_tar(reader);
  if (options_.formats == StreamOptions::Formats::kTarAndZip) {
    archive_read_support_format_zip(reader);
  }
  archive_read_set_callback_data(reader, this);
  archive_read_set_read_callback(reader, &ArchiveStream::give);
  if (seekable) archive_read_set_seek_callback(reader, &ArchiveStream::seek);
  if (archive_read_open1(reader) != ARCHIVE_OK) return fail(failure("no archive"));
  return {};
}

Result<archive_entry*> ArchiveStream::next() {
  archive_entry* entry = nullptr;
  header_bytes_ = 0;
  in_header_ = true;
  const int status = archive_read_next_header(formats_.get(), &entry);
  in_header_ = false;
  if (input_ && status == ARCHIVE_EOF) return nullptr;
  // With a warning the entry is there; ARCHIVE_RETRY is a damaged header.
  if (!input_ || (status != ARCHIVE_OK && status != ARCHIVE_WARN)) return fail(failure("reading"));
  HEARTH_CHECK_OK(check_method(formats_.get(), entry));
  return entry;
}

Result<std::size_t> ArchiveStream::read(std::span<char> buffer) {
  const la_ssize_t got = archive_read_data(formats_.get(), buffer.data(), buffer.size());
  if (!input_ || got < 0) return fail(failure("reading"));
  return static_cast<std::size_t>(got);
}

// libarchive may take a failure of its input for the archive's end, or say nothing more of it.
Error ArchiveStream::failure(std::string_view what) {
  if (!input_) return input_.error();
  return {Code::kInvalid, fmt::format("{}: {}", what, reason(formats_.get())), {}};
}

Result<std::string_view> ArchiveStream::next_piece() {
  std::string_view piece;
  if (packed_) {
    HEARTH_TRY(unpacked, unpacked_piece());
    piece = unpacked;
  } else {
    const ssize_t got = ::read(fd_, buffer_.data(), buffer_.size());
    if (got < 0) return fail(system_error(errno, "reading an archive"));
    piece = {buffer_.data(), static_cast<std::size_t>(got)};
  }
  if (in_header_) header_bytes_ += piece.size();
  if (header_bytes_ <= kHeaderBytesMax) return piece;
  return fail(Code::kTooLarge,
              fmt::format("over {} bytes of headers in front of an entry", kHeaderBytesMax));
}

Result<std::string_view> ArchiveStream::unpacked_piece() {
  const void* bytes = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  int status = ARCHIVE_OK;
  // An empty piece would be the end.
  while (status == ARCHIVE_OK && size == 0) {
    status = archive_read_data_block(packed_.get(), &bytes, &size, &offset);
  }
  if (status == ARCHIVE_EOF) return std::string_view();
  if (status != ARCHIVE_OK) return fail(Code::kInvalid, "reading: " + reason(packed_.get()));
  const std::string_view piece(static_cast<const char*>(bytes), size);
  if (unpacked_bytes_ == 0 && packing_of(piece) != Packing::kNone) {
    return fail(Code::kInvalid, "the archive is compressed more than once");
  }
  unpacked_bytes_ += size;
  if (unpacked_bytes_ <= options_.unpacked_bytes_max) return piece;
  return fail(Code::kTooLarge,
              fmt::format("over {} bytes unpacked, with its headers", options_.unpacked_bytes_max));
}

ssize_t ArchiveStream::give(archive* /*reader*/, void* self, const void** bytes) {
  auto& stream = *static_cast<ArchiveStream*>(self);
  const auto piece = stream.next_piece();
  if (!piece) {
    stream.input_ = fail(piece.error());
    return ARCHIVE_FATAL;
  }
  *bytes = piece->data();
  return static_cast<ssize_t>(piece->size());
}

std::int64_t ArchiveStream::seek(archive* /*reader*/, void* self, std::int64_t offset, int whence) {
  const off_t at = ::lseek(static_cast<ArchiveStream*>(self)->fd_, offset, whence);
  return at < 0 ? ARCHIVE_FATAL : at;
}

}  // namespace hearth::oci
