#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
# Install what is missing, build with gcc, clang and sanitizers, run every suite, count.
#   sh tests/run.sh [--quick] [--keep] [SUITE...]       see tests/support/runner.py
set -eu
here=$(cd "$(dirname "$0")" && pwd)
case " $* " in
  *' --help '* | *' -h '*) ;;
  *) sh "$here/support/install.sh" test ;;
esac
# not the first python3 of the PATH: the tests run as another user, who may not see it
python=/usr/bin/python3
[ -x "$python" ] || python=python3
exec "$python" -B "$here/support/runner.py" "$@"
