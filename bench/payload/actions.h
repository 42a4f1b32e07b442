/* What payload.c and actions.c share. */
#include <stddef.h>
#include <stdint.h>

void say(const char *line, size_t length);
void say_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fail(int code, const char *what, const char *value) __attribute__((noreturn));
uint64_t number(const char *option, const char *text);

extern int guest_init; /* whether this is PID 1 of a guest, where nobody else mounts anything */

void touch(uint64_t bytes);
void work(uint64_t rounds);
int act(const char *option, const char *value); /* 1 when the option is an action, which has then been done */
void run_program(char **argv);

void place(const char *definition);                       /* NAME=PATH: what {NAME} stands for in a script */
void run_script(const char *path);                        /* one action a line */
void do_scripted(const char *option, const char *value);  /* an action of a script, --wait included */

void set_address(const char *text); /* IFACE:IP/PREFIX:GATEWAY (interface.c) */
void spawn_program(char **argv);                   /* goes on in the background, and ends with us (network.c) */

/* Actions that take one value, into which they may write. A table ends with an empty one. */
struct action {
    const char *option;
    void (*act)(char *text);
};
extern const struct action NETWORK_ACTIONS[], FILE_ACTIONS[], KEPT_ACTIONS[], NAME_ACTIONS[];
const struct action *find_action(const char *option); /* NULL when no table has it */

int set_up(const char *option, const char *value); /* what a guest needs before it is ready; 1 when it was that (modules.c) */
