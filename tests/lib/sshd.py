"""The system's ssh, both ends of it, with keys and settings of a test's own: nothing of this user's is read or changed.

    with Sshd(environment={'HOLDALL_API': ...}) as sshd, Client() as client:
        client.trust(sshd)
        server.cli('status', '-H', sshd.url(), environment=client.environment)

sshd listens on loopback at a port of its own and runs what it is asked to as this user. ssh takes its settings from the
user's home in /etc/passwd, whatever HOME says; so a client's `ssh` is a program before it in PATH that names them.
"""
import getpass
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness import BINARY, free_port, until

SSHD = shutil.which('sshd', path='/usr/sbin:/usr/local/sbin:/usr/bin')
SSH = shutil.which('ssh')


def make_key(path):
    subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', path.name, '-f', path], check=True)
    return path


class Sshd:
    """An sshd. What it runs finds the command `holdall` in its PATH, and has `environment` besides."""

    def __init__(self, environment=None, binary=BINARY, programs=True):
        self.place = Path(tempfile.mkdtemp(prefix='holdall-sshd-'))
        self.port = free_port()
        self.process = None
        self.authorized = self.place / 'authorized_keys'
        self.authorized.touch(0o600)
        (self.place / 'bin').mkdir()
        if programs:
            (self.place / 'bin/holdall').symlink_to(Path(binary).resolve())
        variables = {'PATH': f'{self.place}/bin:/usr/bin:/bin', **(environment or {})}
        key = make_key(self.place / 'host_key')
        self.config = self.place / 'sshd_config'
        self.config.write_text('\n'.join([
            f'Port {self.port}', 'ListenAddress 127.0.0.1', f'HostKey {key}', f'PidFile {self.place}/pid',
            f'AuthorizedKeysFile {self.authorized}', 'StrictModes no', 'UsePAM no', 'PasswordAuthentication no',
            'KbdInteractiveAuthentication no', 'PermitRootLogin prohibit-password', 'PrintMotd no',
            'SetEnv ' + ' '.join(f'"{name}={value}"' for name, value in variables.items()), '']))

    def __enter__(self):
        if os.geteuid() == 0:
            os.makedirs('/run/sshd', mode=0o755, exist_ok=True)  # it wants one where systemd has not made it
        self.log = open(self.place / 'log', 'wb')
        self.process = subprocess.Popen([SSHD, '-D', '-e', '-f', self.config], stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log)
        until('sshd to listen', lambda: b'Server listening' in (self.place / 'log').read_bytes() or self.failed())
        return self

    def failed(self):
        assert self.process.poll() is None, (self.place / 'log').read_text()

    def __exit__(self, *_):
        self.stop()
        self.log.close()
        shutil.rmtree(self.place, ignore_errors=True)

    def stop(self):
        """The listener; sessions that run go on."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)

    def url(self):
        return f'ssh://{getpass.getuser()}@127.0.0.1:{self.port}'

    def host_key(self):
        return ' '.join((self.place / 'host_key.pub').read_text().split()[:2])

    def authorize(self, public_key, options=''):
        """Lets a key in; `options` as authorized_keys has them: command="...",restrict."""
        with open(self.authorized, 'a', encoding='ascii') as file:
            file.write(f'{options + " " if options else ""}{public_key}\n')


class Client:
    """Who connects: a key, known hosts, and an `ssh` that uses them."""

    def __init__(self):
        self.place = Path(tempfile.mkdtemp(prefix='holdall-ssh-'))
        self.key = make_key(self.place / 'id')
        self.known_hosts = self.place / 'known_hosts'
        self.known_hosts.touch()
        self.config = self.place / 'config'
        self.config.write_text('\n'.join([
            f'IdentityFile {self.key}', 'IdentitiesOnly yes', 'IdentityAgent none', f'UserKnownHostsFile {self.known_hosts}',
            'GlobalKnownHostsFile /dev/null', 'StrictHostKeyChecking yes', '']))
        ssh = self.place / 'bin/ssh'
        ssh.parent.mkdir()
        ssh.write_text(f'#!/bin/sh\necho "$@" >>{self.place}/calls\nexec {SSH} -F {self.config} "$@"\n')
        ssh.chmod(0o755)
        self.environment = {'PATH': f'{ssh.parent}:{os.environ["PATH"]}'}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.place, ignore_errors=True)

    @property
    def public_key(self):
        return (self.place / 'id.pub').read_text().strip()

    def calls(self):
        """The words of each time that ssh was run."""
        calls = self.place / 'calls'
        return calls.read_text().splitlines() if calls.exists() else []

    def know(self, sshd):
        with open(self.known_hosts, 'a', encoding='ascii') as file:
            file.write(f'[127.0.0.1]:{sshd.port} {sshd.host_key()}\n')

    def trust(self, sshd):
        """Both ways: it knows the server's key, and the server knows its."""
        self.know(sshd)
        sshd.authorize(self.public_key)
