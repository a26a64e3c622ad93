/* SPDX-License-Identifier: PostgreSQL */
#include "agent/wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/hex.h"

#define GREETING "seawall 1"

static const char *const verbs[] = {
    [WIRE_PUSH] = "push",
    [WIRE_FETCH] = "fetch",
    [WIRE_STATUS] = "status",
    [WIRE_STOP] = "stop",
};

static const char *const levels[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARNING] = "warning",
    [LOG_ERROR] = "error",
};

static const char *const failures[] = {
    [ERR_TRANSIENT] = "transient", [ERR_DENIED] = "denied",     [ERR_CONFLICT] = "conflict",
    [ERR_LOCAL] = "local",         [ERR_CONFIG] = "config",     [ERR_CORRUPT] = "corrupt",
    [ERR_INTERNAL] = "internal",
};

/* Answers of one word. */
static const struct {
    const char *word;
    enum wire_answer_kind kind;
} words[] = {
    {"done ok", WIRE_ANSWER_OK},   {"done absent", WIRE_ANSWER_ABSENT},
    {"again", WIRE_ANSWER_AGAIN},  {"ready", WIRE_ANSWER_READY},
    {"locked", WIRE_ANSWER_LOCKED}, {"off", WIRE_ANSWER_OFF},
};

/* ---- writing ---- */

/* Append "word text\n"; control bytes in text cannot stand in a line. Cut at the ceiling. */
static void
put_line(struct wire_message *message, const char *word, const char *text)
{
    size_t word_size = strlen(word);

    if (message->size + word_size + 2 > sizeof(message->text))
        return;
    memcpy(message->text + message->size, word, word_size);
    message->size += word_size;
    if (text != NULL)
        message->text[message->size++] = ' ';
    for (; text != NULL && *text != '\0' && message->size + 1 < sizeof(message->text); text++) {
        unsigned char byte = (unsigned char)*text;

        message->text[message->size++] = byte < 0x20 || byte == 0x7f ? '?' : (char)byte;
    }
    message->text[message->size++] = '\n';
}

static void
put_number(struct wire_message *message, const char *word, int64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%lld", (long long)number);
    put_line(message, word, text);
}

static int
check_sayable(const char *what, const char *text, size_t size, struct err *err)
{
    size_t length = strnlen(text, size);

    if (length == 0 || length == size)
        return err_set(err, ERR_CONFIG, "the %s is %s", what, length == 0 ? "empty" : "too long");
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return err_set(err, ERR_CONFIG, "the %s has control bytes in it", what);
    return 0;
}

int
wire_write_request(const struct wire_request *request, struct wire_message *ret, struct err *err)
{
    bool has_path = request->verb == WIRE_PUSH || request->verb == WIRE_FETCH;

    ret->size = 0;
    if (request->verb == WIRE_FETCH &&
        check_sayable("name", request->name, sizeof(request->name), err) < 0)
        return -1;
    if (has_path && check_sayable("path", request->path, sizeof(request->path), err) < 0)
        return -1;
    put_line(ret, GREETING, verbs[request->verb]);
    put_line(ret, "version", request->version);
    put_number(ret, "elapsed", request->elapsed_ms);
    put_number(ret, "timeout", request->timeout_ms);
    if (request->verb == WIRE_FETCH)
        put_line(ret, "name", request->name);
    if (has_path)
        put_line(ret, "path", request->path);
    return 0;
}

static void
put_failure(struct wire_message *message, const struct err *err)
{
    bool known = err->kind > ERR_NONE && err->kind <= ERR_INTERNAL;

    put_line(message, "done", failures[known ? err->kind : ERR_INTERNAL]);
    put_line(message, "error", err->text);
    put_line(message, "hint", err->hint);
}

void
wire_write_answer(const struct wire_answer *answer, struct wire_message *ret)
{
    char note[sizeof("warning")];

    ret->size = 0;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (words[i].kind == answer->kind)
            put_line(ret, words[i].word, NULL);
    if (answer->kind == WIRE_ANSWER_WAIT)
        put_number(ret, "wait", answer->wait_ms);
    else if (answer->kind == WIRE_ANSWER_DATA)
        put_line(ret, "data", answer->text);
    else if (answer->kind == WIRE_ANSWER_FAILED)
        put_failure(ret, &answer->err);
    else if (answer->kind == WIRE_ANSWER_NOTE) {
        (void)snprintf(note, sizeof(note), "%s", levels[answer->level]);
        put_line(ret, "note", note);
        /* One line: the text stands behind the level. */
        ret->size--;
        put_line(ret, "", answer->text);
    }
}

/* ---- reading ---- */

struct reader {
    const char *at;
    size_t left;
};

static int
fail(struct err *err)
{
    return err_set(err, ERR_INTERNAL, "hook and agent do not understand each other");
}

/* The next line without its end. False: none, or one with control bytes. */
static bool
next_line(struct reader *reader, const char **ret_line, size_t *ret_length)
{
    const char *end = memchr(reader->at, '\n', reader->left);
    size_t length = end == NULL ? 0 : (size_t)(end - reader->at);

    if (end == NULL)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)reader->at[i] < 0x20 || reader->at[i] == 0x7f)
            return false;
    *ret_line = reader->at;
    *ret_length = length;
    reader->at += length + 1;
    reader->left -= length + 1;
    return true;
}

/* The next line must be "word text"; the text, NUL-terminated, at most size - 1 bytes. */
static bool
read_text(struct reader *reader, const char *word, char *ret_text, size_t size)
{
    const char *line = NULL;
    size_t length = 0;
    size_t head = strlen(word);

    if (!next_line(reader, &line, &length) || length < head + 1 || memcmp(line, word, head) != 0 ||
        line[head] != ' ' || length - head - 1 >= size)
        return false;
    memcpy(ret_text, line + head + 1, length - head - 1);
    ret_text[length - head - 1] = '\0';
    return true;
}

static bool
read_number(struct reader *reader, const char *word, int64_t *ret_number)
{
    char text[24];
    uint64_t number = 0;

    if (!read_text(reader, word, text, sizeof(text)) ||
        !decimal_read(text, strlen(text), WIRE_TIME_MAX_MS, &number))
        return false;
    *ret_number = (int64_t)number;
    return true;
}

/* The position of `text` in a list with holes. */
static bool
read_word(const char *const *list, size_t n, const char *text, size_t length, size_t *ret_position)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] != NULL && strlen(list[i]) == length && memcmp(list[i], text, length) == 0) {
            *ret_position = i;
            return true;
        }
    return false;
}

int
wire_read_request(const struct wire_message *message, struct wire_request *ret, struct err *err)
{
    struct reader reader = {message->text, message->size};
    struct wire_request request = {.elapsed_ms = 0};
    char verb[16];
    size_t position = 0;

    if (message->size < strlen(GREETING) ||
        memcmp(message->text, GREETING, strlen(GREETING)) != 0)
        return message->size > 8 && memcmp(message->text, "seawall ", 8) == 0 ? WIRE_FOREIGN
                                                                             : fail(err);
    if (!read_text(&reader, GREETING, verb, sizeof(verb)) ||
        !read_word(verbs, ARRAY_SIZE(verbs), verb, strlen(verb), &position) ||
        !read_text(&reader, "version", request.version, sizeof(request.version)) ||
        !read_number(&reader, "elapsed", &request.elapsed_ms) ||
        !read_number(&reader, "timeout", &request.timeout_ms))
        return fail(err);
    request.verb = (enum wire_verb)position;
    if (request.verb == WIRE_FETCH &&
        (!read_text(&reader, "name", request.name, sizeof(request.name)) ||
         request.name[0] == '\0'))
        return fail(err);
    if ((request.verb == WIRE_FETCH || request.verb == WIRE_PUSH) &&
        (!read_text(&reader, "path", request.path, sizeof(request.path)) ||
         request.path[0] == '\0'))
        return fail(err);
    if (reader.left != 0)
        return fail(err);
    *ret = request;
    return 0;
}

static int
read_failure(struct reader *reader, struct wire_answer *answer, struct err *err)
{
    char word[16];
    size_t kind = 0;

    if (!read_text(reader, "done", word, sizeof(word)) ||
        !read_word(failures, ARRAY_SIZE(failures), word, strlen(word), &kind) ||
        !read_text(reader, "error", answer->err.text, sizeof(answer->err.text)) ||
        !read_text(reader, "hint", answer->err.hint, sizeof(answer->err.hint)))
        return fail(err);
    answer->kind = WIRE_ANSWER_FAILED;
    answer->err.kind = (enum err_kind)kind;
    return 0;
}

static int
read_note(struct reader *reader, struct wire_answer *answer, struct err *err)
{
    size_t level = 0;

    if (!read_text(reader, "note", answer->text, sizeof(answer->text)))
        return fail(err);
    size_t length = strcspn(answer->text, " ");
    if (answer->text[length] != ' ' ||
        !read_word(levels, ARRAY_SIZE(levels), answer->text, length, &level))
        return fail(err);
    answer->kind = WIRE_ANSWER_NOTE;
    answer->level = (enum log_level)level;
    memmove(answer->text, answer->text + length + 1, strlen(answer->text + length + 1) + 1);
    return 0;
}

/* An answer of one word alone? */
static bool
read_plain(const struct wire_message *message, struct wire_answer *answer)
{
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (message->size == strlen(words[i].word) + 1 &&
            memcmp(message->text, words[i].word, message->size - 1) == 0 &&
            message->text[message->size - 1] == '\n') {
            answer->kind = words[i].kind;
            return true;
        }
    return false;
}

int
wire_read_answer(const struct wire_message *message, struct wire_answer *ret, struct err *err)
{
    struct reader reader = {message->text, message->size};
    int rc = 0;

    *ret = (struct wire_answer){.kind = WIRE_ANSWER_AGAIN};
    if (message->size == 0)
        return fail(err);
    if (read_plain(message, ret))
        return 0;
    switch (message->text[0]) {
    case 'w':
        ret->kind = WIRE_ANSWER_WAIT;
        rc = read_number(&reader, "wait", &ret->wait_ms) ? 0 : fail(err);
        break;
    case 'n':
        rc = read_note(&reader, ret, err);
        break;
    case 'd':
        ret->kind = WIRE_ANSWER_DATA;
        if (message->size > 4 && memcmp(message->text, "data", 4) == 0)
            rc = read_text(&reader, "data", ret->text, sizeof(ret->text)) ? 0 : fail(err);
        else
            rc = read_failure(&reader, ret, err);
        break;
    default:
        rc = fail(err);
    }
    return rc < 0 || reader.left == 0 ? rc : fail(err);
}

/* ---- packets ---- */

union control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr header; /* for its alignment */
};

int
wire_send(int socket, const struct wire_message *message, int fd, struct err *err)
{
    struct iovec part = {(void *)(uintptr_t)message->text, message->size};
    union control control = {.bytes = {0}};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n = 0;

    if (fd >= 0) {
        control.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        packet.msg_control = control.bytes;
        packet.msg_controllen = sizeof(control.bytes);
    }
    do
        n = sendmsg(socket, &packet, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return 0;
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
        return WIRE_ENDED;
    if (errno == EAGAIN || errno == ENOBUFS)
        return WIRE_FULL;
    (void)err_sys(err, errno, "could not send a message");
    err->kind = ERR_INTERNAL;
    return -1;
}

static int
received_fd(struct msghdr *packet)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(packet);
    int fd = -1;

    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    return fd;
}

int
wire_receive(int socket, struct wire_message *ret, int *ret_fd, struct err *err)
{
    struct iovec part = {ret->text, sizeof(ret->text)};
    union control control;
    struct msghdr packet = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            /* Not its SPACE, in whose padding a second descriptor has room. */
                            .msg_controllen = CMSG_LEN(sizeof(int))};
    ssize_t n = 0;

    do
        n = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return WIRE_NOTHING;
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return WIRE_ENDED;
    if (n < 0) {
        (void)err_sys(err, errno, "could not receive a message");
        err->kind = ERR_INTERNAL;
        return -1;
    }
    ret->size = (size_t)n;
    int fd = received_fd(&packet);
    if ((packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        if (fd >= 0)
            (void)close(fd);
        return fail(err);
    }
    *ret_fd = fd;
    return 0;
}
