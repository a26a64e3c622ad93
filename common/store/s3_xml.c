/* SPDX-License-Identifier: PostgreSQL */
#include "store/s3_xml.h"

#include <expat.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/hex.h"

#define XML_SIZE_MAX (8 * MIB) /* 1000 keys of 1024 bytes, each byte a character reference */
#define DEPTH_MAX 16
#define ELEMENTS_MAX 65536
#define KEY_TEXT_MAX ((size_t)3 * S3_KEY_MAX) /* percent-encoded */
#define SIZE_VALUE_MAX ((uint64_t)INT64_MAX)

enum field_id {
    FIELD_CODE,
    FIELD_MESSAGE,
    FIELD_REGION,
    FIELD_TRUNCATED,
    FIELD_TOKEN,
    FIELD_ENCODING,
    FIELD_START_AFTER,
    FIELD_KEY,
    FIELD_SIZE,
};

#define FIELD_BIT(id) (1u << (id))
#define ENTRY_BITS (FIELD_BIT(FIELD_KEY) | FIELD_BIT(FIELD_SIZE))

/* An element whose text is wanted: below the root, or below <Contents> below the root. */
struct field {
    const char *name;
    enum field_id id;
    bool in_entry;
    bool cut; /* longer text loses its end; else it is refused */
    size_t max;
};

struct document {
    const char *root;
    const char *entry; /* or NULL */
    const struct field *fields;
    size_t n_fields;
};

/* A field of struct s3_error takes less than this, so that a cut text is seen to be one. */
#define ERROR_TEXT_MAX ((size_t)2 * S3_ERROR_FIELD_SIZE)

static const struct field error_fields[] = {
    {.name = "Code", .id = FIELD_CODE, .cut = true, .max = ERROR_TEXT_MAX},
    {.name = "Message", .id = FIELD_MESSAGE, .cut = true, .max = ERROR_TEXT_MAX},
    {.name = "Region", .id = FIELD_REGION, .cut = true, .max = ERROR_TEXT_MAX},
};

static const struct field list_fields[] = {
    {.name = "IsTruncated", .id = FIELD_TRUNCATED, .max = 5},
    {.name = "NextContinuationToken", .id = FIELD_TOKEN, .max = S3_KEY_MAX * 2 - 1},
    {.name = "EncodingType", .id = FIELD_ENCODING, .max = 16},
    {.name = "StartAfter", .id = FIELD_START_AFTER, .cut = true, .max = S3_KEY_MAX},
    {.name = "Key", .id = FIELD_KEY, .in_entry = true, .max = KEY_TEXT_MAX},
    {.name = "Size", .id = FIELD_SIZE, .in_entry = true, .max = 20},
};

static const struct document error_document = {
    .root = "Error", .fields = error_fields, .n_fields = ARRAY_SIZE(error_fields)};

static const struct document list_document = {
    .root = "ListBucketResult",
    .entry = "Contents",
    .fields = list_fields,
    .n_fields = ARRAY_SIZE(list_fields),
};

struct reader {
    XML_Parser parser;
    const struct document *document;
    const char *refusal; /* why reading was stopped, or NULL */
    bool sink_failed;    /* stopped by the sink, which has filled *err */
    unsigned depth;
    unsigned elements;
    unsigned seen; /* FIELD_BITs */
    bool in_entry;
    const struct field *field; /* the one that is open */
    char text[KEY_TEXT_MAX + 1];
    size_t text_size;

    struct s3_error error;

    struct s3_list list;
    bool url_encoded;
    char key[KEY_TEXT_MAX + 1];
    size_t key_size;
    uint64_t size;
    struct s3_list_sink *sink; /* NULL while the document is only checked */
    struct err *err;
};

DEFINE_POINTER_CLEANUP(parser, struct XML_ParserStruct, XML_ParserFree);

/* Expat may call handlers once more after this, so each of them looks at `refusal` first. */
static void
refuse(struct reader *reader, const char *reason)
{
    if (reader->refusal == NULL)
        reader->refusal = reason;
    (void)XML_StopParser(reader->parser, XML_FALSE);
}

/* ---- what a field means ---- */

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* As in a form: S3 writes a blank as "+" and a plus sign as "%2B". In place. */
static bool
decode_url(char *text, size_t *size)
{
    size_t used = 0;

    for (size_t i = 0; i < *size; i++) {
        char c = text[i] == '+' ? ' ' : text[i];

        if (c == '%') {
            int high = *size - i > 2 ? hex_digit(text[i + 1]) : -1;
            int low = *size - i > 2 ? hex_digit(text[i + 2]) : -1;

            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return false;
            c = (char)(unsigned char)(high * 16 + low);
            i += 2;
        }
        text[used++] = c;
    }
    text[used] = '\0';
    *size = used;
    return true;
}

static void
end_entry(struct reader *reader)
{
    if ((reader->seen & ENTRY_BITS) != ENTRY_BITS) {
        refuse(reader, "an entry has no key or no size");
        return;
    }
    reader->list.key_count++;
    if (reader->sink == NULL)
        return;
    if (reader->url_encoded && !decode_url(reader->key, &reader->key_size))
        refuse(reader, "a key is not encoded as announced");
    else if (reader->key_size == 0 || reader->key_size > S3_KEY_MAX)
        refuse(reader, "a key is empty or too long");
    else if (reader->sink->entry(reader->sink, reader->key, reader->key_size, reader->size,
                                 reader->err) != 0) {
        reader->sink_failed = true;
        refuse(reader, "stopped");
    }
}

static bool
text_is(const struct reader *reader, const char *expected)
{
    return strcmp(reader->text, expected) == 0;
}

static void
end_field(struct reader *reader)
{
    const size_t size = reader->text_size;

    reader->text[size] = '\0';
    switch (reader->field->id) {
    case FIELD_CODE:
        (void)err_quote(reader->text, size, reader->error.code, S3_ERROR_FIELD_SIZE);
        break;
    case FIELD_MESSAGE:
        (void)err_quote(reader->text, size, reader->error.message, S3_ERROR_FIELD_SIZE);
        break;
    case FIELD_REGION:
        (void)err_quote(reader->text, size, reader->error.region, S3_ERROR_FIELD_SIZE);
        break;
    case FIELD_TRUNCATED:
        reader->list.truncated = text_is(reader, "true");
        if (!reader->list.truncated && !text_is(reader, "false"))
            refuse(reader, "<IsTruncated> is neither true nor false");
        break;
    case FIELD_TOKEN:
        memcpy(reader->list.next_token, reader->text, size + 1);
        break;
    case FIELD_ENCODING:
        reader->url_encoded = text_is(reader, "url");
        if (!reader->url_encoded && size > 0)
            refuse(reader, "<EncodingType> is not known");
        break;
    case FIELD_START_AFTER:
        memcpy(reader->list.start_after, reader->text, size + 1);
        break;
    case FIELD_KEY:
        memcpy(reader->key, reader->text, size + 1);
        reader->key_size = size;
        break;
    case FIELD_SIZE:
        if (!decimal_read(reader->text, size, SIZE_VALUE_MAX, &reader->size))
            refuse(reader, "a size is not a number in range");
        break;
    }
    reader->field = NULL;
}

/* ---- expat's handlers ---- */

static void
start_field(struct reader *reader, const char *name)
{
    const struct document *document = reader->document;
    const unsigned depth = reader->in_entry ? 3 : 2;

    for (size_t i = 0; i < document->n_fields && reader->depth == depth; i++) {
        const struct field *field = &document->fields[i];

        if (field->in_entry != reader->in_entry || strcmp(field->name, name) != 0)
            continue;
        if ((reader->seen & FIELD_BIT(field->id)) != 0) {
            refuse(reader, "an element is given twice");
            return;
        }
        reader->seen |= FIELD_BIT(field->id);
        reader->field = field;
        reader->text_size = 0;
    }
}

static void XMLCALL
on_start(void *context, const XML_Char *name, const XML_Char **attributes UNUSED)
{
    struct reader *reader = context;
    const char *colon = strrchr(name, ':');
    const char *local = colon == NULL ? name : colon + 1;

    if (reader->refusal != NULL)
        return;
    reader->depth++;
    reader->elements++;
    if (reader->depth > DEPTH_MAX || reader->elements > ELEMENTS_MAX) {
        refuse(reader, "too many elements");
    } else if (reader->field != NULL) {
        refuse(reader, "an element stands where text is expected");
    } else if (reader->depth == 1) {
        if (strcmp(local, reader->document->root) != 0)
            refuse(reader, "it is another document");
    } else if (reader->depth == 2 && reader->document->entry != NULL &&
               strcmp(local, reader->document->entry) == 0) {
        reader->in_entry = true;
        reader->seen &= ~ENTRY_BITS;
        if (reader->list.key_count >= S3_LIST_ENTRIES_MAX)
            refuse(reader, "too many entries");
    } else {
        start_field(reader, local);
    }
}

static void XMLCALL
on_end(void *context, const XML_Char *name UNUSED)
{
    struct reader *reader = context;

    if (reader->refusal != NULL)
        return;
    if (reader->field != NULL) {
        end_field(reader);
    } else if (reader->in_entry && reader->depth == 2) {
        end_entry(reader);
        reader->in_entry = false;
    }
    reader->depth--;
}

static void XMLCALL
on_text(void *context, const XML_Char *text, int length)
{
    struct reader *reader = context;
    size_t size = (size_t)length;

    if (reader->refusal != NULL || reader->field == NULL)
        return;
    size_t room = reader->field->max - reader->text_size;
    if (size > room && !reader->field->cut) {
        refuse(reader, "a text is too long");
        return;
    }
    size = MIN_OF(size, room);
    memcpy(reader->text + reader->text_size, text, size);
    reader->text_size += size;
}

static void XMLCALL
on_declaration(void *context, const XML_Char *version UNUSED, const XML_Char *encoding,
               int standalone UNUSED)
{
    if (encoding != NULL && strcasecmp(encoding, "UTF-8") != 0)
        refuse(context, "it is not encoded in UTF-8");
}

static void XMLCALL
on_doctype(void *context, const XML_Char *name UNUSED, const XML_Char *system_id UNUSED,
           const XML_Char *public_id UNUSED, int internal_subset UNUSED)
{
    refuse(context, "it has a document type");
}

static void XMLCALL
on_entity(void *context, const XML_Char *name UNUSED, int is_parameter UNUSED)
{
    refuse(context, "it uses an entity");
}

/* ---- reading ---- */

/* UTF-16 and UTF-32 need NULs or a mark of their own; expat would follow the mark. */
static bool
is_wide(const uint8_t *body, size_t size)
{
    if (size >= 2 && ((body[0] == 0xfe && body[1] == 0xff) || (body[0] == 0xff && body[1] == 0xfe)))
        return true;
    return size > 0 && memchr(body, 0, size) != NULL;
}

/* ERR_CORRUPT says what is wrong with the document, without quoting it. */
static int
read_document(struct reader *reader, const void *body, size_t size, struct err *err)
{
    if (size == 0 || size > XML_SIZE_MAX)
        return err_set(err, ERR_CORRUPT, "the store's answer is empty or too long");
    if (is_wide(body, size))
        return err_set(err, ERR_CORRUPT, "the store's answer is not encoded in UTF-8");

    AUTO(parser) struct XML_ParserStruct *parser = XML_ParserCreate("UTF-8");
    if (parser == NULL)
        return err_memory(err, "XML parser");
    reader->parser = parser;
    reader->err = err;
    XML_SetUserData(parser, reader);
    XML_SetElementHandler(parser, on_start, on_end);
    XML_SetCharacterDataHandler(parser, on_text);
    XML_SetXmlDeclHandler(parser, on_declaration);
    XML_SetStartDoctypeDeclHandler(parser, on_doctype);
    XML_SetSkippedEntityHandler(parser, on_entity);

    enum XML_Status status = XML_Parse(parser, body, (int)size, 1);
    if (reader->sink_failed)
        return -1;
    if (reader->refusal == NULL && status == XML_STATUS_OK)
        return 0;
    if (reader->refusal == NULL && XML_GetErrorCode(parser) == XML_ERROR_NO_MEMORY)
        return err_memory(err, "XML parser");
    return err_set(err, ERR_CORRUPT, "the store's answer is not valid at line %lu: %s",
                   (unsigned long)XML_GetCurrentLineNumber(parser),
                   reader->refusal != NULL ? reader->refusal
                                           : XML_ErrorString(XML_GetErrorCode(parser)));
}

bool
s3_error_parse(const void *body, size_t size, struct s3_error *ret)
{
    struct reader reader = {.document = &error_document};
    struct err ignored = ERR_INIT;

    *ret = (struct s3_error){0};
    if (read_document(&reader, body, size, &ignored) < 0)
        return false;
    *ret = reader.error;
    return true;
}

int
s3_list_parse(const void *body, size_t size, struct s3_list_sink *sink, struct s3_list *ret,
              struct err *err)
{
    struct reader check = {.document = &list_document};

    /* The first reading proves the whole document and finds how keys are encoded. */
    if (read_document(&check, body, size, err) < 0)
        return -1;
    if ((check.seen & FIELD_BIT(FIELD_TRUNCATED)) == 0)
        return err_set(err, ERR_CORRUPT, "the store's answer does not say whether it is complete");
    if (!check.list.truncated)
        check.list.next_token[0] = '\0';
    else if (check.list.next_token[0] == '\0')
        return err_set(err, ERR_CORRUPT, "the store's answer is cut without saying how to go on");

    if (sink != NULL && sink->begin != NULL && sink->begin(sink, &check.list, err) != 0)
        return -1;
    struct reader entries = {
        .document = &list_document, .url_encoded = check.url_encoded, .sink = sink};
    if (read_document(&entries, body, size, err) < 0)
        return -1;
    *ret = check.list;
    return 0;
}
