/*
 * Set-up by PID 1 of a guest before it is ready: load the drivers that are modules, and mount file systems.
 */
#define _GNU_SOURCE
#include "actions.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRIES 500 /* of 10 ms each: a device appears once its driver has probed it */

static int plain(const struct dirent *entry) { return entry->d_name[0] != '.'; }

/* Load every module in a folder, in the order of their names; a module that is already loaded is not an error. */
static void load_modules(const char *folder)
{
    char path[4200];
    struct dirent **found;
    int count = scandir(folder, &found, plain, alphasort);
    if (count < 0)
        fail(71, "cannot list the modules in", folder);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, found[i]->d_name);
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0 || (syscall(SYS_finit_module, file, "", 0) != 0 && errno != EEXIST))
            fail(71, "cannot load the module", path);
        close(file);
        free(found[i]);
    }
    free(found);
}

/* Wait for a device, whose node the kernel creates in devtmpfs. */
static void wait_for(const char *device)
{
    if (access(device, F_OK) == 0)
        return;
    if (mount("dev", "/dev", "devtmpfs", 0, NULL) != 0)
        fail(71, "cannot mount the devices for", device);
    for (int i = 0; access(device, F_OK) != 0; i++) {
        if (i == TRIES)
            fail(71, "there is no device", device);
        usleep(10000);
    }
}

/* Mount TYPE:SOURCE:TARGET or TYPE:SOURCE:TARGET:ro. */
static void mount_it(const char *definition)
{
    char *rest, *copy = strdup(definition), *type = strtok_r(copy, ":", &rest), *source = strtok_r(NULL, ":", &rest);
    char *target = strtok_r(NULL, ":", &rest), *access_mode = strtok_r(NULL, ":", &rest);
    if (!target || (access_mode && strcmp(access_mode, "ro") != 0)) {
        errno = EINVAL;
        fail(64, "--mount takes TYPE:SOURCE:TARGET or TYPE:SOURCE:TARGET:ro, not", definition);
    }
    if (strncmp(source, "/dev/", 5) == 0)
        wait_for(source);
    mkdir(target, 0755);
    if (mount(source, target, type, access_mode ? MS_RDONLY : 0, NULL) != 0)
        fail(71, "cannot mount", definition);
    free(copy);
}

int set_up(const char *option, const char *value)
{
    if (strcmp(option, "--modules") == 0)
        load_modules(value);
    else if (strcmp(option, "--mount") == 0)
        mount_it(value);
    else
        return 0;
    return 1;
}
