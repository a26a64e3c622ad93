/* SPDX-License-Identifier: PostgreSQL */
#include "store/s3_sign.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/secret.h"

#define SHA256_SIZE 32
#define CANONICAL_MAX (256 * KIB)
#define REPORT_MAX (64 * KIB)
#define ALGORITHM "AWS4-HMAC-SHA256"

/* The headers that are signed: four made here and the request's own. */
struct header_set {
    struct s3_pair items[S3_SIGN_PAIRS_MAX + 4];
    size_t n;
};

/* A ceiling reached is as much a bug of the caller as any other failure here. */
static int
append(struct buf *buf, const void *bytes, size_t size, struct err *err)
{
    int rc = buf_append(buf, bytes, size, err);

    return rc > 0 ? err_set(err, ERR_INTERNAL, "the request to sign is too long") : rc;
}

static int
append_text(struct buf *buf, const char *text, struct err *err)
{
    return append(buf, text, strlen(text), err);
}

static int
append_pieces(struct buf *buf, const char *const *pieces, size_t n, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++)
        rc = append_text(buf, pieces[i], err);
    return rc;
}

void
s3_sign_date(int64_t real_us, char *ret_date)
{
    /* Outside of four-digit years there is nothing to sign; the nearest date keeps the form. */
    const int64_t last_s = INT64_C(253402300799);
    int64_t seconds = MIN_OF(real_us < 0 ? 0 : real_us / 1000000, last_s);
    int64_t rest = seconds % 86400;
    int64_t year = 0;
    unsigned month = 0;
    unsigned day = 0;

    clock_civil_from_days(seconds / 86400, &year, &month, &day);
    (void)snprintf(ret_date, S3_SIGN_DATE_SIZE, "%04u%02u%02uT%02u%02u%02uZ",
                   (unsigned)year % 10000, month % 100, day % 100, (unsigned)(rest / 3600) % 100,
                   (unsigned)(rest / 60 % 60), (unsigned)(rest % 60));
}

/* ---- encoding ---- */

static bool
is_between(char c, char first, char last)
{
    return c >= first && c <= last;
}

static bool
is_alnum(char c)
{
    return is_between(c, 'A', 'Z') || is_between(c, 'a', 'z') || is_between(c, '0', '9');
}

int
s3_encode(struct buf *ret, const char *text, bool keep_slash, struct err *err)
{
    static const char digits[] = "0123456789ABCDEF";
    const size_t before = ret->size;

    for (const char *c = text; *c != '\0'; c++) {
        const unsigned char byte = (unsigned char)*c;
        const char escaped[3] = {'%', digits[byte >> 4], digits[byte & 15]};
        const bool plain = is_alnum(*c) || strchr("-._~", *c) != NULL || (keep_slash && *c == '/');

        if (append(ret, plain ? c : escaped, plain ? 1 : sizeof(escaped), err) < 0) {
            ret->size = before;
            return -1;
        }
    }
    return 0;
}

/* Where one encoded parameter stands in the scratch buffer; both texts end in NUL there. */
struct place {
    size_t name;
    size_t value;
};

static bool
is_before(const struct buf *scratch, const struct place *a, const struct place *b)
{
    const char *text = (const char *)scratch->data;
    int order = strcmp(text + a->name, text + b->name);

    return order < 0 || (order == 0 && strcmp(text + a->value, text + b->value) < 0);
}

static int
encode_pair(struct buf *scratch, const struct s3_pair *pair, struct place *ret, struct err *err)
{
    ret->name = scratch->size;
    if (s3_encode(scratch, pair->name, false, err) < 0 || append(scratch, "", 1, err) < 0)
        return -1;
    ret->value = scratch->size;
    if (s3_encode(scratch, pair->value, false, err) < 0)
        return -1;
    return append(scratch, "", 1, err);
}

/* "a=b&c=d" */
static int
append_query(struct buf *ret, const struct s3_request *request, struct err *err)
{
    AUTO(buf) struct buf scratch = BUF_INIT(CANONICAL_MAX);
    struct place places[S3_SIGN_PAIRS_MAX];

    if (request->n_query > S3_SIGN_PAIRS_MAX)
        return err_set(err, ERR_INTERNAL, "the request to sign has too many parameters");
    for (size_t i = 0; i < request->n_query; i++) {
        struct place place = {0};
        size_t at = i;

        if (encode_pair(&scratch, &request->query[i], &place, err) < 0)
            return -1;
        for (; at > 0 && is_before(&scratch, &place, &places[at - 1]); at--)
            places[at] = places[at - 1];
        places[at] = place;
    }
    for (size_t i = 0; i < request->n_query; i++) {
        const char *text = (const char *)scratch.data;
        const char *const pieces[] = {i > 0 ? "&" : "", text + places[i].name, "=",
                                      text + places[i].value};

        if (append_pieces(ret, pieces, ARRAY_SIZE(pieces), err) < 0)
            return -1;
    }
    return 0;
}

int
s3_encode_query(struct buf *ret, const struct s3_request *request, struct err *err)
{
    const size_t before = ret->size;

    if (request->n_query == 0)
        return 0;
    if (append_text(ret, "?", err) < 0 || append_query(ret, request, err) < 0) {
        ret->size = before;
        return -1;
    }
    return 0;
}

/* ---- what may be signed ---- */

/* Letters, digits and the given others only, at least one. */
static bool
is_word(const char *text, const char *others)
{
    const char *c = text;

    while (*c != '\0' && (is_alnum(*c) || strchr(others, *c) != NULL))
        c++;
    return c != text && *c == '\0';
}

static bool
is_date(const char *date)
{
    if (strlen(date) != S3_SIGN_DATE_SIZE - 1 || date[8] != 'T' || date[15] != 'Z')
        return false;
    for (size_t i = 0; i < 15; i++) {
        if (i != 8 && !is_between(date[i], '0', '9'))
            return false;
    }
    return true;
}

static bool
is_payload_hash(const char *text)
{
    const size_t digits = (size_t)2 * SHA256_SIZE;

    return strspn(text, "0123456789abcdef") == digits && text[digits] == '\0';
}

/* A header must not be able to end its own line, and an empty one would not be sent. */
static bool
is_header_value(const char *value)
{
    bool empty = true;

    for (const char *c = value; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
        empty = empty && *c == ' ';
    }
    return !empty;
}

static bool
is_header_name(const char *name)
{
    static const char *const made_here[] = {
        "authorization", "host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token",
    };

    for (size_t i = 0; i < ARRAY_SIZE(made_here); i++) {
        if (strcmp(name, made_here[i]) == 0)
            return false;
    }
    return is_word(name, "-_") && strpbrk(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL;
}

static bool
has_session(const struct s3_identity *identity)
{
    return identity->session_token != NULL && identity->session_token[0] != '\0';
}

/* No value is named in these messages: some are secret. */
static int
check_request(const struct s3_request *request, const struct s3_identity *identity,
              const char *date, struct err *err)
{
    const char *wrong = NULL;

    if (!is_word(request->method, ""))
        wrong = "method";
    else if (!is_word(request->host, ".-_:[]"))
        wrong = "host";
    else if (request->path[0] != '/')
        wrong = "path";
    else if (!is_payload_hash(request->payload_hash))
        wrong = "payload hash";
    else if (!is_date(date))
        wrong = "date";
    else if (!is_word(identity->region, "-_.") || !is_word(identity->service, "-"))
        wrong = "region or service";
    else if (!is_header_value(identity->access_key_id) ||
             strpbrk(identity->access_key_id, ", ") != NULL)
        wrong = "access key id";
    else if (identity->secret_access_key[0] == '\0')
        wrong = "secret access key";
    else if (has_session(identity) && !is_header_value(identity->session_token))
        wrong = "session token";
    if (wrong != NULL)
        return err_set(err, ERR_INTERNAL, "the request to sign has no usable %s", wrong);
    return 0;
}

/* ---- headers ---- */

/* In the order in which they are sent; host, which the HTTP library sends, comes first. */
static int
collect_headers(const struct s3_request *request, const struct s3_identity *identity,
                const char *date, struct header_set *ret, struct err *err)
{
    *ret = (struct header_set){0};
    if (check_request(request, identity, date, err) < 0)
        return -1;
    if (request->n_headers > S3_SIGN_PAIRS_MAX)
        return err_set(err, ERR_INTERNAL, "the request to sign has too many headers");

    ret->items[ret->n++] = (struct s3_pair){"host", request->host};
    ret->items[ret->n++] = (struct s3_pair){"x-amz-content-sha256", request->payload_hash};
    ret->items[ret->n++] = (struct s3_pair){"x-amz-date", date};
    if (has_session(identity))
        ret->items[ret->n++] = (struct s3_pair){"x-amz-security-token", identity->session_token};
    for (size_t i = 0; i < request->n_headers; i++) {
        const struct s3_pair *header = &request->headers[i];

        if (!is_header_name(header->name) || !is_header_value(header->value))
            return err_set(err, ERR_INTERNAL, "the request to sign has no usable header %zu", i);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(header->name, request->headers[k].name) == 0)
                return err_set(err, ERR_INTERNAL, "the request to sign has header %zu twice", i);
        }
        ret->items[ret->n++] = *header;
    }
    return 0;
}

static void
sort_headers(struct header_set *set)
{
    for (size_t i = 1; i < set->n; i++) {
        const struct s3_pair header = set->items[i];
        size_t at = i;

        for (; at > 0 && strcmp(header.name, set->items[at - 1].name) < 0; at--)
            set->items[at] = set->items[at - 1];
        set->items[at] = header;
    }
}

/*
 * Trimmed, and runs of blanks made one. It is sent like this, too: then it does not matter
 * that signers disagree about blanks within quotes.
 */
static int
append_header(struct buf *ret, const struct s3_pair *header, const char *separator, struct err *err)
{
    bool pending = false;
    bool started = false;

    if (append_text(ret, header->name, err) < 0 || append_text(ret, separator, err) < 0)
        return -1;
    for (const char *c = header->value; *c != '\0'; c++) {
        if (*c == ' ') {
            pending = started;
            continue;
        }
        if ((pending && append_text(ret, " ", err) < 0) || append(ret, c, 1, err) < 0)
            return -1;
        pending = false;
        started = true;
    }
    return append_text(ret, "\n", err);
}

static int
append_signed_names(struct buf *ret, const struct header_set *sorted, struct err *err)
{
    for (size_t i = 0; i < sorted->n; i++) {
        if ((i > 0 && append_text(ret, ";", err) < 0) ||
            append_text(ret, sorted->items[i].name, err) < 0)
            return -1;
    }
    return 0;
}

static int
append_canonical(struct buf *ret, const struct s3_request *request, const struct header_set *sorted,
                 struct err *err)
{
    if (append_text(ret, request->method, err) < 0 || append_text(ret, "\n", err) < 0 ||
        s3_encode(ret, request->path, true, err) < 0 || append_text(ret, "\n", err) < 0 ||
        append_query(ret, request, err) < 0 || append_text(ret, "\n", err) < 0)
        return -1;
    for (size_t i = 0; i < sorted->n; i++) {
        if (append_header(ret, &sorted->items[i], ":", err) < 0)
            return -1;
    }
    const char *const tail[] = {"\n", request->payload_hash};
    if (append_text(ret, "\n", err) < 0 || append_signed_names(ret, sorted, err) < 0)
        return -1;
    return append_pieces(ret, tail, ARRAY_SIZE(tail), err);
}

int
s3_canonical_request(const struct s3_request *request, const struct s3_identity *identity,
                     const char *date, struct buf *ret, struct err *err)
{
    struct header_set headers;
    const size_t before = ret->size;

    if (collect_headers(request, identity, date, &headers, err) < 0)
        return -1;
    sort_headers(&headers);
    if (append_canonical(ret, request, &headers, err) < 0) {
        ret->size = before;
        return -1;
    }
    return 0;
}

/* ---- the signature ---- */

static int
hmac(const void *key, size_t key_size, const char *text, uint8_t *ret_mac, struct err *err)
{
    uint8_t mac[SHA256_SIZE];
    size_t size = 0;

    if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, key_size, (const unsigned char *)text,
                  strlen(text), mac, sizeof(mac), &size) == NULL ||
        size != sizeof(mac))
        return err_set(err, ERR_INTERNAL, "could not compute an HMAC");
    memcpy(ret_mac, mac, sizeof(mac));
    secret_wipe(mac, sizeof(mac));
    return 0;
}

/* Chained over date, region, service and a constant: a leaked key is good for one day. */
static int
derive_key(const struct s3_identity *identity, const char *day, uint8_t *ret_key, struct err *err)
{
    const char *const steps[] = {day, identity->region, identity->service, "aws4_request"};
    AUTO(secret_buf) struct buf key = BUF_INIT(REPORT_MAX);

    /* All at once: a buffer that grows leaves copies of what it held. */
    if (buf_reserve(&key, strlen("AWS4") + strlen(identity->secret_access_key), err) != 0)
        return err_set(err, ERR_INTERNAL, "the secret access key is too long");
    if (append_text(&key, "AWS4", err) < 0 ||
        append_text(&key, identity->secret_access_key, err) < 0 ||
        hmac(key.data, key.size, steps[0], ret_key, err) < 0)
        return -1;
    for (size_t i = 1; i < ARRAY_SIZE(steps); i++) {
        if (hmac(ret_key, SHA256_SIZE, steps[i], ret_key, err) < 0)
            return -1;
    }
    return 0;
}

/* `scope` is "20261122/eu-west-3/s3/aws4_request". */
static int
compute_signature(const struct s3_identity *identity, const char *date, const char *scope,
                  const struct buf *canonical, char *ret_signature, struct err *err)
{
    AUTO(buf) struct buf to_sign = BUF_INIT(REPORT_MAX);
    uint8_t digest[SHA256_SIZE];
    uint8_t key[SHA256_SIZE];
    char digest_text[2 * SHA256_SIZE + 1];
    char day[9] = {0};

    if (EVP_Digest(canonical->data, canonical->size, digest, NULL, EVP_sha256(), NULL) != 1)
        return err_set(err, ERR_INTERNAL, "could not compute a SHA-256 digest");
    if (buf_printf(&to_sign, err, ALGORITHM "\n%s\n%s\n%s", date, scope,
                   hex_text(digest, sizeof(digest), digest_text)) != 0)
        return err_set(err, ERR_INTERNAL, "could not build the text to sign");

    const char *text = buf_text(&to_sign, err);
    if (text == NULL)
        return -1;
    memcpy(day, date, sizeof(day) - 1);
    int rc = derive_key(identity, day, key, err);
    if (rc == 0)
        rc = hmac(key, sizeof(key), text, digest, err);
    secret_wipe(key, sizeof(key));
    if (rc == 0)
        (void)hex_text(digest, sizeof(digest), ret_signature);
    return rc;
}

static int
append_authorization(struct buf *ret, const struct s3_request *request,
                     const struct s3_identity *identity, const char *date,
                     struct header_set *headers, struct err *err)
{
    AUTO(buf) struct buf scope = BUF_INIT(REPORT_MAX);
    AUTO(secret_buf) struct buf canonical = BUF_INIT(CANONICAL_MAX);
    char signature[2 * SHA256_SIZE + 1];

    if (buf_printf(&scope, err, "%.8s/%s/%s/aws4_request", date, identity->region,
                   identity->service) != 0)
        return err_set(err, ERR_INTERNAL, "could not build the scope of a signature");
    const char *scope_text = buf_text(&scope, err);
    sort_headers(headers);
    if (scope_text == NULL || append_canonical(&canonical, request, headers, err) < 0 ||
        compute_signature(identity, date, scope_text, &canonical, signature, err) < 0)
        return -1;

    const char *const head[] = {"authorization: " ALGORITHM " Credential=", identity->access_key_id,
                                "/", scope_text, ", SignedHeaders="};
    const char *const tail[] = {", Signature=", signature, "\n"};
    if (append_pieces(ret, head, ARRAY_SIZE(head), err) < 0 ||
        append_signed_names(ret, headers, err) < 0)
        return -1;
    return append_pieces(ret, tail, ARRAY_SIZE(tail), err);
}

int
s3_sign(const struct s3_request *request, const struct s3_identity *identity, const char *date,
        struct buf *ret_headers, struct err *err)
{
    struct header_set headers;
    const size_t before = ret_headers->size;

    if (collect_headers(request, identity, date, &headers, err) < 0)
        return -1;
    int rc = 0;
    for (size_t i = 1; i < headers.n && rc == 0; i++)
        rc = append_header(ret_headers, &headers.items[i], ": ", err);
    if (rc == 0)
        rc = append_authorization(ret_headers, request, identity, date, &headers, err);
    if (rc < 0)
        ret_headers->size = before;
    return rc;
}
