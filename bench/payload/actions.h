/* Declarations shared by the files of the payload. */
#include <stddef.h>
#include <stdint.h>

void say(const char *line, size_t length);
void say_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fail(int code, const char *what, const char *value) __attribute__((noreturn));
uint64_t number(const char *option, const char *text);

extern int guest_init; /* whether this is PID 1 of a guest, which has to mount file systems itself */

void touch(uint64_t bytes);
void work(uint64_t rounds);
int act(const char *option, const char *value); /* does the action and returns 1; 0 when the option is not an action */
void run_program(char **argv);

void place(const char *definition);                       /* NAME=PATH: replaces {NAME} in scripts */
void run_script(const char *path);                        /* one action per line */
void do_scripted(const char *option, const char *value);  /* an action of a script, including --wait */

void run_as_command(const char *value) __attribute__((noreturn)); /* NUMBER[:STATUS[:MS]] (exec.c) */
void run_as_probe(const char *value) __attribute__((noreturn));   /* FILE[:MS] (health.c) */

void set_address(const char *text); /* IFACE:IP/PREFIX[:GATEWAY] (interface.c) */
void spawn_program(char **argv);                   /* runs in the background until we exit (network.c) */
int in_background(const char *what);               /* forks a child that is killed when we exit; returns 1 in the child (network.c) */

/* Actions with one value, which they may modify. A table ends with an empty entry. */
struct action {
    const char *option;
    void (*act)(char *text);
};
extern const struct action NETWORK_ACTIONS[], FILE_ACTIONS[], KEPT_ACTIONS[], NAME_ACTIONS[], LINE_ACTIONS[], RESTART_ACTIONS[], HEALTH_ACTIONS[];
extern const struct action VICTIM_ACTIONS[], LOAD_ACTIONS[], SURFACE_ACTIONS[], REACH_ACTIONS[], CHANGE_ACTIONS[], REMOTE_ACTIONS[];
const struct action *find_action(const char *option); /* NULL when there is no such action */

int set_up(const char *option, const char *value); /* set-up of a guest before ready; returns 0 for other options (modules.c) */

/* Shared by victim.c, which has them, and load.c. */
uint64_t clock_ns(void);                    /* CLOCK_MONOTONIC: only differences within one process mean anything */
void sleep_until(uint64_t due);             /* on that clock */
void compute(int rounds);                   /* no system call, no memory */
void *aligned(size_t bytes);                /* written to, for direct access */
void lay_out(const char *path, uint64_t bytes); /* a file of that length, flushed */
int connected_to(void (*peer)(int));        /* a TCP connection over loopback to a child that runs "peer" */

/* remote.c */
#define REQUEST 64                                 /* bytes of a request and of its answer */
void echo_to(int peer);                         /* until the connection ends */
int connected_with(int type, const char *where);   /* a socket connected with ADDRESS:PORT */
