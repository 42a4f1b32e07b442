/*
 * tare-collect FILE: append what is read from descriptors 3 and 4 to a file, the least that a collector of logs can do.
 *
 * containerd starts it as a binary log driver: 3 is the container's standard output, 4 its standard error, and closing 5 says "ready".
 * On the bare host it reads a pipe as descriptor 0 when 3 is not open.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

static char block[65536];

/* Copy what is there; return 0 at the end of the stream, -1 when it cannot be stored. */
static int copy(int from, int to)
{
    ssize_t length = read(from, block, sizeof block);
    if (length < 0)
        return errno == EINTR || errno == EAGAIN ? 1 : 0;
    for (ssize_t done = 0, moved; done < length; done += moved)
        if ((moved = write(to, block + done, (size_t)(length - done))) < 0)
            return -1;
    return length > 0;
}

int main(int argc, char **argv)
{
    int collected = argc > 1 ? open(argv[argc - 1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    int as_driver = fcntl(5, F_GETFD) >= 0;
    struct pollfd from[2] = {{.fd = as_driver ? 3 : 0, .events = POLLIN}, {.fd = as_driver ? 4 : -1, .events = POLLIN}};
    if (collected < 0)
        return 64;
    if (as_driver)
        close(5);
    while ((from[0].fd >= 0 || from[1].fd >= 0) && (poll(from, 2, -1) > 0 || errno == EINTR))
        for (int i = 0; i < 2; i++) {
            int more = from[i].fd >= 0 && from[i].revents ? copy(from[i].fd, collected) : 1;
            if (more < 0)
                return 71;
            if (!more)
                from[i].fd = -1;
        }
    return 0;
}
