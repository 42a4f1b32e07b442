/*
 * An end that an engine's restart policy has to deal with.
 *
 *   --quit STATUS[:MS]   wait for SIGUSR1, at most MS milliseconds if given: "B quit"; then exit with STATUS: "E quit STATUS".
 *                        SIGTERM ends it with 0: "E quit 0"
 *
 * A payload with this action reports "B start" as its first instruction, before "F": an instance that is restarted reports it each
 * time.
 */
#define _GNU_SOURCE
#include "actions.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Wait for one of the signals, which are blocked, and return it; 0 when the time is over. */
static int wait_for_signal(const char *milliseconds)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    int caught;
    if (!milliseconds) {
        while ((caught = sigwaitinfo(&signals, NULL)) < 0 && errno == EINTR)
            ;
        return caught;
    }
    uint64_t most = number("--quit", milliseconds);
    struct timespec limit = {(time_t)(most / 1000), (long)(most % 1000 * 1000000)};
    caught = sigtimedwait(&signals, NULL, &limit);
    return caught < 0 ? 0 : caught;
}

static void quit(char *text)
{
    char value[32]; /* a copy: the command line stays as it was given */
    if (strlen(text) >= sizeof value) {
        errno = EINVAL;
        fail(64, "--quit", text);
    }
    strcpy(value, text);
    char *milliseconds = strchr(value, ':');
    if (milliseconds)
        *milliseconds++ = 0;
    int status = (int)number("--quit", value);
    say("B quit\n", 7);
    int caught = wait_for_signal(milliseconds);
    if (caught == SIGTERM || caught == SIGINT)
        status = 0;
    say_format("E quit %d\n", status);
    _exit(status);
}

const struct action RESTART_ACTIONS[] = {{"--quit", quit}, {NULL, NULL}};
