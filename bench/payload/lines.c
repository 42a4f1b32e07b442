/*
 * Write numbered, checksummed lines to standard output, for the benchmark of logs.
 *
 *   --lines COUNT:BYTES:PER_S:KIND:EVERY
 *       Write COUNT lines of BYTES bytes each (line feed not counted), numbered on from the last action: "B lines", "C lines COUNT",
 *       or "E lines WHY" when writing failed. Each line is one write(2).
 *       PER_S  lines per second, in an open loop: what could not be written in time is written as soon as possible; 0: flat out
 *       KIND   "lf"; "crlf": the last byte is a carriage return; "bytes": filled with bytes that are not UTF-8;
 *              "open": the last line ends without a line feed
 *       EVERY  every EVERY-th write is reported: "B write", "C write NUMBER"; 0: none. The host's stamps tell how long it blocked
 *
 * A line is "NUMBER LENGTH CRC32 FILLER": ten digits, seven digits, eight hexadecimal digits. LENGTH is BYTES, and the checksum
 * (that of zlib) covers NUMBER, LENGTH and FILLER. No clock is read: a timer's expirations pace the loop.
 */
#define _GNU_SOURCE
#include "actions.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define HEAD 28   /* "NNNNNNNNNN LLLLLLL CCCCCCCC " */
#define COVERED 18 /* the part of it that the checksum covers: number and length */
#define LARGEST (16 << 20)
#define TICKS 1000 /* expirations a second */

static uint64_t next; /* number of the next line */
static uint32_t table[256];

static void make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++)
            value = value & 1 ? 0xedb88320u ^ (value >> 1) : value >> 1;
        table[i] = value;
    }
}

static uint32_t crc32_of(uint32_t crc, const char *data, size_t length)
{
    for (size_t i = 0; i < length; i++)
        crc = table[(crc ^ (unsigned char)data[i]) & 255] ^ (crc >> 8);
    return crc;
}

struct lines {
    uint64_t count, bytes, per_s, every;
    int carriage, foreign, open;
    char *text;
};

static char *field(char **rest)
{
    char *found = strsep(rest, ":");
    if (!found) {
        errno = EINVAL;
        fail(64, "--lines takes COUNT:BYTES:PER_S:KIND:EVERY, not", "less");
    }
    return found;
}

static struct lines parsed(char *text)
{
    struct lines found = {0};
    char *rest = text;
    found.count = number("--lines", field(&rest));
    found.bytes = number("--lines", field(&rest));
    found.per_s = number("--lines", field(&rest));
    const char *kind = field(&rest);
    found.every = number("--lines", field(&rest));
    found.carriage = strcmp(kind, "crlf") == 0;
    found.foreign = strcmp(kind, "bytes") == 0;
    found.open = strcmp(kind, "open") == 0;
    if (found.bytes <= HEAD || found.bytes > LARGEST || (!found.carriage && !found.foreign && !found.open && strcmp(kind, "lf") != 0)) {
        errno = EINVAL;
        fail(64, "--lines: the kind is lf, crlf, bytes or open, and a line has 29 bytes to 16 MiB, not", kind);
    }
    return found;
}

/* Fill the text once: letters, or bytes from 0x80 to 0xff in an order that is not UTF-8. Numbers make the lines differ. */
static void fill(struct lines *lines)
{
    lines->text = malloc(lines->bytes + 1);
    if (!lines->text)
        fail(71, "cannot remember a line of", "--lines");
    for (uint64_t i = HEAD; i < lines->bytes; i++)
        lines->text[i] = lines->foreign ? (char)(0x80 + i * 37 % 128) : (char)('a' + i % 26);
    if (lines->carriage)
        lines->text[lines->bytes - 1] = '\r';
    lines->text[lines->bytes] = '\n';
}

static void head(struct lines *lines)
{
    char text[HEAD + 1];
    snprintf(text, sizeof text, "%010llu %07llu", (unsigned long long)next, (unsigned long long)lines->bytes);
    uint32_t crc = crc32_of(0xffffffffu, text, COVERED);
    crc = crc32_of(crc, lines->text + HEAD, lines->bytes - HEAD) ^ 0xffffffffu;
    snprintf(text + COVERED, sizeof text - COVERED, " %08x ", crc);
    memcpy(lines->text, text, HEAD);
}

/* Write all of it to standard output; return 0 when that fails. */
static int put(const char *text, size_t length)
{
    while (length) {
        ssize_t moved = write(1, text, length);
        if (moved < 0 && errno == EAGAIN) {
            struct pollfd output = {.fd = 1, .events = POLLOUT};
            poll(&output, 1, -1);
        } else if (moved < 0 && errno != EINTR) {
            return 0;
        } else if (moved > 0) {
            text += moved;
            length -= (size_t)moved;
        }
    }
    return 1;
}

static int write_one(struct lines *lines, uint64_t done)
{
    int told = lines->every && done % lines->every == 0;
    head(lines);
    if (told)
        say("B write\n", 8);
    int written = put(lines->text, lines->bytes + !(lines->open && done + 1 == lines->count));
    if (told)
        say_format("C write %llu\n", (unsigned long long)next);
    next += (uint64_t)written;
    return written;
}

static int pacer(void)
{
    struct itimerspec every = {.it_interval = {0, 1000000000 / TICKS}, .it_value = {0, 1000000000 / TICKS}};
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (timer < 0 || timerfd_settime(timer, 0, &every, NULL) != 0)
        fail(71, "cannot set a timer for", "--lines");
    return timer;
}

/* Return how many lines are due by now: all of them without a rate. */
static uint64_t due(const struct lines *lines, int timer, uint64_t *ticks)
{
    uint64_t more = 0;
    if (timer < 0)
        return lines->count;
    if (read(timer, &more, sizeof more) == sizeof more)
        *ticks += more;
    uint64_t found = *ticks * lines->per_s / TICKS;
    return found < lines->count ? found : lines->count;
}

static void write_lines(char *text)
{
    struct lines lines = parsed(text);
    uint64_t done = 0, ticks = 0;
    int timer = lines.per_s ? pacer() : -1, written = 1;
    signal(SIGPIPE, SIG_IGN); /* a reader that is gone is reported, not fatal */
    make_table();
    fill(&lines);
    say("B lines\n", 8);
    while (done < lines.count && written)
        for (uint64_t wanted = due(&lines, timer, &ticks); done < wanted && (written = write_one(&lines, done)); done++)
            ;
    if (!written)
        say_format("E lines %s\n", strerror(errno));
    say_format("C lines %llu\n", (unsigned long long)done);
    if (timer >= 0)
        close(timer);
    free(lines.text);
}

const struct action LINE_ACTIONS[] = {{"--lines", write_lines}, {NULL, NULL}};
