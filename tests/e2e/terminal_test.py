"""exec and run: a program is as if it ran here, with a terminal or without, and goes with whoever asked for it."""
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time

import pytest
from harness import PATIENCE, Failed, Server, processes, until

COMPOSE = '''
name: desk
services:
  web:
    build: .
    command: ["sh", "-c", "echo up; exec sleep 86400"]
    stop_grace_period: 1s
    environment: {COLOUR: green, SECRET: "x${PW}x"}
    deploy: {replicas: 2, update_config: {monitor: 0s}}
'''


@pytest.fixture(scope='module')
def desk():
    with Server() as server:
        server.desk = server.app('desk', COMPOSE)
        (server.desk / '.dockerignore').write_text('*\n!note\n')
        (server.desk / 'note').write_text('from the artefact\n')
        server.cli('secrets', 'keygen', cwd=server.desk)
        server.cli('secrets', 'seal', 'PW', cwd=server.desk, stdin='hunter2')
        server.cli('deploy', cwd=server.desk)
        yield server
        server.cli('apps', 'destroy', 'desk', '-y')
        server.stop()
        left = server.census().everything()
        assert not left, f'left behind: {left}'


def on(desk, *words, stdin='', code=0):
    verb, *rest = words
    return desk.cli(verb, '-H', desk.url(), *rest, cwd=desk.desk, stdin=stdin, code=code)


def start(desk, *words, **options):
    verb, *rest = words
    return subprocess.Popen([desk.binary, verb, '-H', desk.url(), *rest], cwd=desk.desk, env=desk.environment,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def marked(mark):
    return [p for p in processes() if mark in p.argv and p.state != 'Z']


class Screen:
    """A terminal with the command on it."""

    def __init__(self, desk, *words, rows=31, columns=97, environment=None):
        verb, *rest = words
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(desk.desk)
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('4H', rows, columns, 0, 0))
            os.execve(desk.binary, [desk.binary, verb, '-H', desk.url(), *rest],
                      {**desk.environment, 'TERM': 'xterm-256color', **(environment or {})})
        self.seen = b''
        self.code = None

    def wait_for(self, text):
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen:
            if time.monotonic() > deadline:
                raise Failed(f'waited for {text!r}; saw {self.seen!r}')
            self.read()
        before, self.seen = self.seen.split(text, 1)
        return before

    def read(self):
        if not select.select([self.fd], [], [], 0.2)[0]:
            return True
        try:
            piece = os.read(self.fd, 4096)
        except OSError:
            return False
        self.seen += piece
        return bool(piece)

    def send(self, text):
        os.write(self.fd, text)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack('4H', rows, columns, 0, 0))

    def is_raw(self):
        return not termios.tcgetattr(self.fd)[3] & termios.ICANON

    def end(self):
        """Its exit code, once it has ended."""
        deadline = time.monotonic() + PATIENCE
        while self.code is None:
            assert time.monotonic() < deadline, self.seen
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        while self.read() and select.select([self.fd], [], [], 0)[0]:
            pass
        return self.code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


# ---- without a terminal

def test_exec_runs_beside_the_instance_with_its_environment_and_secrets(desk):
    done = on(desk, 'exec', '-T', 'web', 'sh', '-c', 'cat note; echo $HOLDALL_INSTANCE $COLOUR $SECRET; id -u; echo oops >&2')
    instance = on(desk, 'exec', 'web', 'sh', '-c', 'cat /proc/2/cmdline | tr "\\0" " "').stdout
    assert 'sleep' in instance  # the same PID namespace
    lines = done.stdout.splitlines()
    assert lines[:2] == ['from the artefact', 'web.1 green xhunter2x']
    assert int(lines[2]) >= 200000 and done.stderr == 'oops\n'
    assert on(desk, 'exec', '--index', '2', 'web', 'printenv', 'HOLDALL_INSTANCE').stdout == 'web.2\n'
    assert on(desk, 'exec', '-e', 'COLOUR=red', '-e', 'HOME', '-w', '/tmp', 'web', 'sh', '-c', 'echo $COLOUR $HOME $PWD').stdout \
        == f'red {desk.place} /tmp\n'


def test_exit_codes_are_the_programs_own(desk):
    assert on(desk, 'exec', 'web', 'sh', '-c', 'exit 7', code=7)
    assert on(desk, 'exec', 'web', 'sh', '-c', 'kill -TERM $$', code=143)
    assert 'cannot execute nowhere' in on(desk, 'exec', 'web', 'nowhere', code=127).stderr
    assert on(desk, 'exec', 'web', './note', code=126)
    assert "no service 'db'" in on(desk, 'exec', 'db', 'true', code=125).stderr
    assert 'web.9 does not run' in on(desk, 'exec', '--index', '9', 'web', 'true', code=125).stderr
    assert 'unknown flag --frob' in on(desk, 'exec', '--frob', 'web', 'true', code=125).stderr
    assert 'its service\'s own user' in on(desk, 'exec', '-u', 'root', 'web', 'true', code=125).stderr
    assert 'no service \'db\'' in on(desk, 'run', 'db', 'true', code=125).stderr


def test_what_is_piped_in_comes_out_again_whole(desk):
    text = ''.join(f'{i:07}\n' for i in range(100000))  # more than every buffer in between
    assert on(desk, 'exec', 'web', 'cat', stdin=text).stdout == text
    assert on(desk, 'run', 'web', 'wc', '-c', stdin=text).stdout.strip() == str(len(text))
    assert on(desk, 'exec', 'web', 'true', stdin=text).stdout == ''  # who does not read its input is no error


def test_run_is_a_copy_of_its_own_that_is_no_replica(desk):
    instances = desk.json('ps', '-H', desk.url(), cwd=desk.desk)['instances']
    process = start(desk, 'run', '-T', 'web', 'sh', '-c', 'echo $HOLDALL_INSTANCE $HOLDALL_SERVICE $COLOUR $SECRET $$; cat note; read x')
    name, service, colour, secret, pid = process.stdout.readline().decode().split()
    assert name.startswith('web.run.') and (service, colour, secret, pid) == ('web', 'green', 'xhunter2x', '2')
    assert process.stdout.readline() == b'from the artefact\n'
    assert [i['id'] for i in desk.json('ps', '-H', desk.url(), cwd=desk.desk)['instances']] == [i['id'] for i in instances]
    process.stdin.close()
    assert process.wait(PATIENCE) == 1
    assert 'artefact' not in on(desk, 'logs', 'web').stdout
    assert on(desk, 'run', '--entrypoint', 'echo', 'web', 'hello').stdout == 'hello\n'
    assert 'mounts nothing' in on(desk, 'run', '-v', '/a:/b', 'web', 'true', code=125).stderr


def test_who_ran_what_is_recorded_without_arguments(desk):
    on(desk, 'exec', 'web', 'env', 'sh', '-c', 'test "$SECRET" = xhunter2x')
    ends = lambda: [line for line in desk.log_path.read_text().splitlines() if '"program.end"' in line and '"program":"env"' in line]
    assert 'uid 0 (root)' in until('the end to be recorded', ends)[0]
    assert 'hunter2' not in desk.log_path.read_text()


def test_detached_programs_go_on_and_those_of_run_are_read_in_the_logs(desk):
    assert on(desk, 'exec', '-d', 'web', 'sleep', '86399').stdout == ''
    assert marked('86399')
    assert 'cannot execute nowhere' in on(desk, 'exec', '-d', 'web', 'nowhere', code=125).stderr
    name = on(desk, 'run', '-d', '-e', 'COLOUR=blue', 'web', 'sh', '-c', 'echo detached $COLOUR $SECRET').stdout.strip()
    assert name.startswith('web.run.')
    until('its output', lambda: 'detached blue xhunter2x' in on(desk, 'logs').stdout)
    until('its end', lambda: any(i['health'] == 'completed' and i['service'] == 'web.run'
                                 for i in desk.json('ps', '-H', desk.url(), cwd=desk.desk)['instances']))
    for process in marked('86399'):
        os.kill(process.pid, signal.SIGKILL)


# ---- what becomes of it when somebody goes

TREE = 'trap "" HUP TERM; setsid sh -c "setsid sleep {0} & sleep {0}" & echo on; sleep {0}; sleep {0}'


@pytest.mark.parametrize('verb', ['exec', 'run'])
@pytest.mark.parametrize('how', ['killed', 'hung up'])
def test_all_that_was_started_ends_with_its_client(desk, verb, how):
    mark = f'8630{["exec", "run"].index(verb)}{["killed", "hung up"].index(how)}'
    process = start(desk, verb, '-T', 'web', 'sh', '-c', TREE.format(mark))
    assert process.stdout.readline() == b'on\n'
    until('the tree', lambda: len(marked(mark)) >= 3)
    process.send_signal(signal.SIGKILL if how == 'killed' else signal.SIGHUP)
    process.wait(PATIENCE)
    until('the tree to end', lambda: not marked(mark))


@pytest.mark.parametrize('verb', ['exec', 'run'])
def test_when_control_is_killed_it_is_said_and_the_tree_ends(desk, verb):
    mark = f'8631{len(verb)}'
    process = start(desk, verb, '-T', 'web', 'sh', '-c', TREE.format(mark))
    assert process.stdout.readline() == b'on\n'
    os.kill(desk.census().control[0].pid, signal.SIGKILL)
    assert process.wait(PATIENCE) == 125
    assert b'connection to the server was lost' in process.stderr.read()
    until('the tree to end', lambda: not marked(mark))
    desk.wait_ready()


def test_ctrl_c_without_a_terminal_is_the_programs_and_the_second_is_ours(desk):
    process = start(desk, 'exec', '-T', 'web', 'sh', '-c', 'trap "echo caught; exit 9" INT; echo on; while :; do sleep 0.02; done')
    assert process.stdout.readline() == b'on\n'
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == b'caught\n' and process.wait(PATIENCE) == 9
    process = start(desk, 'exec', '-T', 'web', 'sh', '-c', 'trap "echo no" INT; echo on; while :; do sleep 0.02; done')
    assert process.stdout.readline() == b'on\n'
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == b'no\n'
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130


def test_a_client_that_reads_nothing_keeps_its_program(desk):
    """A full pager is no cut network: what waits is bounded, and nothing is lost."""
    process = start(desk, 'exec', '-T', 'web', 'sh', '-c', 'i=0; while [ $i -lt 300000 ]; do echo $i; i=$((i+1)); done')
    until('the pipe to be full', lambda: len(marked('i=0; while [ $i -lt 300000 ]; do echo $i; i=$((i+1)); done')) and
          select.select([process.stdout], [], [], 0)[0])
    lines = process.stdout.read().split()
    assert process.wait(PATIENCE) == 0 and len(lines) == 300000 and lines[-1] == b'299999'


# ---- with a terminal

@pytest.mark.parametrize('verb', ['exec', 'run'])
def test_a_terminal_is_the_programs_own(desk, verb):
    with Screen(desk, verb, 'web', 'sh') as screen:
        screen.send(b'stty size; tty; echo "$TERM"; test -t 2 && echo "err"or\n')
        screen.wait_for(b'31 97\r\n')
        screen.wait_for(b'/dev/pts/')
        screen.wait_for(b'xterm-256color\r\n')
        screen.wait_for(b'error\r\n')
        assert screen.is_raw()
        screen.resize(50, 132)
        os.kill(screen.pid, signal.SIGWINCH)
        def sees_new_size():
            screen.send(b'stty size\n')
            screen.wait_for(b'stty size\r\n')
            return screen.wait_for(b'\r\n').endswith(b'50 132')
        until('the new size', sees_new_size)
        screen.send(b'echo on; sleep 86398\n')
        screen.wait_for(b'on\r\n')
        until('the program', lambda: marked('86398'))  # before it is executed, its shell may swallow a Ctrl-C
        screen.send(b'\x03')
        screen.send(b'echo code $?; exit 5\n')
        screen.wait_for(b'code 130\r\n')
        assert screen.end() == 5
        assert not screen.is_raw()
    until('nothing to be left', lambda: not marked('86398'))


def test_the_terminal_is_as_it_was_however_it_ends(desk):
    for how in (signal.SIGTERM, signal.SIGHUP):
        with Screen(desk, 'exec', 'web', 'sh', '-c', 'echo on; exec sleep 86397') as screen:
            screen.wait_for(b'on\r\n')
            assert screen.is_raw()
            os.kill(screen.pid, how)
            assert screen.end() == 128 + how
            assert not screen.is_raw()
        until('nothing to be left', lambda: not marked('86397'))


def test_a_lost_server_leaves_the_terminal_sane(desk):
    with Screen(desk, 'exec', 'web', 'sh', '-c', 'echo on; exec sleep 86396') as screen:
        screen.wait_for(b'on\r\n')
        os.kill(desk.census().control[0].pid, signal.SIGKILL)
        assert screen.end() == 125 and not screen.is_raw()
        assert b'connection to the server was lost' in screen.seen
    until('nothing to be left', lambda: not marked('86396'))
    desk.wait_ready()


# ---- what prints

def test_no_colour_and_no_cursor_moves_on_a_pipe(desk):
    for words in (['ps'], ['status'], ['releases'], ['releases', 'show'], ['logs'], ['plan'], ['apps'], ['deploy', '--force']):
        done = desk.cli(words[0], '-H', desk.url(), *words[1:], cwd=desk.desk)
        assert '\x1b' not in done.stdout + done.stderr and '\r' not in done.stdout + done.stderr, words


def test_on_a_terminal_there_is_colour_unless_nobody_wants_it(desk):
    with Screen(desk, 'deploy', '--force') as screen:
        assert screen.end() == 0 and b'\x1b[' in screen.seen
    with Screen(desk, 'deploy', '--force', '--ansi', 'never') as screen:
        assert screen.end() == 0 and b'\x1b' not in screen.seen
    with Screen(desk, 'deploy', '--force', environment={'TERM': 'dumb'}) as screen:
        assert screen.end() == 0 and b'\x1b' not in screen.seen


def test_ctrl_c_in_what_takes_long_leaves_the_terminal_sane(desk):
    with Screen(desk, 'logs', '-f') as screen:
        screen.wait_for(b'up')
        screen.send(b'\x03')
        assert screen.end() in (130, -signal.SIGINT) and not screen.is_raw()


# ---- what is to be seen of instances

def test_top_lists_the_processes_of_each_instance_and_none_of_ours(desk):
    process = start(desk, 'exec', '-T', 'web', 'sh', '-c', 'echo on; exec sleep 86395')
    assert process.stdout.readline() == b'on\n'
    shown = on(desk, 'top').stdout
    assert shown.split('\n')[0] == 'web.1' and '\nweb.2\n' in shown
    assert shown.split('\n')[1].split() == ['UID', 'PID', 'PPID', 'AGE', 'TIME', 'CMD']
    instances = desk.json('top', '-H', desk.url(), 'web', cwd=desk.desk)['instances']
    commands = [[p['command'] for p in i['processes']] for i in instances]
    assert commands == [['sleep 86400', 'sleep 86395'], ['sleep 86400']]
    assert all(p['uid'] >= 200000 for i in instances for p in i['processes'])
    assert desk.json('top', '-H', desk.url(), 'nothing', cwd=desk.desk)['instances'] == []
    process.kill()
    process.wait()


def test_stats_say_what_each_instance_uses(desk):
    process = start(desk, 'exec', '-T', '--index', '2', 'web', 'sh', '-c', 'echo on; while :; do :; done')
    assert process.stdout.readline() == b'on\n'
    first, second = desk.json('stats', '-H', desk.url(), cwd=desk.desk)['instances']
    assert (first['service'], first['slot'], first['processes'], second['processes']) == ('web', 1, 1, 2)
    assert second['cpu_percent'] > 3 + first['cpu_percent'] and first['memory'] > 0
    table = on(desk, 'stats', '--no-stream').stdout.splitlines()
    assert table[0].split() == ['NAME', 'CPU', '%', 'MEM', 'USAGE', '/', 'LIMIT', 'PIDS'] and table[1].startswith('web.1  ')
    assert on(desk, 'stats', 'web').stdout.startswith('NAME')  # no terminal: one table
    with Screen(desk, 'stats') as screen:
        screen.wait_for(b'\x1b[H\x1b[JNAME')
        screen.wait_for(b'\x1b[H\x1b[JNAME')
        screen.send(b'\x03')
        assert screen.end() in (130, -signal.SIGINT) and not screen.is_raw()
    process.kill()
    process.wait()


def test_events_tell_what_befalls_instances_and_releases(desk):
    follower = subprocess.Popen([desk.binary, 'events', '-H', desk.url(), '--since', '1h', '--json'], cwd=desk.desk,
                                env=desk.environment, stdout=subprocess.PIPE, text=True)
    heard = []
    patience = threading.Timer(3 * PATIENCE, follower.kill)
    patience.start()

    def hear(**wanted):
        while True:
            line = follower.stdout.readline()
            assert line, f'waited for {wanted}; heard {heard}'
            heard.append(json.loads(line))
            if wanted.items() <= heard[-1].items():
                return heard[-1]
    try:
        hear(type='release', action='done')
        assert ('web', 1, 'start') in [(e.get('service'), e.get('slot'), e['action']) for e in heard]
        victim = desk.json('top', '-H', desk.url(), cwd=desk.desk)['instances'][0]
        os.kill(next(p['pid'] for p in victim['processes'] if p['command'] == 'sleep 86400'), signal.SIGKILL)
        assert 'killed by SIGKILL' in hear(type='instance', action='exit', id=victim['id'])['reason']
        assert hear(type='instance', action='ready', slot=victim['slot'])['id'] != victim['id']
        os.kill(desk.census().control[0].pid, signal.SIGKILL)  # a client that was cut off goes on where it was
        desk.wait_ready()
        desk.cli('deploy', '--force', cwd=desk.desk)
        known = len(heard)
        hear(type='release', action='done')
        assert [e['action'] for e in heard[known:] if e['type'] == 'instance'].count('start') == 2
        told = [(e['type'], e['time_ns'], e['action'], e.get('id'), e.get('release')) for e in heard]
        assert len(set(told)) == len(told)
    finally:
        patience.cancel()
        follower.kill()
        follower.wait()
        follower.stdout.close()
    lines = on(desk, 'events', '--since', '1h', '--no-follow').stdout.splitlines()
    assert any(' release live v' in line for line in lines)
    ready = next(line for line in lines if ' instance ready ' in line).split(' ', 5)
    assert len(ready[1]) == len('18:01:03.615550') and ready[5].startswith('(name=web.')
    assert all('name=web' in line for line in on(desk, 'events', '--since', '1h', '--no-follow', 'web').stdout.splitlines())
    assert on(desk, 'events', '--no-follow').stdout == ''
    assert 'is no instant' in on(desk, 'events', '--since', 'yesterday', code=2).stderr


def test_open_prints_the_address_where_there_is_no_display(desk):
    assert 'has no address' in on(desk, 'open', code=3).stderr
