# Sourced by install.sh and run.sh. Sets `here` and where installed clients live, shared between checkouts if possible.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ -z "${RESPG_CLIENTS_DIR:-}" ]; then
  RESPG_CLIENTS_DIR=/opt/respg-clients
  mkdir -p "$RESPG_CLIENTS_DIR" 2>/dev/null && [ -w "$RESPG_CLIENTS_DIR" ] || RESPG_CLIENTS_DIR=$here/.cache
fi
export RESPG_CLIENTS_DIR
