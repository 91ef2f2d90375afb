#!/usr/bin/env bash
# All tests, in order, from formatting to frameworks: `tests/run.sh`, or `tests/run.sh STEP...` for some of the steps.
# Installs what they need first. Goes on after a failure; at the end come the last lines of each step that failed, again (of
# a long log often only the end is kept), then `N passed, N failed`; the status is non-zero if anything failed.
set -euo pipefail
cd "$(dirname "$0")/.."

STEPS=(install fmt clippy doc lint licences test faults compat proxy clients rehearsal newest)
NEWEST=$(compgen -G '/opt/respg-oracles/postgres-*' | sort -V | tail -n 1 || true)
# One profile for everything that is built to run, so that all of it shares one build.
export RESPG_BIN=${CARGO_TARGET_DIR:-$PWD/target}/debug/respg

step_install() { tests/install.sh; }
step_fmt() { cargo fmt --check; }
step_clippy() { cargo clippy --locked --all-targets --all-features -- -D warnings; }
step_doc() { RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items; }
step_lint() { docker/lint.sh; }
# Part of `cargo deny check`, with its configuration: building cargo-deny takes longer than all the rest.
step_licences() { cargo metadata --locked --all-features --format-version 1 | python3 tests/licences.py .deny.toml; }
# Most of these tests wait for something most of the time, so there are more at once than cores.
export AT_ONCE=${RUST_TEST_THREADS:-4}
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
log=$(mktemp) again=$(mktemp)
trap 'rm -f "$log" "$again"' EXIT

uncoloured() { sed -E 's/\x1b\[[0-9;]*m//g' "$1"; }

# A runner may print its summary as a line ("12 passed, 0 failed"); else what its test programs print is added up
# ("test result: ok. 12 passed; 0 failed; ..."). A step that counts nothing is one.
run() {
  local step=$1 begun=$SECONDS status=0 counted
  printf '\n==== %s\n' "$step"
  # A function called in a condition loses `set -e`, and would go on after a command that failed.
  timeout -k 10 15m "$BASH" -c "set -euo pipefail; step_$step" 2>&1 | tee "$log" || status=$?
  counted=$(uncoloured "$log" |
    awk '/^[0-9]+ passed, [0-9]+ failed$/ { summary = $1 " " $3 }
         /^test result:/ { match($0, /[0-9]+ passed; [0-9]+ failed/); split(substr($0, RSTART), n, /[^0-9]+/); p += n[1]; f += n[2] }
         END { print summary ? summary : p + 0 " " f + 0 }')
  read -r step_passed step_failed <<<"$counted"
  if ((status != 0 && step_failed == 0)); then step_failed=1; fi
  if ((status == 0 && step_passed == 0)); then step_passed=1; fi
  if ((status != 0 || step_failed != 0)); then
    failures+=("$step")
    { printf '\n==== %s, again:\n' "$step"; uncoloured "$log" | sed -E '/ WARN | \.\.\. ok$|: (noticed|found after .*)$/d' | tail -n 100; } >>"$again"
  fi
  passed=$((passed + step_passed)) failed=$((failed + step_failed))
  printf '==== %s: %d passed, %d failed, %d s\n' "$step" "$step_passed" "$step_failed" $((SECONDS - begun))
}

export NEWEST
export -f free_port "${STEPS[@]/#/step_}"
(($# > 0)) || set -- "${STEPS[@]}"
for step in "$@"; do
  [[ " ${STEPS[*]} " == *" $step "* ]] || { echo "no step $step; there are: ${STEPS[*]}" >&2; exit 2; }
  run "$step"
done

cat "$again"
((${#failures[@]} == 0)) || printf '\nfailed: %s\n' "${failures[*]}"
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
