#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
# How much of the code the tests run: lines and branches of each folder, by gcc and gcovr.
#   sh tests/coverage.sh [--keep] [SUITE...]       by default unit fuzz golden cli; pg and s3 take longer
# --keep leaves the build, and every line in coverage.html. Lines that only a process ran that was
# killed, or that ended by a signal, count as not run.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
sh "$here/support/install.sh" coverage
python=/usr/bin/python3
[ -x "$python" ] || python=python3
SEAWALL_BUILD=${SEAWALL_BUILD:-/tmp/seawall-coverage-$(id -un)}
export SEAWALL_BUILD
exec "$python" -B "$here/support/runner.py" --coverage "$@"
