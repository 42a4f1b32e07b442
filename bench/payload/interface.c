/*
 * Set the address of a guest's interface: there only PID 1 can do it. In a container the engine has done it.
 */
#define _GNU_SOURCE
#include "actions.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static void set(int control, unsigned long request, void *what, const char *text)
{
    if (ioctl(control, request, what) != 0)
        fail(71, "cannot set the address", text);
}

static void bring_up(int control, const char *name, const char *text)
{
    struct ifreq wanted = {0};
    snprintf(wanted.ifr_name, sizeof wanted.ifr_name, "%s", name);
    set(control, SIOCGIFFLAGS, &wanted, text);
    wanted.ifr_flags |= IFF_UP;
    set(control, SIOCSIFFLAGS, &wanted, text);
}

static void put_address(struct sockaddr *place, const char *ip, const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (inet_pton(AF_INET, ip, &address.sin_addr) != 1) {
        errno = EINVAL;
        fail(64, "--address takes IFACE:IP/PREFIX or IFACE:IP/PREFIX:GATEWAY, not", text);
    }
    memcpy(place, &address, sizeof address);
}

static void put_mask(struct sockaddr *place, uint64_t prefix, const char *text)
{
    if (prefix < 1 || prefix > 32) {
        errno = ERANGE;
        fail(64, "--address takes a prefix of 1 to 32, not", text);
    }
    struct sockaddr_in mask = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(~0U << (32 - prefix))};
    memcpy(place, &mask, sizeof mask);
}

/* Bring up loopback and the interface, and set its address and the default gateway. */
void set_address(const char *text)
{
    char copy[128], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", text);
    char *name = strtok_r(copy, ":", &rest), *ip = strtok_r(NULL, "/", &rest), *prefix = strtok_r(NULL, ":", &rest);
    char *gateway = strtok_r(NULL, "", &rest);
    struct ifreq wanted = {0};
    if (!name || !ip || !prefix || strlen(name) >= sizeof wanted.ifr_name) {
        errno = EINVAL;
        fail(64, "--address takes IFACE:IP/PREFIX or IFACE:IP/PREFIX:GATEWAY, not", text);
    }
    if (guest_init && (mkdir("/proc", 0555) == 0 || errno == EEXIST))
        mount("proc", "/proc", "proc", 0, NULL); /* programs read the network's configuration from there */
    int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    strcpy(wanted.ifr_name, name);
    put_address(&wanted.ifr_addr, ip, text);
    set(control, SIOCSIFADDR, &wanted, text);
    put_mask(&wanted.ifr_netmask, number("--address", prefix), text);
    set(control, SIOCSIFNETMASK, &wanted, text);
    bring_up(control, "lo", text);
    bring_up(control, name, text);
    if (gateway) {
        struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY, .rt_dst.sa_family = AF_INET, .rt_genmask.sa_family = AF_INET};
        put_address(&route.rt_gateway, gateway, text);
        set(control, SIOCADDRT, &route, text);
    }
    close(control);
}
