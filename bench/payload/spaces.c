/*
 * tare-spaces: time how long the kernel takes to create a namespace, and to end the last process in it.
 *
 * It belongs to the harness, not to a target: it runs on the host and reads CLOCK_MONOTONIC around single system calls, which
 * cannot be stamped from outside. It is static and small, so that a fork copies very little.
 *
 *   tare-spaces cost ROUNDS SEED        each kind once a round, in a new random order: "create KIND NS" is the time inside
 *                                       unshare(2), "destroy KIND NS" from the child's last instruction until it is reaped
 *   tare-spaces rate KIND WORKERS EACH  WORKERS processes each create EACH namespaces as fast as possible, by fork, unshare, exit
 *                                       and wait: "rate KIND COUNT NS", from the start signal to the end of the last worker;
 *                                       then, for "none" and kinds with a network namespace, "drain KIND NS": the time until all
 *                                       dead network namespaces were torn down (drain.c), or "undrained KIND ERRNO"
 *   tare-spaces all                     "all KIND": each kind that "all" includes on this host
 *
 * "none" is a child without a new namespace (unshare(0)), as a baseline. "refused KIND ERRNO" reports a kind that the kernel lacks
 * or does not allow. New pid and time namespaces apply only to children; none is forked into them here. The kernel tears down
 * network, pid and ipc namespaces after the process is reaped, in its own workers; "destroy" does not include that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define COUNT (int)(sizeof KINDS / sizeof *KINDS)

static struct {
    const char *name;
    int flag;
} KINDS[] = {
    {"none", 0},
    {"mnt", CLONE_NEWNS},
    {"pid", CLONE_NEWPID},
    {"uts", CLONE_NEWUTS},
    {"net", CLONE_NEWNET},
    {"ipc", CLONE_NEWIPC},
    {"user", CLONE_NEWUSER},
    {"cgroup", CLONE_NEWCGROUP},
    {"time", CLONE_NEWTIME},
    {"all", CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWCGROUP |
                CLONE_NEWTIME},
};

int drain(void); /* drain.c */

/* A child's times, in memory shared with its parent. */
struct stamps {
    int64_t begin, made, last;
    int refused;
};

static void give_up(const char *what)
{
    fprintf(stderr, "tare-spaces: %s: %s\n", what, strerror(errno));
    exit(71);
}

static int64_t now_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000ll + at.tv_nsec;
}

static pid_t begin_child(void)
{
    pid_t child = fork();
    if (child == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return child;
}

static int collect(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            give_up("cannot wait for a child");
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR; /* it was killed */
}

/* Create one namespace in a child; return the time at which the child was reaped, ns. */
static int64_t live_once(int flags, struct stamps *stamps)
{
    pid_t child = begin_child();
    if (child < 0)
        give_up("cannot fork");
    if (child == 0) {
        unshare(0); /* take the copy-on-write faults after the fork here, outside the timed call */
        stamps->begin = now_ns();
        stamps->begin = now_ns();
        stamps->refused = unshare(flags) == 0 ? 0 : errno;
        stamps->made = now_ns();
        stamps->last = now_ns();
        _exit(0);
    }
    stamps->refused = collect(child) ? EINTR : stamps->refused;
    return now_ns();
}

/* If all eight kinds cannot be created together, remove those from "all" that cannot be created alone. */
static void settle_all(struct stamps *stamps)
{
    int together = 0;
    live_once(KINDS[COUNT - 1].flag, stamps);
    if (!stamps->refused)
        return;
    for (int i = 1; i < COUNT - 1; i++) {
        live_once(KINDS[i].flag, stamps);
        together |= stamps->refused ? 0 : KINDS[i].flag;
    }
    KINDS[COUNT - 1].flag = together;
}

static void list_all(void)
{
    for (int i = 1; i < COUNT - 1; i++)
        if (KINDS[COUNT - 1].flag & KINDS[i].flag)
            printf("all %s\n", KINDS[i].name);
}

static uint64_t state;

static uint64_t below(uint64_t limit)
{
    state ^= state << 13; /* xorshift64, Marsaglia 2003 */
    state ^= state >> 7;
    state ^= state << 17;
    return state % limit;
}

static void shuffle(int *order)
{
    for (int i = COUNT - 1; i > 0; i--) { /* Fisher-Yates */
        int j = (int)below((uint64_t)i + 1), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

static void cost(long rounds, struct stamps *stamps)
{
    int order[COUNT];
    for (int i = 0; i < COUNT; i++)
        order[i] = i;
    for (long round = 0; round < rounds; round++) {
        shuffle(order);
        for (int i = 0; i < COUNT; i++) {
            const char *name = KINDS[order[i]].name;
            int64_t collected = live_once(KINDS[order[i]].flag, stamps);
            if (stamps->refused) {
                printf("refused %s %d\n", name, stamps->refused);
                continue;
            }
            printf("create %s %lld\n", name, (long long)(stamps->made - stamps->begin));
            printf("destroy %s %lld\n", name, (long long)(collected - stamps->last));
        }
    }
}

/* Create namespaces one after another; return 0, or the errno of the first that was refused. */
static int make_many(int flags, long each)
{
    for (long i = 0; i < each; i++) {
        pid_t child = begin_child();
        if (child == 0)
            _exit(unshare(flags) == 0 ? 0 : errno);
        int refused = child < 0 ? errno : collect(child);
        if (refused)
            return refused;
    }
    return 0;
}

static void rate(int kind, long workers, long each)
{
    int gate[2], refused = 0;
    char nothing;
    pid_t *started = calloc((size_t)workers, sizeof *started);
    if (!started || pipe(gate) != 0)
        give_up("cannot prepare the workers");
    for (long i = 0; i < workers; i++) {
        started[i] = begin_child();
        if (started[i] < 0)
            give_up("cannot fork the workers"); /* waiting workers are killed when we exit */
        if (started[i] == 0) {
            close(gate[1]);
            if (read(gate[0], &nothing, 1) != 0) /* returns when the parent closes the gate */
                _exit(EIO);
            _exit(make_many(KINDS[kind].flag, each));
        }
    }
    close(gate[0]);
    int64_t begin = now_ns();
    close(gate[1]);
    for (long i = 0; i < workers; i++) {
        int said = collect(started[i]);
        refused = said ? said : refused;
    }
    int64_t end = now_ns();
    free(started);
    if (refused)
        printf("refused %s %d\n", KINDS[kind].name, refused);
    else
        printf("rate %s %ld %lld\n", KINDS[kind].name, workers * each, (long long)(end - begin));
    if (refused || (KINDS[kind].flag && !(KINDS[kind].flag & CLONE_NEWNET)))
        return;
    int undone = drain();
    if (undone)
        printf("undrained %s %d\n", KINDS[kind].name, undone);
    else
        printf("drain %s %lld\n", KINDS[kind].name, (long long)(now_ns() - end));
}

/* Parse an integer of at least 1. */
static long number(const char *text)
{
    char *rest;
    errno = 0;
    long value = strtol(text, &rest, 10);
    if (errno || *rest || rest == text || value < 1) {
        fprintf(stderr, "tare-spaces: '%s' is no whole number of at least 1\n", text);
        exit(64);
    }
    return value;
}

static int kind_of(const char *name)
{
    for (int i = 0; i < COUNT; i++)
        if (strcmp(KINDS[i].name, name) == 0)
            return i;
    fprintf(stderr, "tare-spaces: there is no kind '%s'\n", name);
    exit(64);
}

int main(int argc, char **argv)
{
    struct stamps *stamps = mmap(NULL, sizeof *stamps, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (stamps == MAP_FAILED)
        give_up("cannot map memory");
    settle_all(stamps);
    if (argc == 4 && strcmp(argv[1], "cost") == 0) {
        state = (uint64_t)number(argv[3]);
        cost(number(argv[2]), stamps);
    } else if (argc == 5 && strcmp(argv[1], "rate") == 0) {
        rate(kind_of(argv[2]), number(argv[3]), number(argv[4]));
    } else if (argc == 2 && strcmp(argv[1], "all") == 0) {
        list_all();
    } else {
        fprintf(stderr, "usage: tare-spaces cost ROUNDS SEED | rate KIND WORKERS EACH | all\n");
        return 64;
    }
    return 0;
}
