"""A sealed file as a program without Holdall reads it (docs/formats/sealed-file.md), and the two that open it: PyNaCl, and
tests/interop/box.c on libsodium."""
import base64
import hashlib
import struct
import subprocess
from pathlib import Path

import nacl.public

PREFIX = 'holdall-private-key-'


def raw_key(text):
    """The 44 characters of a key file's or a recovery key's text."""
    assert text.strip().startswith(PREFIX)
    return text.strip().removeprefix(PREFIX)


class Sealed:
    def __init__(self, path):
        self.recipients, self.values = {}, {}
        for line in Path(path).read_text().splitlines():
            words = line.split()
            if not words or words[0].startswith('#'):
                continue
            if words[0] == 'recipient':
                self.recipients[words[1]] = words[2]
                continue
            *boxes, check = words[1].split(',')
            self.values[words[0]] = dict(box.split(':') for box in boxes)
            sealed = words[0] + '\n' + ''.join(f'{name} {self.recipients[name]} {box}\n'
                                               for name, box in self.values[words[0]].items())
            assert check == 'sha256:' + hashlib.sha256(sealed.encode()).hexdigest()[:16]

    def open(self, name, recipient, key):
        """(app, name, value) as PyNaCl opens it."""
        private = nacl.public.PrivateKey(base64.b64decode(key))
        return fields(nacl.public.SealedBox(private).decrypt(base64.b64decode(self.values[name][recipient])))


def fields(plain):
    magic, rest, found = plain[:16], plain[16:], []
    assert magic == b'holdall-secret-1'
    while rest:
        (size,) = struct.unpack('>I', rest[:4])
        found.append(rest[4:4 + size])
        rest = rest[4 + size:]
    app, name, value = found
    return app.decode(), name.decode(), value


class Box:
    """tests/interop/box.c, compiled into `place`."""

    def __init__(self, place):
        self.program = Path(place, 'box')
        source = Path(__file__).resolve().parent.parent / 'interop/box.c'
        subprocess.run(['cc', '-Wall', '-Werror', '-o', self.program, source, '-lsodium'], check=True)

    def run(self, *words, stdin=b''):
        return subprocess.run([self.program, *words], input=stdin, stdout=subprocess.PIPE, check=True).stdout

    def keypair(self):
        return tuple(self.run('keypair').decode().split())

    def open(self, key, box):
        return fields(self.run('open', key, box))

    def make(self, sender_key, public_key, value):
        return self.run('make', sender_key, public_key, stdin=value).decode().strip()
