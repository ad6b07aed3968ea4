#!/bin/sh
# Lays out every C++ file of the project with clang-format.   usage: format.sh [--check]   --check: changes nothing, fails if it would
set -eu
cd "$(dirname "$0")/.."
mode=-i
[ "${1:-}" = --check ] && mode='--dry-run --Werror'
git ls-files -z --cached --others --exclude-standard -- '*.cc' '*.h' | xargs -0 -r -n 20 -P "$(nproc)" clang-format-19 $mode
