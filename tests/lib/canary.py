"""Secrets that can be recognised, and the search for them in every place where one must not be.

A canary is 32 random bytes. It is looked for as it is, and in each spelling in which a program could have written it
down: base64 at its three alignments, hex, URL- and JSON-escaped. Both halves are looked for on their own, so that a value
that was cut off or split is found too.
"""
import base64
import json
import mmap
import os
import random
import re
import secrets
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_from_bytes

from harness import environment_of, processes

LARGEST = 256 << 20  # bytes of an open file that is read


def text_value():
    """32 bytes that may stand in a variable and that every kind of escaping has to change."""
    awkward = list('"\\&%+/ $é')
    random.SystemRandom().shuffle(awkward)
    awkward = ''.join(awkward).encode()
    return awkward + secrets.token_urlsafe(32).encode()[:32 - len(awkward)]


def binary_value():
    """32 random bytes, of which none ends a C string or a line."""
    return bytes(secrets.choice([b for b in range(256) if b not in b'\0\n\r']) for _ in range(32))


def base64_runs(part):
    """What base64 makes of `part` wherever it begins within a group of three: the characters that depend on it alone."""
    for before in range(3):
        whole = base64.b64encode(b'\0' * before + part).rstrip(b'=')
        run = whole[-(-before * 4 // 3):(before + len(part)) * 4 // 3]
        yield run
        yield run.translate(bytes.maketrans(b'+/', b'-_'))


def json_spellings(part):
    for text in {part.decode('latin-1'), part.decode(errors='replace')}:
        for ascii_only in (True, False):
            quoted = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
            for spelling in (quoted, quoted.replace('/', '\\/')):
                yield spelling.encode()
                yield re.sub(r'\\u[0-9a-f]{4}', lambda match: '\\u' + match[0][2:].upper(), spelling).encode()


def url_spellings(part):
    for safe in ('', "/", "!'()*", "/!'()*"):
        quoted = quote_from_bytes(part, safe)
        yield quoted.encode()
        yield quoted.replace('%20', '+').encode()
        yield re.sub('%..', lambda match: match[0].lower(), quoted).encode()


def halves(value):
    """Two halves, at a boundary between characters where the value is text."""
    middle = len(value) // 2
    while middle < len(value) and value[middle] & 0xC0 == 0x80:
        middle += 1
    return value[:middle], value[middle:]


class Canary:
    def __init__(self, name, value):
        self.name, self.value = name, value
        self.spellings = {}  # bytes -> how they were made
        for part in halves(value):
            for kind, made in (('raw', [part]), ('base64', base64_runs(part)), ('hex', [part.hex().encode(), part.hex().upper().encode()]),
                               ('url', url_spellings(part)), ('json', json_spellings(part))):
                for spelling in made:
                    self.spellings.setdefault(spelling, kind)


@dataclass(frozen=True)
class Found:
    kind: str  # of place: repository, state, process.environment, ...
    place: str
    canary: str
    spelling: str


class Search:
    """What was found of the canaries, place by place."""

    def __init__(self, canaries):
        self.canaries = canaries
        self.found = []
        self.looked_at = {}  # kind of place -> how many were read

    def look(self, kind, place, data, allowed=()):
        self.looked_at[kind] = self.looked_at.get(kind, 0) + 1
        for canary in self.canaries:
            if canary.name in allowed:
                continue
            for spelling, how in canary.spellings.items():
                if data.find(spelling) >= 0:
                    self.found.append(Found(kind, str(place), canary.name, how))
                    break

    def file(self, kind, place, allowed=()):
        """A file's name and content."""
        self.look(kind, f'the name of {place}', os.fsencode(str(place)), allowed)
        try:
            with open(place, 'rb') as opened:
                status = os.fstat(opened.fileno())
                if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= LARGEST:
                    with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
                        self.look(kind, place, content, allowed)
        except OSError:
            pass  # gone meanwhile, or a socket

    def tree(self, kind, root, leave_out=()):
        for directory, subdirectories, files in os.walk(root):
            subdirectories[:] = [name for name in subdirectories if Path(directory, name) not in leave_out]
            for name in files:
                path = Path(directory, name)
                if path.is_symlink():
                    self.look(kind, path, os.fsencode(os.readlink(path)))
                elif path.is_file():
                    self.file(kind, path)

    def repository(self, root):
        """The work tree and every object that git has, compressed or packed as it may be."""
        self.tree('repository', root)
        if Path(root, '.git').exists():
            objects = subprocess.run(['git', 'cat-file', '--batch-all-objects', '--batch'], cwd=root, stdout=subprocess.PIPE, check=True)
            self.look('repository', f'{root}/.git (objects)', objects.stdout)

    def processes(self, entitled):
        """Environment, argv, open files and mounts of every process of the machine; `entitled(pid, what)` names the canaries
        that it may have in its `environment`, its `files` or its `mounts`. Argv and names are everybody's to see: nobody's.
        """
        for line in subprocess.run(['ps', '-eww', '-o', 'pid=,args='], stdout=subprocess.PIPE, check=True).stdout.splitlines():
            self.look('ps', 'ps', line)
        for process in processes():
            proc = Path('/proc', str(process.pid))
            for name, kind in (('environ', 'environment'), ('cmdline', 'argv'), ('comm', 'argv'), ('mountinfo', 'mountinfo')):
                try:
                    self.look(f'process.{kind}', proc / name, (proc / name).read_bytes(), entitled(process.pid, kind))
                except OSError:
                    pass  # it has ended, or is the kernel's
            self.open_files(proc, entitled(process.pid, 'files'))
            self.secrets_of(proc, entitled(process.pid, 'mounts'))

    def open_files(self, proc, allowed):
        try:
            opened = os.listdir(proc / 'fd')
        except OSError:
            return
        for number in opened:
            path = proc / 'fd' / number
            try:
                target = os.readlink(path)
            except OSError:
                continue
            self.look('process.files', f'{path} -> {target}', os.fsencode(target), allowed)
            # What has a name of its own is found under it; what has none only here.
            if target.endswith(' (deleted)') or target.startswith('/memfd:'):
                self.file('process.files', path, allowed)

    def secrets_of(self, proc, allowed):
        root = proc / 'root/run/secrets'
        try:
            for path in root.rglob('*'):
                if path.is_file():
                    self.file('process.mounts', path, allowed)
        except OSError:
            pass


def core_directory(place):
    """Where the kernel puts the core dump of a process that works in `place`; None where a program takes them."""
    pattern = Path('/proc/sys/kernel/core_pattern').read_text().strip()
    if pattern.startswith('|'):
        return None
    return Path(pattern).parent if pattern.startswith('/') else Path(place)


def core_files(place):
    directory = core_directory(place)
    name = Path(Path('/proc/sys/kernel/core_pattern').read_text().strip()).name.split('%')[0]
    try:
        return [path for path in directory.glob(f'{name}*') if path.is_file()] if directory else []
    except OSError:
        return []  # the process has ended, or its directory is of another mount namespace


def services_of(census):
    """Two times {pid: service}: of every process that an instance is made of, its main process and what that started; and of
    the shims, which live in their instances' mounts.
    """
    shims = {shim.pid for shim in census.shims}
    parents = {process.pid: process.parent for process in processes()}
    found, above = {}, {}
    for process in census.instances:
        pid = process.pid
        while parents.get(pid) and parents[pid] not in shims:
            pid = parents[pid]
        if parents.get(pid) in shims:
            found[process.pid] = above[parents[pid]] = environment_of(pid).get('HOLDALL_SERVICE', '')
    return found, above
