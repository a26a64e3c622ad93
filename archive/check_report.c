/* SPDX-License-Identifier: PostgreSQL */
#include "archive/check_report.h"

#include <stdarg.h>
#include <stdio.h>

/* Texts carry names of files and stores as they are; a terminal must not be driven by them. */
static void
print_line(const char *head, const char *text)
{
    (void)fputs(head, stdout);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;

        (void)putchar(byte < 0x20 || byte == 0x7f ? '?' : byte);
    }
    (void)putchar('\n');
}

/* A run can wait long for a server: what is known is shown at once. */
static void
print_row(const char *head, const char *text, const char *hint)
{
    print_line(head, text);
    if (hint[0] != '\0')
        print_line("        hint: ", hint);
    (void)fflush(stdout);
}

static void
add_json(struct json *json, const char *group, const char *name, const char *status)
{
    json_open_object(json, NULL);
    json_add_text(json, "group", group);
    json_add_text(json, "name", name);
    json_add_text(json, "status", status);
}

static void
end_json(struct json *json, const char *detail, const char *hint)
{
    json_add_text(json, "detail", detail);
    json_add_text(json, "hint", hint[0] == '\0' ? NULL : hint);
    json_close(json);
}

void
check_report_begin(struct check_report *report, struct json *json)
{
    *report = (struct check_report){.json = json};
    if (json != NULL)
        json_open_array(json, "checks");
}

void
check_report_group(struct check_report *report, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(report->group, sizeof(report->group), format, arguments);
    va_end(arguments);
    if (report->json == NULL)
        print_line(report->n_groups == 0 ? "" : "\n", report->group);
    report->n_groups++;
}

/* Is there room for one more? Nothing but a bug fills the report. */
static bool
has_room(const struct check_report *report)
{
    return report->n_ok + report->n_warnings + report->n_failed < CHECK_ROWS_MAX;
}

void
check_report_ok(struct check_report *report, const char *name, const char *format, ...)
{
    char text[ERR_TEXT_SIZE];
    va_list arguments;

    if (!has_room(report))
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    report->n_ok++;
    if (report->json == NULL) {
        print_row("ok      ", text, "");
        return;
    }
    add_json(report->json, report->group, name, "ok");
    end_json(report->json, text, "");
}

void
check_report_warning(struct check_report *report, const char *name, const struct err *err)
{
    if (!has_room(report))
        return;
    report->n_warnings++;
    if (report->json == NULL) {
        print_row("WARNING ", err->text, err->hint);
        return;
    }
    add_json(report->json, report->group, name, "warning");
    end_json(report->json, err->text, err->hint);
}

void
check_report_failed(struct check_report *report, const char *name, const struct err *err)
{
    if (report->first_failure == ERR_NONE)
        report->first_failure = err->kind == ERR_NONE ? ERR_INTERNAL : err->kind;
    report->n_failed++;
    if (report->n_ok + report->n_warnings + report->n_failed > CHECK_ROWS_MAX)
        return;
    if (report->json == NULL) {
        print_row("FAILED  ", err->text, err->hint);
        return;
    }
    add_json(report->json, report->group, name, "failed");
    end_json(report->json, err->text, err->hint);
}

int
check_report_end(struct check_report *report, struct err *err)
{
    size_t n = report->n_ok + report->n_warnings + report->n_failed;

    if (report->json != NULL) {
        json_close(report->json);
        json_add_bool(report->json, "ok", report->n_failed == 0);
        if (json_print(report->json, err) < 0)
            return -1;
    } else if (report->n_failed == 0) {
        (void)printf("\nNothing failed: %zu checks, %zu warnings.\n", n, report->n_warnings);
    }
    if (fflush(stdout) != 0 || ferror(stdout) != 0)
        return err_set(err, ERR_LOCAL, "could not write to standard output");
    if (report->n_failed > 0)
        return err_set(err, report->first_failure, "%zu of %zu checks failed", report->n_failed, n);
    return 0;
}
