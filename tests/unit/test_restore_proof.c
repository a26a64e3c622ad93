/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "cmocka_all.h"
#include "codec/digest.h"
#include "restore/restore_proof.h"

#define LABEL "20261122T153600Z"
#define OTHER "20261122T153601Z"
#define N_PARTS 3

static struct err err;

static const uint8_t digests[N_PARTS][DIGEST_SIZE] = {{1}, {2, 2}, {3, 3, 3}};

/* Of a backup with these parts. */
static void
begin(struct restore_proof *proof, struct backup_complete *complete)
{
    const struct span all = {digests[0], sizeof(digests)};

    *complete = BACKUP_COMPLETE_INIT;
    memcpy(complete->label, LABEL, sizeof(LABEL));
    complete->n_parts = N_PARTS;
    assert_int_equal(digest_sha256(&all, 1, complete->parts_digest, &err), 0);
    assert_int_equal(restore_proof_init(proof, complete, &err), 0);
    err_clear(&err);
}

static void
parts_in_any_order_are_those_of_the_backup(void **state)
{
    static const uint32_t orders[][N_PARTS] = {{1, 2, 3}, {3, 1, 2}, {2, 3, 1}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        struct backup_complete complete;
        AUTO(restore_proof) struct restore_proof proof;

        begin(&proof, &complete);
        for (size_t k = 0; k < N_PARTS; k++) {
            assert_int_equal(restore_proof_check(&proof, &err), -1);
            assert_int_equal(restore_proof_note(&proof, LABEL, orders[i][k],
                                                digests[orders[i][k] - 1], &err),
                             0);
        }
        assert_int_equal(restore_proof_next(&proof, 1), 0);
        assert_int_equal(restore_proof_check(&proof, &err), 0);
    }
}

static void
what_was_not_seen_is_named(void **state)
{
    struct backup_complete complete;
    AUTO(restore_proof) struct restore_proof proof;

    (void)state;
    begin(&proof, &complete);
    assert_int_equal(restore_proof_next(&proof, 1), 1);
    assert_int_equal(restore_proof_note(&proof, LABEL, 2, digests[1], &err), 0);
    assert_int_equal(restore_proof_note(&proof, OTHER, 1, digests[0], &err), 0);
    assert_int_equal(restore_proof_next(&proof, 1), 1);
    assert_int_equal(restore_proof_next(&proof, 2), 3);
    assert_int_equal(restore_proof_next(&proof, 4), 0);
}

static void
other_parts_are_refused(void **state)
{
    struct backup_complete complete;
    AUTO(restore_proof) struct restore_proof proof;

    (void)state;
    begin(&proof, &complete);
    assert_int_equal(restore_proof_note(&proof, LABEL, 0, digests[0], &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_int_equal(restore_proof_note(&proof, LABEL, N_PARTS + 1, digests[0], &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    for (uint32_t part = 1; part <= N_PARTS; part++)
        assert_int_equal(restore_proof_note(&proof, LABEL, part, digests[0], &err), 0);
    assert_int_equal(restore_proof_note(&proof, LABEL, 1, digests[0], &err), 0);
    assert_int_equal(restore_proof_note(&proof, LABEL, 1, digests[1], &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_int_equal(restore_proof_check(&proof, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_non_null(strstr(err.text, LABEL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_in_any_order_are_those_of_the_backup),
        cmocka_unit_test(what_was_not_seen_is_named),
        cmocka_unit_test(other_parts_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
