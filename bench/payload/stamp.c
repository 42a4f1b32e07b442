/*
 * Time stamps of the event hub: wait for an event and read the clock in one call, outside Python.
 *
 * ctypes releases the GIL during the call, so the stamp is taken as soon as the kernel wakes this thread, whatever the harness's
 * other threads do. Returns CLOCK_MONOTONIC in nanoseconds and stores the ready descriptor, or returns -1 and sets errno.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

long long tare_wait(int epoll, int *ready)
{
    struct epoll_event event;
    struct timespec at;
    int count;
    do
        count = epoll_wait(epoll, &event, 1, -1);
    while (count < 0 && errno == EINTR);
    clock_gettime(CLOCK_MONOTONIC, &at);
    if (count != 1)
        return -1;
    *ready = event.data.fd;
    return at.tv_sec * 1000000000ll + at.tv_nsec;
}
