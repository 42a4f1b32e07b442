/*
 * What is seen of the changes in a folder that two sides share, and how much a file system takes.
 *
 *   --watch FOLDER:MS    look for the changes create, modify, replace and remove of the files of these names, every millisecond and by
 *                        inotify(7), until each was seen both ways, at most MS milliseconds: "B watch", "S inotify refused WHY" where
 *                        there is none, "S seen CHANGE" and "S notified CHANGE" once each, "E watch"
 *   --change FOLDER      make these changes: "B change", "C change 4"
 *   --fill PATH:MAX      write a file until that is refused, at most MAX bytes: "B fill", "M fill BYTES" after each MiB, "S fill WHY",
 *                        "C fill BYTES"
 *
 * Before, the files hold "old", but for "create", which does not exist; afterwards "new", but for "remove". A FOLDER that does not exist is
 * made.
 */
#define _GNU_SOURCE
#include "actions.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 65536
#define MIB (1 << 20)
#define CHANGES 4

static const char *const NAMES[CHANGES] = {"create", "modify", "replace", "remove"};
enum change { CREATE, MODIFY, REPLACE, REMOVE };
enum content { ABSENT, OLD, NEW, OTHER };

static void path_of(char *to, size_t room, const char *folder, const char *name)
{
    if ((size_t)snprintf(to, room, "%s/%s", folder, name) >= room) {
        errno = ENAMETOOLONG;
        fail(64, "the folder's name is too long", name);
    }
}

/* Split TEXT:NUMBER in place and return NUMBER. */
static uint64_t number_of(const char *option, char *text)
{
    char *colon = strrchr(text, ':');
    if (!colon) {
        errno = EINVAL;
        fail(64, option, text);
    }
    *colon = 0;
    return number(option, colon + 1);
}

/* Make the folder where it is not the one of the other side. */
static void make(const char *folder)
{
    if (mkdir(folder, 0755) != 0 && errno != EEXIST)
        fail(71, "cannot make the folder", folder);
}

static enum content look_at(const char *folder, int which)
{
    char path[4200], text[4] = "";
    path_of(path, sizeof path, folder, NAMES[which]);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT ? ABSENT : OTHER;
    ssize_t length = read(file, text, 3);
    close(file);
    return length == 3 && memcmp(text, "old", 3) == 0 ? OLD : length == 3 && memcmp(text, "new", 3) == 0 ? NEW : OTHER;
}

/* Say once of each change of which inotify tells. */
static int take_events(int events, int *notified)
{
    char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t length = read(events, buffer, sizeof buffer);
    int count = 0;
    for (char *at = buffer; length > 0 && at < buffer + length;) {
        const struct inotify_event *event = (const struct inotify_event *)at;
        for (int i = 0; i < CHANGES; i++)
            if (event->len && !notified[i] && strcmp(event->name, NAMES[i]) == 0) {
                say_format("S notified %s\n", NAMES[i]);
                notified[i] = 1;
                count++;
            }
        at += sizeof *event + event->len;
    }
    return count;
}

static int look_for_all(const char *folder, const enum content *before, int *seen)
{
    int count = 0;
    for (int i = 0; i < CHANGES; i++) {
        enum content now = seen[i] ? before[i] : look_at(folder, i);
        if (!seen[i] && (now == NEW || (i == REMOVE && now == ABSENT && before[i] == OLD))) {
            say_format("S seen %s\n", NAMES[i]);
            seen[i] = 1;
            count++;
        }
    }
    return count;
}

static void watch(char *folder)
{
    uint64_t deadline = number_of("--watch", folder) * 1000000;
    enum content before[CHANGES];
    int seen[CHANGES] = {0}, notified[CHANGES] = {0}, left = 2 * CHANGES;
    make(folder);
    int events = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    for (int i = 0; i < CHANGES; i++)
        before[i] = look_at(folder, i);
    if (events < 0 || inotify_add_watch(events, folder, IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_DELETE) < 0)
        say_format("S inotify refused %s\n", strerror(errno));
    say("B watch\n", 8);
    for (deadline += clock_ns(); left > 0 && clock_ns() < deadline;) {
        struct pollfd waited = {events, POLLIN, 0};
        if (poll(&waited, 1, 1) > 0)
            left -= take_events(events, notified);
        left -= look_for_all(folder, before, seen);
    }
    close(events);
    say("E watch\n", 8);
}

static void put(const char *folder, const char *name, int flags)
{
    char path[4200];
    path_of(path, sizeof path, folder, name);
    int file = open(path, O_WRONLY | O_CLOEXEC | flags, 0644);
    if (file < 0 || write(file, "new", 3) != 3 || close(file) != 0)
        fail(71, "cannot write", path);
}

static void change(char *folder)
{
    char from[4200], to[4200];
    make(folder);
    say("B change\n", 9);
    put(folder, "create", O_CREAT | O_EXCL);
    put(folder, "modify", O_CREAT);
    put(folder, "replace.new", O_CREAT | O_EXCL);
    path_of(from, sizeof from, folder, "replace.new");
    path_of(to, sizeof to, folder, "replace");
    if (rename(from, to) != 0)
        fail(71, "cannot rename", from);
    path_of(to, sizeof to, folder, "remove");
    if (unlink(to) != 0 && errno != ENOENT)
        fail(71, "cannot remove", to);
    say("C change 4\n", 11);
}

static void fill(char *path)
{
    uint64_t most = number_of("--fill", path), done = 0;
    static char block[BLOCK];
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t moved = 0;
    if (file < 0)
        fail(71, "cannot make", path);
    memset(block, 1, sizeof block);
    say("B fill\n", 7);
    while (done < most && (moved = write(file, block, most - done < BLOCK ? most - done : BLOCK)) > 0) {
        done += (uint64_t)moved;
        if (done % MIB == 0)
            say_format("M fill %llu\n", (unsigned long long)done);
    }
    say_format("S fill %s\n", done >= most ? "all" : strerror(errno));
    say_format("C fill %llu\n", (unsigned long long)done);
    close(file);
}

const struct action CHANGE_ACTIONS[] = {{"--watch", watch}, {"--change", change}, {"--fill", fill}, {NULL, NULL}};
