"""What happens is what docs/supervision.md says: crash loops, memory kills, fork bombs, programs that will not end, floods, a full
disk, a clock that jumps. In each, another app on the same server goes on; how fast it answered is printed, not judged."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import Server, environment_of, processes, until
from shop import Shop

LONG = os.environ.get('HOLDALL_LONG') == '1'


@pytest.fixture(scope='module')
def house():
    """A server with an app that has done nothing wrong."""
    with Server() as server:
        shop = Shop(server)
        shop.deploy(name='bystander', replicas=1, monitor='50ms')
        yield server
        server.cli('apps', 'destroy', 'bystander', '-y')
        server.stop()
        assert not server.census().everything()


@pytest.fixture
def flags():
    place = Path(tempfile.mkdtemp(prefix='holdall-flags-'))
    place.chmod(0o777)
    yield place
    shutil.rmtree(place)


@contextmanager
def bystander(server, what):
    """Asks the other app again and again; each answer is a 200, and its instance the same one."""
    before = server.census().slots()['bystander/web.1@v1']
    spans, wrong, done = [], [], threading.Event()

    def ask():
        while not done.is_set():
            began = time.monotonic()
            try:
                status = server.get('/', 'bystander.localhost')[0]
            except OSError as problem:
                status = problem
            spans.append((time.monotonic() - began) * 1000)
            if status != 200:
                wrong.append(status)
            done.wait(0.01)
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    spans.sort()
    print(f'\n{what}: the app beside it answered {len(spans)} requests, p50 {spans[len(spans) // 2]:.1f} ms, p99 {spans[len(spans) * 99 // 100]:.1f} ms')
    assert not wrong, wrong[:3]
    assert server.census().slots()['bystander/web.1@v1'] == before


class App:
    """One service that runs a Python program; `go` in `flags` is the sign to begin."""

    def __init__(self, server, name, program, keys=''):
        self.server, self.name = server, name
        self.directory = server.app(name, f'''
name: {name}
services:
  it:
    build: .
    command: ["/usr/bin/python3", "-u", "program.py"]
    stop_grace_period: 500ms
    restart: always
    deploy: {{update_config: {{monitor: 20ms}}}}
{keys}
''')
        (self.directory / 'program.py').write_text(program)

    def __enter__(self):
        self.said = self.server.cli('deploy', cwd=self.directory).stdout
        return self

    def __exit__(self, *error):
        self.server.cli('apps', 'destroy', self.name, '-y')
        slots = self.server.census().slots()
        assert not [name for name in slots if name.startswith(self.name + '/')], slots
        mine = [p for p in processes() if environment_of(p.pid).get('HOLDALL_APP') == self.name]
        assert not mine, f'left: {mine}'

    def only(self):
        found = self.server.json('ps', '-H', self.server.url(), cwd=self.directory)['instances']
        assert len(found) == 1, found
        return found[0]

    def mine(self):
        return [p for p in processes() if environment_of(p.pid).get('HOLDALL_APP') == self.name]

    def limits(self):
        return 'is not enforced' not in self.said


def wait_for(flag):
    return f'import os, time, sys, signal, subprocess\nwhile not os.path.exists({str(flag)!r}): time.sleep(0.02)\n'


def test_a_crash_loop_is_started_again_after_0_1_2_seconds_and_says_why(house, flags):
    with App(house, 'loop', wait_for(flags / 'go') + 'open(' + repr(str(flags / 'starts')) + ', "a").write(f"{time.monotonic()}\\n")\nprint("no database", file=sys.stderr)\nsys.exit(3)') as app, bystander(house, 'crash loop'):
        (flags / 'go').touch()
        starts = until('four crashes', lambda: (lambda lines: lines if len(lines) >= 4 else None)((flags / 'starts').read_text().split()))
        gaps = [float(b) - float(a) for a, b in zip(starts, starts[1:])]
        # Each start of Python itself takes its time on top.
        assert gaps[0] < 1 and 1 <= gaps[1] < 2.9 and 2 <= gaps[2] < 4.9, gaps
        seen = until('it to wait', lambda: (lambda i: i if i['health'] == 'waiting' else None)(app.only()))
        assert seen['reason'].startswith('exited with code 3, ') and seen['exit_code'] == 3
        assert 'no database' in house.cli('logs', '-H', house.url(), cwd=app.directory).stdout


def test_an_instance_over_its_memory_is_killed_alone_and_that_is_said(house, flags):
    with App(house, 'hungry', wait_for(flags / 'go') + 'b = bytearray(300 << 20)', '    mem_limit: 48m\n    memswap_limit: 48m') as app, bystander(house, 'memory kill'):
        if not app.limits():
            pytest.skip('this machine has no control groups that limit memory')
        (flags / 'go').touch()
        seen = until('it to wait', lambda: (lambda i: i if i['restarts'] and i['reason'] else None)(app.only()))
        assert seen['reason'].startswith('killed by the kernel: over its 48 MiB limit, '), seen


def test_a_fork_bomb_meets_its_limit_and_goes_with_its_app(house, flags):
    bomb = wait_for(flags / 'go') + '''
while True:
    try:
        if os.fork() == 0: signal.signal(signal.SIGTERM, signal.SIG_IGN)
    except OSError:
        time.sleep(0.05)
'''
    with App(house, 'bomb', bomb, '    pids_limit: 40\n    cpus: 0.3') as app, bystander(house, 'fork bomb'):
        if not app.limits():
            pytest.skip('this machine has no control groups that limit processes')
        (flags / 'go').touch()
        until('it to be full', lambda: len(app.mine()) >= 40)
        until('it to stay so', lambda: len(app.mine()) == 40)
    assert not app.mine()


def test_ignored_term_and_daemonised_grandchildren_end_with_their_instance(house, flags):
    program = '''
import os, signal, subprocess, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            null = os.open('/dev/null', os.O_RDWR)
            for fd in (0, 1, 2): os.dup2(null, fd)
            os.closerange(3, 100)
            time.sleep(1000)
        os._exit(0)
while True: time.sleep(1)
'''
    with App(house, 'daemons', program) as app, bystander(house, 'daemons'):
        until('all four', lambda: len([p for p in app.mine() if p.state != 'Z']) == 4)
        main = house.census().slots()['daemons/it.1@v1'][0]
        os.kill(main, signal.SIGKILL)
        until('it to be back', lambda: app.only()['restarts'] == 1)
        until('one copy', lambda: len([p for p in app.mine() if p.state != 'Z']) == 4)
        assert not [p for p in processes() if p.state == 'Z' and p.parent == 1 and 'python3' in p.exe]
        began = time.monotonic()
        house.cli('apps', 'destroy', 'daemons', '-y')
        # TERM is ignored: the grace of 500 ms, then KILL to all of it.
        assert 0.4 < time.monotonic() - began < 5
        assert not app.mine()
        house.cli('deploy', cwd=app.directory)


def test_a_flood_of_output_fills_no_disk_and_stops_nobody(house, flags):
    size = (600 if LONG else 32) << 20
    flood = wait_for(flags / 'go') + f'''
line = b'x' * 1023 + b'\\n'
for _ in range({size} >> 20): sys.stdout.buffer.write(line * 1024)
print('the end', flush=True)
time.sleep(1000)
'''
    with App(house, 'flood', flood) as app, bystander(house, 'flood'):
        (flags / 'go').touch()
        until('its end', lambda: 'the end' in house.cli('logs', '-n', '3', '-H', house.url(), cwd=app.directory).stdout, seconds=120, every=0.2)
        logs = house.state / 'logs' / 'flood'
        kept = lambda: sum(p.stat().st_size for p in logs.rglob('*') if p.is_file())
        print(f'kept {kept() >> 20} MiB of {size >> 20}')
        assert app.only()['restarts'] == 0 and app.only()['health'] == 'ready'


@pytest.mark.skipif(os.geteuid() != 0, reason='mounts a small disk')
def test_a_full_disk_refuses_releases_in_words_and_stops_nothing_that_runs():
    server = Server()
    server.state.mkdir(parents=True)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', server.state], check=True)
    try:
        with server:
            shop = Shop(server)
            shop.deploy(name='bystander', replicas=1, monitor='50ms')
            with App(server, 'small', 'import time\nwhile True: print("still here", flush=True); time.sleep(0.05)') as app, bystander(server, 'full disk'):
                full = server.state / 'full'
                filler = os.open(full, os.O_WRONLY | os.O_CREAT)
                with pytest.raises(OSError):
                    while True:
                        os.write(filler, b'x' * 4096)
                os.close(filler)
                (app.directory / 'program.py').write_text('import time\ntime.sleep(1000)\n')
                # What is left of a page here and there is used up by what the app says.
                refused = server.cli('deploy', cwd=app.directory, code=None)
                assert refused.returncode != 0 and 'full' in refused.stderr, refused
                # A crash has to be written down before its successor is started: that waits for room, and is not lost.
                os.kill(server.census().slots()['small/it.1@v1'][0], signal.SIGKILL)
                assert server.get('/', 'bystander.localhost')[0] == 200
                full.unlink()
                until('it to be back', lambda: app.only()['health'] == 'ready' and app.only()['restarts'] == 1)
                server.cli('deploy', cwd=app.directory)
            server.cli('apps', 'destroy', 'bystander', '-y')
            server.stop()
    finally:
        until('the disk to be free', lambda: subprocess.run(['umount', server.state], check=False).returncode == 0 or not os.path.ismount(server.state))
        shutil.rmtree(server.place, ignore_errors=True)


def test_a_clock_that_jumps_an_hour_changes_no_start_no_watch_and_no_restart(flags):
    clock = flags / 'clock'
    clock.write_text('0')
    with Server(environment={'HOLDALL_FAULT_WALL_CLOCK': str(clock)}) as server:
        shop = Shop(server)
        shop.deploy(name='bystander', replicas=1, monitor='50ms')
        beat = wait_for(flags / 'go') + f'sys.exit(3) if not os.path.exists({str(flags / "well")!r}) else time.sleep(1000)'
        with App(server, 'timed', beat) as app, bystander(server, 'clock jumps'):
            for jump in (3600, -3600, 0):
                clock.write_text(str(jump))
                began = time.monotonic()
                (app.directory / 'turn').write_text(str(jump))
                server.cli('deploy', cwd=app.directory)
                assert time.monotonic() - began < 20
                assert app.only()['restarts'] == 0
            # A crash loop waits 0 and 1 s by the boot's clock, with an hour more and an hour less in between.
            (flags / 'go').touch()
            until('it to crash', lambda: app.only()['restarts'] >= 1)
            clock.write_text('3600')
            until('it to crash again', lambda: app.only()['restarts'] >= 2, seconds=20)
            clock.write_text('-3600')
            (flags / 'well').touch()
            until('it to stay', lambda: app.only()['health'] == 'ready', seconds=20)
            assert any(abs(json.loads(line)['Timestamp'] / 1e9 - time.time()) > 3000 for line in server.log_path.read_text().splitlines() if line.startswith('{')), 'the clock never jumped'
        server.cli('apps', 'destroy', 'bystander', '-y')
        server.stop()
        assert not server.census().everything()
