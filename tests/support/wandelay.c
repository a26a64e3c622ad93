/* SPDX-License-Identifier: PostgreSQL */
/*
 * wandelay: a long link between this network namespace and a new one, for kernels without netem.
 *
 *   wandelay HERE THERE        two IPv4 addresses, nobody else's; needs root and /dev/net/tun
 *
 * Each end is a tun device; what one takes in, the other gives out after half the round trip, not
 * faster than the rate, and not at all when it is lost or the queue is full. The far namespace has
 * no name and no processes: "listen" opens a port there, and a relay joins whoever connects to a
 * port of 127.0.0.1 here. So a server on loopback is far away for those who use the far address.
 * Everything ends with this process, which ends at the end of its stdin.
 *
 * Lines on stdin, each answered by one line on stdout:
 *   link DELAY_US BYTES_PER_S LOSS_PPM QUEUE_BYTES   one way; 0: no limit; 1000000: partition
 *   listen PORT LOCAL_PORT
 *   count                                            "count SENT RECEIVED DROPPED", in bytes
 * The first line is "ready", all others "ok" or "error TEXT".
 *
 * TCP's segments pass in the kernel's large pieces, which keeps the processor free for what is
 * measured, unless packets are to be lost, which must hit single ones.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PACKET_MAX (66 * 1024)
#define RELAY_BUFFER (256 * 1024)
#define LOST_ALL 1000000
#define BATCH 64

struct packet {
    struct packet *next;
    uint64_t due_ns;
    size_t size;
    char bytes[];
};

/* One way through the link. */
struct way {
    int from, to;
    struct packet *first, **end;
    uint64_t line_free_ns; /* when the line has sent what it was given */
    size_t queued;
    uint64_t passed, dropped;
};

struct link {
    struct way out, in;
    uint64_t delay_ns, rate, loss_ppm, queue_max;
    int near_space, far_space; /* network namespaces */
    struct in_addr far;
};

static void
fail(const char *what)
{
    printf("error %s: %s\n", what, strerror(errno));
    (void)fflush(stdout);
    exit(1);
}

static uint64_t
now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* ---- devices ---- */

static void
offload(int device, bool on)
{
    unsigned long large = on ? TUN_F_CSUM | TUN_F_TSO4 : 0;

    if (ioctl(device, TUNSETOFFLOAD, large) < 0)
        fail("TUNSETOFFLOAD");
}

static void
set_address(int control, struct ifreq *request, unsigned long what, struct in_addr address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = address};

    memcpy(&request->ifr_addr, &in, sizeof(in));
    if (ioctl(control, what, request) < 0)
        fail("address");
}

static void
bring_up(int control, struct ifreq *request)
{
    if (ioctl(control, SIOCGIFFLAGS, request) < 0)
        fail("SIOCGIFFLAGS");
    request->ifr_flags |= IFF_UP;
    if (ioctl(control, SIOCSIFFLAGS, request) < 0)
        fail("SIOCSIFFLAGS");
}

/* A tun device of the namespace we are in, up, with an address at each end. */
static int
make_device(struct in_addr own, struct in_addr other)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    struct ifreq lo = {.ifr_name = "lo"};
    int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int header = sizeof(struct virtio_net_hdr);

    if (device < 0 || control < 0 || ioctl(device, TUNSETIFF, &request) < 0 ||
        ioctl(device, TUNSETVNETHDRSZ, &header) < 0)
        fail("/dev/net/tun");
    set_address(control, &request, SIOCSIFADDR, own);
    set_address(control, &request, SIOCSIFDSTADDR, other);
    request.ifr_qlen = 5000;
    if (ioctl(control, SIOCSIFTXQLEN, &request) < 0)
        fail("SIOCSIFTXQLEN");
    bring_up(control, &request);
    bring_up(control, &lo);
    (void)close(control);
    return device;
}

static void
enter(int space)
{
    if (setns(space, CLONE_NEWNET) < 0)
        fail("setns");
}

static int
own_space(void)
{
    int space = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    if (space < 0)
        fail("/proc/self/ns/net");
    return space;
}

/* ---- packets ---- */

static void
take(struct link *link, struct way *way)
{
    static char bytes[PACKET_MAX];

    for (int i = 0; i < BATCH; i++) {
        ssize_t size = read(way->from, bytes, sizeof(bytes));
        uint64_t due = now_ns();

        if (size <= 0)
            return;
        struct packet *packet = NULL;
        bool lost = link->loss_ppm > 0 && (uint64_t)(random() % LOST_ALL) < link->loss_ppm;
        bool full = link->queue_max > 0 && way->queued + (size_t)size > link->queue_max;
        if (lost || full || (packet = malloc(sizeof(*packet) + (size_t)size)) == NULL) {
            way->dropped += (uint64_t)size;
            continue;
        }
        if (link->rate > 0) {
            way->line_free_ns = due > way->line_free_ns ? due : way->line_free_ns;
            way->line_free_ns += (uint64_t)size * 1000000000U / link->rate;
            due = way->line_free_ns;
        }
        packet->next = NULL;
        packet->due_ns = due + link->delay_ns;
        packet->size = (size_t)size;
        memcpy(packet->bytes, bytes, (size_t)size);
        *way->end = packet;
        way->end = &packet->next;
        way->queued += (size_t)size;
    }
}

static void
give(struct way *way, bool cut)
{
    uint64_t now = now_ns();

    while (way->first != NULL && (cut || way->first->due_ns <= now)) {
        struct packet *packet = way->first;

        if (!cut && write(way->to, packet->bytes, packet->size) == (ssize_t)packet->size)
            way->passed += packet->size;
        else
            way->dropped += packet->size;
        way->first = packet->next;
        if (way->first == NULL)
            way->end = &way->first;
        way->queued -= packet->size;
        free(packet);
    }
}

/* ---- relays ---- */

static void
write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t done = send(fd, bytes, size, MSG_NOSIGNAL);

        if (done < 0)
            _exit(0);
        bytes += done;
        size -= (size_t)done;
    }
}

/* One direction of a connection, in a process of its own. */
static void
copy(int from, int to)
{
    static char bytes[RELAY_BUFFER];

    for (;;) {
        ssize_t size = recv(from, bytes, sizeof(bytes), 0);

        if (size <= 0)
            break;
        write_all(to, bytes, (size_t)size);
    }
    (void)shutdown(to, SHUT_WR);
    (void)shutdown(from, SHUT_RD);
    _exit(0);
}

static void
die_with_parent(pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
}

static void
relay(int far, uint16_t port)
{
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons(port)};
    int near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    pid_t own = getpid();

    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(near, (struct sockaddr *)&target, sizeof(target)) < 0) {
        /* Nobody listens: the far client sees a reset, as it would without us. */
        struct linger none = {.l_onoff = 1};

        (void)setsockopt(far, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
        (void)close(far);
        _exit(0);
    }
    pid_t back = fork();
    if (back == 0) {
        die_with_parent(own);
        copy(near, far);
    }
    pid_t forth = fork();
    if (forth == 0) {
        die_with_parent(own);
        copy(far, near);
    }
    (void)close(near);
    (void)close(far);
    (void)signal(SIGCHLD, SIG_DFL);
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    _exit(0);
}

static void
serve(int listener, uint16_t port)
{
    pid_t own = getpid();

    for (;;) {
        int far = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (far < 0)
            continue;
        pid_t child = fork();
        if (child == 0) {
            die_with_parent(own);
            (void)signal(SIGCHLD, SIG_DFL);
            (void)close(listener);
            relay(far, port);
        }
        (void)close(far);
    }
}

/* ---- commands ---- */

static bool
read_numbers(const char *text, uint64_t *ret, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        while (*text == ' ')
            text++;
        if (*text < '0' || *text > '9')
            return false;
        for (ret[i] = 0; *text >= '0' && *text <= '9'; text++)
            ret[i] = ret[i] * 10 + (uint64_t)(*text - '0');
    }
    return *text == '\0';
}

static bool
open_port(const struct link *link, uint16_t port, uint16_t local_port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = link->far};
    int on = 1;

    enter(link->far_space);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    enter(link->near_space);
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        listen(listener, 256) < 0) {
        printf("error port %u: %s\n", port, strerror(errno));
        return false;
    }
    pid_t own = getpid();
    pid_t child = fork();
    if (child == 0) {
        die_with_parent(own);
        (void)setpriority(PRIO_PROCESS, 0, 0);
        (void)close(link->out.from);
        (void)close(link->in.from);
        serve(listener, local_port);
    }
    (void)close(listener);
    return child > 0;
}

static void
set_link(struct link *link, const uint64_t *numbers)
{
    bool single = numbers[2] > 0 && numbers[2] < LOST_ALL;

    link->delay_ns = numbers[0] * 1000;
    link->rate = numbers[1];
    link->loss_ppm = numbers[2];
    link->queue_max = numbers[3];
    offload(link->out.from, !single);
    offload(link->in.from, !single);
    if (link->loss_ppm >= LOST_ALL) {
        give(&link->out, true);
        give(&link->in, true);
    }
}

static void
obey(struct link *link, const char *line)
{
    uint64_t numbers[4];

    if (strncmp(line, "link ", 5) == 0 && read_numbers(line + 5, numbers, 4)) {
        set_link(link, numbers);
        puts("ok");
    } else if (strncmp(line, "listen ", 7) == 0 && read_numbers(line + 7, numbers, 2)) {
        if (open_port(link, (uint16_t)numbers[0], (uint16_t)numbers[1]))
            puts("ok");
    } else if (strcmp(line, "count") == 0) {
        printf("count %llu %llu %llu\n", (unsigned long long)link->out.passed,
               (unsigned long long)link->in.passed,
               (unsigned long long)(link->out.dropped + link->in.dropped));
    } else {
        printf("error unknown command: %s\n", line);
    }
    (void)fflush(stdout);
}

/* A piece of stdin; ends the program at its end. */
static void
read_commands(struct link *link)
{
    static char text[1024];
    static size_t used;
    ssize_t size = read(STDIN_FILENO, text + used, sizeof(text) - 1 - used);

    if (size <= 0 || used + (size_t)size == sizeof(text) - 1)
        exit(0);
    used += (size_t)size;
    text[used] = '\0';
    for (char *end = NULL; (end = strchr(text, '\n')) != NULL;) {
        *end = '\0';
        obey(link, text);
        used -= (size_t)(end + 1 - text);
        memmove(text, end + 1, used + 1);
    }
}

static void
carry(struct link *link)
{
    struct pollfd ready[] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = link->out.from, .events = POLLIN},
        {.fd = link->in.from, .events = POLLIN},
    };

    for (;;) {
        uint64_t now = now_ns(), wait_ns = 1000000000U;
        const struct packet *heads[] = {link->out.first, link->in.first};

        for (int i = 0; i < 2; i++) {
            if (heads[i] != NULL && heads[i]->due_ns <= now)
                wait_ns = 0;
            else if (heads[i] != NULL && heads[i]->due_ns - now < wait_ns)
                wait_ns = heads[i]->due_ns - now;
        }
        struct timespec wait = {.tv_sec = (time_t)(wait_ns / 1000000000U),
                                .tv_nsec = (long)(wait_ns % 1000000000U)};
        (void)ppoll(ready, 3, &wait, NULL);
        if (ready[1].revents != 0)
            take(link, &link->out);
        if (ready[2].revents != 0)
            take(link, &link->in);
        give(&link->out, false);
        give(&link->in, false);
        if (ready[0].revents != 0)
            read_commands(link);
    }
}

int
main(int argc, char **argv)
{
    static struct link link;
    struct in_addr here;

    if (argc != 3 || inet_pton(AF_INET, argv[1], &here) != 1 ||
        inet_pton(AF_INET, argv[2], &link.far) != 1) {
        fprintf(stderr, "usage: wandelay HERE THERE\n");
        return 2;
    }
    /* Packets must not wait for a timer's slack, nor for what is measured. */
    (void)prctl(PR_SET_TIMERSLACK, 1);
    (void)setpriority(PRIO_PROCESS, 0, -15);
    (void)signal(SIGCHLD, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);

    link.near_space = own_space();
    int near = make_device(here, link.far);
    if (unshare(CLONE_NEWNET) < 0)
        fail("unshare");
    link.far_space = own_space();
    int far = make_device(link.far, here);
    enter(link.near_space);

    link.out = (struct way){.from = near, .to = far, .end = &link.out.first};
    link.in = (struct way){.from = far, .to = near, .end = &link.in.first};
    offload(near, true);
    offload(far, true);
    puts("ready");
    (void)fflush(stdout);
    carry(&link);
    return 0;
}
