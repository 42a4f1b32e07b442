/*
 * What a target lets a program do: --surface PID:COUNT reports
 *
 *   "S status NAME: VALUE"        lines of /proc/self/status about capabilities, filters, users and mitigations
 *   "S uid_map FIRST HOST COUNT"  lines of /proc/self/uid_map
 *   "S mount POINT ro|rw TYPE ROOT"  every mount; "S device NAME" every device node in /dev
 *   "S act NAME ERRNO"            privileged acts, 0 for one that is allowed; PID is a process of the host that some are tried on, 0: none
 *   "S calls FIRST LETTERS"       the answer to each system call from number FIRST on, COUNT in all: a letter of "enum answer"
 *   "E surface"
 *
 * Lines are sent many at a time: a burst of datagrams would fill the host's queue, and gVisor does not notice when there is room again.
 *
 * Each act and each call is tried in a child of its own. Calls get arguments that the kernel refuses for themselves (-1: no such
 * descriptor, address, process or flag), so that nothing is done whatever the answer; acts are tried only as far as needed to see the
 * answer, and undone where they succeed.
 */
#define _GNU_SOURCE
#include "actions.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum answer { ANSWERED = 'a', REFUSED = 'p', MISSING = 'n', KILLED = 'k', UNTRIED = 'u' };

static struct {
    int stage; /* 0: not yet tried, 1: being tried, 2: done */
    int error;
} volatile *shared;

static char report[3072]; /* what has not been sent yet */
static size_t reported;

static void flush(void)
{
    if (reported)
        say(report, reported);
    reported = 0;
}

/* Add a line to the report. */
static void add(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void add(const char *format, ...)
{
    va_list rest;
    if (reported + 256 > sizeof report)
        flush();
    va_start(rest, format);
    int length = vsnprintf(report + reported, 256, format, rest);
    va_end(rest);
    if (length >= 256) {
        length = 255;
        report[reported + 254] = '\n';
    }
    reported += (size_t)length;
}

/* Run a function in a child and return its wait status; what it has found is in "shared". */
static int in_child(int (*try)(long), long value)
{
    int status = 0;
    shared->stage = shared->error = 0;
    pid_t child = fork();
    if (child < 0)
        fail(71, "cannot fork for", "--surface");
    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        shared->stage = 1;
        shared->error = try(value);
        shared->stage = 2;
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

#ifdef SYS_fork
/* Wait for the child of a fork that has succeeded; the child itself ends. */
static long forked(pid_t child)
{
    if (child == 0)
        _exit(0);
    int saved = errno;
    if (child > 0)
        waitpid(child, NULL, 0);
    errno = saved;
    return child;
}
#endif

/* Return whether a call is not tried: its number alone acts on the whole host, or on the stack of the caller. */
static int is_untried(long call)
{
    switch (call) {
    case SYS_sync:
    case SYS_rt_sigreturn:
#ifdef __x86_64__
    case 335: /* uretprobe and uprobe, for trampolines of the kernel only */
    case 336:
#endif
        return 1;
    }
    return 0;
}

/* Call with arguments that fail by themselves; some calls take others, because -1 would act or look like a missing call. */
static long harmless(long call)
{
    switch (call) {
    case SYS_clone:
        return syscall(call, (long)CLONE_SIGHAND, 0L, 0L, 0L, 0L); /* not without CLONE_VM */
    case SYS_kill:
        return syscall(call, (long)getpid(), 0L);
    case SYS_msgget:
    case SYS_semget:
    case SYS_shmget:
        return syscall(call, 0x74617265L, 0L, 0L); /* looks for one, creates none */
    case SYS_futex:
        return syscall(call, &shared->error, (long)FUTEX_WAKE, 0L, NULL, NULL, 0L);
#ifdef SYS_fork
    case SYS_fork:
        return forked((pid_t)syscall(SYS_fork));
    case SYS_vfork:
        return forked(vfork());
#endif
    case SYS_vhangup:
        setsid(); /* no terminal that it could hang up */
        return syscall(call);
#ifdef SYS_pause
    case SYS_pause: {
        struct itimerval timer = {.it_value = {0, 50000}};
        setitimer(ITIMER_REAL, &timer, NULL); /* ends the child, as a sign that the call was let through */
        return syscall(call);
    }
#endif
#ifdef SYS_modify_ldt
    case SYS_modify_ldt:
        return syscall(call, 0L, NULL, 0L);
#endif
    }
    return syscall(call, -1L, -1L, -1L, -1L, -1L, -1L);
}

static int try_call(long call)
{
    prctl(PR_SET_DUMPABLE, 0L); /* a call that crashes the child leaves no core */
    errno = 0;
    return harmless(call) == -1 ? errno : 0;
}

static char answer_of(long call)
{
    if (is_untried(call))
        return UNTRIED;
    int status = in_child(try_call, call);
    if (shared->stage == 0)
        fail(71, "a child ended before it could try a call for", "--surface");
    if (shared->stage == 1) /* it did not return: exit, pause, a crash – or a filter that kills */
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? KILLED : ANSWERED;
    return shared->error == EPERM ? REFUSED : shared->error == ENOSYS ? MISSING : ANSWERED;
}

static void calls(long count)
{
    char letters[65];
    for (long first = 0; first < count; first += 64) {
        long length = count - first < 64 ? count - first : 64;
        for (long i = 0; i < length; i++)
            letters[i] = answer_of(first + i);
        letters[length] = 0;
        add("S calls %ld %s\n", first, letters);
    }
}

/* Acts return 0 when they are allowed, else the error. */

static int mounts(long pid)
{
    (void)pid;
    mount("none", "/", "tare-none", 0, NULL); /* whoever may mount is told that there is no such file system */
    return errno == ENODEV ? 0 : errno;
}

static int loads_module(long pid)
{
    (void)pid;
    syscall(SYS_init_module, "none", 4L, ""); /* whoever may load one is told that this is none */
    return errno == ENOEXEC ? 0 : errno;
}

static int opens_raw_socket(long pid)
{
    (void)pid;
    return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) < 0 ? errno : 0;
}

static int opens_sysctl(long pid)
{
    (void)pid;
    return open("/proc/sys/vm/overcommit_memory", O_WRONLY) < 0 ? errno : 0;
}

static int makes_device(long pid)
{
    char path[64];
    (void)pid;
    snprintf(path, sizeof path, "/tmp/.tare-%d", getpid());
    if (mknod(path, S_IFCHR | 0600, makedev(1, 3)) != 0)
        return errno;
    unlink(path);
    return 0;
}

static int binds_port_80(long pid)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
    (void)pid;
    int file = socket(AF_INET, SOCK_STREAM, 0);
    if (file < 0 || (bind(file, (struct sockaddr *)&address, sizeof address) != 0 && errno != EADDRINUSE))
        return errno;
    return 0;
}

static int signals_host(long pid) { return kill((pid_t)pid, 0) ? errno : 0; }

static int traces_host(long pid) { return ptrace(PTRACE_SEIZE, (pid_t)pid, 0L, 0L) ? errno : 0; }

static int opens_other_root(long pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/root", pid);
    return open(path, O_RDONLY | O_DIRECTORY) < 0 ? errno : 0;
}

static int makes_user_namespace(long pid)
{
    (void)pid;
    return unshare(CLONE_NEWUSER) ? errno : 0;
}

static int changes_root(long pid)
{
    (void)pid;
    return chroot("/") ? errno : 0;
}

static int sets_hostname(long pid)
{
    char name[65] = "";
    (void)pid;
    if (gethostname(name, sizeof name - 1) != 0)
        return errno;
    return sethostname(name, strlen(name)) ? errno : 0;
}

static int reads_kernel_log(long pid)
{
    (void)pid;
    return klogctl(10, NULL, 0) < 0 ? errno : 0; /* the size of its buffer */
}

static int writes_root(long pid)
{
    char path[64];
    (void)pid;
    if (open("/", O_TMPFILE | O_RDWR, 0600) >= 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return errno;
    snprintf(path, sizeof path, "/.tare-%d", getpid()); /* the file system has no files without a name */
    if (open(path, O_CREAT | O_EXCL | O_WRONLY, 0600) < 0)
        return errno;
    unlink(path);
    return 0;
}

static const struct {
    const char *name;
    int (*act)(long pid);
    int on_host; /* needs a process of the host */
} ACTS[] = {{"mount", mounts, 0},
            {"load-module", loads_module, 0},
            {"raw-socket", opens_raw_socket, 0},
            {"write-sysctl", opens_sysctl, 0},
            {"make-device", makes_device, 0},
            {"bind-port-80", binds_port_80, 0},
            {"signal-host", signals_host, 1},
            {"trace-host", traces_host, 1},
            {"open-other-root", opens_other_root, 1},
            {"user-namespace", makes_user_namespace, 0},
            {"change-root", changes_root, 0},
            {"set-hostname", sets_hostname, 0},
            {"read-kernel-log", reads_kernel_log, 0},
            {"write-root", writes_root, 0}};

static void acts(long pid)
{
    for (size_t i = 0; i < sizeof ACTS / sizeof *ACTS; i++) {
        if (ACTS[i].on_host && pid == 0)
            continue;
        in_child(ACTS[i].act, pid);
        add("S act %s %d\n", ACTS[i].name, shared->stage == 2 ? shared->error : ENOSYS);
    }
}

static void status(void)
{
    static const char *const WANTED[] = {"Uid:", "Cap", "NoNewPrivs:", "Seccomp", "Speculation_Store_Bypass:"};
    char line[256];
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file))
        for (size_t i = 0; i < sizeof WANTED / sizeof *WANTED; i++)
            if (strncmp(line, WANTED[i], strlen(WANTED[i])) == 0)
                add("S status %s", line);
    if (file)
        fclose(file);
    file = fopen("/proc/self/uid_map", "re");
    while (file && fgets(line, sizeof line, file))
        add("S uid_map %s", line);
    if (file)
        fclose(file);
}

/* Report the mounts (proc_pid_mountinfo(5)): fields 4 to 6 are root, mount point and options, the type follows a dash. */
static void mount_points(void)
{
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen("/proc/self/mountinfo", "re");
    while (file && getline(&line, &size, file) > 0) {
        char root[80], point[80], options[16], type[32];
        const char *rest = strstr(line, " - ");
        if (rest && sscanf(line, "%*s %*s %*s %79s %79s %15s", root, point, options) == 3 && sscanf(rest, " - %31s", type) == 1)
            add("S mount %s %.2s %s %s\n", point, options, type, root);
    }
    free(line);
    if (file)
        fclose(file);
}

static void devices(void)
{
    struct stat found;
    DIR *folder = opendir("/dev");
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (fstatat(dirfd(folder), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
            (S_ISCHR(found.st_mode) || S_ISBLK(found.st_mode)))
            add("S device %.80s\n", entry->d_name);
    if (folder)
        closedir(folder);
}

static void surface(char *text)
{
    char *colon = strchr(text, ':');
    if (!colon) {
        errno = EINVAL;
        fail(64, "--surface", text);
    }
    *colon = 0;
    long pid = (long)number("--surface", text), count = (long)number("--surface", colon + 1);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        fail(71, "cannot share memory for", "--surface");
    status();
    mount_points();
    devices();
    acts(pid);
    calls(count);
    add("E surface\n");
    flush();
}

const struct action SURFACE_ACTIONS[] = {{"--surface", surface}, {NULL, NULL}};
