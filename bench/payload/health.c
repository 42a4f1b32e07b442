/*
 * A state of health, which a signal breaks and mends, and the probe that looks at it: a second process of the payload.
 *
 *   --health FILE        until SIGTERM: each SIGUSR1 breaks ("A broken") or mends ("A whole") the state; it is broken while FILE exists
 *   --probe FILE[:MS]    report "B probe" as the first instruction (instead of "F"), stay MS milliseconds (0 unless given), report
 *                        "C probe STATUS" and exit with STATUS: 1 while FILE exists, else 0
 */
#define _GNU_SOURCE
#include "actions.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void keep_health(char *file)
{
    sigset_t signals; /* all of them are blocked since the start of the payload */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    while (sigwaitinfo(&signals, NULL) == SIGUSR1) {
        int broken = unlink(file) != 0, made = broken ? open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0644) : -1;
        if (broken && made < 0)
            fail(71, "cannot break the health state", file);
        if (made >= 0)
            close(made);
        say_format("A %s\n", broken ? "broken" : "whole");
    }
    _exit(0);
}

const struct action HEALTH_ACTIONS[] = {{"--health", keep_health}, {NULL, NULL}};

void run_as_probe(const char *value)
{
    char file[128]; /* a copy: the command line stays as it was given, so that the host finds the process by it */
    if (strlen(value) >= sizeof file) {
        errno = EINVAL;
        fail(64, "--probe", value);
    }
    strcpy(file, value);
    say("B probe\n", 8);
    char *stay = strchr(file, ':');
    if (stay) {
        *stay++ = 0;
        uint64_t milliseconds = number("--probe", stay);
        struct timespec left = {(time_t)(milliseconds / 1000), (long)(milliseconds % 1000 * 1000000)};
        while (nanosleep(&left, &left) != 0)
            ;
    }
    int status = access(file, F_OK) == 0;
    say_format("C probe %d\n", status);
    _exit(status);
}
