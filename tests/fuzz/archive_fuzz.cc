// Archives: the first byte chooses user's context or image layer, the rest is the archive. Whatever
// it says, nothing outside of the target changes, and no context has a link that leads out.
#include <cstdlib>
#include <filesystem>
#include <map>

#include <sys/mman.h>
#include <unistd.h>

#include "platform/base/file.h"
#include "platform/base/unique_fd.h"
#include "platform/oci/layer_reader.h"
#include "tests/fuzz/fuzz.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using fuzz::require;
using Kind = oci::ExtractOptions::Kind;

constexpr std::size_t kFilesMax = 64;
constexpr std::uint64_t kBytesMax = 1024 * 1024;

enum class Below { kEnter, kLeave };

// Calls `visit` with all paths below `folder` and what they are, links not followed.
template <typename Visit>
void each_below(const fs::path& folder, Visit visit) {
  std::error_code error;
  fs::recursive_directory_iterator it(folder, error);
  while (!error && it != fs::recursive_directory_iterator()) {
    const fs::file_status status = it->symlink_status(error);
    require(!error, "what is unpacked can be looked at");
    if (visit(it->path(), status) == Below::kLeave) it.disable_recursion_pending();
    it.increment(error);
  }
  require(!error, "what is unpacked can be listed");
}

std::uintmax_t links_of(const fs::path& file) {
  std::error_code error;
  const std::uintmax_t links = fs::hard_link_count(file, error);
  require(!error, "a file's names can be counted");
  return links;
}

// A tree around the target whose every file is known.
class Surroundings {
 public:
  Surroundings() {
    std::string name = (fs::temp_directory_path() / "hearth-fuzz-XXXXXX").string();
    require(::mkdtemp(name.data()) != nullptr, "a temporary folder");
    root_ = fs::canonical(name);
    rebuild();
  }
  ~Surroundings() {
    std::error_code error;
    fs::remove_all(root_, error);
  }
  Surroundings(const Surroundings&) = delete;
  Surroundings& operator=(const Surroundings&) = delete;

  fs::path target() const { return root_ / "a" / "b" / "target"; }

  void require_untouched() const {
    require(listing() == before_, "nothing outside of the target changes");
  }
  // For the next archive.
  void empty_target() {
    std::error_code error;
    fs::remove_all(target(), error);
    require(!error, "the target can be removed");
    fs::create_directory(target(), error);
    require(!error, "the target can be made again");
  }

 private:
  void rebuild() {
    fs::create_directories(target());
    for (const char* file : {"secret", "a/secret", "a/b/secret", "a/b/sibling"}) {
      require(base::write_file_atomically(root_ / file, file).has_value(), "a file is written");
    }
    fs::create_directory(root_ / "a" / "b" / "folder");
    before_ = listing();
  }
  // Paths and contents, modes too, of all but the target's inside.
  std::map<std::string, std::string> listing() const {
    std::map<std::string, std::string> out;
    each_below(root_, [&](const fs::path& path, const fs::file_status& status) {
      if (path == target()) {
        out[path.string()] = "";
        return Below::kLeave;
      }
      std::string& what = out[path.string()];
      what = std::to_string(static_cast<int>(status.type())) + " " +
             std::to_string(static_cast<unsigned>(status.permissions())) + " ";
      if (fs::is_regular_file(status)) {
        what += std::to_string(links_of(path)) + base::read_file(path).value_or("unreadable");
      }
      return Below::kEnter;
    });
    return out;
  }

  fs::path root_;
  std::map<std::string, std::string> before_;
};

bool lies_in(const fs::path& path, const fs::path& folder) {
  const fs::path relative = path.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != "..";
}

void require_inside(const fs::path& target, const oci::Extracted& extracted, Kind kind) {
  std::uint64_t bytes = 0;
  each_below(target, [&](const fs::path& path, const fs::file_status& status) {
    std::error_code error;
    if (fs::is_symlink(status)) {
      if (kind == Kind::kImageLayer) return Below::kLeave;  // means the image's own root
      const fs::path leads = fs::weakly_canonical(path, error);
      require(error || lies_in(leads, target), "a link of a context leads to the context");
    } else if (fs::is_regular_file(status)) {
      if (links_of(path) == 1) bytes += fs::file_size(path, error);
      require(!error, "a file has a size");
    } else {
      require(fs::is_directory(status), "only files, folders and links");
    }
    return Below::kEnter;
  });
  require(bytes <= extracted.bytes, "the bytes are counted");
}

void check(Kind kind, std::string_view bytes, Surroundings& surroundings) {
  const base::UniqueFd file(::memfd_create("archive", MFD_CLOEXEC));
  require(file && base::write_all(file.get(), bytes), "a file in memory");
  ::lseek(file.get(), 0, SEEK_SET);
  const auto extracted =
      oci::extract_archive(file.get(), surroundings.target(),
                           {.kind = kind, .files_max = kFilesMax, .bytes_max = kBytesMax});
  surroundings.require_untouched();
  if (!extracted) {
    fuzz::require_reason(extracted.error());
  } else {
    require(extracted->files <= kFilesMax && extracted->bytes <= kBytesMax, "limits hold");
    require_inside(surroundings.target(), *extracted, kind);
  }
  surroundings.empty_target();
}

}  // namespace
}  // namespace hearth

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  static Surroundings surroundings;
  std::string_view rest = fuzz::view(data, size);
  const Kind kind = fuzz::take_choice(rest, 2) == 0 ? Kind::kBuildContext : Kind::kImageLayer;
  check(kind, rest, surroundings);
  return 0;
}
