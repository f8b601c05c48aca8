// The jail of an instance that runs from its image's own root file system. What it writes goes to a
// folder of the instance (an overlay over the image), so that the image stays as it is. It sees
// nothing of the machine but a few devices, /etc/hosts and /etc/resolv.conf.
//
// All run as one unprivileged user, whatever USER the image names: image_rootfs.h makes that user
// the owner of the image's files. Blocking, a few milliseconds at most.
#pragma once

#include <filesystem>
#include <string>

#include "emulator/runtime/image_rootfs.h"
#include "platform/base/result.h"
#include "platform/process/spawn.h"

namespace hearth::runtime {

struct ImageJailOptions {
  std::filesystem::path jail_root;  // takes what the instance writes; made here
  std::filesystem::path scratch;    // of this instance, on the same file system; made here
  std::filesystem::path hosts_file;
  std::string hostname;
  bool writable = true;  // false: where the kernel withholds overlays
};

Result<process::Jail> image_jail(const std::filesystem::path& image,
                                 const ImageJailOptions& options);

// The absolute path within the image of a program called by name; links are resolved as if the
// image were the root. kNotFound names program and PATH.
Result<std::string> find_in_image(const std::filesystem::path& image, const std::string& name,
                                  const std::string& search_path);

}  // namespace hearth::runtime
