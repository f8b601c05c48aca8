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
    fs::create_directory(target());
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
    for (auto it = fs::recursive_directory_iterator(root_);
         it != fs::recursive_directory_iterator(); ++it) {
      if (it->path() == target()) {
        it.disable_recursion_pending();
        out[it->path().string()] = "";
        continue;
      }
      const auto status = it->symlink_status();
      std::string& what = out[it->path().string()];
      what = std::to_string(static_cast<int>(status.type())) + " " +
             std::to_string(static_cast<unsigned>(status.permissions())) + " ";
      if (fs::is_regular_file(status)) {
        what += std::to_string(fs::hard_link_count(it->path())) +
                base::read_file(it->path()).value_or("unreadable");
      }
    }
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
  for (const auto& entry : fs::recursive_directory_iterator(target)) {
    if (entry.is_symlink()) {
      if (kind == Kind::kImageLayer) continue;  // means the image's own root
      std::error_code error;
      const fs::path leads = fs::weakly_canonical(entry.path(), error);
      require(error || lies_in(leads, target), "a link of a context leads to the context");
    } else if (entry.is_regular_file()) {
      if (fs::hard_link_count(entry.path()) == 1) bytes += entry.file_size();
    } else {
      require(entry.is_directory(), "only files, folders and links");
    }
  }
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
