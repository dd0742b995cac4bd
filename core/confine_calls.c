#include "confine_calls.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

/*
 * A list of what is allowed.  Any other call fails with ENOSYS, as if the kernel were too old for
 * it, and the kernel's audit log names it.  libc and the libraries know what to do on older
 * kernels, so that an update of theirs that makes a new call falls back on an old one (libuv tries
 * io_uring that way); killing would take the service down for a call that nobody needs.  Only what
 * none of them does on any path, and whoever got into the process would, kills it.
 */

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef ARCH

#define KILL            SECCOMP_RET_KILL_PROCESS
#define ALLOW           SECCOMP_RET_ALLOW
#define FAIL(code)      (SECCOMP_RET_ERRNO | (code))
#define CODE_MAX        1024 /* instructions of a filter */
#define WITH_ARGUMENT   5    /* instructions that look at one */
#define WRITE_EXECUTE   (PROT_WRITE | PROT_EXEC)
#define TERMINAL_TYPE   0x5412 /* TIOCSTI: what the shell will read */
#define TERMINAL_SELECT 0x541C /* TIOCLINUX: and paste it there */

/* For these calls, if (arguments[arg] & mask) == value; the first rule that fits decides. */
struct rule {
    uint32_t action;
    unsigned arg;
    uint32_t mask, value; /* of the lower half; both 0: always */
    const short *calls;
    size_t n;
};

#define ALWAYS            0, 0, 0
#define IF_IS(arg, value) arg, 0xFFFFFFFF, value
#define CALLS(...)        (const short[]){__VA_ARGS__}, COUNT_OF(((const short[]){__VA_ARGS__}))

static const struct rule service[] = {
    {KILL, ALWAYS, CALLS(SYS_execve, SYS_execveat)},
    {KILL, ALWAYS, CALLS(SYS_process_vm_readv, SYS_process_vm_writev)},
    {KILL, ALWAYS, CALLS(SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_personality)},
    {KILL, ALWAYS, CALLS(SYS_unshare, SYS_setns, SYS_chroot, SYS_pivot_root, SYS_mount)},
    {KILL, ALWAYS, CALLS(SYS_umount2, SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_mknodat)},
    {KILL, ALWAYS, CALLS(SYS_mount_setattr, SYS_open_by_handle_at, SYS_swapon, SYS_acct)},
    {KILL, ALWAYS, CALLS(SYS_init_module, SYS_finit_module, SYS_delete_module)},
    {KILL, ALWAYS, CALLS(SYS_kexec_load, SYS_kexec_file_load, SYS_reboot)},
#ifdef INSTRUMENTED /* the leak sanitizer traces us from a process of its own */
    {ALLOW, ALWAYS, CALLS(SYS_ptrace, SYS_prctl)},
#ifdef SYS_getdents
    {ALLOW, ALWAYS, CALLS(SYS_getdents)},
#endif
#endif
    {KILL, ALWAYS, CALLS(SYS_ptrace)},

    /* Libraries are loaded (name services), but no memory is ever both. */
    {FAIL(EACCES), 2, WRITE_EXECUTE, WRITE_EXECUTE, CALLS(SYS_mmap, SYS_mprotect)},
    {ALLOW, ALWAYS, CALLS(SYS_mmap, SYS_mprotect, SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk)},
    {ALLOW, ALWAYS, CALLS(SYS_mincore, SYS_membarrier)},

    /* threads, processes, signals */
    {ALLOW, ALWAYS, CALLS(SYS_clone, SYS_clone3, SYS_set_robust_list, SYS_set_tid_address)},
    {ALLOW, ALWAYS, CALLS(SYS_rseq, SYS_futex, SYS_exit, SYS_exit_group, SYS_wait4)},
    {ALLOW, ALWAYS, CALLS(SYS_getpid, SYS_getppid, SYS_gettid, SYS_getcpu, SYS_umask)},
    {ALLOW, ALWAYS, CALLS(SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid)},
    {ALLOW, ALWAYS, CALLS(SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_getparam)},
    {ALLOW, ALWAYS, CALLS(SYS_sched_getscheduler, SYS_sched_get_priority_min)},
    {ALLOW, ALWAYS, CALLS(SYS_sched_get_priority_max, SYS_kill, SYS_tgkill, SYS_rt_sigaction)},
    {ALLOW, ALWAYS, CALLS(SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigtimedwait)},
    {ALLOW, ALWAYS, CALLS(SYS_rt_sigpending, SYS_rt_sigsuspend, SYS_sigaltstack)},
    {ALLOW, ALWAYS, CALLS(SYS_restart_syscall, SYS_seccomp, SYS_landlock_create_ruleset)},
    {ALLOW, ALWAYS, CALLS(SYS_landlock_add_rule, SYS_landlock_restrict_self)},
    {ALLOW, IF_IS(0, PR_SET_NAME), CALLS(SYS_prctl)},
    {ALLOW, IF_IS(0, PR_SET_VMA), CALLS(SYS_prctl)},
    {ALLOW, IF_IS(0, PR_SET_PDEATHSIG), CALLS(SYS_prctl)},

    /* time, chance, the machine */
    {ALLOW, ALWAYS, CALLS(SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep)},
    {ALLOW, ALWAYS, CALLS(SYS_nanosleep, SYS_gettimeofday, SYS_times, SYS_timer_create)},
    {ALLOW, ALWAYS, CALLS(SYS_timer_settime, SYS_timer_gettime, SYS_timer_getoverrun)},
    {ALLOW, ALWAYS, CALLS(SYS_timer_delete, SYS_timerfd_create, SYS_timerfd_settime)},
    {ALLOW, ALWAYS, CALLS(SYS_timerfd_gettime, SYS_getrandom, SYS_sysinfo, SYS_uname)},
    {ALLOW, ALWAYS, CALLS(SYS_getrlimit, SYS_setrlimit, SYS_getrusage)},
    {ALLOW, IF_IS(0, 0), CALLS(SYS_prlimit64)}, /* our own */

    /* descriptors and files */
    {ALLOW, ALWAYS, CALLS(SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2)},
    {ALLOW, ALWAYS, CALLS(SYS_ppoll, SYS_pselect6, SYS_eventfd2, SYS_pipe2, SYS_inotify_init1)},
    {ALLOW, ALWAYS, CALLS(SYS_inotify_add_watch, SYS_inotify_rm_watch, SYS_dup, SYS_dup3)},
    {ALLOW, ALWAYS, CALLS(SYS_openat, SYS_close, SYS_close_range, SYS_read, SYS_pread64)},
    {ALLOW, ALWAYS, CALLS(SYS_readv, SYS_preadv, SYS_write, SYS_pwrite64, SYS_writev)},
    {ALLOW, ALWAYS, CALLS(SYS_pwritev, SYS_sendfile, SYS_lseek, SYS_fstat, SYS_newfstatat)},
    {ALLOW, ALWAYS, CALLS(SYS_statx, SYS_statfs, SYS_fstatfs, SYS_faccessat, SYS_faccessat2)},
    {ALLOW, ALWAYS, CALLS(SYS_readlinkat, SYS_getdents64, SYS_getcwd, SYS_fcntl, SYS_flock)},
    {ALLOW, ALWAYS, CALLS(SYS_fsync, SYS_fdatasync, SYS_truncate, SYS_ftruncate, SYS_fallocate)},
    {ALLOW, ALWAYS, CALLS(SYS_fadvise64, SYS_fchmod, SYS_fchown, SYS_mkdirat, SYS_unlinkat)},
    {ALLOW, ALWAYS, CALLS(SYS_linkat, SYS_renameat, SYS_renameat2, SYS_utimensat)},
    {FAIL(EPERM), IF_IS(1, TERMINAL_TYPE), CALLS(SYS_ioctl)},
    {FAIL(EPERM), IF_IS(1, TERMINAL_SELECT), CALLS(SYS_ioctl)},
    {ALLOW, ALWAYS, CALLS(SYS_ioctl)},

    /* sockets, without the odd families, where kernels break */
    {ALLOW, IF_IS(0, AF_INET), CALLS(SYS_socket)},
    {ALLOW, IF_IS(0, AF_INET6), CALLS(SYS_socket)},
    {ALLOW, IF_IS(0, AF_UNIX), CALLS(SYS_socket)},
    {ALLOW, IF_IS(0, AF_NETLINK), CALLS(SYS_socket)}, /* getaddrinfo() asks for our addresses */
    {FAIL(EAFNOSUPPORT), ALWAYS, CALLS(SYS_socket)},
    {ALLOW, ALWAYS, CALLS(SYS_socketpair, SYS_bind, SYS_listen, SYS_connect, SYS_accept)},
    {ALLOW, ALWAYS, CALLS(SYS_accept4, SYS_getsockname, SYS_getpeername, SYS_getsockopt)},
    {ALLOW, ALWAYS, CALLS(SYS_setsockopt, SYS_shutdown, SYS_sendto, SYS_sendmsg, SYS_sendmmsg)},
    {ALLOW, ALWAYS, CALLS(SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg)},

#ifdef __x86_64__ /* what it had before, and newer machines never had */
    {KILL, ALWAYS, CALLS(SYS_mknod, SYS_iopl, SYS_ioperm)},
    {ALLOW, ALWAYS, CALLS(SYS_arch_prctl, SYS_time, SYS_poll, SYS_select, SYS_pipe, SYS_dup2)},
    {ALLOW, ALWAYS, CALLS(SYS_epoll_wait, SYS_epoll_create, SYS_eventfd, SYS_inotify_init)},
    {ALLOW, ALWAYS, CALLS(SYS_open, SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_mkdir)},
    {ALLOW, ALWAYS, CALLS(SYS_rmdir, SYS_unlink, SYS_rename, SYS_link)},
#endif
};

/* What a start needs and no request does. */
static const struct rule requests[] = {
    {FAIL(EPERM), ALWAYS, CALLS(SYS_listen, SYS_seccomp)},
    {FAIL(EPERM), ALWAYS, CALLS(SYS_landlock_create_ruleset, SYS_landlock_restrict_self)},
#ifndef INSTRUMENTED
    {FAIL(EPERM), ALWAYS, CALLS(SYS_kill)},
    {FAIL(EPERM), 0, CLONE_THREAD, 0, CALLS(SYS_clone)},
    /* The flags of this one are where a filter cannot look; libc then takes the other. */
    {FAIL(ENOSYS), ALWAYS, CALLS(SYS_clone3)},
#endif
};

/* --- the filter ------------------------------------------------------------------------------ */

struct filter {
    struct sock_filter code[CODE_MAX];
    size_t len;
};

static void add(struct filter *f, unsigned code, uint32_t k, unsigned yes, unsigned no) {
    if (f->len < CODE_MAX)
        f->code[f->len] = (struct sock_filter){(uint16_t)code, (uint8_t)yes, (uint8_t)no, k};
    f->len++;
}

static void add_load(struct filter *f, size_t offset) {
    add(f, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* Go on with the next instruction if so, else after `skip` more. */
static void add_unless(struct filter *f, uint32_t value, unsigned skip) {
    add(f, BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip);
}

static void add_end(struct filter *f, uint32_t action) {
    add(f, BPF_RET | BPF_K, action, 0, 0);
}

/* The number of the call is loaded before, and after. */
static void add_rule(struct filter *f, const struct rule *r, uint32_t call) {
    /* Both machines are little-endian: the lower half comes first. */
    const size_t argument = offsetof(struct seccomp_data, args) + r->arg * sizeof(uint64_t);

    if (r->mask != 0) {
        add_unless(f, call, WITH_ARGUMENT);
        add_load(f, argument);
        add(f, BPF_ALU | BPF_AND | BPF_K, r->mask, 0, 0);
        add_unless(f, r->value, 1);
        add_end(f, r->action);
        add_load(f, offsetof(struct seccomp_data, nr));
    } else {
        add_unless(f, call, 1);
        add_end(f, r->action);
    }
}

static int install(const struct rule *rules, size_t n, uint32_t otherwise, unsigned flags) {
    static struct filter f; /* large for a stack */
    struct sock_fprog program = {.filter = f.code};

    f.len = 0;
    /* Other machines' programs (of 32 bits) have other numbers: nothing here makes such a call. */
    add_load(&f, offsetof(struct seccomp_data, arch));
    add(&f, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
    add_end(&f, KILL);
    add_load(&f, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < rules[i].n; k++)
            add_rule(&f, &rules[i], (uint32_t)rules[i].calls[k]);
    add_end(&f, otherwise);
    if (f.len > CODE_MAX) {
        errno = E2BIG;
        return -1;
    }
    program.len = (unsigned short)f.len;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

int confine_calls_to_service(void) {
    return install(service, COUNT_OF(service), FAIL(ENOSYS), SECCOMP_FILTER_FLAG_LOG);
}

/* The audit log is not told: libc tries clone3() for each thread anew. */
int confine_calls_to_requests(void) {
    return install(requests, COUNT_OF(requests), ALLOW, 0);
}

#else /* a machine whose calls nobody has looked at */

int confine_calls_to_service(void) {
    errno = ENOSYS;
    return -1;
}

int confine_calls_to_requests(void) {
    errno = ENOSYS;
    return -1;
}

#endif
