#!/usr/bin/env bash
# Moves a shop that is open all the time from redis-server to Postgres, back, and again: `run.sh [--seconds N] [--port P]`. README.md beside this says what one sees.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$repository/compat/clients/paths.sh"
[ -x "$RESPG_CLIENTS_DIR/faststream/bin/python" ] || "$repository/compat/clients/install.sh"
if [ -z "${RESPG_BIN:-}" ]; then
  cargo build --quiet --manifest-path "$repository/Cargo.toml" --bin respg
  RESPG_BIN=${CARGO_TARGET_DIR:-$repository/target}/debug/respg
fi
folder=$(mktemp -d)
chmod 755 "$folder" # respg runs Postgres as another user when it is root
trap 'rm -rf "$folder"' EXIT
"$RESPG_CLIENTS_DIR/faststream/bin/python" "$repository/compat/rehearsal/rehearse.py" "$RESPG_BIN" --folder "$folder" "$@"
