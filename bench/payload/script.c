/*
 * Scripts: files with more actions than a kernel's command line can hold (a guest's kernel passes 32 arguments to PID 1).
 */
#define _GNU_SOURCE
#include "actions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES 8
#define WORDS 64
#define LINE 4096

static char *names[PLACES], *paths[PLACES];
static int places;

void place(const char *definition)
{
    char *copy = strdup(definition), *equals = copy ? strchr(copy, '=') : NULL;
    if (!equals || places == PLACES) {
        errno = EINVAL;
        fail(64, "--place takes NAME=PATH, eight times at the most, not", definition);
    }
    *equals = 0;
    names[places] = copy;
    paths[places++] = equals + 1;
}

/* Copy a word and replace each known {NAME}. */
static void fill(char *to, size_t room, const char *from)
{
    size_t used = 0;
    while (*from && used + 1 < room) {
        int found = 0;
        for (int i = 0; *from == '{' && i < places && !found; i++) {
            size_t length = strlen(names[i]);
            if (strncmp(from + 1, names[i], length) == 0 && from[1 + length] == '}') {
                used += (size_t)snprintf(to + used, room - used, "%s", paths[i]);
                from += length + 2;
                found = 1;
            }
        }
        if (!found)
            to[used++] = *from++;
        if (used >= room) {
            errno = E2BIG;
            fail(64, "a script's line is too long", names[0] ? names[0] : "");
        }
    }
    if (*from || room == 0) {
        errno = E2BIG;
        fail(64, "a script's line is too long", names[0] ? names[0] : "");
    }
    to[used] = 0;
}

/* Names are replaced in each word, so that a path with blanks stays one word. */
static void do_line(char *line)
{
    char *words[WORDS + 1], option[64], filled[LINE], *rest = NULL;
    size_t used = 0;
    int count = 0;
    for (char *word = strtok_r(line, " ", &rest); word && count < WORDS; word = strtok_r(NULL, " ", &rest)) {
        fill(filled + used, sizeof filled - used, word);
        words[count++] = filled + used;
        used += strlen(filled + used) + 1;
    }
    words[count] = NULL;
    if (count == 0)
        return;
    if (strcmp(words[0], "run") == 0) {
        run_program(words + 1);
        return;
    }
    if (strcmp(words[0], "spawn") == 0) {
        spawn_program(words + 1);
        return;
    }
    snprintf(option, sizeof option, "--%s", words[0]);
    do_scripted(option, count > 1 ? words[1] : "");
}

void run_script(const char *path)
{
    char line[LINE];
    FILE *file = fopen(path, "re");
    if (!file)
        fail(71, "cannot open the script", path);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        do_line(line);
    }
    fclose(file);
}
