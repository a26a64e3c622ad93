/* SPDX-License-Identifier: PostgreSQL */
#include "store/s3_answer.h"

#include <stdio.h>
#include <string.h>

#include "store/s3_xml.h"

/* One answer while it is judged. */
struct answer {
    const struct s3_question *question;
    const struct http_response *response;
    const struct http_head *head;
    bool has_error; /* an S3 <Error> document came with it */
    struct s3_error error;
    char text[ERR_TEXT_SIZE / 2]; /* "answered 503 SlowDown: Please reduce your request rate" */
};

/* ---- words ---- */

static void
describe(struct answer *answer)
{
    const struct http_head *head = answer->head;
    char code[64];
    char type[64];

    (void)err_quote(answer->error.code, strlen(answer->error.code), code, sizeof(code));
    (void)err_quote(head->content_type, strlen(head->content_type), type, sizeof(type));
    if (answer->has_error)
        (void)snprintf(answer->text, sizeof(answer->text), "answered %d %s%s%s", head->status, code,
                       answer->error.message[0] != '\0' ? ": " : "", answer->error.message);
    else if (type[0] != '\0')
        (void)snprintf(answer->text, sizeof(answer->text), "answered %d (%s)", head->status, type);
    else
        (void)snprintf(answer->text, sizeof(answer->text), "answered %d", head->status);
}

static bool
code_is(const struct answer *answer, const char *code)
{
    return strcmp(answer->error.code, code) == 0;
}

static void
end(struct s3_verdict *verdict, int outcome)
{
    verdict->next = S3_NEXT_END;
    verdict->outcome = outcome;
}

static void
retry(struct s3_verdict *verdict, const char *text)
{
    verdict->next = S3_NEXT_RETRY;
    (void)err_set(&verdict->err, ERR_TRANSIENT, "%s", text);
}

static void
deny(struct s3_verdict *verdict, const char *text)
{
    verdict->next = S3_NEXT_FAIL;
    (void)err_set(&verdict->err, ERR_DENIED, "%s", text);
}

/* ---- no answer ---- */

static void
judge_untrusted(const struct answer *answer, struct s3_verdict *verdict)
{
    const struct s3_question *question = answer->question;

    deny(verdict, answer->response->reason);
    if (question->ca_file != NULL)
        (void)err_hint(&verdict->err,
                       "Check that ca_file \"%s\" holds the authority that signed the certificate "
                       "of %s, that it names this host, has not expired, and that the server "
                       "speaks TLS 1.2 or later.",
                       question->ca_file, question->endpoint);
    else
        (void)err_hint(&verdict->err,
                       "Check the certificate of %s; if its authority is a private one, name its "
                       "certificate with ca_file. With a \".\" in the bucket's name set "
                       "path_style = true.",
                       question->endpoint);
}

static void
judge_failure(const struct answer *answer, struct s3_verdict *verdict)
{
    const struct s3_question *question = answer->question;
    const char *reason = answer->response->reason;

    switch (answer->response->failure) {
    case HTTP_UNTRUSTED:
        judge_untrusted(answer, verdict);
        return;
    case HTTP_INTERNAL:
        verdict->next = S3_NEXT_FAIL;
        (void)err_set(&verdict->err, ERR_INTERNAL, "%s", reason);
        return;
    case HTTP_TOO_LARGE:
        /* Other kinds expect a few bytes at most: what came is no answer to them. */
        if (question->kind != TASK_GET && question->kind != TASK_LIST && !question->reading_back)
            break;
        verdict->next = S3_NEXT_FAIL;
        (void)err_set(&verdict->err, ERR_CORRUPT, "%s", reason);
        return;
    case HTTP_NETWORK:
    case HTTP_PROTOCOL:
    case HTTP_WHOLE:
        break;
    }
    retry(verdict, reason);
}

/* ---- success, says the status ---- */

static void
judge_range(const struct answer *answer, struct s3_verdict *verdict)
{
    const struct http_head *head = answer->head;
    const struct store_range *range = &answer->question->range;
    uint64_t wanted_last = range->offset + range->size - 1;

    if (head->status == 200)
        retry(verdict, "answered a request for a range with 200");
    else if (!head->range_known)
        retry(verdict, "answered 206 without a usable Content-Range");
    else if (head->range_first != range->offset ||
             head->range_last != MIN_OF(wanted_last, head->range_total - 1) ||
             answer->response->received != head->range_last - head->range_first + 1)
        retry(verdict, "answered 206 with another range than was asked for");
    else
        end(verdict, 0);
}

static void
judge_read_back(const struct answer *answer, struct s3_verdict *verdict)
{
    if (!answer->response->differs) {
        end(verdict, 0);
        return;
    }
    verdict->next = S3_NEXT_FAIL;
    (void)err_set(&verdict->err, ERR_CORRUPT,
                  "the store acknowledged the object, but returns other bytes than were sent");
    (void)err_hint(&verdict->err, "Something between here and the store alters data, or something "
                                  "else than the store answers.");
}

static void
judge_success(const struct answer *answer, struct s3_verdict *verdict)
{
    const struct s3_question *question = answer->question;
    int status = answer->head->status;
    bool getting = question->kind == TASK_GET || question->reading_back;
    char text[ERR_TEXT_SIZE];

    /* An object's bytes are not looked into: they may be an <Error> document themselves. */
    if (!getting && answer->has_error)
        retry(verdict, answer->text);
    else if (question->kind == TASK_GET && question->range.size > 0 &&
             (status == 200 || status == 206))
        judge_range(answer, verdict);
    else if (status == 200 && question->reading_back)
        judge_read_back(answer, verdict);
    else if (status == 200 && question->kind == TASK_PUT &&
             (question->etag[0] == '\0' || strcmp(answer->head->etag, question->etag) != 0 ||
              strncmp(answer->head->encryption, "aws:kms", 7) == 0))
        verdict->next = S3_NEXT_READ_BACK;
    else if (status == 200 || (status == 204 && question->kind == TASK_DELETE))
        end(verdict, 0);
    else {
        (void)snprintf(text, sizeof(text), "%s, which is no answer to this request", answer->text);
        retry(verdict, text);
    }
}

/* ---- failure, says the status ---- */

static void
judge_not_found(const struct answer *answer, struct s3_verdict *verdict)
{
    const struct s3_question *question = answer->question;
    char text[ERR_TEXT_SIZE];

    if (code_is(answer, "NoSuchBucket")) {
        deny(verdict, answer->text);
        (void)err_hint(&verdict->err,
                       "Create the bucket \"%s\" at %s, or correct url, region and "
                       "endpoint of this store.",
                       question->bucket, question->endpoint);
    } else if (answer->head->deleted && question->reading_back) {
        verdict->next = S3_NEXT_FAIL;
        (void)err_set(&verdict->err, ERR_CONFLICT, "the object was deleted while it was written");
    } else if (answer->head->deleted && question->kind == TASK_GET) {
        end(verdict, STORE_DELETED);
    } else if (code_is(answer, "NoSuchKey") && question->reading_back) {
        retry(verdict, "the store acknowledged the object, but says that it is not there");
        verdict->next = S3_NEXT_PUT_AGAIN;
    } else if (code_is(answer, "NoSuchKey") && question->kind == TASK_GET) {
        end(verdict, STORE_ABSENT);
    } else if ((code_is(answer, "NoSuchKey") || answer->head->deleted) &&
               question->kind == TASK_DELETE) {
        end(verdict, 0);
    } else if (answer->has_error) {
        retry(verdict, answer->text);
    } else {
        (void)snprintf(text, sizeof(text), "%s without saying NoSuchKey; a proxy?", answer->text);
        retry(verdict, text);
    }
}

static void
judge_redirect(const struct answer *answer, struct s3_verdict *verdict)
{
    const char *told =
        answer->head->bucket_region[0] != '\0' ? answer->head->bucket_region : answer->error.region;
    char region[64];
    char text[ERR_TEXT_SIZE];

    (void)err_quote(told, strlen(told), region, sizeof(region));
    if (region[0] != '\0' && strcmp(region, answer->question->region) != 0) {
        (void)snprintf(text, sizeof(text), "the bucket is in region \"%s\": %s", region,
                       answer->text);
        deny(verdict, text);
        (void)err_hint(&verdict->err,
                       "Set region = \"%s\" for this store, and an endpoint that "
                       "serves it.",
                       region);
        return;
    }
    (void)snprintf(text, sizeof(text), "%s%s", answer->text,
                   answer->head->status < 400 ? ", a redirect, which is not followed" : "");
    deny(verdict, text);
    (void)err_hint(&verdict->err, "Check region (\"%s\") and endpoint (%s) of this store.",
                   answer->question->region, answer->question->endpoint);
}

static void
judge_forbidden(const struct answer *answer, struct s3_verdict *verdict)
{
    const struct s3_question *question = answer->question;
    static const char *const rights[] = {
        [TASK_PUT] = "s3:PutObject and s3:GetObject",
        [TASK_GET] = "s3:GetObject (and s3:ListBucket, to be told what is absent)",
        [TASK_LIST] = "s3:ListBucket on the bucket",
        [TASK_DELETE] = "s3:DeleteObject",
    };

    deny(verdict, answer->text);
    verdict->next = S3_NEXT_RELOAD;
    if (code_is(answer, "InvalidAccessKeyId") || code_is(answer, "SignatureDoesNotMatch") ||
        answer->head->status != 403)
        (void)err_hint(&verdict->err, "Check the credentials, which come from: %s.",
                       question->credentials_source);
    else
        (void)err_hint(&verdict->err, "The credentials (%s) need %s; bucket \"%s\".",
                       question->credentials_source, rights[question->kind], question->bucket);
}

static void
judge_refused(const struct answer *answer, struct s3_verdict *verdict)
{
    static const char header[] = "If-None-Match";
    const struct buf *body = &answer->response->body;
    char text[ERR_TEXT_SIZE];
    bool names_it = body->size > 0 && memmem(body->data, body->size, header, sizeof(header) - 1);

    if (answer->question->kind != TASK_PUT ||
        !(code_is(answer, "NotImplemented") || (answer->has_error && names_it))) {
        deny(verdict, answer->text);
        return;
    }
    (void)snprintf(text, sizeof(text), "the store does not support conditional create (%s): %s",
                   header, answer->text);
    deny(verdict, text);
    (void)err_hint(&verdict->err, "Without it objects could be overwritten. Use a store that has "
                                  "conditional writes.");
}

/* ---- the table ---- */

enum class {
    CLASS_RETRY,
    CLASS_FORBIDDEN,
    CLASS_CLOCK,
    CLASS_REDIRECT,
    CLASS_NOT_FOUND,
    CLASS_REFUSED,
    CLASS_EXISTS,
    CLASS_RANGE,
    CLASS_STRANGE, /* no answer to what we ask */
};

/* Codes that say more than their status. */
static bool
class_of_code(const char *code, enum class *ret_class)
{
    static const struct {
        const char *code;
        enum class class;
    } rows[] = {
        {"BadDigest", CLASS_RETRY},
        {"IncompleteBody", CLASS_RETRY},
        {"InternalError", CLASS_RETRY},
        {"RequestTimeout", CLASS_RETRY},
        {"ServiceUnavailable", CLASS_RETRY},
        {"SlowDown", CLASS_RETRY},
        {"XAmzContentSHA256Mismatch", CLASS_RETRY},
        {"ExpiredToken", CLASS_FORBIDDEN},
        {"InvalidToken", CLASS_FORBIDDEN},
        {"TokenRefreshRequired", CLASS_FORBIDDEN},
        {"RequestTimeTooSkewed", CLASS_CLOCK},
        {"AuthorizationHeaderMalformed", CLASS_REDIRECT},
        {"IllegalLocationConstraintException", CLASS_REDIRECT},
        {"PermanentRedirect", CLASS_REDIRECT},
        {"TemporaryRedirect", CLASS_REDIRECT},
        {"InvalidObjectState", CLASS_REFUSED},
        {"NotImplemented", CLASS_REFUSED},
        {"QuotaExceeded", CLASS_REFUSED},
    };

    /* A key that is disabled or gone; the credentials are not to blame. */
    if (strncmp(code, "KMS.", 4) == 0) {
        *ret_class = CLASS_REFUSED;
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (strcmp(code, rows[i].code) == 0) {
            *ret_class = rows[i].class;
            return true;
        }
    }
    return false;
}

static enum class class_of_status(int status) { static const struct {int status; enum class class;}
rows[] = {
    {301, CLASS_REDIRECT}, {302, CLASS_REDIRECT},  {303, CLASS_REDIRECT},  {307, CLASS_REDIRECT},
    {308, CLASS_REDIRECT}, {401, CLASS_FORBIDDEN}, {403, CLASS_FORBIDDEN}, {404, CLASS_NOT_FOUND},
    {408, CLASS_RETRY},    {409, CLASS_RETRY},     {412, CLASS_EXISTS},    {416, CLASS_RANGE},
    {429, CLASS_RETRY},    {501, CLASS_REFUSED},   {507, CLASS_REFUSED},
};

for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
    if (status == rows[i].status)
        return rows[i].class;
}
if (status >= 500)
    return CLASS_RETRY;
return status >= 400 ? CLASS_REFUSED : CLASS_STRANGE;
}

static void
judge_error(const struct answer *answer, struct s3_verdict *verdict)
{
    const struct s3_question *question = answer->question;
    enum class class = class_of_status(answer->head->status);

    (void)class_of_code(answer->error.code, &class);
    switch (class) {
    case CLASS_FORBIDDEN:
        judge_forbidden(answer, verdict);
        return;
    case CLASS_CLOCK:
        deny(verdict, answer->text);
        verdict->next = S3_NEXT_FIX_CLOCK;
        (void)err_hint(&verdict->err, "Set this machine's clock; time synchronisation is off.");
        return;
    case CLASS_REDIRECT:
        judge_redirect(answer, verdict);
        return;
    case CLASS_NOT_FOUND:
        judge_not_found(answer, verdict);
        return;
    case CLASS_EXISTS:
        if (question->kind == TASK_PUT && !question->reading_back)
            end(verdict, STORE_EXISTS);
        else
            deny(verdict, answer->text);
        return;
    case CLASS_RANGE:
        if (question->kind == TASK_GET && question->range.size > 0 &&
            code_is(answer, "InvalidRange"))
            end(verdict, 0);
        else
            deny(verdict, answer->text);
        return;
    case CLASS_REFUSED:
        judge_refused(answer, verdict);
        return;
    case CLASS_RETRY:
    case CLASS_STRANGE:
        break;
    }
    retry(verdict, answer->text);
}

void
s3_answer_judge(const struct s3_question *question, const struct http_response *response,
                struct s3_verdict *ret_verdict)
{
    struct answer answer = {.question = question, .response = response, .head = &response->head};
    bool success = answer.head->status >= 200 && answer.head->status <= 299;

    *ret_verdict = (struct s3_verdict){.next = S3_NEXT_FAIL};
    if (response->failure != HTTP_WHOLE) {
        judge_failure(&answer, ret_verdict);
        return;
    }
    if (!success || (question->kind != TASK_GET && !question->reading_back))
        answer.has_error = s3_error_parse(response->body.data, response->body.size, &answer.error);
    describe(&answer);
    if (success)
        judge_success(&answer, ret_verdict);
    else
        judge_error(&answer, ret_verdict);
}
