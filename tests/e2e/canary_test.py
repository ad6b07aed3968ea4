"""No secret is anywhere but in the processes that may have it: canaries are sealed, released, crashed, rotated and rolled
back, and after each step everything that could hold one is searched (tests/lib/canary.py). Leaks planted on purpose, one
for each kind of place, are found by the same search.
"""
import base64
import contextlib
import hashlib
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest
from canary import Canary, Search, binary_value, core_directory, core_files, services_of, text_value
from harness import Server, processes, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason='a service has a user and mounts of its own only where the server is root')

HERE = Path(__file__).resolve().parent
COMPOSE = '''
name: cage
services:
  web:
    build: .
    command: ["python3", "app.py"]
    secrets: [FILE_SECRET]
    environment:
      CANARY_WHOLE: ${VARIABLE_SECRET}
      CANARY_URL: "postgres://user:${VARIABLE_SECRET}@db/x"
      TURN: "1"
    deploy: {replicas: 2, update_config: {monitor: 200ms}}
    stop_grace_period: 2s
    x-holdall: {route: cage.localhost, ready: /up}
  worker:
    build: .
    command: ["python3", "app.py"]
    secrets: [WORKER_SECRET]
    deploy: {update_config: {monitor: 200ms}}
    stop_grace_period: 2s
    x-holdall: {route: worker.localhost, ready: /up}
  bystander:
    build: .
    command: ["python3", "app.py"]
    deploy: {update_config: {monitor: 200ms}}
    stop_grace_period: 2s
    x-holdall: {route: bystander.localhost, ready: /up}
secrets:
  FILE_SECRET: {environment: FILE_SECRET}
  WORKER_SECRET: {environment: WORKER_SECRET}
'''
MAY_HAVE = {'web': ('FILE_SECRET', 'VARIABLE_SECRET'), 'worker': ('WORKER_SECRET',)}


class Cage:
    """One app with three canaries, its repository, and the server that it is released to."""

    def __init__(self):
        self.server = Server()
        self.project = self.server.app('cage', COMPOSE, {'app.py': HERE / 'canary_app.py'})
        (self.project / '.dockerignore').write_text('*\n!app.py\n')
        self.canaries = []
        self.said = []  # all that commands printed
        self.git('init', '-q')

    def git(self, *words):
        subprocess.run(['git', '-c', 'user.name=test', '-c', 'user.email=test@localhost', *words], cwd=self.project, check=True,
                       stdout=subprocess.DEVNULL)

    def commit(self):
        self.git('add', '-A')
        self.git('commit', '-q', '-m', 'as it is')

    def run(self, *words, stdin=b'', code=0):
        done = subprocess.run([self.server.binary, *words], cwd=self.project, env=self.server.environment, input=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        self.said.append(done.stdout)
        assert done.returncode == code, done.stdout.decode(errors='replace')
        return done.stdout.decode(errors='replace')

    def seal(self, name, value):
        """Seals a canary; those of the same name before it are still looked for."""
        self.canaries.append(Canary(name, value))
        self.run('secrets', 'seal', name, stdin=value)

    def value(self, name):
        return next(canary.value for canary in reversed(self.canaries) if canary.name == name)

    def turn(self, number):
        compose = self.project / 'compose.yaml'
        compose.write_text(compose.read_text().replace(f'TURN: "{number - 1}"', f'TURN: "{number}"'))

    def digests(self, service):
        host = {'web': 'cage'}.get(service, service)
        return json.loads(self.server.get('/digests', host=f'{host}.localhost')[2])

    def expect_values(self, variable=None):
        digest = {name: hashlib.sha256(self.value(name)).hexdigest() for name in ('FILE_SECRET', 'WORKER_SECRET')}
        variable = variable or self.value('VARIABLE_SECRET')
        url = b'postgres://user:' + variable + b'@db/x'
        assert self.digests('web') == {'file FILE_SECRET': digest['FILE_SECRET'],
                                       'variable CANARY_WHOLE': hashlib.sha256(variable).hexdigest(),
                                       'variable CANARY_URL': hashlib.sha256(url).hexdigest()}
        assert self.digests('worker') == {'file WORKER_SECRET': digest['WORKER_SECRET']}
        assert self.digests('bystander') == {}

    def search(self):
        """All that is found of any canary where it must not be."""
        search = Search(self.canaries)
        search.repository(self.project)
        place = self.server.place
        search.tree('artefacts', self.server.state / 'artefacts')
        search.tree('logs', self.server.state / 'logs')
        search.tree('state', self.server.state, leave_out=(self.server.state / 'artefacts', self.server.state / 'logs'))
        search.tree('server', place, leave_out=(self.server.state, self.project))
        for output in self.said:
            search.look('output', 'what a command printed', output)
        services, shims = services_of(self.server.census())
        may_have = {'environment': services, 'files': services, 'mounts': services | shims}
        cores = {path for process in processes() if process.cwd for path in core_files(process.cwd)}
        for path in cores | set(core_files('/')):
            search.file('core', path)
        search.processes(lambda pid, what: MAY_HAVE.get(may_have.get(what, {}).get(pid), ()))
        missed = {'repository', 'artefacts', 'logs', 'state', 'server', 'ps', 'process.environment', 'process.argv', 'process.files',
                  'process.mounts'} - search.looked_at.keys()
        assert not missed or not services, f'not looked at: {missed}'
        return search.found

    def end(self):
        with contextlib.suppress(Exception):
            self.run('apps', 'destroy', 'cage', '-y')
            self.server.stop()
        self.server.remove()


@contextlib.contextmanager
def running_cage():
    # What would dump core may.
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    cage = Cage()
    try:
        cage.server.start()
        cage.run('secrets', 'keygen')
        cage.seal('FILE_SECRET', binary_value())
        cage.seal('VARIABLE_SECRET', text_value())
        cage.seal('WORKER_SECRET', text_value())
        cage.commit()
        yield cage
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
        cage.end()


def test_no_canary_is_found_where_it_must_not_be():
    with running_cage() as cage:
        assert cage.search() == [], 'after seal'

        cage.run('deploy')
        cage.expect_values()
        assert cage.search() == [], 'after deploy'

        instance = cage.server.census().slots()['cage/web.1@v1'][0]
        os.kill(instance, signal.SIGSEGV)
        until('the instance to be back', lambda: cage.server.census().slots()['cage/web.1@v1'] not in ([], [instance]))
        control = cage.server.census().control[0]
        os.kill(control.pid, signal.SIGSEGV)
        until('control to be dead', lambda: not control.alive())
        cage.server.wait_ready()
        shim = cage.server.census().shims[0]
        os.kill(shim.pid, signal.SIGKILL)  # the first process of a namespace can be ended by nothing less
        until('the shim to be dead', lambda: not shim.alive())
        until('all four instances', lambda: len(cage.server.census().slots()) == 4)
        cage.expect_values()
        assert cage.search() == [], 'after crashes'

        old = cage.value('VARIABLE_SECRET')
        cage.seal('VARIABLE_SECRET', text_value())
        cage.turn(2)
        cage.commit()
        cage.run('deploy')
        cage.expect_values()
        assert cage.search() == [], 'after another value'

        cage.run('rollback')
        cage.expect_values(variable=old)
        assert cage.search() == [], 'after rollback'

        cage.run('secrets', 'rotate')
        cage.turn(3)
        cage.commit()
        cage.run('deploy')
        cage.expect_values()
        assert cage.search() == [], 'after rotate'

        cage.run('apps', 'destroy', 'cage', '-y')
        assert cage.search() == [], 'after destroy'


# ---- leaks, one for each kind of place


@contextlib.contextmanager
def process(*words, **options):
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, **options)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


@contextlib.contextmanager
def planted_file(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    yield
    path.unlink()


@contextlib.contextmanager
def in_git_history(cage, value):
    path = cage.project / 'notes.txt'
    path.write_bytes(value.hex().encode())
    cage.commit()
    path.unlink()
    cage.commit()
    yield
    shutil.rmtree(cage.project / '.git')
    cage.git('init', '-q')
    cage.commit()


@contextlib.contextmanager
def in_a_free_page(cage, value):
    path = cage.server.state / 'other.db'
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute('pragma secure_delete = off')
        database.execute('create table t (v blob)')
        database.execute('insert into t values (?)', (value,))
        database.commit()
        database.execute('delete from t')
        database.commit()
        assert database.execute('select count(*) from t').fetchone() == (0,)
    yield
    path.unlink()


@contextlib.contextmanager
def in_a_write_ahead_log(cage, value):
    path = cage.server.state / 'other.db'
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute('pragma journal_mode = wal')
        database.execute('create table t (v text)')
        database.execute('insert into t values (?)', (base64.b64encode(b'x' + value).decode(),))
        database.commit()
        assert (cage.server.state / 'other.db-wal').stat().st_size
        yield
    path.unlink()


@contextlib.contextmanager
def in_an_open_file(cage, value):
    path = cage.server.place / 'deleted'
    with open(path, 'w+b') as opened:
        path.unlink()
        opened.write(value)
        opened.flush()
        yield


@contextlib.contextmanager
def in_a_mount(cage, value):
    script = 'mount -t tmpfs tmpfs /run && mkdir /run/secrets && cat >/run/secrets/X && echo done && exec sleep 60'
    with process('unshare', '--mount', 'sh', '-c', script) as child:
        child.stdin.write(value)
        child.stdin.close()
        child.stdin = None
        assert child.stdout.readline() == b'done\n'
        yield


@contextlib.contextmanager
def in_argv(cage, value):
    with process('sh', '-c', 'read x', 'sh', base64.urlsafe_b64encode(b'xx' + value).decode()):
        yield


@contextlib.contextmanager
def in_an_environment(cage, value):
    with process('sh', '-c', 'echo up; read x', env={b'PATH': b'/usr/bin:/bin', b'LEAK': value}) as child:
        child.stdout.readline()
        yield


@contextlib.contextmanager
def in_output(cage, value):
    cage.said.append(b'error: wrong password ' + json.dumps(value.decode()).encode())
    yield
    cage.said.pop()


def with_file(where, spell=lambda value: value):
    return lambda cage, value: planted_file(where(cage), b'before ' + spell(value) + b' after')


PLANTS = [
    ('repository', 'hex', in_git_history),
    ('artefacts', 'json', with_file(lambda cage: cage.server.state / 'artefacts/x', lambda value: json.dumps(value.decode('latin-1')).encode())),
    ('logs', 'raw', with_file(lambda cage: cage.server.state / 'logs/cage/x')),
    ('state', 'raw', in_a_free_page),
    ('state', 'base64', in_a_write_ahead_log),
    ('server', 'raw', with_file(lambda cage: cage.server.place / 'serve.log.1', lambda value: value[:20])),
    ('output', 'json', in_output),
    ('core', 'raw', with_file(lambda cage: core_directory('/') / 'core.planted', lambda value: b'\0' * 4096 + value)),
    ('ps', 'base64', in_argv),
    ('process.argv', 'base64', in_argv),
    ('process.environment', 'raw', in_an_environment),
    ('process.files', 'raw', in_an_open_file),
    ('process.mounts', 'raw', in_a_mount),
]


@pytest.fixture(scope='module')
def cage():
    with running_cage() as cage:
        cage.run('deploy')
        yield cage


@pytest.mark.parametrize('kind, spelling, plant', PLANTS)
def test_a_leak_planted_on_purpose_is_found(cage, kind, spelling, plant):
    if kind == 'core' and not core_directory('/'):
        pytest.skip('core dumps go to a program here')
    with plant(cage, cage.value('VARIABLE_SECRET')):
        found = cage.search()
    assert any((leak.kind, leak.canary, leak.spelling) == (kind, 'VARIABLE_SECRET', spelling) for leak in found), found
    assert {leak.canary for leak in found} == {'VARIABLE_SECRET'}
    assert cage.search() == []


def test_one_service_with_the_secret_of_another_is_a_leak(cage, monkeypatch):
    monkeypatch.setitem(MAY_HAVE, 'worker', ())
    assert {(leak.kind, leak.canary) for leak in cage.search()} == {('process.mounts', 'WORKER_SECRET')}
