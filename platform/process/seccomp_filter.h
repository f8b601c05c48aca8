// Which system calls a function, a build step or the fork server is refused: a deny-list after the
// default profile of Docker. Refused calls answer EPERM, clone3 ENOSYS (its flags are behind a
// pointer that a filter can't read; libc then uses clone), unknown socket families EAFNOSUPPORT.
//
// Made before a fork, installed between fork and exec. Pure but for install_seccomp.
#pragma once

#include <vector>

#include <linux/filter.h>

namespace hearth::process {

enum class SeccompPart {
  kWhole,
  // The fork server sets sandboxes up, so it may mount and make namespaces; its children then add
  // the rest for themselves. What both must not do is installed once and inherited.
  kForkServer,
  kForkServerChild,
};

using SeccompFilter = std::vector<sock_filter>;

SeccompFilter make_seccomp_filter(SeccompPart part);

// On the calling thread, for good. Needs no_new_privs. Only system calls. False: errno says why.
bool install_seccomp(const SeccompFilter& filter);

// Whether this kernel takes filters.
bool has_seccomp();

}  // namespace hearth::process
