# The modes that are programs of their own.
benchmark() { redis-benchmark -h "$host" -p "$port" --dbnum "$db" "$@" 2>&1 | tr '\r' '\n' | grep -aE 'requests per second|rror'; }
pipe_mass_insertion() { for n in $(seq 1000); do echo "SET pipe:$n $n"; done | cli --pipe; }
killed() { # the connection is closed under redis-cli's feet; it reports that and reconnects
  { echo 'client id'; sleep 0.4; echo ping; echo 'client info'; } | cli >"$work" & sleep 0.2
  cli client kill id "$(head -1 "$work")" >/dev/null; wait $!; cat "$work"
}
work=$(mktemp)
like 'tools: --pipe' '^errors: 0, replies: 1000$' pipe_mass_insertion
same 'tools: --scan' 1000 bash -c "redis-cli -h $host -p $port -n $db --scan --pattern 'pipe:*' | sort -u | wc -l"
like 'tools: --bigkeys' '^1000 strings with 2893 bytes' cli --bigkeys
like 'tools: --memkeys' '^1000 strings with [0-9]+ bytes' cli --memkeys
like 'tools: --stat' '^[0-9]+ +[0-9.]+[KMG] +[0-9]+ +[0-9]+ +[0-9]+ ' timeout 1 stdbuf -oL redis-cli -h "$host" -p "$port" --stat -i 0.1
like 'tools: --latency' '^[0-9.]+ [0-9.]+ [0-9.]+ [0-9]+$' bash -c "timeout 3 redis-cli -h $host -p $port --raw --latency -i 1 | head -1"
like 'tools: reconnects after CLIENT KILL' ' cmd=client.info ' killed
same 'tools: redis-benchmark' 4 bash -c "$(declare -f benchmark); host=$host port=$port db=$db; benchmark -q -n 2000 -c 50 -t ping_mbulk,set,get,incr | grep -c second"
same 'tools: redis-benchmark, pipelined' 2 bash -c "$(declare -f benchmark); host=$host port=$port db=$db; benchmark -q -n 5000 -P 16 -r 1000 -t set,mset | grep -c second"
cli set n 0 >/dev/null
same 'pool: 50 clients count exactly' 1000 bash -c "redis-benchmark -h $host -p $port --dbnum $db -c 50 -n 1000 -q incr n >/dev/null 2>&1; redis-cli -h $host -p $port -n $db get n"
rm -f "$work"
