/*
 * File operations of the payload. The host stamps each beginning (B) and end (C); preparation and clean-up are outside of both.
 *
 *   --poke PATH          open PATH for writing and write four bytes into its middle: "B poke", "C poke 4"
 *   --fsync PATH         fsync PATH: "B fsync", "C fsync 0"
 *   --scan PATH          read all of PATH: "B scan", "C scan BYTES"
 *   --storm FOLDER:N     create FOLDER if it is missing; then create N empty files in it, stat, rename and unlink all of them:
 *                        "B create", "C create N", "B stat" …
 *   --whiteout FOLDER:N  unlink the files 0 to N-1 of FOLDER: "B whiteout", "C whiteout N"; then list it: "B list", "C list COUNT"
 */
#define _GNU_SOURCE
#include "actions.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK (1 << 20)

static void poke(char *path)
{
    struct stat found;
    if (stat(path, &found) != 0)
        fail(71, "cannot find", path);
    say("B poke\n", 7);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0 || pwrite(file, "tare", 4, found.st_size / 2) != 4)
        fail(71, "cannot write into", path);
    say("C poke 4\n", 9);
    close(file);
}

static void flush(char *path)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0)
        fail(71, "cannot open", path);
    say("B fsync\n", 8);
    if (fsync(file) != 0)
        fail(71, "cannot put onto the disk", path);
    say("C fsync 0\n", 10);
    close(file);
}

static void scan(char *path)
{
    uint64_t done = 0;
    ssize_t moved;
    char *block = malloc(BLOCK);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (!block || file < 0)
        fail(71, "cannot open", path);
    say("B scan\n", 7);
    while ((moved = read(file, block, BLOCK)) > 0)
        done += (uint64_t)moved;
    if (moved < 0)
        fail(71, "cannot read", path);
    say_format("C scan %llu\n", (unsigned long long)done);
    close(file);
    free(block);
}

static int create(const char *name, const char *other)
{
    (void)other;
    int file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return file < 0 ? -1 : close(file);
}

static int look_at(const char *name, const char *other)
{
    struct stat found;
    (void)other;
    return stat(name, &found);
}

static int move_it(const char *name, const char *other) { return rename(name, other); }

static int take_away(const char *name, const char *other)
{
    (void)name;
    return unlink(other);
}

static int hide(const char *name, const char *other)
{
    (void)other;
    return unlink(name);
}

/* Do one operation on each of "count" files; "other" is the name that a file is renamed to. */
static void each(const char *what, const char *folder, uint64_t count, int (*act)(const char *, const char *))
{
    char name[4200], other[4200];
    say_format("B %s\n", what);
    for (uint64_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s/%llu", folder, (unsigned long long)i);
        snprintf(other, sizeof other, "%s/r%llu", folder, (unsigned long long)i);
        if (act(name, other) != 0)
            fail(71, what, name);
    }
    say_format("C %s %llu\n", what, (unsigned long long)count);
}

/* Split FOLDER:N in place and return N. */
static uint64_t count_of(const char *option, char *text)
{
    char *colon = strrchr(text, ':');
    if (!colon) {
        errno = EINVAL;
        fail(64, option, text);
    }
    *colon = 0;
    return number(option, colon + 1);
}

static void storm(char *text)
{
    uint64_t count = count_of("--storm", text);
    if (mkdir(text, 0700) != 0 && errno != EEXIST)
        fail(71, "cannot make the folder", text);
    each("create", text, count, create);
    each("stat", text, count, look_at);
    each("rename", text, count, move_it);
    each("unlink", text, count, take_away);
}

static void whiteout(char *text)
{
    uint64_t count = count_of("--whiteout", text), left = 0;
    each("whiteout", text, count, hide);
    say("B list\n", 7);
    DIR *folder = opendir(text);
    if (!folder)
        fail(71, "cannot open the folder", text);
    for (struct dirent *entry; (entry = readdir(folder));)
        left += entry->d_name[0] != '.';
    say_format("C list %llu\n", (unsigned long long)left);
    closedir(folder);
}

const struct action FILE_ACTIONS[] = {{"--poke", poke}, {"--fsync", flush}, {"--scan", scan}, {"--storm", storm}, {"--whiteout", whiteout}, {NULL, NULL}};
