#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
# Seawall in two minutes: a private PostgreSQL, two regions, a dropped table, a hole, a lost region.
#   sh tests/tour.sh
# Installs what is missing, works in a new directory below /tmp (or in SEAWALL_BUILD), as user
# postgres or nobody (or SEAWALL_TEST_USER) when root starts it, and removes what it made.
set -eu

# ---- part one: packages, a place, an unprivileged user ----

if [ "${1-}" != --steps ]; then
  top=$(cd "$(dirname "$0")/.." && pwd)
  sh "$top/tests/support/install.sh" tour
  user=$(id -un)
  if [ "$(id -u)" -eq 0 ]; then
    for user in "${SEAWALL_TEST_USER:-postgres}" nobody; do
      if id -u "$user" >/dev/null 2>&1; then break; fi
    done
  fi
  if [ -n "${SEAWALL_BUILD:-}" ]; then
    mkdir "$SEAWALL_BUILD"
    work=$(cd "$SEAWALL_BUILD" && pwd)
  else
    work=$(mktemp -d /tmp/seawall-tour.XXXXXX)
  fi
  child=
  leave() {
    trap '' INT TERM HUP
    if [ -n "$child" ]; then
      kill -TERM "-$child" 2>/dev/null || :
      wait "$child" || :
    fi
    rm -rf "$work"
  }
  trap leave EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
  # the user may not see the checkout
  mkdir "$work/src"
  for part in "$top"/*; do
    [ -e "$part/build.ninja" ] || cp -R "$part" "$work/src"
  done
  chmod 755 "$work"
  set -- env -i PATH="/usr/local/bin:/usr/bin:/bin" HOME="$work" LC_ALL=C.UTF-8 TZ=UTC WORK="$work" \
    sh "$work/src/tests/tour.sh" --steps
  if [ "$(id -u)" -eq 0 ]; then
    chown -R "$user:" "$work"
    set -- setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups "$@"
  fi
  # a session of its own, so that its running command can be ended together with it
  setsid "$@" &
  child=$!
  status=0
  wait "$child" || status=$?
  child=
  exit "$status"
fi

# ---- part two: the tour ----

cd "$WORK"
servers=
load=
leave() {
  trap '' INT TERM HUP
  [ -z "$load" ] || kill "$load" 2>/dev/null || :
  for data in $servers; do
    pg_ctl -D "$data" -m immediate -s stop 2>/dev/null || :
  done
  rm -rf "$WORK/"* 2>/dev/null || :
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

step() { printf '\n%s\n' "$*"; }
say() { printf '    %s\n' "$*"; }
die() {
  printf '\nFAILED: %s\n' "$*" >&2
  # shellcheck disable=SC2012
  newest=$(ls -t "$WORK"/*.log 2>/dev/null | head -n 1)
  [ -z "$newest" ] || tail -n 20 "$newest" >&2
  exit 1
}
# Show a command, run it, show what it says; go on only if it ends with the expected exit code.
run() {
  printf '%s\n' "$1" | sed -e 's/^/    /' -e '1s/^   /  $/'
  code=0
  eval "$1" >"$WORK/out" 2>&1 </dev/null || code=$?
  sed 's/^/    /' "$WORK/out"
  [ "$code" -eq "${2:-0}" ] || die "exit code $code"
  [ "$code" -eq 0 ] || say "(exit code $code)"
}
sql() { psql -XAtq -v ON_ERROR_STOP=1 -c "$1"; }
wait_for() {
  tries=600
  until [ "$(eval "$1" 2>/dev/null)" = "$2" ]; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || die "waited in vain: $1"
    sleep 0.1
  done
}

step '1. Build and install (here into a private directory).'
run 'meson setup build src --prefix "$WORK/usr" --buildtype release -Dtests=false -Darchive_library=disabled >build.log'
run 'meson install -C build >>build.log || { tail -n 40 build.log; false; }'
for bin in /usr/lib/postgresql/*/bin; do server=$bin; done
export PATH="$WORK/usr/bin:$server:$PATH"
run 'seawall --version && postgres --version'

step '2. Configure: a name, two stores, and the keys that "seawall keygen" makes.'
export SEAWALL_CONFIG="$WORK/etc/seawall.conf"
mkdir -m 700 etc paris frankfurt run
cat >"$SEAWALL_CONFIG" <<EOF
cluster = "main";
stores = ( { name = "paris"; url = "file://$WORK/paris"; },
           { name = "frankfurt"; url = "file://$WORK/frankfurt"; } );
EOF
run 'seawall keygen --dir etc >>etc/seawall.conf'
echo "conninfo = \"host=$WORK/run user=postgres dbname=postgres\";" >>"$SEAWALL_CONFIG"
run 'cat etc/seawall.conf'
say '(directories stand for buckets: s3://bucket/path is configured at the same place)'

step '3. Start a PostgreSQL that archives with Seawall.'
export PGHOST="$WORK/run" PGUSER=postgres PGDATABASE=postgres
run 'initdb -D data -U postgres -A trust --no-instructions >initdb.log'
cat >>data/postgresql.conf <<EOF
archive_mode = on
archive_command = 'seawall-push %p'
archive_timeout = 60
listen_addresses = ''
unix_socket_directories = '$WORK/run'
log_statement = ddl
log_line_prefix = '%m '
log_timezone = UTC
EOF
servers="$WORK/data"
run 'grep ^archive_ data/postgresql.conf'
run 'pg_ctl -D data -l data.log -w start >/dev/null'

step '4. Check before it matters: keys, stores, server, and the way of a segment into the stores.'
run 'seawall check'

step '5. Work: orders come in all the time, and meanwhile the base backup goes into both regions.'
run 'psql -Xqc "create table orders (id serial primary key, customer int, amount numeric)"'
echo 'insert into orders (customer, amount) select random() * 1000, random() * 100
  from generate_series(1, 20);' >order.sql
pgbench -n -c 2 -T 12 -f order.sql >pgbench.log 2>&1 &
load=$!
say '(pgbench inserts orders)'
run 'seawall backup'
wait "$load" || die "$(tail -n 5 pgbench.log)"
load=
question='select count(*), sum(amount), md5(string_agg(orders::text, chr(10) order by id)) from orders'
before=$(sql "$question")
rows=${before%%|*}
say "rows before the incident: $rows"
sql 'select pg_switch_wal()' >/dev/null
sleep 0.1

step '6. The incident: somebody drops the table. The log knows when.'
run 'psql -Xqc "drop table orders"'
run 'psql -Xc "select count(*) from orders"' 1
run "grep 'drop table' data.log"
dropped=$(sed -n 's/ UTC LOG:  statement: drop table.*/+00/p' data.log)
[ -n "$dropped" ] || die 'the time of the incident is not in the log'
last=$(sql 'select pg_walfile_name(pg_switch_wal())')
wait_for "sql 'select last_archived_wal >= \$\$$last\$\$ from pg_stat_archiver'" t
run 'pg_ctl -D data -m immediate stop >/dev/null'

step '7. What the archive holds, and what it saw: the incident stands in the archived WAL.'
run 'seawall list'
run 'seawall events --kind drop_table'
grep -q 'drop_table public.orders' out || die 'seawall events does not show the incident'

# The rows must be the same, to the last digit, and the target must have ended the recovery.
prove() {
  wait_for "sql 'select pg_is_in_recovery()'" f
  run "grep -E 'starting point|recovery stopping|last completed|new timeline' $1.log"
  grep -q 'recovery stopping before WAL location' "$1.log" || die 'recovery did not reach its target'
  say "restored from the archive: $(grep -c 'restored log file' "$1.log") segments"
  run 'psql -Xc "select count(*) from orders"'
  after=$(sql "$question")
  [ "$after" = "$before" ] || die "rows differ: $before before, $after after"
  say "rows before the incident: $rows; after recovery: ${after%%|*}; count, sum and MD5 agree"
  run "pg_ctl -D $1 -m fast stop >/dev/null"
}

# Restore into a new directory; the rehearsal's server archives nothing.
restore() {
  run "seawall restore --before drop_table:orders --target-action promote --target-dir $1 >$1.out"
  run "tail -n 9 $1.out"
  servers="$servers $WORK/$1"
  start="pg_ctl -D $1 -l $1.log -o '-c archive_mode=off' -w start >/dev/null 2>&1"
}

step '8. Plan: can recovery go to just before the incident? Proven before anything is written.'
run "seawall plan --before drop_table:orders"

step '9. Restore into a new directory, and start it (a rehearsal: archive_mode=off).'
restore first
run "$start"
prove first

step '10. A hole: one segment disappears from both regions. The plan refuses, and says what is left.'
name=$(basename "$(find paris/main/*/wal -name '????????????????????????' | sort | tail -n 2 | head -n 1)")
healthy=$(basename "$(find paris/main/*/wal -name '????????????????????????' | sort | tail -n 3 | head -n 1)")
for store in paris frankfurt; do
  mv "$(find "$store" -name "$name")" "$store.aside"
done
say "($name is moved away)"
run "seawall plan --time '$dropped'" 12
grep -q "$healthy" out || die "the last healthy segment, $healthy, is not named"
run "seawall restore --time '$dropped' --target-dir holed >/dev/null" 12
[ ! -e holed ] || die 'it wrote something'
for store in paris frankfurt; do
  mv "$store.aside" "$(find "$store" -path '*/wal/*' -name "$healthy" -exec dirname {} ';')/$name"
done
say '(and is back)'

step '11. A whole region burns down.'
run 'rm -rf paris'

step '12. The plan warns. Frankfurt alone cannot prove what Paris did not hold: acknowledge is 1 of 2.'
say 'So the server refuses to guess, and does not promote short.'
run "echo 'fetch_timeout = 5;   # the default is two minutes' >>etc/seawall.conf"
restore second
run "$start || true   # it may be up for reading already"
wait_for "grep -c 'FATAL:  could not restore file' second.log" 1
wait_for '[ -e second/postmaster.pid ] || echo gone' gone
run "grep -E 'seawall-fetch|FATAL:  could not' second.log"
[ ! -e second/pg_wal/00000002.history ] || die 'it promoted'

step '13. You know that Paris is lost for good, so take it out of the configuration.'
run "sed -i -e '/\"paris\"/d' -e 's/^  *{ name = \"frankfurt\"/stores = ( { name = \"frankfurt\"/' etc/seawall.conf"
run 'head -n 2 etc/seawall.conf'
run "$start"
prove second

step "Done: $rows rows were dropped, and came back twice; the second time without Paris."
