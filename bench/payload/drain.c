/*
 * Wait until the kernel has torn down every network namespace that was released before now.
 *
 * A kernel worker tears down released network namespaces in batches, some time after their last process has left. There is no
 * notification and no counter: freed slab objects and per-CPU pages are kept. But a veth device disappears together with its
 * peer's namespace. So a namespace with one end of a veth pair in it is created and released; once the other end has disappeared,
 * the worker has started on the batch that holds it and all namespaces released earlier. The worker does one batch after another,
 * so doing this a second time shows that the first batch is complete.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOKS 40000 /* checks at half a millisecond: gives up after 20 s */

static struct {
    struct nlmsghdr head;
    struct ifinfomsg link;
    char rest[256];
} request;

static struct rtattr *add(unsigned short type, const void *data, size_t length)
{
    struct rtattr *made = (struct rtattr *)((char *)&request + NLMSG_ALIGN(request.head.nlmsg_len));
    made->rta_type = type;
    made->rta_len = (unsigned short)RTA_LENGTH(length);
    if (data)
        memcpy(RTA_DATA(made), data, length);
    request.head.nlmsg_len = NLMSG_ALIGN(request.head.nlmsg_len) + (unsigned)RTA_ALIGN(made->rta_len);
    return made;
}

static void close_nest(struct rtattr *nest)
{
    nest->rta_len = (unsigned short)((char *)&request + request.head.nlmsg_len - (char *)nest);
}

/* Create a veth pair whose other end is in that process's network namespace (rtnetlink(7)); return 0 or an errno. */
static int make_pair(const char *name, pid_t there)
{
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
    } answer = {.error.error = -EIO};
    int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), owner = there;
    memset(&request, 0, sizeof request);
    request.head.nlmsg_len = NLMSG_LENGTH(sizeof request.link);
    request.head.nlmsg_type = RTM_NEWLINK;
    request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
    add(IFLA_IFNAME, name, strlen(name) + 1);
    struct rtattr *info = add(IFLA_LINKINFO, NULL, 0);
    add(IFLA_INFO_KIND, "veth", 5);
    struct rtattr *data = add(IFLA_INFO_DATA, NULL, 0);
    struct rtattr *peer = add(VETH_INFO_PEER, NULL, sizeof request.link); /* zeroes: only the attributes that follow */
    add(IFLA_NET_NS_PID, &owner, sizeof owner);
    close_nest(peer);
    close_nest(data);
    close_nest(info);
    if (sock < 0)
        return errno;
    if (send(sock, &request, request.head.nlmsg_len, 0) < 0 || recv(sock, &answer, sizeof answer, 0) < 0)
        answer.error.error = -errno;
    close(sock);
    return -answer.error.error;
}

/* Release a namespace that holds one end of a veth pair and wait until our end has disappeared; return 0 or an errno. */
static int follow_one(const char *name)
{
    int made[2], gone[2], refused = 0, looks = 0;
    char byte = 0;
    if (pipe(made) != 0 || pipe(gone) != 0)
        return errno;
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(gone[1]);
        byte = (char)(unshare(CLONE_NEWNET) == 0 ? 0 : errno);
        if (write(made[1], &byte, 1) != 1 || read(gone[0], &byte, 1) != 0)
            _exit(1);
        _exit(0);
    }
    if (child < 0 || read(made[0], &byte, 1) != 1)
        refused = EAGAIN;
    else
        refused = byte ? byte : make_pair(name, child);
    close(gone[1]);
    close(gone[0]);
    close(made[0]);
    close(made[1]);
    waitpid(child, NULL, 0);
    for (; !refused && if_nametoindex(name); looks++) {
        usleep(500);
        refused = looks < LOOKS ? 0 : ETIME;
    }
    return refused;
}

/* Wait until all network namespaces that are released by now are torn down; return 0, or the errno of a step that failed. */
int drain(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
            _exit(errno); /* the veth pairs must not appear in the host's namespace */
        int refused = follow_one("first");
        _exit(refused ? refused : follow_one("second"));
    }
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}
