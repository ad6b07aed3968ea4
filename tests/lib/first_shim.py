"""Starts an instance with the shim of the first release, kept in tests/shims/1, as the control of that release did
(docs/formats/shim.md). Both are frozen: servers have instances of it for as long as these run."""
import fcntl
import json
import lzma
import os
import socket
import struct
import subprocess

from harness import ROOT

SHIM = ROOT / 'tests/shims/1/shim.xz'


def sequence(*strings):
    packed = b''
    for one in strings:
        data = str(one).encode()
        packed += struct.pack('=I', len(data)) + data + b'\0'
    return packed


def memory(content):
    fd = os.memfd_create('specification', os.MFD_ALLOW_SEALING)
    os.write(fd, content)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
    return fd


def start(directory, logs, program):
    """The instance that `directory`'s meta describes, of which nothing runs. Returns the process that is to be waited for."""
    meta = json.loads((directory / 'meta').read_text())
    program.write_bytes(lzma.decompress(SHIM.read_bytes()))
    program.chmod(0o755)
    for name in ('tree', 'exit', 'sock', 'lock'):
        (directory / name).unlink(missing_ok=True)
    argv = meta['command']
    environment = [f'{name}={value}' for name, value in meta['environment'].items()]
    specification = memory(sequence(
        1, meta['id'], meta['boot_id'], meta['working_dir'], meta['uid'], meta['cover'], meta['artefact'],
        meta['home'], meta['open_files'], meta['core_bytes'], len(argv), *argv, len(environment), *environment))
    lock = os.open(directory / 'lock', os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(directory / 'sock'))
    listener.listen(4)
    out, err, (secrets, closed) = os.pipe(), os.pipe(), os.pipe()
    os.close(closed)
    places = [specification, lock, listener.fileno(), os.open(directory, os.O_RDONLY), os.open(logs, os.O_RDONLY),
              *out, *err, secrets]
    high = [os.dup2(fd, 300 + i) for i, fd in enumerate(places)]

    def place():
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i)

    words = ['unshare', '--pid', '--mount', '--propagation', 'slave', '--fork', str(program), 'run', 'web.1', meta['id']]
    process = subprocess.Popen(words, env={}, preexec_fn=place, pass_fds=range(3, 3 + len(places)), start_new_session=True)
    for fd in high + [fd for fd in places if fd != listener.fileno()]:
        os.close(fd)
    listener.close()
    return process
