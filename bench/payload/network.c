/*
 * What the payload does over a network.
 */
#define _GNU_SOURCE
#include "actions.h"

#include <string.h>

static const struct {
    const char *option;
    void (*act)(char *text);
} ACTIONS[] = {{NULL, NULL}};

int is_network(const char *option)
{
    for (size_t i = 0; ACTIONS[i].option; i++)
        if (strcmp(ACTIONS[i].option, option) == 0)
            return 1;
    return 0;
}

int act_network(const char *option, char *text)
{
    for (size_t i = 0; ACTIONS[i].option; i++)
        if (strcmp(ACTIONS[i].option, option) == 0) {
            ACTIONS[i].act(text);
            return 1;
        }
    return 0;
}
