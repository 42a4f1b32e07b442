/*
 * Test whether written data is kept: a file of known content, and the mounts at its path.
 *
 *   --keep PATH:BYTES   write a file of known content and fsync it: "S keep written", or "S keep refused WHY"
 *   --kept PATH:BYTES   check it: "S kept same", "S kept other" or "S kept absent"
 *   --mounts PATH       list the mounts at PATH from /proc/self/mountinfo: "S mount LINE" for each, then "E mounts"
 */
#define _GNU_SOURCE
#include "actions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t size_of(const char *option, char *text)
{
    char *colon = strrchr(text, ':');
    if (!colon) {
        errno = EINVAL;
        fail(64, option, text);
    }
    *colon = 0;
    return number(option, colon + 1);
}

/* Return the known content: all its blocks differ, so that a misplaced block is detected. */
static char *content(uint64_t bytes)
{
    char *made = malloc(bytes + 1);
    uint64_t state = 88172645463325252ull;
    if (!made)
        fail(71, "cannot remember", "the content");
    for (uint64_t i = 0; i < bytes; i++) {
        state ^= state << 13; /* xorshift64, Marsaglia 2003 */
        state ^= state >> 7;
        state ^= state << 17;
        made[i] = (char)state;
    }
    return made;
}

static void keep(char *path)
{
    uint64_t bytes = size_of("--keep", path), done = 0;
    char *wanted = content(bytes);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ssize_t moved = 0;
    while (file >= 0 && done < bytes && (moved = write(file, wanted + done, bytes - done)) > 0)
        done += (uint64_t)moved;
    if (file < 0 || done < bytes || fsync(file) != 0)
        say_format("S keep refused %s\n", strerror(errno));
    else
        say("S keep written\n", 15);
    if (file >= 0)
        close(file);
    free(wanted);
}

static void look_for(char *path)
{
    uint64_t bytes = size_of("--kept", path), done = 0;
    char *wanted = content(bytes), *there = malloc(bytes + 1);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t moved = 0;
    while (there && file >= 0 && done <= bytes && (moved = read(file, there + done, bytes + 1 - done)) > 0)
        done += (uint64_t)moved;
    if (file < 0)
        say_format("S kept %s\n", errno == ENOENT ? "absent" : "other");
    else if (done == bytes && there && memcmp(wanted, there, bytes) == 0)
        say("S kept same\n", 12);
    else
        say("S kept other\n", 13);
    if (file >= 0)
        close(file);
    free(wanted);
    free(there);
}

static void say_mounts(char *path)
{
    char line[4096], place[4096];
    if (guest_init && (mkdir("/proc", 0555) == 0 || errno == EEXIST))
        mount("proc", "/proc", "proc", 0, NULL);
    FILE *table = fopen("/proc/self/mountinfo", "re");
    if (!table)
        fail(71, "cannot read", "/proc/self/mountinfo");
    while (fgets(line, sizeof line, table))
        if (sscanf(line, "%*s %*s %*s %*s %4095s", place) == 1 && strcmp(place, path) == 0)
            say_format("S mount %s", line);
    fclose(table);
    say("E mounts\n", 9);
}

const struct action KEPT_ACTIONS[] = {{"--keep", keep}, {"--kept", look_for}, {"--mounts", say_mounts}, {NULL, NULL}};
