// Starts the process of an instance that runs from its image's own files.
#pragma once

#include <cstdint>
#include <functional>

#include "emulator/runtime/image_jail.h"
#include "emulator/runtime/runtime.h"
#include "platform/process/spawn.h"

namespace hearth::runtime {

struct ImageProcessFds {
  int output = -1;
  int listen = -1;  // with `control`: for a wrapper that speaks frames
  int control = -1;
};

struct ImageProcess {
  process::Child child;
  // Where the kernel can't hand over bind() calls: the free port that PORT names.
  std::uint16_t port = 0;
};

// `confine` adds what holds the process besides its jail. kNotFound: no such program in the image.
// kInvalid: the image names none.
Result<ImageProcess> start_image_process(
    const InstanceSpec& spec, const ImageRootfs& image, const ImageProcessFds& fds,
    ImageJailOptions options, const std::function<void(process::SpawnRequest&)>& confine);

}  // namespace hearth::runtime
