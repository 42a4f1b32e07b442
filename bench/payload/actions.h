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
int is_network(const char *option);                /* actions of network.c: each takes one value */
int act_network(const char *option, char *text);   /* 1 when it was one of them; may write into text */
void spawn_program(char **argv);                   /* goes on in the background, and ends with us (network.c) */
int is_file(const char *option);                   /* the same of files.c */
int act_file(const char *option, char *text);
int is_kept(const char *option);                   /* the same of kept.c */
int act_kept(const char *option, char *text);
int is_name(const char *option);                   /* the same of names.c */
int act_name(const char *option, char *text);
int set_up(const char *option, const char *value); /* what a guest needs before it is ready; 1 when it was that (modules.c) */
