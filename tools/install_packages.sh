#!/bin/sh
# Installs the packages of tools/packages.txt that are missing, and nothing when there are none. Says how many and how long.
# usage: install_packages.sh [--run]      --run: only what `make run` needs, without the packages for tests
set -eu

list=$(dirname "$0")/packages.txt
if [ "${1:-}" = --run ]; then
  wanted=$(sed -e '/^# test/,$d' -e '/^#/d' "$list")
else
  wanted=$(sed -e '/^#/d' "$list")
fi

missing=
for package in $wanted; do
  case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
    'install ok installed') ;;
    *) missing="$missing $package" ;;
  esac
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
