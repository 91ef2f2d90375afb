#!/usr/bin/env bash
# Installs the pinned client libraries from their registries. Does nothing for those whose inputs have not changed.
set -euo pipefail
. "$(dirname "$0")/paths.sh"
mkdir -p "$RESPG_CLIENTS_DIR/stamps"

# step NAME INPUTS COMMAND: runs COMMAND unless it was run before with the same INPUTS (files).
step() {
  local stamp=$RESPG_CLIENTS_DIR/stamps/$1 sum
  sum=$( (cd "$here" && cat $2; declare -f "$3") | sha256sum)
  [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ] && return
  echo "installing $1" >&2
  "$3"
  echo "$sum" >"$stamp"
}

debian() {
  command -v redis-cli php gcc ruby >/dev/null && [ -e /usr/include/hiredis/hiredis.h ] && php -m | grep -qx redis &&
    [ -e /usr/share/doc/ruby-actioncable ] && [ -e /usr/share/doc/ruby-redis ] && return
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends redis-tools libhiredis-dev php-cli php-redis gcc libc6-dev \
    ruby ruby-actioncable ruby-redis >/dev/null
}

python() { # VERSION
  python3 -m venv --clear "$RESPG_CLIENTS_DIR/redis-py-$1"
  "$RESPG_CLIENTS_DIR/redis-py-$1/bin/pip" --disable-pip-version-check -q install --no-deps -r "$here/python/requirements-$1.txt"
}
python5() { python 5; }
python8() { python 8; }
python8_hiredis() { python 8-hiredis; }

faststream() {
  python3 -m venv --clear "$RESPG_CLIENTS_DIR/faststream"
  "$RESPG_CLIENTS_DIR/faststream/bin/pip" --disable-pip-version-check -q install --no-deps -r "$here/python/requirements-faststream.txt"
}

node() {
  mkdir -p "$RESPG_CLIENTS_DIR/node"
  cp "$here"/node/package*.json "$RESPG_CLIENTS_DIR/node/"
  npm ci --prefix "$RESPG_CLIENTS_DIR/node" --silent --no-audit --no-fund
}

phpredis6() { "$here/php/trixie.sh" "$RESPG_CLIENTS_DIR/phpredis-6"; }

hiredis() { gcc -std=gnu11 -O1 -Wall -Wextra -o "$RESPG_CLIENTS_DIR/hiredis" "$here"/c/main.c "$here"/c/topics/*.c -lhiredis -lpthread; }

rust() { CARGO_TARGET_DIR=$RESPG_CLIENTS_DIR/rust cargo build --locked --quiet --manifest-path "$here/rust/Cargo.toml"; }

debian
step redis-py-5 python/requirements-5.txt python5
step redis-py-8 python/requirements-8.txt python8
step redis-py-8-hiredis python/requirements-8-hiredis.txt python8_hiredis
step faststream python/requirements-faststream.txt faststream
step node node/package-lock.json node
step hiredis "c/kit.h c/main.c $(cd "$here" && echo c/topics/*.c)" hiredis
step phpredis-6 php/trixie.sh phpredis6
rust # cargo itself knows what has changed
