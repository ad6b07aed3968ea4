#!/usr/bin/python3
"""clang-tidy with the checks of .clang-tidy over the sources that a build directory compiles.

usage: tidy.py BUILD [--since REF]      --since: only files that differ from REF, and those that include a header that does
A file whose text, headers, flags and checks are those of a clean run, in whichever checkout, is not read again.
"""
import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)


def closure(path, seen):
    """`path` and every header of ours that it includes, directly or not."""
    if path in seen or not path.is_file():
        return seen
    seen.add(path)
    for name in OURS.findall(path.read_text()):
        for place in (ROOT / 'src' / name, path.parent / name):
            closure(place, seen)
    return seen


# What is clean, named by all it depends on; beside the compiler's cache.
CLEAN = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'holdall-tidy'


def fingerprint(files, flags):
    digest = hashlib.sha256((ROOT / '.clang-tidy').read_bytes())
    digest.update(flags.replace(str(ROOT), '').encode())
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def tidy(build, source, flags):
    """(source, clang-tidy's words or empty)"""
    mark = CLEAN / fingerprint(closure(source, set()), flags)
    if mark.exists():
        return source, ''
    run = subprocess.run(['clang-tidy-19', '--quiet', '-p', build, source], capture_output=True, text=True)
    if run.returncode == 0:
        mark.touch()
        return source, ''
    return source, run.stdout + run.stderr


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('build', type=Path)
    parser.add_argument('--since')
    options = parser.parse_args()
    commands = json.loads((options.build / 'compile_commands.json').read_text())
    sources = sorted({Path(c['file']) for c in commands if c['file'].endswith('.cc')})
    sources = [s for s in sources if s.is_relative_to(ROOT) and not s.is_relative_to(options.build.resolve())]
    if options.since:
        names = subprocess.run(['git', 'diff', '--name-only', options.since], cwd=ROOT, capture_output=True, text=True, check=True)
        changed = {ROOT / name for name in names.stdout.splitlines()}
        sources = [s for s in sources if closure(s, set()) & changed]
    CLEAN.mkdir(parents=True, exist_ok=True)
    flags = {Path(c['file']): c['command'] for c in commands}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        failures = [words for _, words in pool.map(lambda s: tidy(options.build, s, flags[s]), sources) if words]
    print('\n'.join(failures), end='')
    print(f'{len(sources)} files, {len(failures)} with findings')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
