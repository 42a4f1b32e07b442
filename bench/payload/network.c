/*
 * Network actions of the payload: repeated connections, the server that accepts them, and programs in the background.
 */
#define _GNU_SOURCE
#include "actions.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define LATE 5 /* seconds to wait for the peer */

static volatile sig_atomic_t over;

static void stop_it(int signal_number)
{
    (void)signal_number;
    over = 1;
}

/* Parse HOST:PORT:MS into an address and return the milliseconds. */
static uint64_t parse(char *text, struct sockaddr_in *to)
{
    char *rest = NULL, *host = strtok_r(text, ":", &rest), *port = strtok_r(NULL, ":", &rest), *ms = strtok_r(NULL, "", &rest);
    if (!host || !port || !ms || inet_pton(AF_INET, host, &to->sin_addr) != 1) {
        errno = EINVAL;
        fail(64, "--connect takes ADDRESS:PORT:MS, not", host ? host : "nothing");
    }
    to->sin_family = AF_INET;
    to->sin_port = htons((uint16_t)number("--connect", port));
    return number("--connect", ms);
}

/*
 * Connect, read one byte, and close. The byte proves that the server itself accepted, not a proxy on the way. Closing with a reset
 * leaves no port in TIME_WAIT for a minute; thousands of connections a second would use up all ports.
 */
static int once(const struct sockaddr_in *to)
{
    const struct linger reset = {.l_onoff = 1};
    const struct timeval late = {.tv_sec = LATE};
    char byte;
    int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return 0;
    setsockopt(sock, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &late, sizeof late);
    setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &late, sizeof late);
    ssize_t got = -1;
    if (connect(sock, (const struct sockaddr *)to, sizeof *to) == 0)
        while ((got = read(sock, &byte, 1)) < 0 && errno == EINTR && !over)
            ;
    int error = errno;
    close(sock);
    errno = got == 0 ? ECONNRESET : error;
    return got == 1;
}

static void connect_again(char *text)
{
    struct sockaddr_in to = {0};
    uint64_t milliseconds = parse(text, &to), count = 0;
    struct itimerval left = {.it_value = {.tv_sec = (time_t)(milliseconds / 1000), .tv_usec = (suseconds_t)(milliseconds % 1000 * 1000)}};
    struct sigaction action = {.sa_handler = stop_it};
    over = 0;
    sigaction(SIGALRM, &action, NULL);
    say("B connect\n", 10);
    setitimer(ITIMER_REAL, &left, NULL);
    while (!over) {
        if (once(&to))
            count++;
        else if (!over) { /* an unreachable server must not count as a slow one */
            say_format("E connect %s\n", strerror(errno));
            break;
        }
    }
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    say_format("C connect %llu\n", (unsigned long long)count);
}

static void accept_all(int listener)
{
    char byte;
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            continue;
        if (send(client, "k", 1, MSG_NOSIGNAL) == 1)
            while (read(client, &byte, 1) > 0) /* until the client has closed: it must close first */
                ;
        close(client);
    }
}

/* Fork a child that is killed when we exit; return 1 in the child. */
int in_background(const char *what)
{
    pid_t us = getpid(), child = fork();
    if (child < 0)
        fail(71, "cannot fork for", what);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != us)
            _exit(0);
    }
    return child == 0;
}

/* Fork a child that accepts connections on that port, one after another. */
static void accept_in_background(char *text)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number("--accept", text))};
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 4096) != 0)
        fail(71, "cannot accept at the port", text);
    if (in_background("--accept"))
        accept_all(listener);
    close(listener);
    say_format("B accept %s\n", text);
}

/* Start a program in the background; its output is discarded. */
void spawn_program(char **argv)
{
    if (!argv[0]) {
        errno = EINVAL;
        fail(64, "spawn needs a program, not", "nothing");
    }
    if (in_background("spawn")) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        int nowhere = open("/dev/null", O_RDWR);
        for (int i = 0; nowhere >= 0 && i < 3; i++)
            dup2(nowhere, i);
        execv(argv[0], argv);
        _exit(127);
    }
    say_format("B spawn %s\n", argv[0]);
}

const struct action NETWORK_ACTIONS[] = {{"--connect", connect_again}, {"--accept", accept_in_background}, {NULL, NULL}};
