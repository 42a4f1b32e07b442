/*
 * tare-payload: the one program that is PID 1 in every target.
 *
 * It says "F" (first instruction) and "R" (ready) over an event channel and then exits, sleeps or serves. It never reads a
 * clock: the host stamps both on receipt. Static, so that the same bits run from a directory, an OCI image and an initramfs.
 *
 *   tare-payload [--events CHANNEL] [--name NAME] [--touch BYTES] [--work N] [--mute] (--exit | --sleep | --serve PORT)
 *
 *   --events unix:PATH   one datagram an event to the unix socket PATH
 *            fd:N        one line an event to the open descriptor N
 *            tty:PATH    one line an event to the device PATH (a guest's serial port)
 *   --name NAME          not used by the program: it makes the process recognisable as ours
 *   --touch BYTES        write one byte to each page of that much anonymous memory before ready
 *   --work N             do N rounds of a fixed computation and N/256 system calls before ready (the sentinel)
 *   --mute               never say ready (for tests of time limits)
 *   --exit               exit with 0 after ready; --sleep: wait for SIGTERM; --serve PORT: answer "ok" on TCP until SIGTERM
 *
 * As PID 1 of a guest it powers the machine off instead of exiting. Exit codes: 0 told to end, 64 bad usage, 71 channel
 * or resource failure.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum ending { NONE, EXIT, SLEEP, SERVE };

static int channel = -1;
static int guest_init = 0; /* PID 1 behind a serial port: ending means switching the machine off */

static void end(int code)
{
    if (guest_init) {
        sync();
        reboot(RB_POWER_OFF);
    }
    _exit(code);
}

static void fail(int code, const char *what, const char *value)
{
    dprintf(2, "tare-payload: %s '%s': %s\n", what, value, strerror(errno));
    end(code);
}

static void say(const char *line, size_t length)
{
    if (channel >= 0 && write(channel, line, length) != (ssize_t)length)
        fail(71, "cannot report to the event channel", line);
}

static void open_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        fail(64, "event socket", path);
    }
    strcpy(address.sun_path, path);
    channel = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (channel < 0 || connect(channel, (struct sockaddr *)&address, sizeof address) != 0)
        fail(71, "cannot reach the event socket", path);
}

static void open_channel(const char *spec)
{
    if (strncmp(spec, "unix:", 5) == 0) {
        open_unix(spec + 5);
    } else if (strncmp(spec, "fd:", 3) == 0) {
        channel = atoi(spec + 3);
    } else if (strncmp(spec, "tty:", 4) == 0) {
        guest_init = getpid() == 1;
        channel = open(spec + 4, O_WRONLY | O_NOCTTY | O_CLOEXEC);
        if (channel < 0)
            fail(71, "cannot open the event device", spec + 4);
    } else {
        errno = EINVAL;
        fail(64, "event channel must be unix:PATH, fd:N or tty:PATH, not", spec);
    }
}

static uint64_t number(const char *option, const char *text)
{
    char *rest;
    errno = 0;
    unsigned long long value = strtoull(text, &rest, 10);
    if (errno || *rest || rest == text) {
        errno = EINVAL;
        fail(64, option, text);
    }
    return value;
}

static void touch(uint64_t bytes)
{
    if (bytes == 0)
        return;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        fail(71, "cannot map memory", "--touch");
    long page = sysconf(_SC_PAGESIZE);
    for (uint64_t at = 0; at < bytes; at += (uint64_t)page)
        memory[at] = 1;
}

static void work(uint64_t rounds)
{
    volatile uint64_t sink;
    uint64_t state = 88172645463325252ull;
    for (uint64_t i = 0; i < rounds; i++) {
        state ^= state << 13; /* xorshift64, Marsaglia 2003 */
        state ^= state >> 7;
        state ^= state << 17;
        if ((i & 255) == 0)
            syscall(SYS_getppid);
    }
    sink = state;
    (void)sink;
}

static int listen_on(uint64_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 128) != 0)
        fail(71, "cannot listen on the port of", "--serve");
    return listener;
}

/* Wait for SIGTERM or SIGINT; with a listener, answer each connection with "ok\n" meanwhile. */
static void wait_for_end(const sigset_t *signals, int listener)
{
    struct pollfd fds[2] = {{.fd = signalfd(-1, signals, SFD_CLOEXEC), .events = POLLIN}, {.fd = listener, .events = POLLIN}};
    while (poll(fds, listener < 0 ? 1 : 2, -1) > 0 || errno == EINTR) {
        if (fds[0].revents)
            return;
        if (listener >= 0 && fds[1].revents) {
            int client = accept(listener, NULL, NULL);
            if (client >= 0) {
                if (write(client, "ok\n", 3) != 3)
                    errno = 0; /* the client went away: its loss */
                close(client);
            }
        }
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "--events") == 0)
            open_channel(argv[i + 1]);
    say("F\n", 2);

    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* PID 1 ignores signals it has no handler for: a blocked one is kept for signalfd */

    enum ending ending = NONE;
    uint64_t bytes = 0, rounds = 0, port = 0;
    int mute = 0;
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(option, "--events") == 0 || strcmp(option, "--name") == 0)
            i++;
        else if (strcmp(option, "--touch") == 0)
            bytes = number(option, value), i++;
        else if (strcmp(option, "--work") == 0)
            rounds = number(option, value), i++;
        else if (strcmp(option, "--serve") == 0)
            port = number(option, value), ending = SERVE, i++;
        else if (strcmp(option, "--mute") == 0)
            mute = 1;
        else if (strcmp(option, "--exit") == 0)
            ending = EXIT;
        else if (strcmp(option, "--sleep") == 0)
            ending = SLEEP;
        else {
            errno = EINVAL;
            fail(64, "unknown option", option);
        }
    }
    if (ending == NONE) {
        errno = EINVAL;
        fail(64, "give one of --exit, --sleep, --serve PORT instead of", "nothing");
    }
    touch(bytes);
    work(rounds);
    int listener = ending == SERVE ? listen_on(port) : -1;
    if (!mute)
        say("R\n", 2);
    if (ending != EXIT)
        wait_for_end(&signals, listener);
    end(0);
}
