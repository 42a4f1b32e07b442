/*
 * tare-payload: the program that is PID 1 in every target.
 *
 * It reports "F" (first instruction) and "R" (ready) over an event channel and then exits, sleeps or serves. It reads no clock but
 * for durations within --victim and --load: the host stamps events on receipt. It is static, so that the same bits run from a folder, an OCI image and an initramfs.
 *
 *   tare-payload [--events CHANNEL] [--name NAME] [--touch BYTES] [--work N] [--mute] [ACTION…] (--exit | --sleep | --serve PORT)
 *                [--run PROGRAM ARGUMENT…]…
 *
 *   --events unix:PATH   one datagram per event to the unix socket PATH
 *            fd:N        one line per event to the open descriptor N
 *            tty:PATH    one line per event to the device PATH (a guest's serial port)
 *   --name NAME          ignored by the program: marks the process as ours
 *   --touch BYTES        write one byte to each page of that much anonymous memory before ready
 *   --work N             do N rounds of a fixed computation and N/256 system calls before ready (the sentinel)
 *   --modules FOLDER     load the kernel modules in FOLDER, in the order of their names, before ready (in a guest)
 *   --mount TYPE:SOURCE:TARGET[:ro]
 *                        mount a file system before ready, after waiting for its device (in a guest)
 *   --address IFACE:IP/PREFIX[:GATEWAY]
 *                        bring up an interface with that address before ready
 *   --mute               never report ready (to test time limits)
 *   --exit               exit with 0 after ready; --sleep: wait for SIGTERM; --serve PORT: answer "ok" on TCP until SIGTERM
 *
 * Actions run after ready, in order; each reports its beginning (B) and its end (C, with its count):
 *
 *   --loop NAME:MS       repeat getpid, open, read, futex, personality, pipe or compute for MS milliseconds: "B NAME", "C NAME COUNT"
 *   --read PATH:MS       read blocks of 64 KiB with direct I/O, --write PATH:MS write them: "B read", "C read BYTES"
 *   --grow STEP:MAX      touch memory in steps of STEP bytes: "M BYTES" after each step, "E grow" when MAX is reached
 *   --forks N            fork N children, or as many as allowed: "P COUNT WHY"
 *   --send MS            send datagrams to the default gateway's discard port, and wait until the last has left: "B send", "C send BYTES"
 *   --connect ADDRESS:PORT:MS   repeatedly connect to the port of --accept, read its byte and close, for MS milliseconds: "B connect",
 *                        "E connect WHY" when the server does not answer, "C connect COUNT"
 *   --accept PORT        fork a child that accepts such connections: "B accept PORT"
 *   --resolve NAME:SERVER:N  look up a name N times by UDP; SERVER is ADDRESS, ADDRESS#PORT, or "own" for the one in
 *                        /etc/resolv.conf: "S server ADDRESS", "B resolve NAME", "C resolve COUNT", "S answer ADDRESS", or "S answer
 *                        nobody" when the name does not exist, or the reason why COUNT is less than N
 *   --await NAME:SERVER:MS   look up a name, with MS milliseconds between two tries, until it has an address: "S server …",
 *                        "B await NAME", "C await TRIES", "S answer ADDRESS"
 *   --found NAME:SERVER:MS   look up a name until it has an address, --gone NAME:SERVER:MS until it does not exist, for MS milliseconds at
 *                        most: "S server …", "B found NAME", "C found TRIES", "S answer ADDRESS", or "nobody", or the last failure's reason
 *   --answer [ADDRESS#]PORT[:NAME,…]  fork a child that answers such questions: 127.0.0.1 for these names, "no such name" for others;
 *                        on loopback without ADDRESS, on a free port for PORT 0: "B answer PORT"
 *   --lines COUNT:BYTES:PER_S:KIND:EVERY  write numbered, checksummed lines to standard output (lines.c): "B lines", "C lines COUNT"
 *   --victim KIND:…      do work at a fixed rate and report how late each operation was (victim.c)
 *   --load KIND:…        take one resource in the background, for a known fraction of the time (load.c)
 *   --echo ADDRESS:PORT, --sink KIND:ADDRESS:PORT   answer a victim's requests, count what a neighbour sends (remote.c)
 *   --wait MS            wait for SIGUSR1 or a byte on the serial port, at most MS milliseconds, and answer "A"
 *   --look               report what is visible from here: "S NAME VALUE" lines, then "E look"; -1 for unreadable counts
 *   --script FILE        run the actions in FILE, one a line without its dashes ("wait 1000", "run PROGRAM …");
 *                        "spawn PROGRAM …" starts a program in the background: "B spawn PROGRAM"
 *   --place NAME=PATH    replace {NAME} by PATH in a script
 *   --run PROGRAM …      run a program: "B run", "O LINE" for each line that it prints, "C run STATUS"; only another --run may follow
 *
 *   --surface PID:COUNT  report what a program may do here: which system calls answer, capabilities, mounts, privileged acts (surface.c)
 *   --reach MS:NAME@PLACE,…   whom this program reaches; --listen NAME@PLACE, --interfaces ipv4, --self VARIABLE,… (reach.c)
 *   --watch FOLDER:MS, --change FOLDER, --fill PATH:MAX   see or make changes in a shared folder, fill a file system (changes.c)
 *   --quit STATUS[:MS]   wait to be told, then exit with STATUS; the first instruction is reported as "B start", too (restart.c)
 *
 * With --exec NUMBER[:STATUS[:MS]] it is a further command in a running instance: it reports "B exec NUMBER" and exits (exec.c).
 * With --probe FILE[:MS] it is a health probe of one that runs --health FILE (health.c).
 *
 * While it sleeps or serves, it answers SIGUSR1 or a byte on the serial port with "A", as a sign of life.
 *
 * As PID 1 of a guest it powers the machine off instead of exiting. Exit codes: 0 asked to end, 64 invalid arguments, 71 channel
 * or resource failure.
 */
#define _GNU_SOURCE
#include "actions.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

enum ending { NONE, EXIT, SLEEP, SERVE };

static int channel = -1;
static int asked = -1;     /* the serial port, where the host may ask for a sign of life */
int guest_init = 0;        /* PID 1 of a guest: powers the machine off at the end */

static void end(int code)
{
    if (guest_init) {
        sync();
        reboot(RB_POWER_OFF);
    }
    _exit(code);
}

void fail(int code, const char *what, const char *value)
{
    dprintf(2, "tare-payload: %s '%s': %s\n", what, value, strerror(errno));
    end(code);
    __builtin_unreachable();
}

void say(const char *line, size_t length)
{
    if (channel >= 0 && write(channel, line, length) != (ssize_t)length)
        fail(71, "cannot report to the event channel", line);
}

void say_format(const char *format, ...)
{
    char line[256];
    va_list rest;
    va_start(rest, format);
    int length = vsnprintf(line, sizeof line, format, rest);
    va_end(rest);
    if (length >= (int)sizeof line) {
        length = sizeof line - 1;
        line[length - 1] = '\n';
    }
    say(line, (size_t)length);
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
        struct termios settings;
        channel = asked = open(spec + 4, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (channel < 0)
            fail(71, "cannot open the event device", spec + 4);
        if (tcgetattr(channel, &settings) == 0) { /* do not echo the host's questions */
            cfmakeraw(&settings);
            tcsetattr(channel, TCSANOW, &settings);
        }
    } else {
        errno = EINVAL;
        fail(64, "event channel must be unix:PATH, fd:N or tty:PATH, not", spec);
    }
}

uint64_t number(const char *option, const char *text)
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

static int listen_on(uint64_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 128) != 0)
        fail(71, "cannot listen on the port of", "--serve");
    return listener;
}

static void answer(int listener)
{
    int client = accept(listener, NULL, NULL);
    if (client >= 0) {
        if (write(client, "ok\n", 3) != 3)
            errno = 0; /* the client has closed the connection */
        close(client);
    }
}

/* Wait for SIGTERM or SIGINT; meanwhile answer questions with "A", and connections to the listener with "ok". */
static void wait_for_end(const sigset_t *signals, int listener)
{
    struct signalfd_siginfo caught;
    char question[16];
    struct pollfd fds[3] = {{.fd = signalfd(-1, signals, SFD_CLOEXEC), .events = POLLIN},
                            {.fd = listener, .events = POLLIN},
                            {.fd = asked, .events = POLLIN}}; /* poll ignores negative descriptors */
    while (poll(fds, 3, -1) > 0 || errno == EINTR) {
        if (fds[0].revents) {
            if (read(fds[0].fd, &caught, sizeof caught) != sizeof caught || caught.ssi_signo != SIGUSR1)
                return;
            say("A\n", 2);
        }
        if (fds[1].revents)
            answer(listener);
        if (fds[2].revents && read(asked, question, sizeof question) > 0)
            say("A\n", 2);
    }
}

/* Wait at most that many milliseconds for a question and answer it; SIGTERM and SIGINT end the program. */
static void wait_for_question(const sigset_t *signals, uint64_t milliseconds)
{
    struct signalfd_siginfo caught;
    char question[16];
    struct pollfd fds[2] = {{.fd = signalfd(-1, signals, SFD_CLOEXEC), .events = POLLIN}, {.fd = asked, .events = POLLIN}};
    if (poll(fds, 2, (int)milliseconds) > 0) {
        if (fds[0].revents && (read(fds[0].fd, &caught, sizeof caught) != sizeof caught || caught.ssi_signo != SIGUSR1))
            end(0);
        if (fds[1].revents && read(asked, question, sizeof question) < 0)
            fail(71, "cannot read from", "the event device");
        say("A\n", 2);
    }
    close(fds[0].fd);
}

static const sigset_t *held;

static void do_action(const sigset_t *signals, const char *option, const char *value)
{
    held = signals;
    if (strcmp(option, "--wait") == 0)
        wait_for_question(signals, number("--wait", value));
    else if (strcmp(option, "--script") == 0)
        run_script(value);
    else
        act(option, value);
}

void do_scripted(const char *option, const char *value)
{
    do_action(held, option, value);
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc && strcmp(argv[i], "--run") != 0; i++) /* later arguments belong to another program */
        if (strcmp(argv[i], "--events") == 0)
            open_channel(argv[i + 1]);
        else if (strcmp(argv[i], "--exec") == 0)
            run_as_command(argv[i + 1]);
        else if (strcmp(argv[i], "--quit") == 0)
            say("B start\n", 8);
        else if (strcmp(argv[i], "--probe") == 0)
            run_as_probe(argv[i + 1]);
    say("F\n", 2);

    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* PID 1 ignores signals without a handler, but a blocked one stays pending for signalfd */

    enum ending ending = NONE;
    uint64_t bytes = 0, rounds = 0, port = 0;
    int mute = 0, last = argc;
    for (int i = 1; i < last; i++) {
        const char *option = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(option, "--events") == 0 || strcmp(option, "--name") == 0)
            i++;
        else if (strcmp(option, "--touch") == 0)
            bytes = number(option, value), i++;
        else if (strcmp(option, "--work") == 0)
            rounds = number(option, value), i++;
        else if (strcmp(option, "--serve") == 0)
            port = number(option, value), ending = SERVE, i++;
        else if (strcmp(option, "--loop") == 0 || strcmp(option, "--read") == 0 || strcmp(option, "--write") == 0 ||
                 strcmp(option, "--grow") == 0 || strcmp(option, "--forks") == 0 || strcmp(option, "--send") == 0 ||
                 strcmp(option, "--wait") == 0 || strcmp(option, "--script") == 0 || find_action(option))
            i++; /* runs after ready */
        else if (strcmp(option, "--address") == 0)
            set_address(value), i++;
        else if (strcmp(option, "--place") == 0)
            place(value), i++;
        else if (strcmp(option, "--look") == 0)
            ;
        else if (strcmp(option, "--run") == 0)
            last = i;
        else if (set_up(option, value))
            i++;
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
    for (int i = 1; i < last; i++)
        do_action(&signals, argv[i], i + 1 < last ? argv[i + 1] : "");
    for (int next; last < argc; last = next) {
        for (next = last + 1; next < argc && strcmp(argv[next], "--run") != 0; next++)
            ;
        argv[next] = NULL; /* replaces the next --run, or is the end of argv */
        run_program(argv + last + 1);
    }
    if (ending != EXIT)
        wait_for_end(&signals, listener);
    end(0);
}
