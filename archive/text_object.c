/* SPDX-License-Identifier: PostgreSQL */
#include "archive/text_object.h"

#include "base/clock.h"

int
text_object_put(const struct archive *archive, struct backup_sender *sender,
                const struct text_object *object, struct err *err)
{
    AUTO(object_packer) struct object_packer *packer = NULL;
    AUTO(outgoing) struct outgoing outgoing = {.name = object->name, .claim = object->claim};
    const struct object_label label = {object->name, object->system_id, clock_real_us()};
    struct span spans[2];

    if (object_packer_new(&archive->format, &archive->writer, object->text.size, &packer, err) <
            0 ||
        object_packer_write(packer, object->text.data, object->text.size, err) < 0 ||
        object_packer_finish(packer, &label, NULL, spans, NULL, err) < 0)
        return -1;
    outgoing.spans = spans;
    if (backup_sender_put_now(sender, &outgoing, err) < 0)
        return -1;
    return outgoing.taken ? TEXT_OBJECT_TAKEN : 0;
}
