/*
 * A neighbour that takes one resource, as much as it gets in a known fraction of the time.
 *
 *   --load KIND:PERCENT:WORKERS:BYTES:FOLDER
 *        fork WORKERS processes that do KIND in PERCENT of the time, until the payload ends, and go on with the next action; 0: one for
 *        each CPU that may be used, one for two CPUs with bulk and flood. Twenty times a second: "M load COUNT RESTARTS", what all of
 *        them have done so far, and how many were started again because something had killed them; "E load WHY" when one has ended by
 *        itself. BYTES is the most memory, or disk, that all of them take; FOLDER is where those with files have them. For bulk and
 *        flood FOLDER is the ADDRESS:PORT of a --sink (remote.c), which counts what arrives.
 *
 * Nothing here grows without bound: a worker of the fork storm has at most BATCH children, which exit at once. All of them end with
 * the payload.
 */
#define _GNU_SOURCE
#include "actions.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1 << 20)
#define PAGE 4096
#define PIECE 65536
#define QUANTUM 5000000 /* nanoseconds of work before a pause, at the least */
#define BATCH 32
#define DATAGRAM 1400 /* bytes: with its headers it fits an Ethernet frame, on an overlay network, too */
#define OPEN_FILES 256
#define MOST_WORKERS 64
#define EVERY 50000000ull /* nanoseconds between two reports */

static uint64_t room;  /* bytes of one worker */
static uint64_t reached; /* how far it has come in them */
static char folder[3000], path[3100], other[3200];
static int worker_number, file = -1;
static char *block, *memory;

static void nothing(void) {}

static uint64_t once_cpu(void)
{
    compute(1 << 16);
    return 1;
}

static void touch_next(uint64_t bytes)
{
    for (uint64_t end = reached + bytes; reached < end; reached += PAGE)
        memory[reached] = 1;
}

static char *mapped(uint64_t bytes)
{
    char *found = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (found == MAP_FAILED)
        fail(71, "cannot map memory for", "--load");
    madvise(found, bytes, MADV_NOHUGEPAGE);
    return found;
}

/* Grow by a MiB; at the top give everything back and begin again. */
static uint64_t once_memory(void)
{
    if (memory && reached + MIB > room) {
        munmap(memory, room);
        memory = NULL;
    }
    if (!memory) {
        memory = mapped(room);
        reached = 0;
    }
    touch_next(MIB);
    return MIB;
}

static uint64_t once_pages(void)
{
    memory = mapped(2 * MIB);
    reached = 0;
    touch_next(2 * MIB);
    munmap(memory, 2 * MIB);
    return 2 * MIB / PAGE;
}

static void ready_bandwidth(void)
{
    memory = mapped(room);
    memset(memory, 1, room);
}

static uint64_t once_bandwidth(void)
{
    uint64_t half = room / 2;
    reached = reached + MIB > half ? 0 : reached;
    memcpy(memory + reached, memory + half + reached, MIB);
    reached += MIB;
    return MIB;
}

static void with_path(const char *name)
{
    snprintf(path, sizeof path, "%s/%s-%d", folder, name, worker_number);
    snprintf(other, sizeof other, "%s/%s-%d-renamed", folder, name, worker_number);
    block = aligned(MIB);
}

static void opened(int flags)
{
    file = open(path, flags | O_CLOEXEC, 0600);
    if (file < 0)
        fail(71, "cannot open for --load", path);
}

static void ready_write(void)
{
    with_path("load");
    opened(O_WRONLY | O_CREAT | O_DIRECT);
}

static uint64_t once_write(void)
{
    reached = reached + MIB > room ? 0 : reached;
    if (pwrite(file, block, MIB, (off_t)reached) != MIB)
        fail(71, "cannot write", path);
    reached += MIB;
    return MIB;
}

static void ready_read(void)
{
    with_path("load");
    lay_out(path, room);
    opened(O_RDONLY | O_DIRECT);
}

static uint64_t once_read(void)
{
    static uint64_t turn = 1;
    turn = turn * 6364136223846793005ull + 1442695040888963407ull; /* Knuth's MMIX generator */
    if (pread(file, block, PAGE, (off_t)((turn >> 33) % (room / PAGE) * PAGE)) != PAGE)
        fail(71, "cannot read", path);
    return PAGE;
}

static void ready_cache(void)
{
    with_path("load");
    lay_out(path, room);
    opened(O_RDONLY);
}

/* Read the next MiB through the page cache and drop it again, so that each pass fills and empties the cache. */
static uint64_t once_cache(void)
{
    reached = reached + MIB > room ? 0 : reached;
    if (pread(file, block, MIB, (off_t)reached) != MIB)
        fail(71, "cannot read", path);
    posix_fadvise(file, (off_t)reached, MIB, POSIX_FADV_DONTNEED);
    reached += MIB;
    return MIB;
}

static void sink(int peer)
{
    char text[PIECE];
    while (read(peer, text, sizeof text) > 0)
        ;
}

static void ready_network(void)
{
    block = aligned(PIECE);
    file = connected_to(sink);
}

static uint64_t once_network(void)
{
    ssize_t sent = send(file, block, PIECE, MSG_NOSIGNAL);
    if (sent < 0)
        fail(71, "cannot send for", "--load");
    return (uint64_t)sent;
}

static void ready_bulk(void)
{
    block = aligned(PIECE);
    file = connected_with(SOCK_STREAM, folder);
}

static void ready_flood(void)
{
    block = aligned(DATAGRAM);
    file = connected_with(SOCK_DGRAM, folder);
}

/* Send a batch of datagrams; one that a full queue refuses does not count. */
static uint64_t once_flood(void)
{
    uint64_t bytes = 0;
    for (int i = 0; i < BATCH; i++) {
        ssize_t sent = send(file, block, DATAGRAM, 0);
        if (sent < 0 && errno != ENOBUFS)
            fail(71, "cannot send datagrams for", "--load");
        bytes += sent > 0 ? (uint64_t)sent : 0;
    }
    return bytes;
}

/* Fork a batch of children that exit at once, and wait for them; fewer where a limit allows no more. */
static uint64_t once_forks(void)
{
    uint64_t count = 0;
    for (int i = 0; i < BATCH; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        count += child > 0;
    }
    while (waitpid(-1, NULL, 0) > 0)
        ;
    if (!count)
        usleep(1000);
    return count;
}

static void ready_journal(void) { with_path("journal"); }

static uint64_t once_journal(void)
{
    int made = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (made < 0 || write(made, block, PAGE) != PAGE || fsync(made) != 0 || close(made) != 0 || rename(path, other) != 0 ||
        unlink(other) != 0)
        fail(71, "cannot make, flush, rename and remove", path);
    return 1;
}

static uint64_t once_inodes(void)
{
    int made[OPEN_FILES], count = 0;
    for (; count < OPEN_FILES; count++) {
        snprintf(other, sizeof other, "%s-%d", path, count);
        if ((made[count] = open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) < 0)
            break;
    }
    for (int i = 0; i < count; i++) {
        close(made[i]);
        snprintf(other, sizeof other, "%s-%d", path, i);
        unlink(other);
    }
    if (!count)
        fail(71, "cannot make a file for", "--load");
    return (uint64_t)count;
}

struct kind {
    const char *name;
    void (*ready)(void);
    uint64_t (*once)(void);
    int sends; /* to a --sink */
};
static const struct kind KINDS[] = {{"cpu", nothing, once_cpu, 0},
                                    {"memory", nothing, once_memory, 0},
                                    {"pages", nothing, once_pages, 0},
                                    {"bandwidth", ready_bandwidth, once_bandwidth, 0},
                                    {"write", ready_write, once_write, 0},
                                    {"read", ready_read, once_read, 0},
                                    {"cache", ready_cache, once_cache, 0},
                                    {"network", ready_network, once_network, 0},
                                    {"bulk", ready_bulk, once_network, 1},
                                    {"flood", ready_flood, once_flood, 1},
                                    {"forks", nothing, once_forks, 0},
                                    {"journal", ready_journal, once_journal, 0},
                                    {"inodes", ready_journal, once_inodes, 0}};

/* Work and pause in turns, so that the work so far is that fraction of the time so far; a pause that was too long is caught up. */
static void work_on(const struct kind *kind, uint64_t percent, uint64_t *count)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    kind->ready();
    for (uint64_t start = clock_ns(), busy = 0;;) {
        uint64_t begin = clock_ns(), now = begin;
        do {
            __atomic_fetch_add(count, kind->once(), __ATOMIC_RELAXED);
            now = clock_ns();
        } while (now - begin < QUANTUM);
        busy += now - begin;
        if (percent < 100)
            sleep_until(start + busy * 100 / percent);
    }
}

static pid_t started(const struct kind *kind, uint64_t percent, uint64_t *counts, int which)
{
    pid_t child = fork();
    if (child == 0) {
        worker_number = which;
        work_on(kind, percent, counts + which);
    }
    return child;
}

/* Start the workers, start again those that were killed, and report; a worker that fails by itself ends all. */
static void keep(const struct kind *kind, uint64_t percent, int workers, uint64_t *counts)
{
    pid_t children[MOST_WORKERS];
    uint64_t restarts = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < workers; i++)
        children[i] = started(kind, percent, counts, i);
    for (uint64_t due = clock_ns();;) {
        uint64_t sum = 0, now = clock_ns();
        for (int i = 0, status = 0; i < workers; i++) {
            if (children[i] < 0 || waitpid(children[i], &status, WNOHANG) == children[i]) {
                if (children[i] > 0 && WIFEXITED(status)) {
                    say_format("E load a worker ended with %d\n", WEXITSTATUS(status));
                    _exit(1);
                }
                restarts++;
                children[i] = started(kind, percent, counts, i);
            }
            sum += __atomic_load_n(counts + i, __ATOMIC_RELAXED);
        }
        say_format("M load %llu %llu\n", (unsigned long long)sum, (unsigned long long)restarts);
        due = now > due + EVERY ? now + EVERY : due + EVERY;
        sleep_until(due);
    }
}

static int workers_of(uint64_t asked)
{
    cpu_set_t usable;
    long found = asked ? (long)asked : sched_getaffinity(0, sizeof usable, &usable) == 0 ? CPU_COUNT(&usable) : 1;
    return found < 1 ? 1 : found > MOST_WORKERS ? MOST_WORKERS : (int)found;
}

static void load(char *text)
{
    const char *name = strsep(&text, ":"), *numbers[3];
    for (int i = 0; i < 3; i++)
        numbers[i] = strsep(&text, ":");
    uint64_t percent = numbers[0] ? number("--load", numbers[0]) : 0;
    const struct kind *kind = NULL;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
        kind = strcmp(KINDS[i].name, name) == 0 ? &KINDS[i] : kind;
    if (!kind || !numbers[2] || percent < 1 || percent > 100) {
        errno = EINVAL;
        fail(64, "--load takes KIND:PERCENT:WORKERS:BYTES:FOLDER, not", name);
    }
    uint64_t asked = number("--load", numbers[1]);
    int workers = workers_of(asked);
    if (!asked && kind->sends && workers > 1)
        workers /= 2; /* what is sent has to be received, too */
    room = number("--load", numbers[2]) / (uint64_t)workers / (2 * MIB) * (2 * MIB);
    room = room ? room : 2 * MIB;
    snprintf(folder, sizeof folder, "%s", text ? text : "");
    uint64_t *counts = mmap(NULL, MOST_WORKERS * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counts == MAP_FAILED)
        fail(71, "cannot share memory for", "--load");
    if (fork() == 0)
        keep(kind, percent, workers, counts);
}

const struct action LOAD_ACTIONS[] = {{"--load", load}, {NULL, NULL}};
