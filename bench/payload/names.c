/*
 * A DNS client, and a DNS server that answers from a list. Only a minimum of DNS over UDP (RFC 1035, RFC 2181): one question for an
 * IPv4 address in one datagram, its answer in another. The host stamps the beginning and the end.
 */
#define _GNU_SOURCE
#include "actions.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define MESSAGE 512 /* largest message without an extension (RFC 1035, 4.2.1) */
#define HEADER 12
#define TYPE_A 1
#define CLASS_IN 1
#define NO_SUCH_NAME 3
#define LATE 2 /* seconds to wait for an answer */

struct message {
    unsigned char bytes[MESSAGE];
    size_t length;
};

static unsigned read16(const unsigned char *from)
{
    return (unsigned)from[0] << 8 | from[1];
}

static void write16(unsigned char *to, unsigned value)
{
    to[0] = (unsigned char)(value >> 8);
    to[1] = (unsigned char)value;
}

/* Write the question for a name's IPv4 address; the name is taken as fully qualified. */
static void question(struct message *to, const char *name)
{
    size_t at = HEADER;
    memset(to, 0, sizeof *to);
    to->bytes[2] = 1; /* recursion desired */
    to->bytes[5] = 1; /* one question */
    while (*name) {
        size_t label = strcspn(name, ".");
        if (label == 0 || label > 63 || at + label + 6 > MESSAGE) {
            errno = EINVAL;
            fail(64, "this is no name", name);
        }
        to->bytes[at++] = (unsigned char)label;
        memcpy(to->bytes + at, name, label);
        at += label;
        name += label + (name[label] == '.');
    }
    write16(to->bytes + at + 1, TYPE_A); /* after the empty label that ends the name */
    write16(to->bytes + at + 3, CLASS_IN);
    to->length = at + 5;
}

/* Return the position after a name, 0 when the message ends before. */
static size_t after_name(const struct message *message, size_t at)
{
    while (at < message->length && message->bytes[at] != 0 && message->bytes[at] < 0xc0)
        at += message->bytes[at] + 1u;
    at += at < message->length && message->bytes[at] >= 0xc0 ? 2 : 1; /* a compressed name ends in a pointer of two bytes */
    return at <= message->length ? at : 0;
}

static int same_question(const struct message *one, const struct message *other)
{
    for (size_t i = HEADER; i < one->length; i++)
        if (i >= other->length || tolower(one->bytes[i]) != tolower(other->bytes[i]))
            return 0;
    return 1;
}

/*
 * Parse an answer: write the address, or "nobody" for a name that does not exist, to "found" and return NULL; or return why the
 * answer is invalid.
 */
static const char *read_answer(const struct message *asked, const struct message *got, char *found)
{
    if (got->length < HEADER || !(got->bytes[2] & 0x80) || read16(got->bytes + 4) != 1 || !same_question(asked, got))
        return "an answer to another question";
    if (got->bytes[2] & 2)
        return "an answer that was cut off";
    unsigned code = got->bytes[3] & 15u, records = read16(got->bytes + 6);
    if (code == NO_SUCH_NAME) {
        strcpy(found, "nobody");
        return NULL;
    }
    if (code != 0)
        return code == 2 ? "a failure of the server" : code == 5 ? "a refusal" : "an error";
    for (size_t at = asked->length; records > 0; records--) {
        if ((at = after_name(got, at)) == 0 || at + 10 > got->length)
            break;
        const unsigned char *record = got->bytes + at;
        unsigned size = read16(record + 8);
        if (at + 10 + size > got->length)
            break;
        if (read16(record) == TYPE_A && read16(record + 2) == CLASS_IN && size == 4)
            return inet_ntop(AF_INET, record + 10, found, INET_ADDRSTRLEN) ? NULL : "no address";
        at += 10 + size;
    }
    return "no address";
}

/* Ask once and wait for the answer to this question; late answers to earlier questions are ignored. */
static const char *look_up(int sock, struct message *asked, char *found)
{
    struct message got;
    static uint16_t number;
    write16(asked->bytes, ++number);
    if (send(sock, asked->bytes, asked->length, 0) != (ssize_t)asked->length)
        return strerror(errno);
    do {
        ssize_t length = recv(sock, got.bytes, sizeof got.bytes, 0);
        if (length < 0)
            return errno == EAGAIN ? "no answer in time" : strerror(errno);
        got.length = (size_t)length;
    } while (got.length < 2 || read16(got.bytes) != number);
    return read_answer(asked, &got, found);
}

/* Copy the address of the first name server in /etc/resolv.conf. */
static void own_server(char *to, size_t room)
{
    char line[256], found[64] = "";
    FILE *file = fopen("/etc/resolv.conf", "re");
    while (file && !*found && fgets(line, sizeof line, file))
        if (sscanf(line, "nameserver %63s", found) != 1)
            *found = 0;
    if (file)
        fclose(file);
    if (!*found) {
        errno = ENOENT;
        fail(71, "no name server in", "/etc/resolv.conf");
    }
    snprintf(to, room, "%s", found);
}

/* Connect to ADDRESS, ADDRESS#PORT or "own", and report the server's address. */
static int reach(const char *server)
{
    char text[64];
    if (strcmp(server, "own") == 0)
        own_server(text, sizeof text);
    else
        snprintf(text, sizeof text, "%s", server);
    say_format("S server %s\n", text);
    char *mark = strchr(text, '#');
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
    struct timeval late = {.tv_sec = LATE};
    if (mark) {
        *mark = 0;
        to.sin_port = htons((uint16_t)number("--resolve", mark + 1));
    }
    if (inet_pton(AF_INET, text, &to.sin_addr) != 1) {
        errno = EINVAL;
        fail(64, "this is no address of a name server", text);
    }
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &late, sizeof late) != 0 ||
        connect(sock, (struct sockaddr *)&to, sizeof to) != 0)
        fail(71, "cannot ask the name server", text);
    return sock;
}

/* Split NAME:SERVER:NUMBER in place and return the number. */
static uint64_t cut(const char *option, char *text, char **server)
{
    char *first = strchr(text, ':'), *last = strrchr(text, ':');
    if (!first || first == last) {
        errno = EINVAL;
        fail(64, option, text);
    }
    *first = *last = 0;
    *server = first + 1;
    return number(option, last + 1);
}

/* Look up a name that often; stop at the first failure or different answer, and report the count and the reason. */
static void resolve(char *text)
{
    char *server, first[INET_ADDRSTRLEN] = "", found[INET_ADDRSTRLEN];
    struct message asked;
    const char *why = NULL;
    uint64_t most = cut("--resolve", text, &server), count = 0;
    question(&asked, text);
    int sock = reach(server);
    say_format("B resolve %s\n", text);
    for (; count < most; count++) {
        if ((why = look_up(sock, &asked, found)) != NULL)
            break;
        if (count == 0)
            strcpy(first, found);
        else if (strcmp(first, found) != 0) {
            why = "another address than before";
            break;
        }
    }
    say_format("C resolve %llu\n", (unsigned long long)count);
    say_format("S answer %s\n", why ? why : first);
    close(sock);
}

/* Look up a name until it has an address, with that many milliseconds between two tries. */
static void await(char *text)
{
    char *server, found[INET_ADDRSTRLEN] = "nobody";
    struct message asked;
    uint64_t pause = cut("--await", text, &server), tries = 1;
    question(&asked, text);
    int sock = reach(server);
    say_format("B await %s\n", text);
    for (; look_up(sock, &asked, found) != NULL || strcmp(found, "nobody") == 0; tries++)
        usleep((useconds_t)pause * 1000);
    say_format("C await %llu\n", (unsigned long long)tries);
    say_format("S answer %s\n", found);
    close(sock);
}

/* Look up a name until it has an address, or until it does not exist any more, for some milliseconds at most. */
static void settle(const char *option, char *text)
{
    char *server, found[INET_ADDRSTRLEN] = "";
    struct message asked;
    const char *why = NULL;
    uint64_t end = clock_ns() + cut(option, text, &server) * 1000000, tries = 1;
    int wanted = strcmp(option, "--found") == 0;
    question(&asked, text);
    int sock = reach(server);
    say_format("B %s %s\n", option + 2, text);
    for (;; tries++) {
        why = look_up(sock, &asked, found);
        if ((why == NULL && (strcmp(found, "nobody") != 0) == wanted) || clock_ns() >= end)
            break;
        usleep(20000);
    }
    say_format("C %s %llu\n", option + 2, (unsigned long long)tries);
    say_format("S answer %s\n", why ? why : found);
    close(sock);
}

static void found(char *text) { settle("--found", text); }

static void gone(char *text) { settle("--gone", text); }

/* Return whether the question is about one of these comma-separated names. */
static int knows(const char *names, const struct message *asked, size_t end)
{
    char name[MESSAGE] = "", *to = name;
    for (size_t at = HEADER; at < end && asked->bytes[at]; at += asked->bytes[at] + 1u) {
        if (at + asked->bytes[at] >= end)
            return 0;
        memcpy(to, asked->bytes + at + 1, asked->bytes[at]);
        to += asked->bytes[at];
        *to++ = '.';
    }
    size_t length = to > name ? (size_t)(to - name) - 1 : 0;
    for (const char *one = names; length && *one; one += strcspn(one, ","), one += *one == ',')
        if (strcspn(one, ",") == length && strncasecmp(one, name, length) == 0)
            return 1;
    return 0;
}

/* Turn a question into its answer: 127.0.0.1 for known names, "no such name" for others. */
static void reply(struct message *message, const char *names)
{
    static const unsigned char record[] = {0xc0, HEADER, 0, TYPE_A, 0, CLASS_IN, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1};
    size_t end = after_name(message, HEADER);
    if (end == 0 || end + 4 > message->length)
        return;
    int known = knows(names, message, end), address = known && read16(message->bytes + end) == TYPE_A;
    message->length = end + 4;
    memset(message->bytes + 6, 0, 6); /* no records yet */
    message->bytes[2] |= 0x84;        /* an authoritative answer */
    message->bytes[3] = (unsigned char)(0x80 | (known ? 0 : NO_SUCH_NAME));
    if (address && message->length + sizeof record <= MESSAGE) {
        message->bytes[7] = 1;
        memcpy(message->bytes + message->length, record, sizeof record);
        message->length += sizeof record;
    }
}

static void answer_all(int sock, const char *names)
{
    struct message message;
    struct sockaddr_in from;
    for (;;) {
        socklen_t size = sizeof from;
        ssize_t length = recvfrom(sock, message.bytes, sizeof message.bytes, 0, (struct sockaddr *)&from, &size);
        if (length < HEADER || message.bytes[2] & 0x80)
            continue;
        message.length = (size_t)length;
        reply(&message, names);
        sendto(sock, message.bytes, message.length, 0, (struct sockaddr *)&from, size);
    }
}

/* Fork a child that answers at [ADDRESS#]PORT[:NAME,…] until we exit; for port 0 a free port is chosen and reported. */
static void answer(char *text)
{
    char *names = strchr(text, ':'), *mark = strchr(text, '#');
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    if (names)
        *names++ = 0;
    if (mark)
        *mark = 0;
    if (mark && inet_pton(AF_INET, text, &at.sin_addr) != 1) {
        errno = EINVAL;
        fail(64, "this is no address to answer at", text);
    }
    at.sin_port = htons((uint16_t)number("--answer", mark ? mark + 1 : text));
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sock < 0 || bind(sock, (struct sockaddr *)&at, size) != 0 || getsockname(sock, (struct sockaddr *)&at, &size) != 0)
        fail(71, "cannot answer at", text);
    pid_t us = getpid(), child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == us)
            answer_all(sock, names ? names : "");
        _exit(0);
    }
    if (child < 0)
        fail(71, "cannot fork for", "--answer");
    close(sock);
    say_format("B answer %d\n", ntohs(at.sin_port));
}

const struct action NAME_ACTIONS[] = {{"--resolve", resolve}, {"--await", await}, {"--answer", answer}, {"--found", found},
                                      {"--gone", gone}, {NULL, NULL}};
