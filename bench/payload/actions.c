/*
 * Actions of the payload. Those in this file read no clock: a timer only ends a loop, the payload reports its count, and the host
 * stamps the beginning and the end.
 */
#define _GNU_SOURCE
#include "actions.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK 65536
#define WRAP (64 << 20) /* bytes after which reading and writing start over */

static volatile sig_atomic_t over;

static void stop_it(int signal_number)
{
    (void)signal_number;
    over = 1;
}

/* Set "over" after that many milliseconds, to end the loop that follows. */
static void run_for(uint64_t milliseconds)
{
    struct sigaction action = {.sa_handler = stop_it};
    struct itimerval timer = {.it_value = {(time_t)(milliseconds / 1000), (suseconds_t)(milliseconds % 1000 * 1000)}};
    over = 0;
    if (milliseconds == 0 || sigaction(SIGALRM, &action, NULL) != 0 || setitimer(ITIMER_REAL, &timer, NULL) != 0)
        fail(64, "cannot set a timer of milliseconds", "0");
}

/* Split NAME:NUMBER in place and return the number. */
static uint64_t split(const char *option, char *text)
{
    char *colon = strrchr(text, ':');
    if (!colon) {
        errno = EINVAL;
        fail(64, option, text);
    }
    *colon = 0;
    return number(option, colon + 1);
}

void touch(uint64_t bytes)
{
    if (bytes == 0)
        return;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        fail(71, "cannot map memory", "--touch");
    long page = sysconf(_SC_PAGESIZE);
    for (uint64_t at = 0; at < bytes; at += (uint64_t)page)
        memory[at] = 1;
}

static uint64_t state = 88172645463325252ull;

static void xorshift(void)
{
    state ^= state << 13; /* xorshift64, Marsaglia 2003 */
    state ^= state >> 7;
    state ^= state << 17;
}

void work(uint64_t rounds)
{
    volatile uint64_t sink;
    for (uint64_t i = 0; i < rounds; i++) {
        xorshift();
        if ((i & 255) == 0)
            syscall(SYS_getppid);
    }
    sink = state;
    (void)sink;
}

static void grow(char *text)
{
    uint64_t most = split("--grow", text), step = number("--grow", text), done = 0;
    char *memory = mmap(NULL, most, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || step == 0)
        fail(71, "cannot map memory", "--grow");
    madvise(memory, most, MADV_NOHUGEPAGE); /* a huge page could exceed the limit in one step */
    for (; done + step <= most; done += step) {
        for (uint64_t at = done; at < done + step; at += 4096)
            memory[at] = 1;
        say_format("M %llu\n", (unsigned long long)(done + step));
    }
    say("E grow\n", 7);
}

static void many(uint64_t most)
{
    uint64_t count = 0;
    pid_t *children = calloc(most, sizeof *children);
    if (!children)
        fail(71, "cannot remember that many children", "--forks");
    for (; count < most; count++) {
        children[count] = fork();
        if (children[count] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;)
                pause();
        }
        if (children[count] < 0)
            break;
    }
    say_format("P %llu %s\n", (unsigned long long)count, count < most ? strerror(errno) : "all");
    for (uint64_t i = 0; i < count; i++)
        kill(children[i], SIGKILL);
    for (uint64_t i = 0; i < count; i++)
        waitpid(children[i], NULL, 0);
    free(children);
}

/* Read or write blocks with direct I/O until the time is over; writing makes the file at most WRAP bytes long. */
static void transfer(const char *option, char *text, int writing)
{
    uint64_t milliseconds = split(option, text), done = 0;
    void *block;
    int file = open(text, writing ? O_WRONLY | O_CREAT | O_DIRECT : O_RDONLY | O_DIRECT, 0600);
    if (file < 0 || posix_memalign(&block, 4096, BLOCK) != 0)
        fail(71, "cannot open for direct access", text);
    memset(block, 1, BLOCK);
    say_format("B %s\n", option + 2);
    for (run_for(milliseconds); !over; done += BLOCK) {
        off_t at = (off_t)(done % WRAP);
        ssize_t moved = writing ? pwrite(file, block, BLOCK, at) : pread(file, block, BLOCK, at);
        if (moved < 0 && errno == EINTR)
            break;
        if (moved != BLOCK)
            fail(71, option, text);
    }
    say_format("C %s %llu\n", option + 2, (unsigned long long)done);
    close(file);
    free(block);
}

/* Return the address of the default gateway in network byte order, 0 without one. */
static uint32_t gateway(void)
{
    char line[256], device[64];
    unsigned to, by, found = 0;
    FILE *routes = fopen("/proc/net/route", "re");
    while (routes && !found && fgets(line, sizeof line, routes))
        if (sscanf(line, "%63s %x %x", device, &to, &by) == 3 && to == 0)
            found = by;
    if (routes)
        fclose(routes);
    return found;
}

/* Send datagrams to the gateway's discard port; after the time is over, wait until the socket's queue is empty. */
static void send_away(char *text)
{
    uint64_t done = 0;
    char datagram[1400] = "";
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = gateway()};
    int file = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), waiting = 1;
    if (file < 0 || to.sin_addr.s_addr == 0)
        fail(71, "there is no way out of the network for", "--send");
    say("B send\n", 7);
    for (run_for(number("--send", text)); !over;)
        if (sendto(file, datagram, sizeof datagram, 0, (struct sockaddr *)&to, sizeof to) == sizeof datagram)
            done += sizeof datagram;
    while (ioctl(file, SIOCOUTQ, &waiting) == 0 && waiting)
        usleep(200);
    say_format("C send %llu\n", (unsigned long long)done);
    close(file);
}

static int word, memory_file = -1;
static char byte;

static void do_getpid(void) { syscall(SYS_getpid); }
static void do_open(void) { close(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }
static void do_read(void) { byte = pread(memory_file, &byte, 1, 0) == 1 ? byte : 0; }
static void do_futex(void) { syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0); }
static void do_personality(void) { syscall(SYS_personality, 0xffffffffL); /* asks, sets nothing */ }
static void do_pipe(void)
{
    static int ends[2] = {-1, -1};
    if (ends[0] < 0 && pipe2(ends, O_CLOEXEC) != 0)
        fail(71, "cannot make a pipe for", "--loop");
    if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
        fail(71, "cannot use the pipe of", "--loop");
}
static void do_compute(void)
{
    for (int i = 0; i < 1024; i++)
        xorshift();
}

static const struct {
    const char *name;
    void (*once)(void);
} LOOPS[] = {{"getpid", do_getpid}, {"open", do_open}, {"read", do_read}, {"futex", do_futex},
           {"personality", do_personality}, {"pipe", do_pipe}, {"compute", do_compute}};

/* Repeat one operation for that long and report how often it was done. */
static void loop(char *text)
{
    uint64_t milliseconds = split("--loop", text), count = 0;
    for (size_t i = 0; i < sizeof LOOPS / sizeof *LOOPS; i++) {
        if (strcmp(LOOPS[i].name, text) != 0)
            continue;
        if (memory_file < 0 && ((memory_file = memfd_create("loop", MFD_CLOEXEC)) < 0 || ftruncate(memory_file, 4096) != 0))
            fail(71, "cannot make a file in memory for", "--loop");
        say_format("B %s\n", text);
        for (run_for(milliseconds); !over; count += 64)
            for (int j = 0; j < 64; j++)
                LOOPS[i].once();
        say_format("C %s %llu\n", text, (unsigned long long)count);
        return;
    }
    errno = EINVAL;
    fail(64, "--loop knows getpid, open, read, futex, personality, pipe and compute, not", text);
}

static int lines_of(const char *path)
{
    int count = 0, letter;
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    while ((letter = getc(file)) != EOF)
        count += letter == '\n';
    fclose(file);
    return count;
}

static void first_line(const char *name, const char *path)
{
    char text[160] = "";
    FILE *file = fopen(path, "re");
    if (file) {
        if (fgets(text, sizeof text, file))
            text[strcspn(text, "\n")] = 0;
        fclose(file);
    }
    say_format("S %s %s\n", name, file ? text : "unreadable");
}

static int count_processes(void)
{
    int count = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; proc && (entry = readdir(proc));)
        count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
    if (proc)
        closedir(proc);
    return count ? count : -1; /* /proc is not mounted: it would list at least this process */
}

static int count_interfaces(void)
{
    int count = 0;
    struct if_nameindex *found = if_nameindex();
    if (!found)
        return -1;
    for (struct if_nameindex *one = found; one->if_index; one++)
        count++;
    if_freenameindex(found);
    return count;
}

/* Report what is visible from here; PID 1 of a guest mounts /proc for it. */
static void look(void)
{
    char name[65] = "";
    if (guest_init && (mkdir("/proc", 0555) == 0 || errno == EEXIST))
        mount("proc", "/proc", "proc", 0, NULL); /* if this fails, values are reported as unreadable */
    int processes = count_processes(), interfaces = count_interfaces(), segments = lines_of("/proc/sysvipc/shm");
    gethostname(name, sizeof name - 1);
    say_format("S pid %d\n", getpid());
    say_format("S uid %d\n", getuid());
    say_format("S processes %d\n", processes);
    say_format("S interfaces %d\n", interfaces);
    say_format("S mounts %d\n", lines_of("/proc/self/mounts"));
    say_format("S ipc_segments %d\n", segments > 0 ? segments - 1 : -1); /* without the header line */
    say_format("S hostname %s\n", name);
    first_line("uid_map", "/proc/self/uid_map");
    first_line("cgroup", "/proc/self/cgroup");
    first_line("time_offsets", "/proc/self/timens_offsets");
    say("E look\n", 7);
}

const struct action *find_action(const char *option)
{
    static const struct action *const tables[] = {NETWORK_ACTIONS, FILE_ACTIONS, KEPT_ACTIONS, NAME_ACTIONS, LINE_ACTIONS,
                                                  RESTART_ACTIONS, HEALTH_ACTIONS, VICTIM_ACTIONS, LOAD_ACTIONS, SURFACE_ACTIONS,
                                                  REACH_ACTIONS, CHANGE_ACTIONS, REMOTE_ACTIONS};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct action *one = tables[i]; one->option; one++)
            if (strcmp(one->option, option) == 0)
                return one;
    return NULL;
}

int act(const char *option, const char *value)
{
    char text[4096];
    snprintf(text, sizeof text, "%s", value);
    if (strcmp(option, "--look") == 0)
        look();
    else if (strcmp(option, "--loop") == 0)
        loop(text);
    else if (strcmp(option, "--grow") == 0)
        grow(text);
    else if (strcmp(option, "--forks") == 0)
        many(number(option, text));
    else if (strcmp(option, "--send") == 0)
        send_away(text);
    else if (strcmp(option, "--write") == 0)
        transfer(option, text, 1);
    else if (strcmp(option, "--read") == 0)
        transfer(option, text, 0);
    else {
        const struct action *found = find_action(option);
        if (!found)
            return 0;
        found->act(text);
    }
    return 1;
}

/* Run a program, forward each line that it prints, and report its exit status. */
void run_program(char **argv)
{
    int ends[2], status = 0;
    if (!argv[0]) {
        errno = EINVAL;
        fail(64, "--run needs a program, not", "nothing");
    }
    if (pipe2(ends, O_CLOEXEC) != 0)
        fail(71, "cannot make a pipe for", argv[0]);
    say("B run\n", 6);
    pid_t child = fork();
    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        execv(argv[0], argv);
        dprintf(2, "cannot run %s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    close(ends[1]);
    FILE *output = fdopen(ends[0], "re");
    char line[240];
    while (output && fgets(line, sizeof line, output)) {
        line[strcspn(line, "\n")] = 0;
        if (*line)
            say_format("O %s\n", line);
    }
    if (output)
        fclose(output);
    waitpid(child, &status, 0);
    say_format("C run %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
