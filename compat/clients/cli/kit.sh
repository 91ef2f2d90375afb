# Collects and counts. A topic file defines checks by calling `same` and `like`.
passed=0 failed=0

# Runs redis-cli against database DB, piped: raw output, as a script sees it.
cli() { redis-cli -h "$host" -p "$port" -n "$db" "$@" 2>&1; }
locked_cli() { redis-cli -h "$locked_host" -p "$locked_port" "$@" 2>&1; }
# The same, with output formatted as at a terminal.
tty_cli() { cli --no-raw "$@"; }

verdict() { # NAME GOT WANT STATUS
  if [ "$4" = 0 ]; then passed=$((passed + 1)); echo "ok    $1"
  else failed=$((failed + 1)); printf 'FAIL  %s: got %.300q, want %.300q\n' "$1" "$2" "$3"; fi
}

# same NAME WANT COMMAND...: the command's output is exactly WANT.
same() {
  local name=$1 want=$2 got; shift 2
  got=$("$@"); [ "$got" = "$want" ]; verdict "$name" "$got" "$want" $?
}

# like NAME REGEX COMMAND...: some line of the command's output matches.
like() {
  local name=$1 want=$2 got; shift 2
  got=$("$@"); grep -aqE -- "$want" <<<"$got"; verdict "$name" "$got" "$want" $?
}
