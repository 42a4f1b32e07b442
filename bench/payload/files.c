/*
 * What the payload does with files.
 */
#define _GNU_SOURCE
#include "actions.h"

#include <string.h>

static const struct {
    const char *option;
    void (*act)(char *text);
} ACTIONS[] = {{NULL, NULL}};

int is_file(const char *option)
{
    for (size_t i = 0; ACTIONS[i].option; i++)
        if (strcmp(ACTIONS[i].option, option) == 0)
            return 1;
    return 0;
}

int act_file(const char *option, char *text)
{
    for (size_t i = 0; ACTIONS[i].option; i++)
        if (strcmp(ACTIONS[i].option, option) == 0) {
            ACTIONS[i].act(text);
            return 1;
        }
    return 0;
}
