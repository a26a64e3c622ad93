/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_contract.h: what store.h promises, as checks that every kind of store must pass.
 */
#ifndef TESTS_STORE_CONTRACT_H
#define TESTS_STORE_CONTRACT_H

#include "store/store.h"

struct contract_place {
    const char *label;           /* "dir" */
    struct store_config config;  /* a store that is there, and empty */
    struct store_config missing; /* one whose directory or bucket is not there */
    unsigned n_names;            /* how many names the paging check makes */
    uint32_t page;               /* and how many it asks for at a time */
};

#define CONTRACT_PLACES_MAX 4

/* Run every check on every place, as one group of cmocka. The number of failures. */
int contract_run(const struct contract_place *places, size_t n_places);

#endif
