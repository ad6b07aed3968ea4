#!/usr/bin/python3
"""Each header compiles alone, so that no file depends on what its neighbour happened to include.

usage: check_headers.py [ROOT]
"""
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

COMPILE = ['g++', '-std=c++23', '-Wall', '-Wextra', '-Wno-missing-field-initializers', '-Werror', '-Isrc', '-c']


def compiles_alone(root, header, scratch):
    """The compiler's words, empty if it has none."""
    # A source file that includes it, as `#pragma once` in a main file is itself a warning. And a compilation to an object,
    # which says nothing more than a check of the syntax, but which the compiler cache remembers.
    source = scratch / (header.replace('/', '-') + '.cc')
    source.write_text(f'#include "{header}"\n#include "{header}"\n')
    compiler = [shutil.which('ccache')] if shutil.which('ccache') else []
    environment = os.environ | {'CCACHE_BASEDIR': str(root), 'CCACHE_NOHASHDIR': '1'}
    return subprocess.run([*compiler, *COMPILE, os.path.relpath(source, root), '-o', f'{source}.o'], cwd=root, env=environment,
                          capture_output=True, text=True).stderr


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else '.').resolve()
    headers = sorted(p.relative_to(root / 'src').as_posix() for p in (root / 'src').rglob('*.h'))
    scratch = root / 'build/headers'
    scratch.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        failures = [words for words in pool.map(lambda h: compiles_alone(root, h, scratch), headers) if words]
    print(''.join(failures), end='')
    print(f'{len(headers)} headers, {len(failures)} do not compile alone')
    return 1 if failures or not headers else 0


if __name__ == '__main__':
    sys.exit(main())
