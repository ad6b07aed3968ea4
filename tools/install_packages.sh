#!/bin/sh
# Installs the packages of tools/packages.txt that are missing, and nothing when there are none. Says how many and how long.
# usage: install_packages.sh [--run | --parse | --vm]
#   --run: only what `make run` needs; --parse, --vm: what `make parse-test` or `make vm-test` needs too
set -eu

case ${1:-} in
  --run) parts='build run' ;;
  --parse) parts='build run test parse' ;;
  --vm) parts='build run test vm' ;;
  *) parts='build run test' ;;
esac
# A part begins with its name: "# test", "# vm: ...".
wanted=$(awk -v parts=" $parts " '/^#/ { part = $2; sub(":", "", part); next } index(parts, " " part " ")' "$(dirname "$0")/packages.txt")

# A package that another one provides is there: nodejs of some archives brings npm.
there=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}, ${Provides}\n' | sed -n -e 's/ ([^)]*)//g' -e 's/^.i //p' | tr -d ' ' | tr ',' '\n')
missing=
for package in $wanted; do
  echo "$there" | grep -qxF "$package" || missing="$missing $package"
done
if [ -z "$missing" ]; then
  echo "none missing"
  exit 0
fi

as_root=
if [ "$(id -u)" != 0 ]; then
  as_root=sudo
  command -v sudo >/dev/null || { echo "run as root: apt-get install$missing" >&2; exit 1; }
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
started=$(date +%s)
# The package lists of a fresh machine may be empty or older than the archive.
if ! { DEBIAN_FRONTEND=noninteractive $as_root apt-get update && \
       DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
  cat "$log" >&2
  echo "could not install:$missing" >&2
  exit 1
fi
set -- $missing
echo "$# missing, apt-get install, $(($(date +%s) - started)) s"
