"""Machines of a test's own: each with its own network, mount, PID and UTS namespace, and its own root file system (an
overlay over this one, in memory), on one network that nobody else sees. Servers run sshd; the laptop has a key that opens them.

    with Machines('laptop', 'staging', 'one', 'two') as machines:
        machines.laptop.run('holdall', 'setup', f'root@{machines.staging.address}')

Nothing of it is left: the first process of a PID namespace takes all others with it, and the mounts go with their namespace.
"""
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import BINARY, Failed, PATIENCE, until

INIT = Path(__file__).resolve()
NETWORK = '10.77.41'  # in namespaces of its own: it meets no other
SSHD = '/usr/sbin/sshd'
SSHD_CONFIG = """\
AuthorizedKeysFile .ssh/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
PidFile none
"""


def command(*words, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Failed(f'{shlex.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}')
    return done.stdout


class Machine:
    """One of them. `run` is what a person at its keyboard does."""

    def __init__(self, machines, name, number, sshd):
        self.machines, self.name, self.address = machines, name, f'{NETWORK}.{number}'
        self.namespace = f'{machines.tag}-{name}'
        self.place = machines.place / name
        self.sshd = sshd
        self.process = None

    def start(self):
        inside, outside = 'eth0', f'{self.machines.tag[-6:]}{self.address.rsplit(".", 1)[1]}'
        command('ip', 'netns', 'add', self.namespace)
        command('ip', '-n', self.machines.hub, 'link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', self.namespace)
        command('ip', '-n', self.machines.hub, 'link', 'set', outside, 'master', 'bridge', 'up')
        command('ip', '-n', self.namespace, 'addr', 'add', f'{self.address}/24', 'dev', inside)
        for device in (inside, 'lo'):
            command('ip', '-n', self.namespace, 'link', 'set', device, 'up')
        self.place.mkdir()
        with open(self.place / 'log', 'wb') as log:
            self.process = subprocess.Popen(
                ['nsenter', f'--net=/run/netns/{self.namespace}', 'unshare', '--mount', '--pid', '--uts', '--fork', '--kill-child',
                 sys.executable, INIT, str(self.place), self.name, 'sshd' if self.sshd else ''],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd='/')
        self.init = until(f'{self.name} to begin', self._init)
        until(f'{self.name} to be up', lambda: 'up\n' in (self.place / 'log').read_text())

    def _init(self):
        if self.process.poll() is not None:
            raise Failed(f'{self.name} ended: {(self.place / "log").read_text()}')
        return int(Path(f'/proc/{self.process.pid}/task/{self.process.pid}/children').read_text().split()[0])

    def stop(self):
        if self.process:
            self.process.kill()  # and its child with it, which is 1 in there
            self.process.wait()
        subprocess.run(['ip', 'netns', 'del', self.namespace], capture_output=True, check=False)

    def words(self, words, home='/root'):
        return ['nsenter', f'--target={self.init}', '--net', '--mount', '--pid', '--uts', '--root', '--wd=/',
                'env', '-i', '-C', home, 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root', 'LANG=C.UTF-8', *map(str, words)]

    def run(self, *words, code=0, stdin='', cwd='/root', environment=None, seconds=None):
        """Runs to its end. Fails unless the exit code is `code` (None: any)."""
        extra = [f'{name}={value}' for name, value in (environment or {}).items()]
        done = subprocess.run(self.words([*extra, *words], cwd), input=stdin, capture_output=True, text=True, timeout=seconds or 4 * PATIENCE)
        if code is not None and done.returncode != code:
            raise Failed(f'{self.name}$ {shlex.join(map(str, words))}: exit {done.returncode}, expected {code}\n{done.stdout}{done.stderr}')
        return done

    def path(self, path):
        """Where a file of this machine is, seen from outside."""
        return Path(f'/proc/{self.init}/root') / path.lstrip('/')

    def processes(self):
        """The argv of everything that runs there."""
        return [line for line in self.run('ps', '-eo', 'args', '--no-headers').stdout.splitlines()]


class Machines:
    """A laptop and servers; `machines.NAME` is one of them."""

    def __init__(self, laptop, *servers):
        self.place = Path(tempfile.mkdtemp(prefix='holdall-machines-'))
        self.tag = self.place.name.removeprefix('holdall-machines-').replace('_', 'x')
        self.tag = f'hm{self.tag}'
        self.hub = f'{self.tag}-hub'
        self.all = [Machine(self, name, number, sshd=name != laptop) for number, name in enumerate((laptop, *servers), 11)]
        for machine in self.all:
            setattr(self, machine.name, machine)

    def __enter__(self):
        try:
            command('ip', 'netns', 'add', self.hub)
            command('ip', '-n', self.hub, 'link', 'add', 'bridge', 'type', 'bridge')
            command('ip', '-n', self.hub, 'link', 'set', 'bridge', 'up')
            for machine in self.all:
                machine.start()
            self._introduce()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind:
                self._show_logs()
        finally:
            self.remove()

    def _show_logs(self):
        for machine in self.all:
            for log in (machine.place / 'log', machine.path('/var/log/holdall.log')):
                if log.exists():
                    print(f'--- {machine.name}: {log.name} (its last lines)')
                    print('\n'.join(log.read_text(errors='replace').splitlines()[-30:]))

    def remove(self):
        for machine in self.all:
            machine.stop()
        subprocess.run(['ip', 'netns', 'del', self.hub], capture_output=True, check=False)
        shutil.rmtree(self.place, ignore_errors=True)

    def _introduce(self):
        """The laptop's key opens root on every server, and it knows their host keys, as one who has logged in before."""
        laptop, *servers = self.all
        laptop.run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', '/root/.ssh/id_ed25519')
        public = laptop.path('/root/.ssh/id_ed25519.pub').read_text()
        known = ''
        for server in servers:
            server.path('/root/.ssh/authorized_keys').write_text(public)
            known += f'{server.address} {server.path("/etc/ssh/ssh_host_ed25519_key.pub").read_text()}'
        laptop.path('/root/.ssh/known_hosts').write_text(known)


# ---- inside: the first process of a machine

def mount(*words):
    subprocess.run(['mount', *words], check=True)


def make_root(place, sshd):
    """The root file system: what this machine has, and in memory what is changed; its own /run, /tmp, /proc and home."""
    mount('--make-rprivate', '/')
    mount('-t', 'tmpfs', 'machine', place)
    for name in ('upper', 'work', 'root'):
        (place / name).mkdir()
    root = place / 'root'
    mount('-t', 'overlay', 'overlay', '-o', f'lowerdir=/,upperdir={place}/upper,workdir={place}/work', root)
    (root / 'usr/local/bin/holdall').unlink(missing_ok=True)
    if not sshd:
        shutil.copy(BINARY, root / 'usr/local/bin/holdall')
    for name in ('run', 'tmp', 'root'):
        mount('-t', 'tmpfs', name, root / name)
    mount('--rbind', '/dev', root / 'dev')
    mount('--rbind', '/sys', root / 'sys')
    mount('-t', 'proc', 'proc', root / 'proc')
    for path in ('etc/holdall', 'var/lib/holdall'):
        shutil.rmtree(root / path, ignore_errors=True)
    for path in ('usr/bin/holdall', 'var/log/holdall.log', 'etc/systemd/system/holdall.service', 'lib/systemd/system/holdall.service'):
        (root / path).unlink(missing_ok=True)
    old = root / 'mnt'
    subprocess.run(['pivot_root', root, old], check=True)
    os.chdir('/')
    subprocess.run(['umount', '-l', '/mnt'], check=True)
    os.chmod('/tmp', 0o1777)


def make_machine(name, sshd):
    """As freshly installed: nothing of Holdall's, an empty home directory, host keys of its own."""
    subprocess.run(['hostname', name], check=True)
    Path('/etc/hostname').write_text(f'{name}\n')
    Path('/etc/hosts').write_text(f'127.0.0.1 localhost {name}\n::1 localhost\n')
    os.chmod('/root', 0o700)
    Path('/root/.ssh').mkdir(mode=0o700)
    if not sshd:
        return
    for key in Path('/etc/ssh').glob('ssh_host_*'):
        key.unlink()
    subprocess.run(['ssh-keygen', '-q', '-A'], check=True)
    Path('/run/sshd').mkdir(mode=0o755)
    Path('/etc/ssh/sshd_test').write_text(SSHD_CONFIG)


def be_init():
    place, name, sshd = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == 'sshd'
    make_root(place, sshd)
    make_machine(name, sshd)
    if sshd:
        subprocess.Popen([SSHD, '-D', '-e', '-f', '/etc/ssh/sshd_test'])
    print('up', flush=True)
    while True:  # as an init does: who has lost its parent is reaped here
        try:
            os.wait()
        except ChildProcessError:
            signal.pause()
        except InterruptedError:
            pass


if __name__ == '__main__':
    be_init()
