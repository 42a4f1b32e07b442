/*
 * The far end of a path through a network, and connections with it.
 *
 *   --echo ADDRESS:PORT  answer requests over TCP, each connection in a child of its own: "B echo PORT"
 *   --sink KIND:ADDRESS:PORT
 *        count the bytes that arrive, over TCP (bulk) or in UDP datagrams (flood): "B sink PORT", and then twenty times a second
 *        "M load BYTES 0", the form of --load
 *
 * Port 0 is a free one. Everything ends with the payload.
 */
#define _GNU_SOURCE
#include "actions.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE 65536
#define BATCH 64
#define QUEUE (4 << 20)     /* bytes of datagrams that wait to be counted */
#define EVERY 50000000ull   /* nanoseconds between two reports */

static struct sockaddr_in parsed(const char *where)
{
    struct sockaddr_in found = {.sin_family = AF_INET};
    char copy[64], *port;
    snprintf(copy, sizeof copy, "%s", where);
    if ((port = strchr(copy, ':')))
        *port++ = '\0';
    if (!port || inet_pton(AF_INET, copy, &found.sin_addr) != 1) {
        errno = EINVAL;
        fail(64, "an end of a network path is ADDRESS:PORT, not", where);
    }
    found.sin_port = htons((uint16_t)number("ADDRESS:PORT", port));
    return found;
}

static void answer_at_once(int connection)
{
    int one = 1;
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

int connected_with(int type, const char *where)
{
    struct sockaddr_in address = parsed(where);
    int found = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (type == SOCK_STREAM)
        answer_at_once(found);
    if (connect(found, (struct sockaddr *)&address, sizeof address) != 0)
        fail(71, "cannot connect with", where);
    return found;
}

void echo_to(int peer)
{
    char text[REQUEST];
    while (recv(peer, text, sizeof text, MSG_WAITALL) == sizeof text && send(peer, text, sizeof text, MSG_NOSIGNAL) == sizeof text)
        ;
}

static int bound(int type, const char *where, int *port)
{
    struct sockaddr_in address = parsed(where);
    socklen_t length = sizeof address;
    int found = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (bind(found, (struct sockaddr *)&address, length) != 0 || (type == SOCK_STREAM && listen(found, 64) != 0) ||
        getsockname(found, (struct sockaddr *)&address, &length) != 0)
        fail(71, "cannot listen at", where);
    *port = ntohs(address.sin_port);
    return found;
}

/* Serve each connection in a child of its own. */
static void accept_each(int listener, void (*serve)(int))
{
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (connection < 0)
            continue;
        if (in_background("a connection")) {
            answer_at_once(connection);
            serve(connection);
            _exit(0);
        }
        close(connection);
    }
}

static uint64_t *arrived; /* shared by those that receive */

/* Linux discards what MSG_TRUNC receives over TCP instead of copying it (tcp(7)). */
static void count_stream(int connection)
{
    static char unused[PIECE];
    for (ssize_t got; (got = recv(connection, unused, sizeof unused, MSG_TRUNC)) > 0;)
        __atomic_fetch_add(arrived, (uint64_t)got, __ATOMIC_RELAXED);
}

static void count_datagrams(int sock)
{
    char unused;
    struct iovec piece = {&unused, 1};
    struct mmsghdr batch[BATCH];
    for (;;) {
        for (int i = 0; i < BATCH; i++)
            batch[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1}};
        int got = recvmmsg(sock, batch, BATCH, MSG_TRUNC | MSG_WAITFORONE, NULL);
        uint64_t bytes = 0;
        for (int i = 0; i < got; i++)
            bytes += batch[i].msg_len;
        __atomic_fetch_add(arrived, bytes, __ATOMIC_RELAXED);
    }
}

static void report(void)
{
    for (uint64_t due = clock_ns();; due += EVERY) {
        sleep_until(due);
        say_format("M load %llu 0\n", (unsigned long long)__atomic_load_n(arrived, __ATOMIC_RELAXED));
    }
}

static void sink(char *text)
{
    const char *kind = strsep(&text, ":");
    int stream = strcmp(kind, "bulk") == 0, port, queue = QUEUE;
    if (!text || (!stream && strcmp(kind, "flood") != 0)) {
        errno = EINVAL;
        fail(64, "--sink takes KIND:ADDRESS:PORT, not", kind);
    }
    int sock = bound(stream ? SOCK_STREAM : SOCK_DGRAM, text, &port);
    if (!stream && setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof queue) != 0)
        setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &queue, sizeof queue);
    arrived = mmap(NULL, sizeof *arrived, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (arrived == MAP_FAILED)
        fail(71, "cannot share memory for", "--sink");
    say_format("B sink %d\n", port);
    if (in_background("--sink")) {
        if (stream)
            accept_each(sock, count_stream);
        else
            count_datagrams(sock);
    }
    if (in_background("--sink"))
        report();
    close(sock);
}

static void echo(char *text)
{
    int port, listener = bound(SOCK_STREAM, text, &port);
    say_format("B echo %d\n", port);
    if (in_background("--echo"))
        accept_each(listener, echo_to);
    close(listener);
}

const struct action REMOTE_ACTIONS[] = {{"--echo", echo}, {"--sink", sink}, {NULL, NULL}};
