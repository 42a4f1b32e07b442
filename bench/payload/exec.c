/*
 * A further command in a running instance: a second process of the payload, which reports over the instance's own event channel.
 *
 *   --exec NUMBER[:STATUS[:MS]]   report "B exec NUMBER" as the first instruction (instead of "F"), stay MS milliseconds, and exit
 *                                 with STATUS; both are 0 unless given
 */
#define _GNU_SOURCE
#include "actions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void run_as_command(const char *value)
{
    char text[64]; /* a copy: the command line stays as it was given, so that the host finds the process by it */
    if (strlen(value) >= sizeof text) {
        errno = EINVAL;
        fail(64, "--exec", value);
    }
    strcpy(text, value);
    char *status = strchr(text, ':'), *stay = NULL;
    if (status) {
        *status++ = 0;
        stay = strchr(status, ':');
    }
    if (stay)
        *stay++ = 0;
    say_format("B exec %s\n", text);
    if (stay) {
        uint64_t milliseconds = number("--exec", stay);
        struct timespec left = {(time_t)(milliseconds / 1000), (long)(milliseconds % 1000 * 1000000)};
        while (nanosleep(&left, &left) != 0)
            ;
    }
    _exit(status ? (int)number("--exec", status) : 0);
}
