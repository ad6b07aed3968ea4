"""A server through the system's ssh: every call, uploads and streams; and what is said when it does not work."""
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from harness import processes, until
from sshd import Client, Sshd
from terminal_test import Screen


@pytest.fixture
def client():
    with Client() as client:
        yield client


@pytest.fixture
def sshd(server):
    """An sshd on the machine of `server`."""
    with Sshd({'HOLDALL_API': f'{server.run_dir}/api.sock', 'HOLDALL_STATE': server.state}) as sshd:
        yield sshd


def remote(shop, sshd, client, *words, **options):
    """A command on this machine, for the server behind sshd."""
    return shop.cli('-H', sshd.url(), *words, environment={**client.environment, 'HOLDALL_API': '/nonexistent/api.sock'},
                    **options)


def children_of_ssh(sshd):
    return [p for p in processes() if p.state != 'Z' and p.argv[1:] == ('stdio',) and p.argv[0].endswith('holdall')]


def test_an_app_is_released_followed_and_read_through_ssh(shop, sshd, client):
    client.trust(sshd)
    shop.version()
    big = shop.directory / 'big'
    big.write_bytes(os.urandom(8 << 20))
    done = remote(shop, sshd, client, 'deploy')
    assert 'live' in done.stdout
    assert shop.serving() == 'v1'
    assert 'serving   v1' in remote(shop, sshd, client, 'status').stdout
    assert 'web-1' in remote(shop, sshd, client, 'ps').stdout or 'web.1' in remote(shop, sshd, client, 'ps').stdout
    shop.get('/')
    assert 'web.1' in remote(shop, sshd, client, 'logs').stdout
    until('its ssh sessions to end', lambda: not children_of_ssh(sshd))


def test_holdall_host_is_read_and_ssh_gets_words_and_no_shell_line(shop, sshd, client):
    client.trust(sshd)
    shop.version()
    environment = {**client.environment, 'HOLDALL_HOST': sshd.url(), 'HOLDALL_API': '/nonexistent/api.sock'}
    assert 'APP' in shop.cli('apps', environment=environment).stdout
    calls = client.calls()
    assert calls and all(call.endswith('-- 127.0.0.1 holdall stdio') for call in calls)
    assert all('BatchMode=yes' in call for call in calls)  # no terminal: nobody can be asked


def test_logs_are_followed_through_ssh_and_end_with_their_reader(shop, sshd, client):
    client.trust(sshd)
    shop.deploy()
    follow = subprocess.Popen([shop.server.binary, '-H', sshd.url(), 'logs', '-f'], cwd=shop.directory, stdout=subprocess.PIPE,
                              text=True, env={**shop.server.environment, **client.environment})
    try:
        seen = []
        reader = threading.Thread(target=lambda: seen.extend(follow.stdout), daemon=True)
        reader.start()
        until('a session', lambda: children_of_ssh(sshd))
        shop.get('/')
    finally:
        follow.send_signal(signal.SIGINT)
        follow.wait(30)
    until('the session to end with it', lambda: not children_of_ssh(sshd))


class Desk:
    """The server behind sshd, for Screen."""

    def __init__(self, shop, sshd, client):
        self.desk, self.binary, self.url = shop.directory, shop.server.binary, sshd.url
        self.environment = {**shop.server.environment, **client.environment, 'HOLDALL_API': '/nonexistent/api.sock'}


def test_exec_through_ssh_is_a_terminal_here_with_its_size_its_keys_and_its_exit_code(shop, sshd, client):
    client.trust(sshd)
    shop.deploy()
    screen = Screen(Desk(shop, sshd, client), 'exec', 'web', 'sh')
    screen.wait_for(b'$ ')
    assert screen.is_raw()
    screen.send(b'stty size; tty; echo "I am $HOLDALL_INSTANCE"\r')
    screen.wait_for(b'31 97')
    screen.wait_for(b'/dev/pts/')
    screen.wait_for(b'I am web.1')
    screen.resize(20, 60)
    screen.send(b'stty size\r')
    screen.wait_for(b'20 60')
    screen.send(b'sleep 3600.71\r')
    until('it to sleep', lambda: [p for p in processes() if p.argv == ('sleep', '3600.71')])
    screen.send(b'\x03')
    until('Ctrl-C to end it', lambda: not [p for p in processes() if p.argv == ('sleep', '3600.71')])
    screen.send(b'exit 7\r')
    assert screen.end() == 7
    until('the session to end', lambda: not children_of_ssh(sshd))


def test_a_program_goes_when_its_ssh_connection_is_cut(shop, sshd, client):
    client.trust(sshd)
    shop.deploy()
    screen = Screen(Desk(shop, sshd, client), 'run', 'web', 'sleep', '3600.72')
    until('it to run', lambda: [p for p in processes() if p.argv == ('sleep', '3600.72')])
    for session in children_of_ssh(sshd):
        os.kill(session.pid, signal.SIGKILL)
    assert screen.end() == 125
    until('it to be gone', lambda: not [p for p in processes() if p.argv == ('sleep', '3600.72')])


def test_a_control_that_is_killed_is_waited_for_through_ssh(shop, sshd, client):
    client.trust(sshd)
    shop.deploy()
    pid = shop.server.census().control[0].pid
    release = threading.Thread(target=lambda: (time.sleep(0.2), os.kill(pid, signal.SIGKILL)))
    release.start()
    shop.version(environment={'TURN': '2'})
    remote(shop, sshd, client, 'deploy')
    release.join()
    assert shop.serving() == 'v2'


def test_a_host_key_that_is_not_known_is_said_with_the_remedy(shop, sshd, client):
    sshd.authorize(client.public_key)
    shop.version()
    done = remote(shop, sshd, client, 'status', code=6)
    assert 'its host key is not known here' in done.stderr
    assert 'compare the key: ssh -p' in done.stderr
    assert 'ssh: ' in done.stderr and 'Host key verification failed' in done.stderr


def test_a_key_that_is_not_let_in_is_said_with_the_remedy(shop, sshd, client):
    client.know(sshd)
    shop.version()
    done = remote(shop, sshd, client, 'status', code=6)
    assert 'lets nobody in' in done.stderr and 'Permission denied' in done.stderr


def test_nobody_listens(shop, sshd, client):
    client.trust(sshd)
    sshd.stop()
    shop.version()
    done = remote(shop, sshd, client, 'status', code=3)
    assert 'no sshd listens there' in done.stderr


def test_a_machine_without_holdall_is_told_from_one_without_a_server(shop, client):
    shop.version()
    with Sshd(programs=False) as bare:
        client.trust(bare)
        assert 'holdall is not installed there' in remote(shop, bare, client, 'status', code=3).stderr
    with Sshd({'HOLDALL_API': '/nonexistent/api.sock'}) as stopped:
        client.trust(stopped)
        done = remote(shop, stopped, client, 'status', code=3)
        assert 'no server runs there' in done.stderr and '/nonexistent/api.sock' in done.stderr


@pytest.mark.parametrize('host', ['ssh://-oProxyCommand=touch${IFS}x', 'ssh://a;touch x', 'ssh://$(touch x)', 'ssh://-lx@a'])
def test_a_host_is_neither_an_option_nor_a_command(shop, client, host):
    shop.version()
    shop.cli('-H', host, 'status', code=2, environment=client.environment)
    assert not client.calls()
    assert not Path(shop.directory, 'x').exists()


def stdio(server):
    return subprocess.Popen([server.binary, 'stdio'], env=server.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_stdio_passes_on_the_end_of_its_input_and_all_of_the_answer(server):
    process = stdio(server)
    out, _ = process.communicate(b'GET /__version__ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', timeout=30)
    assert out.startswith(b'HTTP/1.1 200') and b'"version"' in out
    assert process.returncode == 0


def test_stdio_ends_when_its_reader_has_gone(server):
    process = stdio(server)
    process.stdout.close()
    assert process.wait(30) == 0
    process.stdin.close()


def test_stdio_ends_when_the_server_hangs_up(server):
    process = stdio(server)
    process.stdin.write(b'no http\r\n\r\n')
    process.stdin.flush()
    assert process.wait(30) == 0
    assert process.stdout.read().startswith(b'HTTP/1.1 400')
    process.stdin.close()
    process.stdout.close()
