"""Secrets in development: from the caller's variables and files into instances, sealed on their way."""
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from harness import BINARY, environment_of, processes, until

COMPOSE = '''
name: bench
services:
  web:
    build: .
    command: ["sleep", "3600.21"]
    environment: ["URL=x:${DB_PASSWORD}@h"]
    secrets: [pw, key]
    stop_grace_period: 1s
secrets:
  pw: {environment: DB_PASSWORD}
  key: {file: ../key.pem}
'''


class Bench:
    def __init__(self, place, wrapper=()):
        self.place, self.wrapper = place, list(wrapper)
        self.directory = place / 'bench'
        self.directory.mkdir()
        (place / 'run').mkdir()
        (place / 'key.pem').write_text('canary-key')
        (self.directory / 'compose.yaml').write_text(COMPOSE)
        self.environment = {'PATH': os.environ['PATH'], 'HOME': str(place), 'XDG_RUNTIME_DIR': str(place / 'run'),
                            'HOLDALL_STATE': str(place / 'state'), 'HOLDALL_API': str(place / 'run/api.sock'),
                            'DB_PASSWORD': 'canary-shell'}

    def run(self, *words, code=0):
        done = subprocess.run([*self.wrapper, BINARY, *words], cwd=self.directory, env=self.environment, capture_output=True,
                              text=True, timeout=90)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def program(self):
        return until('the program to run', lambda: [p for p in processes() if p.argv == ('sleep', '3600.21')])[0].pid

    def down(self):
        self.run('down')
        assert not [p for p in processes() if p.argv == ('sleep', '3600.21')]


@pytest.fixture
def place():
    place = Path(tempfile.mkdtemp(prefix='holdall-bench-'))
    yield place
    shutil.rmtree(place, ignore_errors=True)


def test_values_come_from_the_shell_and_from_files_and_lie_nowhere(place):
    bench = Bench(place)
    if os.geteuid() != 0:
        pytest.skip('services have users of their own as root alone')
    bench.run('up', '-d')
    try:
        pid = bench.program()
        seen = environment_of(pid)
        assert seen['URL'] == 'x:canary-shell@h'
        assert Path(f'/proc/{pid}/root/run/secrets/pw').read_text() == 'canary-shell'
        assert Path(f'/proc/{pid}/root/run/secrets/key').read_text() == 'canary-key'
        for path in [*(place / 'state').rglob('*'), *(place / 'run').rglob('*')]:
            if path.is_file():
                assert b'canary-' not in path.read_bytes(), path
        for process in processes():
            if process.exe == os.path.realpath(BINARY):
                assert b'canary-' not in Path(f'/proc/{process.pid}/environ').read_bytes(), process
        assert 'nothing changed' in bench.run('up', '-d').stdout
        bench.environment['DB_PASSWORD'] = 'canary-other'
        assert 'secret DB_PASSWORD changed' in bench.run('up', '-d').stdout
        assert environment_of(bench.program())['URL'] == 'x:canary-other@h'
    finally:
        bench.down()


def test_somebody_who_is_not_root_must_accept_that_services_share_a_user(place):
    wrapper = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] if os.geteuid() == 0 else []
    bench = Bench(place, wrapper)
    for path in [place, *place.rglob('*')]:
        if wrapper:
            os.chown(path, 65534, 65534)
    said = bench.run('up', '-d', code=6)
    assert '--shared-uid' in said.stderr and 'canary-' not in said.stdout + said.stderr
    bench.run('down')
    bench.run('up', '-d', '--shared-uid')
    try:
        seen = environment_of(bench.program())
        assert seen['URL'] == 'x:canary-shell@h'
        files = Path(seen['HOLDALL_SECRETS'])
        assert files.is_relative_to(place / 'run')
        assert (files / 'key').read_text() == 'canary-key'
        assert (files.stat().st_mode & 0o777, (files / 'key').stat().st_mode & 0o777) == (0o700, 0o400)
    finally:
        bench.down()
    assert not files.exists()
