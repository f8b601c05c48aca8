#include "platform/process/seccomp_filter.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hearth::process {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
constexpr std::uint32_t kX32Bit = 0x40000000;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "the system call filter knows x86-64 and arm64"
#endif

// Other processes, the kernel itself, and what widens its surface without use to a function.
constexpr int kNeverAllowed[] = {
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_pidfd_getfd,
    SYS_kcmp,
    SYS_perf_event_open,
    SYS_bpf,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_quotactl,
    SYS_quotactl_fd,
    SYS_syslog,
    SYS_fanotify_init,
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
    SYS_lookup_dcookie,
    SYS_move_pages,
    SYS_migrate_pages,
    SYS_vhangup,
    SYS_nfsservctl,
#if defined(__x86_64__)
    SYS_iopl,
    SYS_ioperm,
    SYS_uselib,
    SYS_ustat,
    SYS_sysfs,
    SYS__sysctl,
    SYS_create_module,
    SYS_get_kernel_syms,
    SYS_query_module,
#endif
};

// What a sandbox is made with.
constexpr int kOnlyForSetup[] = {
    SYS_mount,     SYS_umount2,    SYS_pivot_root,  SYS_chroot,        SYS_unshare,
    SYS_setns,     SYS_fsopen,     SYS_fsconfig,    SYS_fsmount,       SYS_fspick,
    SYS_open_tree, SYS_move_mount, SYS_sethostname, SYS_setdomainname, SYS_mount_setattr};

constexpr std::uint32_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                          CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                                          CLONE_NEWNET;
constexpr std::uint32_t kFamilies[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
// personality(2): Linux and "which is it"; others switch protections off.
constexpr std::uint32_t kPersonalities[] = {0, 0xffffffff};

constexpr std::uint32_t error_result(int number) {
  return SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(number) & SECCOMP_RET_DATA);
}

class Assembler {
 public:
  void load(std::uint32_t offset) { add(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0); }
  void answer(std::uint32_t result) { add(BPF_RET | BPF_K, result, 0, 0); }
  // Answers at once when the loaded word is (not) that value; goes on otherwise.
  void answer_if_equal(std::uint32_t value, std::uint32_t result) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    answer(result);
  }
  void answer_if_not_equal(std::uint32_t value, std::uint32_t result) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
    answer(result);
  }
  void answer_if_at_least(std::uint32_t value, std::uint32_t result) {
    add(BPF_JMP | BPF_JGE | BPF_K, value, 0, 1);
    answer(result);
  }
  // For the call `number`: its first argument is one of `allowed`, or the answer is `result`.
  template <std::size_t N>
  void allow_first_argument(int number, const std::uint32_t (&allowed)[N], std::uint32_t result) {
    // Over: the load, two for each value, the answer.
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 2 * N + 2);
    load(offsetof(seccomp_data, args));
    for (const std::uint32_t value : allowed) answer_if_equal(value, SECCOMP_RET_ALLOW);
    answer(result);
  }
  void refuse_flags(int number, std::uint32_t flags) {
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 4);
    load(offsetof(seccomp_data, args));
    add(BPF_JMP | BPF_JSET | BPF_K, flags, 0, 1);
    answer(error_result(EPERM));
    answer(SECCOMP_RET_ALLOW);
  }
  SeccompFilter finish() {
    answer(SECCOMP_RET_ALLOW);
    return std::move(code_);
  }

 private:
  void add(int code, std::uint32_t value, std::size_t if_true, std::size_t if_false) {
    code_.push_back({static_cast<std::uint16_t>(code), static_cast<std::uint8_t>(if_true),
                     static_cast<std::uint8_t>(if_false), value});
  }
  SeccompFilter code_;
};

}  // namespace

SeccompFilter make_seccomp_filter(SeccompPart part) {
  Assembler out;
  out.load(offsetof(seccomp_data, arch));
  // Numbers mean other calls there: 32-bit programs don't run.
  out.answer_if_not_equal(kArchitecture, error_result(ENOSYS));
  out.load(offsetof(seccomp_data, nr));
#if defined(__x86_64__)
  out.answer_if_at_least(kX32Bit, error_result(ENOSYS));
#endif
  if (part != SeccompPart::kForkServer) {
    for (const int number : kOnlyForSetup) {
      out.answer_if_equal(static_cast<std::uint32_t>(number), error_result(EPERM));
    }
    out.refuse_flags(SYS_clone, kNamespaceFlags);
  }
  if (part != SeccompPart::kForkServerChild) {
    for (const int number : kNeverAllowed) {
      out.answer_if_equal(static_cast<std::uint32_t>(number), error_result(EPERM));
    }
    out.answer_if_equal(SYS_clone3, error_result(ENOSYS));
    out.allow_first_argument(SYS_socket, kFamilies, error_result(EAFNOSUPPORT));
    out.allow_first_argument(SYS_personality, kPersonalities, error_result(EPERM));
  }
  return out.finish();
}

bool install_seccomp(const SeccompFilter& filter) {
  sock_fprog program{static_cast<unsigned short>(filter.size()),
                     const_cast<sock_filter*>(filter.data())};
  return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

bool has_seccomp() {
  const std::uint32_t action = SECCOMP_RET_ERRNO;
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

}  // namespace hearth::process
