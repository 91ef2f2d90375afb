same 'connection: ping' PONG cli ping
same 'connection: -3' PONG cli -3 ping
like 'connection: database' " db=$db " cli client info
like 'connection: RESP3' ' resp=3' cli -3 client info
same 'connection: -a' PONG locked_cli --no-auth-warning -a secret ping
same 'connection: --user --pass' PONG locked_cli --no-auth-warning --user default --pass secret ping
same 'connection: -u URL' OK redis-cli --no-auth-warning -u "redis://default:secret@$locked_host:$locked_port/$db" set "url:$db" 1
like 'connection: REDISCLI_AUTH' " db=$db " env REDISCLI_AUTH=secret redis-cli -h "$locked_host" -p "$locked_port" -n "$db" -3 client info
same 'connection: no password' 'NOAUTH Authentication required.' locked_cli ping
like 'connection: wrong password' '^AUTH failed: WRONGPASS invalid username-password pair or user is disabled\.' locked_cli --no-auth-warning -a wrong ping
like 'connection: needless password' '^AUTH failed: ERR AUTH <password> called without any password configured' cli --no-auth-warning -a needless ping
like 'connection: bad database' 'ERR DB index is out of range' cli -n 9999 ping
