/* SPDX-License-Identifier: PostgreSQL */
#include "store/s3_credentials.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/secret.h"

#define NAME_QUOTED_MAX 128 /* a profile in a message */
#define PATH_QUOTED_MAX 161 /* a file in `source` */
#define PATH_SIZE 4096

struct text {
    const char *data;
    size_t size;
};

/* ---- what a value may be ---- */

enum value_kind {
    VALUE_ID,     /* goes into a header, where blanks and commas separate */
    VALUE_SECRET, /* is only computed with */
    VALUE_TOKEN,  /* goes into a header */
};

/* NULL if the value is fine, else what is wrong with it, in words that go behind its name. */
static const char *
value_wrong(enum value_kind kind, const struct text *value, size_t max)
{
    if (value->size > max)
        return "is too long";
    for (size_t i = 0; i < value->size; i++) {
        unsigned char c = (unsigned char)value->data[i];

        if (c < 0x20 || c == 0x7f)
            return "contains a control character";
        if (kind != VALUE_SECRET && (c == ' ' || c > 0x7e))
            return "contains a blank or a character that is not ASCII";
        if (kind == VALUE_ID && c == ',')
            return "contains a comma";
    }
    return NULL;
}

/* One of the three values: where it is kept and what it is called in each source. */
struct slot {
    enum value_kind kind;
    char *place;
    size_t size;
    const char *setting;
    const char *variable;
    const char *key;
};

enum slot_index {
    SLOT_ID,
    SLOT_SECRET,
    SLOT_TOKEN,
    N_SLOTS,
};

static void
make_slots(struct s3_credentials *credentials, struct slot *ret_slots)
{
    ret_slots[SLOT_ID] = (struct slot){
        VALUE_ID,        credentials->access_key_id, sizeof(credentials->access_key_id),
        "access_key_id", "AWS_ACCESS_KEY_ID",        "aws_access_key_id"};
    ret_slots[SLOT_SECRET] = (struct slot){
        VALUE_SECRET,        credentials->secret_access_key, sizeof(credentials->secret_access_key),
        "secret_access_key", "AWS_SECRET_ACCESS_KEY",        "aws_secret_access_key"};
    ret_slots[SLOT_TOKEN] = (struct slot){
        VALUE_TOKEN,     credentials->session_token, sizeof(credentials->session_token),
        "session_token", "AWS_SESSION_TOKEN",        "aws_session_token"};
}

static void
keep_value(const struct slot *slot, const struct text *value)
{
    memcpy(slot->place, value->data, value->size);
    slot->place[value->size] = '\0';
}

/* ---- the shared credentials file ---- */

struct parser {
    const char *file;
    const char *profile;
    unsigned long line;
    bool in_section;
    bool in_profile;
    bool profile_seen;
    bool after_key;        /* deeper lines belong to the key before */
    bool after_wanted_key; /* and that key is one of ours */
    size_t key_indent;
    unsigned seen; /* one bit for each slot */
    struct slot slots[N_SLOTS];
};

static int
fail_at(const struct parser *parser, struct err *err, const char *what)
{
    return err_set(err, ERR_CONFIG, "credentials file \"%s\", line %lu: %s", parser->file,
                   parser->line, what);
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct text
trim(struct text text)
{
    while (text.size > 0 && is_blank(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && is_blank(text.data[text.size - 1]))
        text.size--;
    return text;
}

static bool
text_equals(struct text text, const char *expected)
{
    return text.size == strlen(expected) && memcmp(text.data, expected, text.size) == 0;
}

static int
parse_section(struct parser *parser, struct text line, struct err *err)
{
    const char *end = memchr(line.data, ']', line.size);

    if (end == NULL)
        return fail_at(parser, err, "\"]\" is missing");
    struct text name = trim((struct text){line.data + 1, (size_t)(end - line.data) - 1});
    struct text rest = trim((struct text){end + 1, line.size - (size_t)(end - line.data) - 1});
    if (name.size == 0)
        return fail_at(parser, err, "the name of the profile is missing");
    if (rest.size > 0 && rest.data[0] != '#' && rest.data[0] != ';')
        return fail_at(parser, err, "unexpected text behind \"]\"");

    parser->in_section = true;
    parser->after_key = false;
    parser->in_profile = text_equals(name, parser->profile);
    if (parser->in_profile && parser->profile_seen)
        return fail_at(parser, err, "the profile is given twice");
    parser->profile_seen = parser->profile_seen || parser->in_profile;
    return 0;
}

/* AWS's tools disagree on whether a comment begins here: a key would be wrong in half of them. */
static bool
looks_commented(struct text value)
{
    for (size_t i = 1; i < value.size; i++) {
        if (is_blank(value.data[i - 1]) && (value.data[i] == '#' || value.data[i] == ';'))
            return true;
    }
    return false;
}

static int
parse_value(struct parser *parser, size_t index, struct text value, struct err *err)
{
    const struct slot *slot = &parser->slots[index];
    const char *wrong = value_wrong(slot->kind, &value, slot->size - 1);
    char what[128];

    if ((parser->seen & 1u << index) != 0)
        wrong = "is given twice";
    else if (value.size == 0 && slot->kind != VALUE_TOKEN)
        wrong = "has no value";
    else if (wrong == NULL && looks_commented(value))
        wrong = "has a comment behind its value";
    if (wrong != NULL) {
        (void)snprintf(what, sizeof(what), "%s %s", slot->key, wrong);
        return fail_at(parser, err, what);
    }
    parser->seen |= 1u << index;
    parser->after_wanted_key = true;
    keep_value(slot, &value);
    return 0;
}

static int
parse_key(struct parser *parser, struct text line, struct err *err)
{
    const char *equals = memchr(line.data, '=', line.size);

    if (!parser->in_section)
        return fail_at(parser, err, "a profile must come first, as in [default]");
    if (equals == NULL)
        return fail_at(parser, err, "\"=\" is missing");
    struct text key = trim((struct text){line.data, (size_t)(equals - line.data)});
    struct text value =
        trim((struct text){equals + 1, line.size - (size_t)(equals - line.data) - 1});
    if (key.size == 0)
        return fail_at(parser, err, "the name before \"=\" is missing");

    parser->after_key = true;
    parser->after_wanted_key = false;
    for (size_t i = 0; i < N_SLOTS && parser->in_profile; i++) {
        const char *wanted = parser->slots[i].key;

        if (key.size == strlen(wanted) && strncasecmp(key.data, wanted, key.size) == 0)
            return parse_value(parser, i, value, err);
    }
    return 0;
}

static int
parse_line(struct parser *parser, struct text raw, struct err *err)
{
    struct text line = trim(raw);

    for (size_t i = 0; i < raw.size; i++) {
        unsigned char c = (unsigned char)raw.data[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return fail_at(parser, err, "a control character");
    }
    if (line.size == 0 || line.data[0] == '#' || line.data[0] == ';')
        return 0;

    size_t indent = (size_t)(line.data - raw.data);
    if (parser->after_key && indent > parser->key_indent) {
        if (parser->after_wanted_key)
            return fail_at(parser, err, "an indented line would continue the value before it");
        return 0;
    }
    parser->key_indent = indent;
    return line.data[0] == '[' ? parse_section(parser, line, err) : parse_key(parser, line, err);
}

static int
parse_lines(struct parser *parser, struct text text, struct err *err)
{
    if (text.size >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0) {
        parser->line = 1;
        return fail_at(parser, err, "the file begins with a byte order mark");
    }
    while (text.size > 0) {
        const char *newline = memchr(text.data, '\n', text.size);
        size_t size = newline == NULL ? text.size : (size_t)(newline - text.data);
        struct text line = {text.data, size};

        parser->line++;
        if (size > 0 && newline != NULL && line.data[size - 1] == '\r')
            line.size--;
        if (parse_line(parser, line, err) < 0)
            return -1;
        size += newline != NULL;
        text.data += size;
        text.size -= size;
    }
    return 0;
}

static int
check_complete(const struct parser *parser, struct err *err)
{
    char profile[NAME_QUOTED_MAX];

    (void)err_quote(parser->profile, strlen(parser->profile), profile, sizeof(profile));
    if (!parser->profile_seen) {
        (void)err_set(err, ERR_CONFIG, "credentials file \"%s\" has no profile \"%s\"",
                      parser->file, profile);
        return err_hint(err,
                        "Add a section [%s], or choose another with the store's \"profile\" "
                        "setting or AWS_PROFILE.",
                        profile);
    }
    for (size_t i = 0; i < N_SLOTS; i++) {
        if (i == SLOT_TOKEN || (parser->seen & 1u << i) != 0)
            continue;
        (void)err_set(err, ERR_CONFIG, "credentials file \"%s\": profile \"%s\" has no %s",
                      parser->file, profile, parser->slots[i].key);
        return err_hint(err, "A profile needs aws_access_key_id and aws_secret_access_key; roles, "
                             "SSO and credential_process are not supported.");
    }
    return 0;
}

int
s3_credentials_parse(const char *text, size_t size, const char *file, const char *profile,
                     struct s3_credentials *ret, struct err *err)
{
    AUTO(s3_credentials) struct s3_credentials found = {0};
    struct parser parser = {.file = file, .profile = profile};
    char quoted_file[PATH_QUOTED_MAX];
    char quoted_profile[NAME_QUOTED_MAX];

    make_slots(&found, parser.slots);
    if (parse_lines(&parser, (struct text){text, size}, err) < 0 ||
        check_complete(&parser, err) < 0)
        return -1;
    (void)err_quote(file, strlen(file), quoted_file, sizeof(quoted_file));
    (void)err_quote(profile, strlen(profile), quoted_profile, sizeof(quoted_profile));
    (void)snprintf(found.source, sizeof(found.source), "file \"%s\", profile \"%s\"", quoted_file,
                   quoted_profile);
    *ret = found;
    return 0;
}

/* ---- where to look ---- */

static bool
is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

enum source_outcome {
    SOURCE_NONE = 1, /* has neither half; the next source is asked */
};

/* Values that come as they are: NULL or empty is none. `in_environment` chooses their names. */
static int
take_values(const char *const *values, bool in_environment, struct s3_credentials *ret,
            struct err *err)
{
    AUTO(s3_credentials) struct s3_credentials found = {0};
    struct slot slots[N_SLOTS];

    if (!is_given(values[SLOT_ID]) && !is_given(values[SLOT_SECRET]))
        return SOURCE_NONE;
    make_slots(&found, slots);
    for (size_t i = 0; i < N_SLOTS; i++) {
        const char *name = in_environment ? slots[i].variable : slots[i].setting;
        struct text value = {values[i], is_given(values[i]) ? strlen(values[i]) : 0};
        const char *wrong = value_wrong(slots[i].kind, &value, slots[i].size - 1);

        if (value.size == 0 && i != SLOT_TOKEN) {
            (void)err_set(err, ERR_CONFIG, "%s is not set, but its other half is", name);
            return err_hint(err, "Set both %s and %s, or neither.",
                            in_environment ? slots[SLOT_ID].variable : slots[SLOT_ID].setting,
                            in_environment ? slots[SLOT_SECRET].variable
                                           : slots[SLOT_SECRET].setting);
        }
        if (wrong != NULL)
            return err_set(err, ERR_CONFIG, "%s %s", name, wrong);
        if (value.size > 0)
            keep_value(&slots[i], &value);
    }
    (void)snprintf(found.source, sizeof(found.source), "%s",
                   in_environment ? "environment" : "configuration");
    *ret = found;
    return 0;
}

static bool
is_missing(const char *path)
{
    return access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

static int
read_file(const char *path, const char *profile, struct s3_credentials *ret, struct err *err)
{
    AUTO(secret_buf) struct buf content = BUF_INIT(SECRET_FILE_MAX);

    if (secret_read_file(path, "credentials file", &content, err) < 0) {
        /* The hint there is about keys. */
        if (is_missing(path))
            (void)err_hint(err, "Create the file, or correct the store's \"credentials_file\".");
        return -1;
    }
    return s3_credentials_parse((const char *)content.data, content.size, path, profile, ret, err);
}

/* Nothing was found before; `path` is NULL if there is not even a file to look at. */
static int
fail_nowhere(const char *path, struct err *err)
{
    char quoted[PATH_QUOTED_MAX];

    if (path == NULL)
        (void)err_set(err, ERR_CONFIG,
                      "no credentials: not in the configuration, not in the environment, and "
                      "without HOME there is no shared credentials file");
    else
        (void)err_set(err, ERR_CONFIG,
                      "no credentials: not in the configuration, not in the environment, and "
                      "\"%s\" does not exist",
                      err_quote(path, strlen(path), quoted, sizeof(quoted)));
    return err_hint(err, "Set the store's \"credentials_file\", or AWS_ACCESS_KEY_ID and "
                         "AWS_SECRET_ACCESS_KEY in the environment of PostgreSQL.");
}

static int
load_shared(const char *profile, struct s3_credentials *ret, struct err *err)
{
    const char *path = getenv("AWS_SHARED_CREDENTIALS_FILE");
    const char *home = getenv("HOME");
    char in_home[PATH_SIZE];

    if (!is_given(path)) {
        if (!is_given(home))
            return fail_nowhere(NULL, err);
        int length = snprintf(in_home, sizeof(in_home), "%s/.aws/credentials", home);
        if (length < 0 || (size_t)length >= sizeof(in_home))
            return err_set(err, ERR_CONFIG, "HOME is too long");
        path = in_home;
    }
    return is_missing(path) ? fail_nowhere(path, err) : read_file(path, profile, ret, err);
}

int
s3_credentials_load(const struct store_config *config, struct s3_credentials *ret, struct err *err)
{
    const char *const settings[N_SLOTS] = {config->access_key_id, config->secret_access_key, NULL};
    const char *const variables[N_SLOTS] = {
        getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY"), getenv("AWS_SESSION_TOKEN")};
    const char *profile = is_given(config->profile) ? config->profile : getenv("AWS_PROFILE");

    if (!is_given(profile))
        profile = "default";
    int rc = take_values(settings, false, ret, err);
    if (rc != SOURCE_NONE)
        return rc;
    if (is_given(config->credentials_file))
        return read_file(config->credentials_file, profile, ret, err);
    /* Who names a profile does not want whatever happens to be in the environment. */
    rc = is_given(config->profile) ? SOURCE_NONE : take_values(variables, true, ret, err);
    if (rc != SOURCE_NONE)
        return rc;
    return load_shared(profile, ret, err);
}

void
s3_credentials_done(struct s3_credentials *credentials)
{
    secret_wipe(credentials, sizeof(*credentials));
}
