/*
 * Who can be reached from here, who can listen here, by which interfaces; and as whom this process runs.
 *
 *   --interfaces ipv4       report "S interface NAME" for each, "S address NAME ADDRESS/PREFIX" for each IPv4 address, "E interfaces"
 *   --listen NAME@PLACE     listen; a child says NAME to all who connect: "S listen NAME ERRNO", 0 when it listens
 *   --reach MS:NAME@PLACE,… connect to all places at once and read who answers, for MS milliseconds at most: "S reach NAME ERRNO WHO",
 *                           0 when somebody has answered, ETIMEDOUT when the time was over; "E reach"
 *
 *   --self VARIABLE,…       report "S uid NUMBER", "S gid NUMBER", "S folder PATH", "S variable NAME=VALUE" of those that are set, "E self"
 *
 * PLACE is ADDRESS#PORT, or @TEXT for an abstract unix socket.
 */
#define _GNU_SOURCE
#include "actions.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <poll.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MOST 16 /* places */

union place {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_un un;
};

/* Split NAME@PLACE in place; write the address and return its length. */
static socklen_t parse(const char *option, char *text, union place *to)
{
    char *at = strchr(text, '@'), *mark;
    memset(to, 0, sizeof *to);
    if (!at) {
        errno = EINVAL;
        fail(64, option, text);
    }
    *at++ = 0;
    if (*at == '@') { /* an abstract name begins with a zero byte, and its length counts (unix(7)) */
        size_t length = strlen(at + 1);
        if (length == 0 || length >= sizeof to->un.sun_path) {
            errno = EINVAL;
            fail(64, option, at);
        }
        to->un.sun_family = AF_UNIX;
        memcpy(to->un.sun_path + 1, at + 1, length);
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    }
    if ((mark = strchr(at, '#')) != NULL)
        *mark++ = 0;
    if (!mark || inet_pton(AF_INET, at, &to->in.sin_addr) != 1) {
        errno = EINVAL;
        fail(64, option, at);
    }
    to->in.sin_family = AF_INET;
    to->in.sin_port = htons((uint16_t)number(option, mark));
    return sizeof to->in;
}

static void answer_all(int listener, const char *name)
{
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0) {
            send(client, name, strlen(name), MSG_NOSIGNAL);
            close(client);
        }
    }
}

static void listen_there(char *text)
{
    union place place;
    socklen_t length = parse("--listen", text, &place);
    int one = 1, error = 0, listener = socket(place.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0)
        fail(71, "no socket for", "--listen");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one); /* ignores ports in TIME_WAIT, not other listeners (socket(7)) */
    if (bind(listener, &place.any, length) != 0 || listen(listener, 64) != 0)
        error = errno;
    if (error == 0 && in_background("--listen"))
        answer_all(listener, text);
    close(listener);
    say_format("S listen %s %d\n", text, error);
}

struct call {
    const char *name;
    int sock;  /* -1 when it is over */
    int asked; /* whether it is connected */
    int error;
    char who[33];
    size_t length;
};

static void over(struct call *call, int error)
{
    call->error = error;
    close(call->sock);
    call->sock = -1;
}

static void begin(struct call *call, char *text)
{
    union place place;
    socklen_t length = parse("--reach", text, &place);
    call->name = text;
    call->sock = socket(place.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (call->sock < 0)
        fail(71, "no socket for", "--reach");
    call->asked = connect(call->sock, &place.any, length) == 0;
    if (!call->asked && errno != EINPROGRESS)
        over(call, errno);
}

/* Go on with a call whose socket is ready. */
static void go_on(struct call *call)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (!call->asked) {
        getsockopt(call->sock, SOL_SOCKET, SO_ERROR, &error, &size);
        call->asked = 1;
        if (error)
            over(call, error);
        return;
    }
    ssize_t got = read(call->sock, call->who + call->length, sizeof call->who - 1 - call->length);
    if (got > 0)
        call->length += (size_t)got;
    if (got == 0 || (got > 0 && call->length == sizeof call->who - 1))
        over(call, call->length ? 0 : ECONNRESET);
    else if (got < 0 && errno != EAGAIN && errno != EINTR)
        over(call, errno);
}

/* Wait until a socket of the calls is ready, or until then; return 0 when nothing is left to wait for. */
static int step(struct call *calls, int count, uint64_t end)
{
    struct pollfd fds[MOST];
    int left = 0;
    uint64_t now = clock_ns();
    for (int i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = calls[i].sock, .events = calls[i].asked ? POLLIN : POLLOUT}; /* negative ones are ignored */
        left += calls[i].sock >= 0;
    }
    if (left == 0 || now >= end)
        return 0;
    if (poll(fds, (nfds_t)count, (int)((end - now) / 1000000 + 1)) > 0)
        for (int i = 0; i < count; i++)
            if (calls[i].sock >= 0 && fds[i].revents)
                go_on(&calls[i]);
    return 1;
}

static void reach_all(char *text)
{
    struct call calls[MOST] = {0};
    int count = 0;
    char *rest = NULL, *limit = strtok_r(text, ":", &rest);
    uint64_t end = clock_ns() + number("--reach", limit ? limit : "") * 1000000;
    for (char *one; (one = strtok_r(NULL, ",", &rest)) != NULL; count++) {
        if (count == MOST) {
            errno = E2BIG;
            fail(64, "--reach", one);
        }
        begin(&calls[count], one);
    }
    while (step(calls, count, end))
        ;
    for (int i = 0; i < count; i++) {
        if (calls[i].sock >= 0)
            over(&calls[i], ETIMEDOUT);
        say_format("S reach %s %d %s\n", calls[i].name, calls[i].error, calls[i].length ? calls[i].who : "-");
    }
    say("E reach\n", 8);
}

static int prefix_of(const struct sockaddr *mask)
{
    return mask ? __builtin_popcount(((const struct sockaddr_in *)mask)->sin_addr.s_addr) : 32;
}

static void say_interfaces(char *text)
{
    struct ifaddrs *all = NULL;
    char address[INET_ADDRSTRLEN];
    (void)text;
    if (getifaddrs(&all) != 0)
        fail(71, "cannot list", "interfaces");
    for (const struct ifaddrs *one = all; one; one = one->ifa_next) {
        if (one->ifa_addr && one->ifa_addr->sa_family == AF_PACKET)
            say_format("S interface %s\n", one->ifa_name);
        else if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET &&
                 inet_ntop(AF_INET, &((const struct sockaddr_in *)one->ifa_addr)->sin_addr, address, sizeof address))
            say_format("S address %s %s/%d\n", one->ifa_name, address, prefix_of(one->ifa_netmask));
    }
    freeifaddrs(all);
    say("E interfaces\n", 13);
}

static void say_self(char *text)
{
    char folder[PATH_MAX] = "", *rest = NULL;
    say_format("S uid %d\nS gid %d\n", getuid(), getgid());
    say_format("S folder %s\n", getcwd(folder, sizeof folder) ? folder : "-");
    for (const char *name = strtok_r(text, ",", &rest), *value; name; name = strtok_r(NULL, ",", &rest))
        if ((value = getenv(name)) != NULL)
            say_format("S variable %s=%s\n", name, value);
    say("E self\n", 7);
}

const struct action REACH_ACTIONS[] = {{"--listen", listen_there}, {"--reach", reach_all}, {"--interfaces", say_interfaces},
                                       {"--self", say_self}, {NULL, NULL}};
