/* SPDX-License-Identifier: PostgreSQL */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
buf_reserve(struct buf *buf, size_t more, struct err *err)
{
    if (more > buf->limit || buf->size > buf->limit - more)
        return BUF_FULL;

    size_t need = buf->size + more;
    if (need <= buf->capacity)
        return 0;

    size_t capacity = MAX_OF(buf->capacity, (size_t)256);
    while (capacity < need)
        capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
    /* One byte beyond the limit is kept for buf_text(). */
    capacity = MIN_OF(capacity, buf->limit == SIZE_MAX ? SIZE_MAX : buf->limit + 1);

    uint8_t *data = realloc(buf->data, capacity);
    if (data == NULL)
        return err_memory(err, "buffer");
    buf->data = data;
    buf->capacity = capacity;
    return 0;
}

int
buf_append(struct buf *buf, const void *bytes, size_t size, struct err *err)
{
    int rc = buf_reserve(buf, size, err);

    if (rc != 0)
        return rc;
    if (size > 0) {
        memcpy(buf->data + buf->size, bytes, size);
        buf->size += size;
    }
    return 0;
}

int
buf_append_text(struct buf *buf, const char *text, struct err *err)
{
    return buf_append(buf, text, strlen(text), err);
}

int
buf_printf(struct buf *buf, struct err *err, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        return err_set(err, ERR_INTERNAL, "could not format text");

    /* vsnprintf writes a NUL behind the text, which is not part of the content. */
    AUTO(ptr) char *text = malloc((size_t)length + 1);
    if (text == NULL)
        return err_memory(err, "text");
    va_start(arguments, format);
    (void)vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return buf_append(buf, text, (size_t)length, err);
}

const char *
buf_text(struct buf *buf, struct err *err)
{
    if (buf->size >= buf->capacity) {
        uint8_t *data = realloc(buf->data, buf->size + 1);

        if (data == NULL) {
            (void)err_memory(err, "buffer");
            return NULL;
        }
        buf->data = data;
        buf->capacity = buf->size + 1;
    }
    buf->data[buf->size] = '\0';
    return (const char *)buf->data;
}

void
buf_clear(struct buf *buf)
{
    buf->size = 0;
}

void
buf_done(struct buf *buf)
{
    free(buf->data);
    buf->data = NULL;
    buf->size = 0;
    buf->capacity = 0;
}
