/*
 * A program with work to do at a fixed rate, beside a neighbour that disturbs it.
 *
 *   --victim KIND:PER_S:MS:LIMIT_MS:FOLDER
 *        do PER_S operations a second for MS milliseconds: "B victim"; give up after LIMIT_MS: "C victim DONE"; then one number an
 *        operation, in units of 10 ns, from the time at which it was due to its end: "S victim N N …"; "E victim".
 *        FOLDER is where a kind with files has them; for remote it is the ADDRESS:PORT of an --echo (remote.c).
 *
 *   --until PATH         wait until PATH exists, which another makes; SIGTERM and SIGINT end the program
 *
 *   --pulse PER_S        the same without work and without end, reported as it goes: "S pulse N N …"; ends with the process that
 *        started this one
 *   --pin CPU[,CPU…]     run on these CPUs only, with all that is started later
 *
 * The loop is open: when an operation is due does not depend on those before it, so a stall makes all that were due in it late.
 * Times are differences of CLOCK_MONOTONIC within this process, and are never compared with a stamp of the host.
 */
#define _GNU_SOURCE
#include "actions.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ull
#define UNIT 10           /* nanoseconds of a reported number */
#define WARM_MS 100       /* operations that are done before the first reported one */
#define FILE_BYTES (32 << 20)
#define PIECE 65536
#define PAGE 4096
#define MAPPED (1 << 20)
#define ROUNDS (1 << 18)

uint64_t clock_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * SECOND + (uint64_t)at.tv_nsec;
}

void sleep_until(uint64_t due)
{
    struct timespec at = {(time_t)(due / SECOND), (long)(due % SECOND)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

void compute(int rounds)
{
    static volatile uint64_t kept = 88172645463325252ull;
    uint64_t state = kept;
    for (int i = 0; i < rounds; i++) {
        state ^= state << 13; /* xorshift64, Marsaglia 2003 */
        state ^= state >> 7;
        state ^= state << 17;
    }
    kept = state;
}

void *aligned(size_t bytes)
{
    void *found;
    if (posix_memalign(&found, PAGE, bytes) != 0)
        fail(71, "cannot get memory for", "a block");
    memset(found, 1, bytes);
    return found;
}

void lay_out(const char *path, uint64_t bytes)
{
    char *block = aligned(PIECE);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (uint64_t done = 0; file >= 0 && done < bytes; done += PIECE)
        if (write(file, block, PIECE) != PIECE)
            fail(71, "cannot write", path);
    if (file < 0 || fsync(file) != 0)
        fail(71, "cannot write", path);
    close(file);
    free(block);
}

/* Bring up loopback where nobody has; where that is not allowed, somebody has. */
static void raise_loopback(void)
{
    struct ifreq wanted = {.ifr_name = "lo"};
    int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ioctl(any, SIOCGIFFLAGS, &wanted) == 0 && !(wanted.ifr_flags & IFF_UP)) {
        wanted.ifr_flags |= IFF_UP;
        ioctl(any, SIOCSIFFLAGS, &wanted);
    }
    close(any);
}

int connected_to(void (*peer)(int))
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    raise_loopback();
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        fail(71, "cannot listen on", "loopback");
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int accepted = accept(listener, NULL, NULL);
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        peer(accepted);
        _exit(0);
    }
    int found = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(found, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (child < 0 || connect(found, (struct sockaddr *)&address, sizeof address) != 0)
        fail(71, "cannot connect over", "loopback");
    close(listener);
    return found;
}

static char folder[3000], path[4000], renamed[4000];
static int file = -1;
static char *block;
static uint64_t turn;

static void nothing(void) {}
static void once_compute(void) { compute(ROUNDS); }

static void once_fork(void)
{
    pid_t child = fork();
    if (child == 0) {
        execl(program_invocation_name, "tare-payload", "--exit", NULL);
        _exit(127);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        fail(71, "cannot run a child of", "--victim");
}

static void once_map(void)
{
    char *memory = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        fail(71, "cannot map memory for", "--victim");
    for (size_t at = 0; at < MAPPED; at += PAGE)
        memory[at] = 1;
    munmap(memory, MAPPED);
}

static void with_path(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    block = aligned(PIECE);
}

static void ready_file(void)
{
    with_path("victim.new");
    snprintf(renamed, sizeof renamed, "%s/victim", folder);
}

static void once_file(void)
{
    int made = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (made < 0 || write(made, block, PAGE) != PAGE || fsync(made) != 0 || close(made) != 0 || rename(path, renamed) != 0)
        fail(71, "cannot make, flush and rename", path);
}

static void ready_read(void)
{
    with_path("victim");
    lay_out(path, FILE_BYTES);
    file = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (file < 0)
        fail(71, "cannot open for direct access", path);
}

static void once_read(void)
{
    turn = turn * 6364136223846793005ull + 1442695040888963407ull; /* Knuth's MMIX generator */
    if (pread(file, block, PAGE, (off_t)((turn >> 33) % (FILE_BYTES / PAGE) * PAGE)) != PAGE)
        fail(71, "cannot read", path);
}

static void ready_cache(void)
{
    with_path("victim");
    lay_out(path, FILE_BYTES);
    file = open(path, O_RDONLY | O_CLOEXEC);
}

static void once_cache(void)
{
    for (int i = 0; i < MAPPED / PIECE; i++, turn++)
        if (pread(file, block, PIECE, (off_t)(turn % (FILE_BYTES / PIECE) * PIECE)) != PIECE)
            fail(71, "cannot read", path);
}

static void ready_tcp(void) { file = connected_to(echo_to); }

static void ready_remote(void) { file = connected_with(SOCK_STREAM, folder); }

static void once_tcp(void)
{
    char text[REQUEST] = "";
    if (send(file, text, sizeof text, MSG_NOSIGNAL) != sizeof text || recv(file, text, sizeof text, MSG_WAITALL) != sizeof text)
        fail(71, "no answer over TCP for", "--victim");
}

static const struct {
    const char *name;
    void (*ready)(void);
    void (*once)(void);
} KINDS[] = {{"tick", nothing, nothing},          {"compute", nothing, once_compute}, {"fork", nothing, once_fork},
             {"map", nothing, once_map},          {"file", ready_file, once_file},    {"read", ready_read, once_read},
             {"cache", ready_cache, once_cache},  {"tcp", ready_tcp, once_tcp},
             {"remote", ready_remote, once_tcp}};

/* Do the operations that fall due and return how many were done before the limit; "times" of none: nothing is noted. */
static uint64_t work_through(void (*once)(void), uint64_t count, uint64_t period, uint64_t limit, uint32_t *times)
{
    uint64_t begin = clock_ns() + period, at = begin, done = 0;
    for (; done < count && at - begin < limit; done++) {
        sleep_until(begin + done * period);
        once();
        at = clock_ns();
        uint64_t late = (at - begin - done * period) / UNIT;
        if (times)
            times[done] = late < UINT32_MAX ? (uint32_t)late : UINT32_MAX;
    }
    return done;
}

static void report(const uint32_t *times, uint64_t count)
{
    char line[240];
    for (uint64_t i = 0; i < count;) {
        int used = snprintf(line, sizeof line, "S victim");
        for (; i < count && used < (int)sizeof line - 14; i++)
            used += snprintf(line + used, sizeof line - (size_t)used, " %u", times[i]);
        line[used++] = '\n';
        say(line, (size_t)used);
    }
}

static void run(void (*once)(void), uint64_t per_s, uint64_t milliseconds, uint64_t limit_ms)
{
    uint64_t count = per_s * milliseconds / 1000, period = SECOND / per_s, limit = limit_ms * 1000000;
    uint32_t *times = malloc((count + 1) * sizeof *times);
    if (!times)
        fail(71, "cannot remember the times of", "--victim");
    memset(times, 1, (count + 1) * sizeof *times); /* no page fault while it runs */
    work_through(once, per_s * WARM_MS / 1000 + 1, period, limit, NULL);
    say("B victim\n", 9);
    uint64_t done = work_through(once, count, period, limit, times);
    say_format("C victim %llu\n", (unsigned long long)done);
    report(times, done);
    say("E victim\n", 9);
    free(times);
}

static void victim(char *text)
{
    const char *kind = strsep(&text, ":"), *numbers[3];
    for (int i = 0; i < 3; i++)
        numbers[i] = strsep(&text, ":");
    uint64_t per_s = numbers[0] ? number("--victim", numbers[0]) : 0;
    snprintf(folder, sizeof folder, "%s", text ? text : "");
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
        if (numbers[2] && per_s && strcmp(KINDS[i].name, kind) == 0) {
            KINDS[i].ready();
            run(KINDS[i].once, per_s, number("--victim", numbers[1]), number("--victim", numbers[2]));
            return;
        }
    errno = EINVAL;
    fail(64, "--victim takes KIND:PER_S:MS:LIMIT_MS:FOLDER, not", kind ? kind : "");
}

static void until(char *wanted)
{
    struct timespec pause = {0, 2000000};
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    while (access(wanted, F_OK) != 0)
        if (sigtimedwait(&ends, NULL, &pause) > 0)
            _exit(0);
}

#define BEAT 20 /* numbers in a report of --pulse: as many as surely fit a line */

static void pulse(char *text)
{
    uint64_t per_s = number("--pulse", text), period = per_s ? SECOND / per_s : SECOND, begin = clock_ns();
    uint32_t times[BEAT];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (uint64_t turns = 1;; turns++) {
        char line[240];
        for (uint64_t i = 0; i < BEAT; i++) {
            uint64_t due = begin + (turns * BEAT + i) * period;
            sleep_until(due);
            times[i] = (uint32_t)((clock_ns() - due) / UNIT);
        }
        int used = snprintf(line, sizeof line, "S pulse");
        for (int i = 0; i < BEAT; i++)
            used += snprintf(line + used, sizeof line - (size_t)used, " %u", times[i]);
        line[used++] = '\n';
        say(line, (size_t)used);
    }
}

static void pin(char *text)
{
    cpu_set_t wanted;
    CPU_ZERO(&wanted);
    for (char *one; (one = strsep(&text, ","));)
        CPU_SET(number("--pin", one), &wanted);
    if (sched_setaffinity(0, sizeof wanted, &wanted) != 0)
        fail(71, "cannot run on the CPUs of", "--pin");
}

const struct action VICTIM_ACTIONS[] = {{"--victim", victim}, {"--until", until}, {"--pulse", pulse}, {"--pin", pin}, {NULL, NULL}};
