"""Upgrades and restarts of the service under 500 requests a second lose none of them and restart no instance.
HOLDALL_LONG=1 makes 50 of them.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from harness import BINARY, Server, until
from release_under_load_test import Load, compare
from shop import Shop

LONG = bool(os.environ.get('HOLDALL_LONG'))
UPGRADES, RESTARTS = (25, 25) if LONG else (2, 2)


class Manager:
    """The service manager's end of sd_notify: what serve has said, and what it has given to be kept."""

    def __init__(self, path):
        self.path, self.said, self.kept, self.ended = str(path), [], {}, False
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        while not self.ended:
            text, fds, _, _ = socket.recv_fds(self.socket, 4096, 4)
            lines = dict(line.split('=', 1) for line in text.decode().splitlines())
            if 'FDSTORE' in lines:
                self.kept.setdefault(lines['FDNAME'], []).extend(fds)
            elif 'FDSTOREREMOVE' in lines:
                for fd in self.kept.pop(lines['FDNAME'], []):
                    os.close(fd)
            elif lines:
                self.said.append(lines)

    def ready(self):
        return sum('READY' in lines for lines in self.said)

    def close(self):
        self.ended = True
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b'', self.path)
        self.thread.join()
        self.socket.close()
        for fds in self.kept.values():
            for fd in fds:
                os.close(fd)


class Unit(Server):
    """A server that is started as systemd starts holdall.service, from an installed binary."""

    def __init__(self, **options):
        super().__init__(**options)
        self.installed = self.place / 'bin/holdall'
        self.installed.parent.mkdir()
        self.install(BINARY)
        self.binary = str(self.installed)
        self.manager = Manager(self.place / 'notify')

    def install(self, binary):
        """As dpkg does: the new file takes the name, whoever runs the old one keeps it."""
        shutil.copy2(binary, f'{self.installed}.new')
        os.rename(f'{self.installed}.new', self.installed)

    def start(self, ready=True):
        kept = [(name, fd) for name, fds in self.manager.kept.items() for fd in fds]
        variables = {'NOTIFY_SOCKET': self.manager.path}
        if kept:
            variables |= {'LISTEN_FDS': str(len(kept)), 'LISTEN_FDNAMES': ':'.join(name for name, _ in kept)}

        sources = [os.dup(fd) for _, fd in kept]
        # From above, so that no number is a source still to be read and a place already.
        high = [os.dup2(fd, 200 + i) for i, fd in enumerate(sources)]

        def place():
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)

        # LISTEN_PID is the process's own, so a shell of one line says it.
        argv = ['/bin/sh', '-c', 'LISTEN_PID=$$ exec "$0" "$@"', self.binary, 'serve', *self.flags]
        with open(self.log_path, 'ab') as log:
            self.serve = subprocess.Popen(argv, env={**self.daemon_environment, **variables}, stdout=log, stderr=log,
                                          stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=place,
                                          pass_fds=range(3, 3 + len(kept)))
        for fd in sources + high:
            os.close(fd)
        if ready:
            self.wait_ready()

    def remove(self):
        self.manager.close()
        super().remove()

    def reload(self, code=0):
        return self.cli('reload', code=code)

    def replaced(self):
        return [p.pid for p in self.census().control + self.census().router]


@pytest.fixture
def unit():
    with Unit() as unit:
        yield unit
        for app in unit.json('apps')['apps']:
            unit.cli('apps', 'destroy', app['name'], '-y')
        unit.stop()


@pytest.fixture
def shop(unit):
    return Shop(unit)


@pytest.fixture
def load(shop, tmp_path):
    shop.deploy(replicas=3)
    load = Load(shop, tmp_path)
    until('requests to be answered', lambda: load.list.exists() and load.list.stat().st_size > 0)
    yield load
    if load.process.poll() is None:
        load.process.kill()
        load.process.communicate()


def pids(shop):
    return shop.server.census().slots()


def nothing_lost(load, shop, instances):
    report = load.end()
    assert report['failed'] == 0, report['failures'][:10]
    assert pids(shop) == instances, 'an instance is another process than before'
    compare(load, shop)


def test_upgrades_and_restarts_lose_no_request_and_restart_no_instance(shop, load):
    unit, instances = shop.server, pids(shop)
    assert len(instances) == 3
    for turn in range(UPGRADES):
        before, serve = unit.replaced(), unit.serve.pid
        unit.install(BINARY)
        unit.reload()
        assert unit.census().serve[0].pid == serve
        assert unit.json('status', '--server')['upgrade']['result'] == 'done'
        until('control to be another', lambda: unit.json('status', '--server')['control']['pid'] not in before)
        assert unit.json('status', '--server')['router']['pid'] not in before
        assert pids(shop) == instances
    for turn in range(RESTARTS):
        assert unit.stop() == 0
        unit.start()
        assert pids(shop) == instances
    nothing_lost(load, shop, instances)
    assert unit.manager.ready() == 1 + UPGRADES + RESTARTS
