#!/usr/bin/env bash
# All tests, in order, from formatting to frameworks: `tests/run.sh`, or `tests/run.sh STEP...` for some of the steps.
# Installs what they need first. Goes on after a failure; at the end come the last lines of each step that failed, again (of
# a long log often only the end is kept), then `N passed, N failed`; the status is non-zero if anything failed.
set -euo pipefail
cd "$(dirname "$0")/.."

# Steps in one line run side by side: none of them needs the processors all the time.
PLAN=(packages 'install clippy' fmt doc lint licences test 'faults compat' 'clients proxy rehearsal' newest)
NEWEST=$(compgen -G '/opt/respg-oracles/postgres-*' | sort -V | tail -n 1 || true)
# One profile for everything that is built to run, so that all of it shares one build.
export RESPG_BIN=${CARGO_TARGET_DIR:-$PWD/target}/debug/respg

step_packages() { tests/install.sh packages; }
step_install() { tests/install.sh; }
step_fmt() { cargo fmt --check; }
step_clippy() { cargo clippy --locked --all-targets --all-features -- -D warnings; }
step_doc() { RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items; }
step_lint() { docker/lint.sh; }
# Part of `cargo deny check`, with its configuration: building cargo-deny takes longer than all the rest.
step_licences() { cargo metadata --locked --all-features --format-version 1 | python3 tests/licences.py .deny.toml; }
# Most of these tests wait for something most of the time, so there are more at once than cores.
export AT_ONCE=${RUST_TEST_THREADS:-5}
step_test() { RUST_TEST_THREADS=$AT_ONCE cargo test --locked --no-fail-fast --lib --bins --test it --test keyspace; }
step_faults() { cargo test --locked --test faults; }
step_compat() { cargo test --locked --test compat; }
# respg as a proxy before a redis-server. COMPAT_SUBJECT=proxy cargo test --test compat plays all cases.
step_proxy() { COMPAT_SUBJECT=proxy cargo test --locked --test compat -- transactions connection pubsub blocking programs; }
step_clients() { cargo build --locked --bin respg && compat/clients/run.sh; }
# An application that never stops is moved to Postgres, back, and again; compat/rehearsal/run.sh watches it for longer.
step_rehearsal() { cargo build --locked --bin respg && compat/rehearsal/run.sh --seconds 1 --brief --port "$(free_port)"; }
free_port() { python3 -c 'import random; print(random.randrange(20000, 30000))'; }
step_newest() {
  NEWEST=${NEWEST:-$(compgen -G '/opt/respg-oracles/postgres-*' | sort -V | tail -n 1)}
  echo "with $("$NEWEST/bin/postgres" --version)"
  RESPG_TEST_PG_BIN=$NEWEST/bin RESPG_POSTGRES_BIN=$NEWEST/bin RUST_TEST_THREADS=$AT_ONCE \
    cargo test --locked --test it
}

passed=0 failed=0 failures=()
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
# The steps are in process groups of their own (`timeout`), where Ctrl-C does not reach them.
trap 'cat "$logs"/*.pid | xargs -r kill 2>/dev/null || true; exit 130' INT TERM

uncoloured() { sed -E 's/\x1b\[[0-9;]*m//g' "$1"; }

# A function called in a condition loses `set -e`, and would go on after a command that failed.
execute() {
  local begun=$SECONDS status=0
  timeout -k 10 15m "$BASH" -c "set -euo pipefail; step_$1" 2>&1 &
  echo $! >"$logs/$1.pid"
  wait $! || status=$?
  # Its number may be somebody else's from now on.
  rm "$logs/$1.pid"
  echo "$status $((SECONDS - begun))" >"$logs/$1.status"
}

# A runner may print its summary as a line ("12 passed, 0 failed"); else what its test programs print is added up
# ("test result: ok. 12 passed; 0 failed; ..."). A step that counts nothing is one.
count() {
  local step=$1 log=$logs/$1.log status seconds step_passed step_failed
  read -r status seconds <"$logs/$step.status"
  read -r step_passed step_failed < <(uncoloured "$log" |
    awk '/^[0-9]+ passed, [0-9]+ failed$/ { summary = $1 " " $3 }
         /^test result:/ { match($0, /[0-9]+ passed; [0-9]+ failed/); split(substr($0, RSTART), n, /[^0-9]+/); p += n[1]; f += n[2] }
         END { print summary ? summary : p + 0 " " f + 0 }')
  if ((status != 0 && step_failed == 0)); then step_failed=1; fi
  if ((status == 0 && step_passed == 0)); then step_passed=1; fi
  if ((status != 0 || step_failed != 0)); then
    failures+=("$step")
    { printf '\n==== %s, again:\n' "$step"; uncoloured "$log" | sed -E '/ WARN | \.\.\. ok$|: (noticed|found after .*)$/d' | tail -n 100; } >>"$logs/again"
  fi
  passed=$((passed + step_passed)) failed=$((failed + step_failed))
  printf '==== %s: %d passed, %d failed, %d s\n' "$step" "$step_passed" "$step_failed" "$seconds"
}

# Steps that run side by side print what they have to say when all of them have ended.
run() {
  local step
  if (($# == 1)); then
    printf '\n==== %s\n' "$1"
    execute "$1" | tee "$logs/$1.log"
    count "$1"
    return
  fi
  printf '\n==== side by side: %s\n' "$*"
  for step in "$@"; do execute "$step" >"$logs/$step.log" & done
  wait
  for step in "$@"; do
    printf '\n==== %s\n' "$step"
    cat "$logs/$step.log"
    count "$step"
  done
}

export NEWEST
read -ra steps <<<"${PLAN[*]}"
export -f free_port "${steps[@]/#/step_}"
(($# == 0)) || PLAN=("$@")
for line in "${PLAN[@]}"; do
  read -ra wanted <<<"$line"
  for step in "${wanted[@]}"; do
    [[ " ${steps[*]} " == *" $step "* ]] || { echo "no step $step; there are: ${steps[*]}" >&2; exit 2; }
  done
  run "${wanted[@]}"
done

: >>"$logs/again"
cat "$logs/again"
((${#failures[@]} == 0)) || printf '\nfailed: %s\n' "${failures[*]}"
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
