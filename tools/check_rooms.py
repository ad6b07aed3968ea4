#!/usr/bin/python3
"""Refuses code that stands in the wrong room: an #include that goes up, sideways or past another room's door, a heavy
library outside the one room that hides it, a folder that nobody listed, a coroutine.

usage: check_rooms.py [ROOT]      reads ROOT/src/ROOMS, ROOT/CMakeLists.txt and every source under ROOT/src
"""
import re
import sys
from pathlib import Path

OPEN = {'base', 'net'}  # every header of these is public; any other room shows room/room.h only
TEST = ('_test.cc', '_test.h')  # a test, or what several tests share
WIRING = re.compile(r'(main|daemon(_\w+)?)\.(cc|h)')  # in src/ itself: they build everything by hand
SOURCE = {'.h', '.cc', '.c', '.hpp', '.cpp', '.S', '.in'}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
COROUTINE = re.compile(r'\bco_(await|yield|return)\b')
COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/', re.S)

# What a library's header begins with -> where it may be included, as a prefix of the path under src/.
HIDDEN = {
    'boost/': ('base/json.cc', 'base/json_'),
    'sqlite3': ('store/',),
    'yaml.h': ('app/',),
    'sodium': ('base/',),
    'openssl/': ('net/tls',),
    'CLI/': ('cli/',),
    'seccomp.h': ('router/',),
    'coroutine': (),
    'doctest/': ('*_test.cc', '*_test.h'),
}


def read_rooms(text):
    """room -> the set of rooms it may include. Raises ValueError for a room that names one not listed above it."""
    table = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith('#'):
            continue
        name, colon, below = line.partition(':')
        name = name.strip()
        if not colon or not re.fullmatch(r'[a-z]+', name):
            raise ValueError(f'ROOMS: not a line `room: rooms`: {line}')
        if name in table:
            raise ValueError(f'ROOMS: {name} is listed twice')
        unknown = sorted(set(below.split()) - set(table))
        if unknown:
            raise ValueError(f'ROOMS: {name} includes {", ".join(unknown)}, which must be listed above it')
        table[name] = set(below.split())
    return table


def read_cmake(text):
    """The same table as the room(...) lines of CMakeLists.txt tell it."""
    calls = (m.group(1).split() for m in re.finditer(r'^room\(([^)]*)\)', text, re.M))
    return {words[0]: set(words[1:]) for words in calls}


def disagreements(rooms, cmake):
    for name in sorted(rooms.keys() | cmake.keys()):
        if rooms.get(name) != cmake.get(name):
            yield f'CMakeLists.txt: room({name} ...) and ROOMS disagree'
    if not set(rooms) ^ set(cmake) and list(rooms) != list(cmake):
        yield 'CMakeLists.txt: the rooms stand in another order than in ROOMS'


def may_hold(path, places):
    return any(path.endswith(place[1:]) if place.startswith('*') else path.startswith(place) for place in places)


def offences_of_file(path, text, rooms):
    """`path` relative to src/, with slashes."""
    room = path.split('/')[0] if '/' in path else ''
    if room not in rooms and not (room == '' and WIRING.fullmatch(path)):
        yield f'{path}: in no room that ROOMS lists'
        return
    code = COMMENT.sub('', text)
    if COROUTINE.search(code):
        yield f'{path}: coroutines are not used here (GCC 12 miscompiles them)'
    for bracket, target in INCLUDE.findall(text):
        if '../' in target or target.startswith('./'):
            yield f'{path}: include "{target}" by its path from src/'
            continue
        first = target.split('/')[0]
        for prefix, places in HIDDEN.items():
            if target.startswith(prefix) and not may_hold(path, places):
                yield f'{path}: <{target}> may be included only in {", ".join(places) or "no file"}'
        if bracket == '<':
            if first in rooms and '/' in target:
                yield f'{path}: include "{target}" with quotes'
            continue
        if first not in rooms:
            if '/' not in target and room == '':
                continue  # main.cc and daemon.cc, of each other
            yield f'{path}: "{target}" is in no room; a system header is included with <>'
        elif room == '' or first == room:
            if room == '' and first not in OPEN and target not in (f'{first}/{first}.h',):
                yield f'{path}: {target} is private; include {first}/{first}.h'
        elif first not in rooms[room]:
            yield f'{path}: {room} may not include {first}'
        elif first not in OPEN and target == f'{first}/fake.h':
            if not path.endswith(TEST):
                yield f'{path}: {target} is for tests'
        elif first not in OPEN and target != f'{first}/{first}.h':
            yield f'{path}: {target} is private; include {first}/{first}.h'
        elif target == 'base/fake.h' and not path.endswith((*TEST, '/fake.h', '/fake.cc')):
            yield f'{path}: {target} is for tests'


def offences(root):
    source = root / 'src'
    try:
        rooms = read_rooms((source / 'ROOMS').read_text())
    except ValueError as error:
        return [str(error)]
    found = list(disagreements(rooms, read_cmake((root / 'CMakeLists.txt').read_text())))
    for path in sorted(source.rglob('*')):
        name = path.relative_to(source).as_posix()
        if path.is_dir():
            if '/' not in name and name not in rooms and not any(path.iterdir()):
                found.append(f'{name}/: in no room that ROOMS lists')
        elif path.suffix in SOURCE:
            found += offences_of_file(name, path.read_text(), rooms)
        elif '/' in name and name.split('/')[0] not in rooms:
            found.append(f'{name}: in no room that ROOMS lists')
    return found


def main():
    found = offences(Path(sys.argv[1] if len(sys.argv) > 1 else '.'))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
