#!/usr/bin/env bash
# trixie.sh ROOT: phpredis 6 from Debian trixie, with the PHP and the libraries it was built for, unpacked under ROOT and started
# through their own loader by ROOT/php. The system stays as it is.
set -euo pipefail
root=$1
packages=(php8.4-cli php8.4-common php8.4-igbinary php8.4-redis libargon2-1 libbsd0 libc6 libcrypt1 libedit2 libffi8 libgcc-s1
  liblz4-1 liblzma5 libmd0 libpcre2-8-0 libsodium23 libssl3t64 libtinfo6 libxml2 libzstd1 zlib1g)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mirror=$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | grep -v snapshot | head -n 1 | tr -d ' ') || true

mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/debs"
: >"$work/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian} trixie main" >"$work/sources.list"
cat >"$work/apt.conf" <<END
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work";
APT::Sandbox::User "root";
Acquire::Languages "none";
END
(cd "$work/debs" && export APT_CONFIG=$work/apt.conf && apt-get update -qq && apt-get download -qq "${packages[@]}")

rm -rf "$root"
mkdir -p "$root"
for package in "$work"/debs/*.deb; do dpkg-deb -x "$package" "$root"; done
loader=$(compgen -G "$root/usr/lib*/ld-linux-*.so*" || compgen -G "$root/usr/lib/*/ld-linux-*.so*")
libraries=$(dirname "$(compgen -G "$root/usr/lib/*/libc.so.6")")
extensions=$(dirname "$(compgen -G "$root/usr/lib/php/*/redis.so")")
cat >"$root/php" <<END
#!/bin/sh
PHP=$root/php exec $loader --argv0 php --library-path $libraries $root/usr/bin/php8.4 -n \\
  -d extension_dir=$extensions -d extension=igbinary.so -d extension=redis.so "\$@"
END
chmod 755 "$root/php"
"$root/php" --ri redis | grep -q 'Redis Version => 6'
