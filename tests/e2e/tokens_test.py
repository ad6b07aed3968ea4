"""The API's TLS listener: a token has a name, a role and apps, and opens nothing without TLS."""
import json
import re
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / 'lib'))
from harness import Server, free_port, processes, until

COMPOSE = """\
name: {name}
services:
  web:
    image: none
    command: ["sleep", "1000"]
    x-holdall:
      ready: {{command: ["true"]}}
"""


@pytest.fixture(scope='module')
def server():
    port = free_port()
    with Server(environment={'HOLDALL_API_TLS': f'127.0.0.1:{port}'}) as one:
        del one.environment['HOLDALL_API_TLS']
        one.tls = port
        one.fingerprint = one.json('status', '--server')['api_tls']['fingerprint']
        yield one


def token(server, name, *flags):
    """The environment of somebody elsewhere who was given a token; it is in a file."""
    said = server.cli('access', 'add', name, '--token', *flags).stdout
    assert re.fullmatch(r'hld_[0-9a-z]{52}\n', said)
    path = server.place / f'{name}.token'
    path.write_text(said)
    return {'HOLDALL_HOST': f'https://127.0.0.1:{server.tls}', 'HOLDALL_TOKEN_FILE': str(path), 'HOLDALL_TLS_FINGERPRINT': server.fingerprint}


def test_a_token_does_what_its_role_allows_and_its_name_is_recorded(server):
    ci = token(server, 'ci', '--role', 'deploy', '--app', 'shop', '--expires', '1d')
    app = server.app('shop', COMPOSE.format(name='shop'))
    server.cli('deploy', cwd=app, environment=ci)
    assert server.json('releases', cwd=app, environment=ci)['releases'][0]['by'] == 'ci'
    assert 'may use shop only' in server.cli('status', '-p', 'store', environment=ci, code=6).stderr
    assert 'needs admin' in server.cli('access', 'list', environment=ci, code=6).stderr
    calls = server.json('access', 'log')['calls']
    assert [(call['who'], call['denied']) for call in calls[:2]] == [('ci', True), ('ci', True)]
    assert any(call['who'] == 'ci' and call['status'] == 201 and call['path'] == '/v1/apps/shop/releases' for call in calls)


def test_without_the_token_or_with_another_nobody_is_let_in(server):
    reader = token(server, 'reader', '--role', 'read')
    assert 'HOLDALL_TOKEN_FILE' in server.cli('apps', environment={**reader, 'HOLDALL_TOKEN_FILE': ''}, code=2).stderr
    wrong = server.place / 'wrong.token'
    wrong.write_text('hld_' + '0' * 52)
    assert 'opens nothing here' in server.cli('apps', environment={**reader, 'HOLDALL_TOKEN_FILE': str(wrong)}, code=6).stderr
    server.cli('apps', environment=reader)
    server.cli('access', 'remove', 'reader')
    server.cli('apps', environment=reader, code=6)
    assert any(call['who'] == 'nobody (127.0.0.1)' and call['denied'] for call in server.json('access', 'log')['calls'])


def test_the_server_must_show_the_certificate_that_is_expected(server):
    someone = token(server, 'someone', '--role', 'read')
    other = 'sha256:' + '0' * 64
    assert 'fingerprint' in server.cli('apps', environment={**someone, 'HOLDALL_TLS_FINGERPRINT': other}, code=1).stderr
    assert 'HOLDALL_TLS_FINGERPRINT' in server.cli('apps', environment={**someone, 'HOLDALL_TLS_FINGERPRINT': ''}, code=1).stderr


def test_a_token_in_the_environment_is_taken_with_a_warning(server):
    someone = token(server, 'warned', '--role', 'read')
    value = Path(someone.pop('HOLDALL_TOKEN_FILE')).read_text().strip()
    done = server.cli('apps', environment={**someone, 'HOLDALL_TOKEN': value})
    assert 'HOLDALL_TOKEN_FILE' in done.stderr and value not in done.stderr


def test_plain_http_is_neither_spoken_nor_asked_for(server):
    assert 'TLS only' in server.cli('apps', '-H', f'http://127.0.0.1:{server.tls}', code=2).stderr
    with socket.create_connection(('127.0.0.1', server.tls)) as plain:
        plain.sendall(b'GET /v1/apps HTTP/1.1\r\nHost: x\r\n\r\n')
        try:
            assert b'HTTP/1.1' not in plain.recv(4096)
        except ConnectionResetError:
            pass


def test_a_stranger_has_no_body_read_and_keeps_nobody_waiting(server):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(('127.0.0.1', server.tls)) as raw, context.wrap_socket(raw) as stranger:
        stranger.sendall(b'PUT /v1/sources/sha256:00 HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000000\r\n\r\n')
        assert stranger.recv(4096).startswith(b'HTTP/1.1 403')
    idle = [socket.create_connection(('127.0.0.1', server.tls)) for _ in range(200)]  # who never says a word
    try:
        server.cli('apps')
        late = token(server, 'late', '--role', 'read')
        until('a place among the connections', lambda: server.cli('apps', environment=late, code=None).returncode == 0)
    finally:
        for one in idle:
            one.close()


def test_the_certificate_outlives_the_server_and_no_token_stands_anywhere(server):
    someone = token(server, 'kept', '--role', 'read')
    value = Path(someone['HOLDALL_TOKEN_FILE']).read_text().strip()
    server.stop()
    server.start()
    server.cli('apps', environment=someone)
    assert (server.state / 'api-tls.key').stat().st_mode & 0o777 == 0o600
    for path in server.state.rglob('*'):
        if path.is_file():
            assert value.encode() not in path.read_bytes()
    assert value not in server.log_path.read_text()


def test_who_loses_access_loses_what_is_open_and_the_record_names_the_program_without_its_arguments(server):
    leaver, stayer = (token(server, name, '--role', 'run') for name in ('leaver', 'stayer'))
    app = server.app('desk', COMPOSE.format(name='desk').replace('    command', '    deploy: {update_config: {monitor: 0s}}\n    command').replace('["sleep", "1000"]', '["sh", "-c", "echo up; exec sleep 1000"]'))
    server.cli('deploy', cwd=app)
    url = leaver['HOLDALL_HOST']

    def start(who, *words):
        return subprocess.Popen([server.binary, '-H', url, *words], cwd=app, env={**server.environment, **who}, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def asleep():
        return sorted(p.argv[1] for p in processes() if p.argv[:1] == ('sleep',) and p.argv[1].startswith('3600.6'))

    programs = [start(leaver, 'exec', 'web', 'sleep', '3600.61'), start(stayer, 'exec', 'web', 'sleep', '3600.62')]
    follow = start(leaver, 'logs', '-f', 'web')
    try:
        until('both programs to run', lambda: asleep() == ['3600.61', '3600.62'])
        assert follow.stdout.readline().endswith('| up\n')
        server.cli('access', 'remove', 'leaver')
        assert follow.wait(30) == 6 and 'error' in follow.stderr.read()
        assert programs[0].wait(30) != 0
        until('its program to be gone', lambda: asleep() == ['3600.62'])
        assert programs[1].poll() is None
    finally:
        for one in (follow, *programs):
            one.kill()
            one.communicate()
    record = [call for call in server.json('access', 'log')['calls'] if call['path'].endswith('/exec')]
    assert [(call['who'], call['program']) for call in sorted(record, key=lambda call: call['who'])] == [('leaver', 'sleep'), ('stayer', 'sleep')]
    assert 'sleep' in server.cli('access', 'log').stdout
    assert '3600.6' not in server.log_path.read_text(), 'arguments may hold what is secret'
