#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
# Install the Debian 12 packages that are missing:  sh tests/support/install.sh [build|tour|test|fuzz|coverage]...
#   build      compile Seawall
#   tour       also what tests/tour.sh needs
#   test       also build and run every suite (the default)
#   fuzz       also what libFuzzer needs
#   coverage   also what counts the lines that tests run
# Does nothing, and needs no rights, when all are there.
set -eu

build='gcc libc6-dev meson ninja-build pkg-config libcurl4-openssl-dev libssl-dev liblz4-dev
  libzstd-dev libconfig-dev libjansson-dev libexpat1-dev libpq-dev'
test="$build clang libcmocka-dev python3 postgresql-15 postgresql-server-dev-15 age lz4 zstd mandoc
  openssl curl procps
  util-linux ceph-mon ceph-osd ceph-common radosgw"
tour="$build postgresql-15"
fuzz="$test libclang-rt-14-dev"
coverage="$test gcovr"

wanted=
for group in "${@:-test}"; do
  case $group in
    build) wanted="$wanted $build" ;;
    test) wanted="$wanted $test" ;;
    tour) wanted="$wanted $tour" ;;
    fuzz) wanted="$wanted $fuzz" ;;
    coverage) wanted="$wanted $coverage" ;;
    *) echo "usage: install.sh [build|tour|test|fuzz|coverage]..." >&2; exit 2 ;;
  esac
done

missing=
for package in $wanted; do
  case " $missing " in *" $package "*) continue ;; esac
  # ${Status} is dpkg's own variable
  # shellcheck disable=SC2016
  [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || :)" = 'install ok installed' ] ||
    missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "install.sh: not root and no sudo; please install:$missing" >&2
    exit 1
  fi
  sudo='sudo -n'
fi
echo "installing:$missing"

# The tests make their own clusters; the package must not make and start one beside them.
no_cluster=/etc/postgresql-common/createcluster.d/seawall-tests.conf
new_server=
case " $missing " in *' postgresql-15 '*) new_server=yes ;; esac
log=$(mktemp)
finish() {
  [ -z "$new_server" ] || $sudo rm -f "$no_cluster"
  rm -f "$log"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if [ -n "$new_server" ]; then
  $sudo mkdir -p "${no_cluster%/*}"
  echo 'create_main_cluster = false' | $sudo tee "$no_cluster" >/dev/null
fi

apt() {
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 \
    -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" >>"$log" 2>&1 </dev/null
}
# shellcheck disable=SC2086
if ! { apt update && apt install --no-install-recommends $missing; }; then
  tail -n 40 "$log" >&2
  echo "install.sh: apt-get failed" >&2
  exit 1
fi
