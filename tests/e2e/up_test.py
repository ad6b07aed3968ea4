"""`holdall up` is a client of a private serve: it ends, and everything with it, however its client ends."""
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from harness import BINARY, Failed, environment_of, processes, until
from shop import TOOLS


class Project:
    """A project directory and the places in which `up` keeps what it keeps."""

    def __init__(self, place):
        self.place = place
        self.directory = place / 'stall'
        self.directory.mkdir()
        self.environment = {'PATH': os.environ['PATH'], 'HOME': str(place), 'LANG': 'C.UTF-8',
                            'XDG_STATE_HOME': str(place / 'state'), 'XDG_RUNTIME_DIR': str(place / 'run'),
                            'HOLDALL_STATE': str(place / 'state/holdall'), 'HOLDALL_API': str(place / 'run/holdall/api.sock')}
        for name in ('ASAN_OPTIONS', 'UBSAN_OPTIONS'):
            if name in os.environ:
                self.environment[name] = os.environ[name]
        (place / 'run').mkdir()
        (self.directory / 'compose.yaml').write_text('''
name: stall
services:
  web:
    build: .
    command: ["./test_app"]
    stop_grace_period: 2s
    depends_on: [base]
    x-holdall: {route: stall.localhost, ready: /up}
  base:
    build: .
    command: ["./test_app"]
    stop_grace_period: 2s
    x-holdall: {ready: /up}
''')
        (self.directory / '.dockerignore').write_text('compose.yaml\n')  # another version of the file is no other artefact
        (self.directory / 'test_app').write_bytes((TOOLS / 'test_app').read_bytes())
        (self.directory / 'test_app').chmod(0o755)

    def run(self, *words, code=0):
        done = subprocess.run([BINARY, *words], cwd=self.directory, env=self.environment, capture_output=True, text=True, timeout=60)
        if done.returncode != code:
            raise Failed(f'holdall {" ".join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}')
        return done

    def start(self, *words):
        return subprocess.Popen([BINARY, *words], cwd=self.directory, env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def alive(self):
        """Every process of this project: its daemons, shims and instances."""
        here = str(self.place)
        return [p for p in processes() if p.state != 'Z' and (
            environment_of(p.pid).get('HOME') == here or p.cwd.startswith(here) or p.exe.startswith(here))]

    def instances(self):
        return [p for p in self.alive() if p.argv[:1] == ('./test_app',)]


@pytest.fixture
def project():
    # Not tmp_path: a socket's path has to be short.
    place = Path(tempfile.mkdtemp(prefix='holdall-up-'))
    project = Project(place)
    yield project
    try:
        until('everything to be gone', lambda: not project.alive(), seconds=5)
    except Failed:
        pass
    left = project.alive()
    for process in left:
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    subprocess.run(['chmod', '-R', 'u+w', place], check=False)
    shutil.rmtree(place)
    assert not left, f'left behind: {left}'


def test_up_detached_serves_and_down_takes_it_away(project):
    project.run('up', '-d')
    assert len(project.instances()) == 2
    assert 'web' in project.run('ps').stdout
    project.run('down')
    assert not project.instances()
    until('serve to be gone too', lambda: not project.alive())


def test_up_again_changes_nothing(project):
    project.run('up', '-d')
    before = {p.pid for p in project.instances()}
    project.run('up', '-d')
    assert {p.pid for p in project.instances()} == before
    project.run('down')


def test_up_again_replaces_only_what_changed(project):
    project.run('up', '-d')
    base = [p.pid for p in project.instances() if environment_of(p.pid)['HOLDALL_SERVICE'] == 'base']
    compose = project.directory / 'compose.yaml'
    compose.write_text(compose.read_text().replace('    depends_on: [base]', '    depends_on: [base]\n    environment: {A: b}'))
    project.run('up', '-d')
    assert base == [p.pid for p in project.instances() if environment_of(p.pid)['HOLDALL_SERVICE'] == 'base']
    project.run('down')


@pytest.mark.parametrize('ends', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_up_in_the_foreground_ends_with_its_client(project, ends):
    up = project.start('up')
    until('both to run', lambda: len(project.instances()) == 2)
    until('the app to have said where it listens', lambda: 'listens' in up.stdout.readline())
    up.send_signal(ends)
    up.stdout.read()
    up.wait(60)
    until('everything to be gone', lambda: not project.alive())


def test_up_right_after_down_works(project):
    for _ in range(5):
        project.run('up', '-d')
        project.run('down')


def test_down_of_nothing_is_no_error(project):
    project.run('down')


def test_run_starts_what_its_service_depends_on_and_leaves_it_running(project):
    done = project.run('run', '-T', 'web', 'sh', '-c', 'echo $HOLDALL_INSTANCE; exit 3', code=3)
    assert done.stdout.startswith('web.run.') and '`holdall down` stops it' in done.stderr
    assert [environment_of(p.pid)['HOLDALL_SERVICE'] for p in project.instances()] == ['base']
    assert project.run('run', '--entrypoint', 'echo', 'web', 'again').stdout == 'again\n'
    project.run('up', '-d')  # what was known without a replica gets its own
    assert len(project.instances()) == 2
    assert project.run('exec', 'web', 'printenv', 'HOLDALL_INSTANCE').stdout == 'web.1\n'
    assert project.run('exec', '-d', 'web', 'true', code=0 if os.geteuid() == 0 else 125)
    project.run('down')


def test_run_without_dependencies_leaves_nothing(project):
    assert project.run('run', '--no-deps', 'web', 'echo', 'alone').stdout == 'alone\n'
    until('everything to be gone', lambda: not project.alive())
    assert 'no such service: nothing; there is: web, base' in project.run('run', 'nothing', 'true', code=125).stderr
    assert 'nothing runs here' in project.run('exec', 'web', 'true', code=125).stderr


def test_a_killed_run_takes_with_it_what_it_started(project):
    process = project.start('run', '-T', 'web', 'sh', '-c', 'echo on; sleep 86400; true')
    until('the program', lambda: any(p.argv == ('sleep', '86400') for p in project.alive()))
    process.kill()
    process.wait()
    process.stdout.close()
    until('everything to be gone', lambda: not project.alive())


def test_open_prints_the_first_address(project):
    project.run('up', '-d')
    assert project.run('open').stdout.startswith('http://stall.localhost:')
    project.run('down')
