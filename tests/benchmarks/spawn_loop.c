/*
 * The minimal launcher that target host is compared with: for each line on standard input start the payload with posix_spawn,
 * wait for its first byte on a pipe, and print the nanoseconds between the two.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000ll + at.tv_nsec;
}

int main(int argc, char **argv)
{
    char line[16], byte, *environment[] = {NULL};
    (void)argc;
    while (fgets(line, sizeof line, stdin)) {
        char *arguments[] = {argv[1], "--events", "fd:3", "--exit", NULL};
        int ends[2];
        pid_t pid;
        posix_spawn_file_actions_t actions;
        if (pipe2(ends, O_CLOEXEC))
            return 1;
        long long begin = now();
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ends[1], 3);
        if (posix_spawn(&pid, argv[1], &actions, NULL, arguments, environment))
            return 2;
        if (read(ends[0], &byte, 1) != 1)
            return 3;
        printf("%lld\n", now() - begin);
        fflush(stdout);
        waitpid(pid, NULL, 0);
        posix_spawn_file_actions_destroy(&actions);
        close(ends[0]);
        close(ends[1]);
    }
    return 0;
}
