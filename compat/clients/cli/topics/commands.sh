session() { printf '%s\n' "$@" | cli; }
same 'strings: SET options' $'OK\n\nv\nOK\n-1' session 'set k v px 100000' 'set k w nx' 'set k w get' 'set k w xx' 'ttl k'
same 'strings: megabyte through -x' 1000000 bash -c "head -c 1000000 /dev/zero | redis-cli -h $host -p $port -n $db -x set big >/dev/null; redis-cli -h $host -p $port -n $db strlen big"
same 'counters: INCRBYFLOAT' $'10.5\n10.6\n5200' session 'incrbyfloat f 10.5' 'incrbyfloat f 0.1' 'incrbyfloat f 5189.4'
same 'bitmaps: BITFIELD' $'0\n10\n12' cli bitfield bf set u8 0 200 incrby u8 '#1' 10 get u4 0
same 'expiry' $'1\n100\n0\n1\n-1\n-2' session 'expire k 100' 'ttl k' 'expire k 50 gt' 'persist k' 'ttl k' 'ttl none'
same 'dump: piped through -D and -x' copied bash -c "redis-cli -h $host -p $port -n $db set d copied >/dev/null; redis-cli -h $host -p $port -n $db -D '' dump d | redis-cli -h $host -p $port -n $db -x restore d2 0 >/dev/null; redis-cli -h $host -p $port -n $db get d2"
same 'multi: error inside' $'OK\nQUEUED\nQUEUED\nQUEUED\nOK\nERR value is not an integer or out of range\n\nx' session multi 'set m x' 'incr m' 'get m' exec
like 'multi: EXECABORT' '^EXECABORT Transaction discarded because of previous errors\.' session multi 'set m' exec
like 'errors: unknown command' "^ERR unknown command 'nosuch', with args beginning with: 'a' 'b' " cli nosuch a b
like 'errors: unknown subcommand' "^ERR unknown subcommand 'nosuch'\. Try CLIENT HELP\." cli client nosuch
like 'errors: cluster' '^ERR This instance has cluster support disabled' cli cluster info
like 'server: INFO keyspace' "^db$db:keys=[0-9]+,expires=" cli info keyspace
same 'server: COMMAND GETKEYS' $'a\nb' cli command getkeys mset a 1 b 2
like 'server: COMMAND DOCS' '^summary$' cli command docs get
