#!/usr/bin/python3
"""Each header compiles alone, so that no file depends on what its neighbour happened to include.

usage: check_headers.py [ROOT]
"""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

COMPILE = ['g++', '-std=c++23', '-fsyntax-only', '-Wall', '-Wextra', '-Wno-missing-field-initializers', '-Werror', '-Isrc', '-x', 'c++', '-']


def compiles_alone(root, header):
    """The compiler's words, empty if it has none."""
    # A source file that includes it, as `#pragma once` in a main file is itself a warning.
    source = f'#include "{header}"\n#include "{header}"\n'
    return subprocess.run(COMPILE, input=source, cwd=root, capture_output=True, text=True).stderr


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else '.').resolve()
    headers = sorted(p.relative_to(root / 'src').as_posix() for p in (root / 'src').rglob('*.h'))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        failures = [words for words in pool.map(lambda h: compiles_alone(root, h), headers) if words]
    print(''.join(failures), end='')
    print(f'{len(headers)} headers, {len(failures)} do not compile alone')
    return 1 if failures or not headers else 0


if __name__ == '__main__':
    sys.exit(main())
