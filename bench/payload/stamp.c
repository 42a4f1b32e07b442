/*
 * The receiver of events: a thread outside the interpreter that receives and stamps every event before Python sees it.
 *
 * It waits for the event sockets of all live instances, accepts what connects to a listening one (a guest's serial port), reads
 * CLOCK_MONOTONIC and puts the bytes with their stamp into a queue, from which the harness takes them in its own time. The thread never
 * needs the interpreter lock, so that nothing which the harness does delays a stamp. It runs in the real-time class where that is
 * permitted. The one lock is held for a few system calls, and whoever holds it inherits the thread's priority.
 *
 * A datagram was complete when the thread woke, so that its stamp is read then. The bytes of a stream are stamped after they were
 * read, because more may have arrived in between; a line counts as arrived with the bytes that complete it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LONGEST 65536 /* bytes of one message */
#define BATCH 64

enum kind { UNUSED, DATAGRAM, LISTENER, STREAM };
enum { DATA, CLOSED, BROKEN };

/* The head of a message in the queue; `length` bytes follow. A broken channel has an errno as its length and no bytes. */
struct head {
    int64_t at_ns;
    int32_t channel, what, length;
    uint32_t connection;
};

struct watched {
    int channel;
    uint32_t serial; /* tells a descriptor from an earlier one of the same number */
    enum kind kind;
};

struct buffer {
    unsigned char *bytes;
    size_t used, size;
};

struct hub {
    int epoll, wake, fifo, ended;
    uint32_t serial;
    struct watched *table; /* by descriptor */
    int places;
    struct buffer queue, taken; /* the one that is filled, and the one that the harness reads */
    pthread_mutex_t lock;
    pthread_cond_t filled, started;
    pthread_t thread;
};

static int64_t now_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000ll + at.tv_nsec;
}

/* Make room for one more message; return whether there is. */
static int has_room(struct buffer *queue)
{
    size_t needed = queue->used + sizeof(struct head) + LONGEST;
    if (needed > queue->size) {
        unsigned char *bytes = realloc(queue->bytes, 2 * needed);
        if (!bytes)
            return 0;
        queue->bytes = bytes;
        queue->size = 2 * needed;
    }
    return 1;
}

/* Put a message into the queue whose bytes, if there are any, are in their place already. */
static void put(struct hub *hub, int64_t at_ns, struct watched from, int what, int length)
{
    struct head head = {at_ns, from.channel, what, length, from.serial};
    memcpy(hub->queue.bytes + hub->queue.used, &head, sizeof head);
    hub->queue.used += sizeof head + (what == DATA ? (size_t)length : 0);
    pthread_cond_signal(&hub->filled);
}

static int watch(struct hub *hub, int fd, int channel, enum kind kind)
{
    if (fd >= hub->places) {
        int places = 2 * fd + 64;
        struct watched *table = realloc(hub->table, (size_t)places * sizeof *table);
        if (!table)
            return ENOMEM;
        memset(table + hub->places, 0, (size_t)(places - hub->places) * sizeof *table);
        hub->table = table;
        hub->places = places;
    }
    struct watched one = {channel, ++hub->serial, kind};
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)one.serial << 32 | (uint32_t)fd};
    if (epoll_ctl(hub->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        return errno;
    hub->table[fd] = one;
    return 0;
}

static void drop(struct hub *hub, int fd)
{
    hub->table[fd].kind = UNUSED;
    epoll_ctl(hub->epoll, EPOLL_CTL_DEL, fd, NULL);
    close(fd);
}

static int passes(int error)
{
    return error == EAGAIN || error == EINTR || error == ECONNABORTED;
}

/* A socket that cannot be read any more is closed, or the thread would be woken for it without end. */
static void give_up(struct hub *hub, int fd, int error)
{
    put(hub, now_ns(), hub->table[fd], BROKEN, error);
    drop(hub, fd);
}

static void accept_one(struct hub *hub, int fd)
{
    int made = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int error = made < 0 ? errno : watch(hub, made, hub->table[fd].channel, STREAM);
    if (made >= 0 && error)
        close(made);
    if (error && !passes(error))
        give_up(hub, fd, error);
}

static void receive(struct hub *hub, int fd, int64_t woken_ns)
{
    struct watched one = hub->table[fd];
    unsigned char *place = hub->queue.bytes + hub->queue.used + sizeof(struct head);
    ssize_t count = recv(fd, place, LONGEST, MSG_DONTWAIT);
    int error = count < 0 ? errno : 0;
    if (one.kind == STREAM && (count == 0 || error == ECONNRESET)) {
        put(hub, now_ns(), one, CLOSED, 0);
        drop(hub, fd);
    } else if (error && !passes(error)) {
        give_up(hub, fd, error);
    } else if (count > 0) {
        put(hub, one.kind == STREAM ? now_ns() : woken_ns, one, DATA, (int)count);
    }
}

static void handle(struct hub *hub, struct epoll_event event, int64_t woken_ns)
{
    int fd = (int)(uint32_t)event.data.u64;
    if (fd >= hub->places || hub->table[fd].serial != event.data.u64 >> 32 || !hub->table[fd].kind)
        return; /* forgotten since the thread woke */
    if (!has_room(&hub->queue))
        drop(hub, fd);
    else if (hub->table[fd].kind == LISTENER)
        accept_one(hub, fd);
    else
        receive(hub, fd, woken_ns);
}

static void *loop(void *given)
{
    struct hub *hub = given;
    struct sched_param lowest = {.sched_priority = 1};
    struct epoll_event events[BATCH];
    int over = 0;
    pthread_setname_np(pthread_self(), "tare-stamps");
    pthread_mutex_lock(&hub->lock);
    hub->fifo = sched_setscheduler(0, SCHED_FIFO, &lowest) == 0; /* 0: this thread */
    pthread_cond_signal(&hub->started);
    pthread_mutex_unlock(&hub->lock);
    while (!over) {
        int count = epoll_wait(hub->epoll, events, BATCH, -1);
        int64_t woken_ns = now_ns();
        over = count < 0 && errno != EINTR;
        pthread_mutex_lock(&hub->lock);
        for (int i = 0; i < count; i++) {
            if (events[i].data.u64 == UINT64_MAX)
                over = 1;
            else
                handle(hub, events[i], woken_ns);
        }
        pthread_mutex_unlock(&hub->lock);
    }
    pthread_mutex_lock(&hub->lock);
    hub->ended = 1;
    pthread_cond_signal(&hub->filled);
    pthread_mutex_unlock(&hub->lock);
    return NULL;
}

static int start_thread(struct hub *hub)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the harness's main thread */
    int refused = pthread_create(&hub->thread, NULL, loop, hub);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return refused;
}

/* Start the thread; return the hub, and whether the thread is in the class SCHED_FIFO. NULL: something is refused. */
struct hub *tare_open(int *fifo)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
    struct hub *hub = calloc(1, sizeof *hub);
    pthread_mutexattr_t inherit;
    if (!hub)
        return NULL;
    hub->epoll = epoll_create1(EPOLL_CLOEXEC);
    hub->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    hub->fifo = -1;
    pthread_mutexattr_init(&inherit);
    pthread_mutexattr_setprotocol(&inherit, PTHREAD_PRIO_INHERIT);
    pthread_cond_init(&hub->filled, NULL);
    pthread_cond_init(&hub->started, NULL);
    if (pthread_mutex_init(&hub->lock, &inherit) != 0 || hub->epoll < 0 || hub->wake < 0 || !has_room(&hub->queue) ||
        epoll_ctl(hub->epoll, EPOLL_CTL_ADD, hub->wake, &event) != 0 || start_thread(hub) != 0) {
        close(hub->epoll);
        close(hub->wake);
        free(hub->queue.bytes);
        free(hub);
        return NULL;
    }
    pthread_mutex_lock(&hub->lock);
    while (hub->fifo < 0)
        pthread_cond_wait(&hub->started, &hub->lock);
    *fifo = hub->fifo;
    pthread_mutex_unlock(&hub->lock);
    return hub;
}

/* Receive from a socket, which the hub closes, as the channel of that number; return 0 or an errno. */
int tare_watch(struct hub *hub, int fd, int channel, int listens)
{
    pthread_mutex_lock(&hub->lock);
    int refused = watch(hub, fd, channel, listens ? LISTENER : DATAGRAM);
    pthread_mutex_unlock(&hub->lock);
    return refused;
}

/* Close every socket of a channel. */
void tare_forget(struct hub *hub, int channel)
{
    pthread_mutex_lock(&hub->lock);
    for (int fd = 0; fd < hub->places; fd++)
        if (hub->table[fd].kind && hub->table[fd].channel == channel)
            drop(hub, fd);
    pthread_mutex_unlock(&hub->lock);
}

/* Send to everything that is connected to a channel. */
void tare_send(struct hub *hub, int channel, const void *data, int length)
{
    pthread_mutex_lock(&hub->lock);
    for (int fd = 0; fd < hub->places; fd++)
        if (hub->table[fd].kind == STREAM && hub->table[fd].channel == channel)
            send(fd, data, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
    pthread_mutex_unlock(&hub->lock);
}

/* Wait for messages; return how many bytes of them `data` holds until the next call. 0: the thread has ended. */
long tare_take(struct hub *hub, const unsigned char **data)
{
    pthread_mutex_lock(&hub->lock);
    while (!hub->queue.used && !hub->ended)
        pthread_cond_wait(&hub->filled, &hub->lock);
    struct buffer full = hub->queue;
    hub->queue = hub->taken;
    hub->queue.used = 0;
    hub->taken = full;
    *data = full.bytes;
    pthread_mutex_unlock(&hub->lock);
    return (long)full.used;
}

/* End the thread. */
void tare_stop(struct hub *hub)
{
    eventfd_write(hub->wake, 1);
    pthread_join(hub->thread, NULL);
}

/* Close all sockets and free the hub, whose thread has ended. */
void tare_close(struct hub *hub)
{
    for (int fd = 0; fd < hub->places; fd++)
        if (hub->table[fd].kind)
            close(fd);
    close(hub->epoll);
    close(hub->wake);
    free(hub->table);
    free(hub->queue.bytes);
    free(hub->taken.bytes);
    free(hub);
}
