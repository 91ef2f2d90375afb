#!/usr/bin/env bash
# main.sh DB SERVER LOCKED_SERVER: redis-cli and redis-benchmark against SERVER's database DB.
here=$(dirname "$(readlink -f "$0")")
db=$1 host=${2%:*} port=${2#*:} locked_host=${3%:*} locked_port=${3#*:}
. "$here/kit.sh"
for topic in "$here"/topics/*.sh; do
  cli flushdb >/dev/null
  . "$topic"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
