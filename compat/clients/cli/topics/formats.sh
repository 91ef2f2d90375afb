# How redis-cli prints the different reply types, in both protocols.
cli mset int 1 text $'a"b' >/dev/null
same 'formats: status' OK tty_cli set k v
same 'formats: bulk' '"a\"b"' tty_cli get text
same 'formats: binary' '"\xff\x00"' bash -c "printf '\\xff\\x00' | redis-cli -h $host -p $port -n $db -x set bin >/dev/null; redis-cli --no-raw -h $host -p $port -n $db get bin"
same 'formats: integer' '(integer) 2' tty_cli incr int
same 'formats: nil' '(nil)' tty_cli get none
same 'formats: nil in RESP3' '(nil)' tty_cli -3 get none
same 'formats: array' $'1) "2"\n2) (nil)' tty_cli mget int none
same 'formats: empty array' '(empty array)' tty_cli keys none
same 'formats: map in RESP2' $'1) "databases"\n2) "16"' tty_cli config get databases
same 'formats: map in RESP3' '1# "databases" => "16"' tty_cli -3 config get databases
same 'formats: error' '(error) ERR value is not an integer or out of range' tty_cli incr text
same 'formats: error, -e' 'ERR value is not an integer or out of range' cli -e incr text
same 'formats: --csv' '"2","v"' cli --csv mget int k
same 'formats: --json' '{"databases":"16"}' cli --json config get databases
same 'formats: --quoted-input' OK cli --quoted-input set '"q\x00\n"' '"\xfe"'
same 'formats: -r' $'3\n4\n5' cli -r 3 incr int
same 'formats: -d' '5,v' cli -d , mget int k
like 'formats: verbatim' '^redis_version:[0-9.]+' cli -3 info server
