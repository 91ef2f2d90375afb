/work/w/rel/release/respg --port 7100 --data-dir /work/w/data/0 > /tmp/s.log 2>&1 &
redis-server --port 7200 --appendonly yes --appendfsync always --save "" --dir /tmp/x > /dev/null 2>&1 &
for p in 7100 7200; do until redis-cli -p $p ping 2>/dev/null | grep -q PONG; do sleep 0.2; done; redis-benchmark -p $p -r 100000 -n 300000 -P 16 -d 64 -q -t set >/dev/null; done
b() { redis-benchmark -p $1 -r 100000 -d 64 --csv $2 2>/dev/null | awk -F'"' 'NR>1{print $4}'; }
for r in 1 2 3; do
for load in "-t get -c 1 -n 20000" "-t set -c 1 -n 10000" "-t incr -c 1 -n 10000" "-t get -c 50 -n 200000" "-t set -c 50 -n 100000" "-t get -c 50 -P 16 -n 1500000"; do
 a=$(b 7200 "$load"); c=$(b 7100 "$load"); ./spin & s=$!; d=$(b 7100 "$load"); e=$(b 7200 "$load"); kill $s; wait $s 2>/dev/null
 echo "$load | redis $a respg $c respg+spin $d redis+spin $e"
done; done
redis-cli -p 7100 shutdown; redis-cli -p 7200 shutdown nosave; wait
