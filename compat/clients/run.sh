#!/usr/bin/env bash
# Runs the client programs, two at a time, and summarises.
#   run.sh                   against respg, built and started here on Postgres data directories of its own
#   run.sh redis | valkey    against the reference servers
#   run.sh ADDRESS LOCKED    against running servers (HOST:PORT); LOCKED is one whose password is "secret"
# What fails on respg is run against redis-server too, in the same run, to tell whose fault it is.
# ONLY="redis-cli fred" limits the run to these clients, VERBOSE=1 prints every check, RESPG_BIN skips the build.
set -uo pipefail
. "$(dirname "$0")/paths.sh"
"$here/install.sh" || exit 1

programs="
redis-cli          $here/cli/main.sh
redis-py-5         $RESPG_CLIENTS_DIR/redis-py-5/bin/python $here/python/main.py
redis-py-8         $RESPG_CLIENTS_DIR/redis-py-8/bin/python $here/python/main.py
redis-py-8-hiredis $RESPG_CLIENTS_DIR/redis-py-8-hiredis/bin/python $here/python/main.py
ioredis-5          node $here/node/main.mjs ioredis5
ioredis-6          node $here/node/main.mjs ioredis6
node-redis-4       node $here/node/main.mjs redis4
node-redis-5       node $here/node/main.mjs redis5
node-redis-6       node $here/node/main.mjs redis6
redis-rs           $RESPG_CLIENTS_DIR/rust/debug/redis-rs
fred               $RESPG_CLIENTS_DIR/rust/debug/fred
hiredis            $RESPG_CLIENTS_DIR/hiredis
phpredis-5         php $here/php/main.php
phpredis-6         $RESPG_CLIENTS_DIR/phpredis-6/php $here/php/main.php
socket.io          node $here/node/socketio.mjs
faststream         $RESPG_CLIENTS_DIR/faststream/bin/python $here/python/faststream_app.py
action-cable       ruby $here/ruby/action_cable.rb
"

work=$(mktemp -d)
chmod 755 "$work" # respg runs Postgres as another user when it is root
servers=()
stop() {
  for server in "${servers[@]}"; do kill "$server" 2>/dev/null; done
  wait
  rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM

# start NAME PORT COMMAND...: in the background, until it accepts connections.
start() {
  local name=$1 port=$2; shift 2
  "$@" >"$work/$name.log" 2>&1 &
  servers+=($!)
  for _ in $(seq 300); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
    kill -0 "${servers[-1]}" 2>/dev/null || break
    sleep 0.2
  done
  echo "$name does not answer on port $port:" >&2
  tail -20 "$work/$name.log" >&2
  exit 1
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# start_pair OPTIONS... : the command in `launch`, without and with a password. Sets `open` and `locked`.
start_pair() {
  local port=$(free_port)
  start open "$port" "$@" --port "$port" --bind 127.0.0.1 "$data" "$work/open"
  open=127.0.0.1:$port
  port=$(free_port)
  start locked "$port" "$@" --port "$port" --bind 127.0.0.1 "$data" "$work/locked" --requirepass secret
  locked=127.0.0.1:$port
}

mkdir "$work/open" "$work/locked"
case "$#:${1:-respg}" in
0:* | 1:respg)
  repository=$(cd "$here/../.." && pwd)
  if [ -z "${RESPG_BIN:-}" ]; then
    cargo build --quiet --manifest-path "$repository/Cargo.toml" --bin respg || exit 1
    RESPG_BIN=${CARGO_TARGET_DIR:-$repository/target}/debug/respg
  fi
  rmdir "$work/open" "$work/locked"
  data=--data-dir start_pair "$RESPG_BIN"
  # A second process over the same data: its log says how to reach the Postgres of the first.
  second=$(free_port)
  for _ in $(seq 300); do grep -q psql "$work/open.log" && break; sleep 0.2; done
  database=$(sed -n 's/.*psql "\(.*\)".*/\1/p' "$work/open.log")
  start second "$second" "$RESPG_BIN" --port "$second" --bind 127.0.0.1 --database-url "$database"
  export SECOND_SERVER=127.0.0.1:$second
  reference=redis-server ;;
1:redis) data=--dir start_pair redis-server --save '' ;;
1:valkey) data=--dir start_pair "${VALKEY_SERVER:-/opt/respg-oracles/bin/valkey-server}" --save '' ;;
2:*) open=$1 locked=$2 ;;
*) sed -n '2,7s/^# //p' "$0"; exit 2 ;;
esac

# run_one DATABASE NAME COMMAND...: one program; its verdicts go to NAME.out in $out, its summary to the terminal.
run_one() {
  local db=$1 name=$2 begun=$SECONDS status; shift 2
  timeout 120 "$@" "$db" "$open" "$locked" >"$out/$name.out" 2>&1
  status=$?
  if ! tail -1 "$out/$name.out" | grep -qE '^[0-9]+ passed, [0-9]+ failed$'; then
    tail -5 "$out/$name.out"
    printf '\nFAIL  no summary, exit status %s\n0 passed, 1 failed\n' "$status" >>"$out/$name.out"
  fi
  grep -aE "^FAIL${VERBOSE:+|^ok}|^  in " "$out/$name.out" | sed "s/^/$label$name: /"
  printf '%s%-18s %s in %s s\n' "$label" "$name" "$(tail -1 "$out/$name.out")" $((SECONDS - begun))
}
export -f run_one
export VERBOSE="${VERBOSE:-}"

# run_all OUT LABEL NAMES: those of the programs, or all, two at a time. Programs that run at the same time have databases of their own.
run_all() {
  mkdir -p "$1"
  awk -v only=" $3 " 'NF { n++; if (only == "  " || index(only, " " $1 " ")) print (n - 1) % 14 + 1, $0 }' <<<"$programs" |
    out=$1 label=$2 open=$open locked=$locked xargs -P2 -I{} bash -c 'run_one {}'
}

run_all "$work/out" "" "${ONLY:-}"

failed=$(grep -LE '^[0-9]+ passed, 0 failed$' "$work/out"/*.out | xargs -r -n1 basename -s .out | tr '\n' ' ')
if [ -n "$failed" ] && [ -n "${reference:-}" ]; then
  mkdir "$work/reference" "$work/reference/open" "$work/reference/locked"
  work=$work/reference data=--dir start_pair "$reference" --save ''
  unset SECOND_SERVER
  run_all "$work/reference" "$reference: " "$failed"
fi

cat "$work/out"/*.out | awk '/^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3 } END { print passed + 0 " passed, " failed + 0 " failed"; exit failed > 0 || passed == 0 }'
