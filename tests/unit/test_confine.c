#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine.h"
#include "env.h"
#include "tree.h"

/*
 * Each attempt is made by a child that is confined as a service is.  What it came to is the child's
 * exit code, 0 or errno, or the signal that ended it.
 */

static char root[] = "/tmp/paraph-confine-XXXXXX";
static char data[64], overlay[64], shipped[64], elsewhere[64], linked[64];

/* Builds that are measured are open to their tools. */
#ifdef INSTRUMENTED
#define OPEN_TO_TOOLS(outcome, open) (open)
#else
#define OPEN_TO_TOOLS(outcome, open) (outcome)
#endif

static int landlock; /* its ABI here; below 2: not used */
static bool seccomp;

/* --- the place ------------------------------------------------------------------------------- */

static const char *in(const char *dir, const char *name) {
    static char paths[2][256];
    static unsigned next;
    char *path = paths[next++ % 2];

    snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
    return path;
}

static void put(const char *path) {
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs("return {}\n", f) >= 0);
    fclose(f);
}

static void make_dir(char *dir, size_t size, const char *name) {
    snprintf(dir, size, "%s/%s", root, name);
    assert_int_equal(mkdir(dir, 0700), 0);
}

/* An overlay with one link that leads out of it. */
static int make_place(void **state) {
    (void)state;
    assert_non_null(mkdtemp(root));
    make_dir(data, sizeof(data), "data");
    make_dir(overlay, sizeof(overlay), "overlay");
    make_dir(shipped, sizeof(shipped), "shipped");
    make_dir(elsewhere, sizeof(elsewhere), "elsewhere");
    make_dir(linked, sizeof(linked), "linked");
    put(in(overlay, "a.lua"));
    put(in(linked, "b.lua"));
    assert_int_equal(symlink(in(linked, "b.lua"), in(overlay, "b.lua")), 0);
    put(in(elsewhere, "secret"));
    env = (struct env){.backend = ENV_LOCAL,
                       .data_dir = data,
                       .scripts_dir = overlay,
                       .shipped_scripts_dir = shipped,
                       .shipped_templates_dir = shipped};
    landlock = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    seccomp = prctl(PR_GET_SECCOMP) >= 0;
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int remove_place(void **state) {
    (void)state;
    return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void confine(void) {
    struct err e;
    struct tree *tree = tree_read(&e);

    if (tree == NULL)
        _exit(255);
    confine_memory();
    if (prctl(PR_GET_DUMPABLE) != OPEN_TO_TOOLS(0, 1))
        _exit(255);
    confine_process();
    confine_server(tree);
    tree_unref(tree);
}

/* What `try` came to: 0, errno, or -(the signal). */
static int outcome(int (*try)(void)) {
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        confine();
        _exit(try() >= 0 ? 0 : errno);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* --- files ----------------------------------------------------------------------------------- */

static int write_data(void) {
    return open(in(data, "a"), O_RDWR | O_CREAT | O_TRUNC, 0600);
}

static int move_within_data(void) {
    if (mkdir(in(data, "tmp"), 0700) != 0 || mkdir(in(data, "new"), 0700) != 0)
        return -1;
    put(in(data, "tmp/m"));
    if (link(in(data, "tmp/m"), in(data, "new/m")) != 0)
        return -1;
    return rename(in(data, "tmp/m"), in(data, "new/n"));
}

static int read_overlay(void) {
    return open(in(overlay, "a.lua"), O_RDONLY);
}

static int read_through_link(void) {
    return open(in(overlay, "b.lua"), O_RDONLY);
}

static int write_overlay(void) {
    return open(in(overlay, "a.lua"), O_WRONLY);
}

static int add_to_overlay(void) {
    return open(in(overlay, "c.lua"), O_WRONLY | O_CREAT, 0600);
}

static int read_elsewhere(void) {
    return open(in(elsewhere, "secret"), O_RDONLY);
}

static int list_elsewhere(void) {
    return opendir(elsewhere) != NULL ? 0 : -1;
}

static int write_elsewhere(void) {
    return open(in(elsewhere, "new"), O_WRONLY | O_CREAT, 0600);
}

static int truncate_elsewhere(void) {
    return truncate(in(elsewhere, "secret"), 0);
}

static int remove_elsewhere(void) {
    return unlink(in(elsewhere, "secret"));
}

static int link_out_of_data(void) {
    return rename(in(data, "a"), in(elsewhere, "a"));
}

static int read_authorities(void) {
    return open("/etc/ssl/certs", O_RDONLY | O_DIRECTORY);
}

static int write_nowhere(void) {
    return open("/dev/null", O_RDWR);
}

/* --- processes ------------------------------------------------------------------------------- */

static int execute(void) {
    static char name[] = "true";
    char *const arguments[] = {name, NULL};

    return execv("/bin/true", arguments);
}

static int fork_again(void) {
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return pid;
}

static void *nothing(void *arg) {
    return arg;
}

static int begin_thread(void) {
    pthread_t thread;

    errno = pthread_create(&thread, NULL, nothing, NULL);
    return errno != 0 ? -1 : pthread_join(thread, NULL);
}

static int signal_parent(void) {
    return kill(getppid(), 0);
}

static int trace(void) {
    return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int leave_namespace(void) {
    return (int)syscall(SYS_unshare, 0);
}

static int mount_something(void) {
    return (int)syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL);
}

static int read_memory(void) {
    return (int)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static int load_program(void) {
    return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int use_keyring(void) {
    return (int)syscall(SYS_keyctl, 0, -3, 0);
}

static int queue_io(void) {
    return (int)syscall(SYS_io_uring_setup, 1, NULL);
}

static int make_program(void) {
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p != MAP_FAILED ? 0 : -1;
}

static int relax(void) {
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL);
}

static int dump_core(void) {
    struct rlimit limit = {1, 1};

    if (getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_max != 0 || limit.rlim_cur != 0)
        return 0;
    errno = EPERM;
    return -1;
}

static int be_dumped(void) {
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

/* --- the network ----------------------------------------------------------------------------- */

static int bind_port(void) {
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd < 0 ? 0 : bind(fd, (const struct sockaddr *)&any, sizeof(any));
}

static int listen_anywhere(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd < 0 ? 0 : listen(fd, 1);
}

static int sniff(void) {
    return socket(AF_PACKET, SOCK_RAW, 0);
}

static int find_name(void) {
    struct addrinfo *found = NULL;
    int why = getaddrinfo("localhost", "80", NULL, &found);

    if (why == 0)
        freeaddrinfo(found);
    return why == 0 ? 0 : -1;
}

/* --- all ------------------------------------------------------------------------------------- */

/* Landlock's version that an outcome needs; with 0 it needs seccomp, or nothing where all is well.
 */
static const struct attempt {
    const char *name;
    int (*try)(void);
    int expected, landlock;
} attempts[] = {
    {"write DATA_DIR", write_data, 0, 0},
    {"move within DATA_DIR", move_within_data, 0, 0},
    {"read an overlay", read_overlay, 0, 0},
    {"read where an overlay's link leads", read_through_link, 0, 0},
    {"read certificates", read_authorities, 0, 0},
    {"write to /dev/null", write_nowhere, 0, 0},
    {"begin a thread", begin_thread, 0, 0},
    {"find an address", find_name, 0, 0},
    {"write an overlay", write_overlay, EACCES, 2},
    {"add to an overlay", add_to_overlay, EACCES, 2},
    {"read elsewhere", read_elsewhere, EACCES, 2},
    {"list elsewhere", list_elsewhere, EACCES, 2},
    {"write elsewhere", write_elsewhere, EACCES, 2},
    {"remove elsewhere", remove_elsewhere, EACCES, 2},
    {"move out of DATA_DIR", link_out_of_data, EACCES, 2},
    {"truncate elsewhere", truncate_elsewhere, EACCES, 3},
    {"bind a port", bind_port, EACCES, 4},
    {"listen", listen_anywhere, EPERM, 0},
    {"sniff", sniff, EAFNOSUPPORT, 0},
    {"execute a program", execute, -SIGSYS, 0},
    {"fork", fork_again, OPEN_TO_TOOLS(EPERM, 0), 0},
    {"signal another process", signal_parent, EPERM, OPEN_TO_TOOLS(0, 6)},
    {"ptrace", trace, OPEN_TO_TOOLS(-SIGSYS, 0), 0},
    {"leave a namespace", leave_namespace, -SIGSYS, 0},
    {"mount", mount_something, -SIGSYS, 0},
    {"read another's memory", read_memory, -SIGSYS, 0},
    {"load a program into the kernel", load_program, -SIGSYS, 0},
    {"make a call nobody listed", use_keyring, ENOSYS, 0},
    {"try io_uring", queue_io, ENOSYS, 0},
    {"make memory that can be written and executed", make_program, EACCES, 0},
    {"relax the filter", relax, EPERM, 0},
    {"dump core by the limit", dump_core, EPERM, 0},
    {"be dumped", be_dumped, OPEN_TO_TOOLS(ENOSYS, 0), 0},
};

static bool can_be_checked(const struct attempt *a) {
    if (a->expected == 0 || a->try == dump_core)
        return true;
    return a->landlock > 0 ? landlock >= a->landlock : seccomp;
}

static void each_attempt_comes_to_what_it_should(void **state) {
    int wrong = 0, got;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(attempts); i++) {
        if (!can_be_checked(&attempts[i])) {
            print_message("not checked, the kernel has nothing against it: %s\n", attempts[i].name);
            continue;
        }
        got = outcome(attempts[i].try);
        if (got == attempts[i].expected)
            continue;
        wrong++;
        print_error("%s: %d instead of %d\n", attempts[i].name, got, attempts[i].expected);
    }
    assert_int_equal(wrong, 0);
}

/* --- a kernel that has nothing of it --------------------------------------------------------- */

/* From now on this process's kernel knows neither call. */
static void forget_calls(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = COUNT_OF(code), .filter = code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(254);
}

/* What a child logs that such a kernel runs, and that it goes on. */
static void confine_on_old_kernel(char *log, size_t size) {
    int ends[2], status;
    ssize_t n;
    size_t len = 0;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    if ((pid = fork()) == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        forget_calls();
        confine();
        _exit(write_data() >= 0 ? 0 : 1);
    }
    close(ends[1]);
    while (len < size - 1 && (n = read(ends[0], log + len, size - 1 - len)) > 0)
        len += (size_t)n;
    log[len] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void what_the_kernel_lacks_is_told(void **state) {
    char log[1024];

    (void)state;
    if (!seccomp) {
        print_message("this kernel lacks it anyway\n");
        return;
    }
    confine_on_old_kernel(log, sizeof(log));
    assert_non_null(strstr(log, "info  confined landlock=0"));
    assert_non_null(strstr(log, "no_landlock=\"Function not implemented\""));
    assert_non_null(strstr(log, "seccomp=false no_seccomp=\"Function not implemented\""));
    assert_non_null(strstr(log, "core_dumps=off"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_attempt_comes_to_what_it_should),
        cmocka_unit_test(what_the_kernel_lacks_is_told),
    };

    return cmocka_run_group_tests(tests, make_place, remove_place);
}
