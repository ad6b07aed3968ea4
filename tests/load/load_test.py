"""The load generator sees every way in which an answer can be wrong. A server that lies on purpose stands in for the app."""
import hashlib
import json
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LOAD = Path(os.environ.get('HOLDALL_TOOLS', ROOT / 'build/dev/tests')) / 'load'
BODY = b'{"release": "v1"}\n'


def answer(body=BODY, status='200 OK', release='v1', checksum=None, length=None, more=''):
    checksum = hashlib.sha256(body).hexdigest() if checksum is None else checksum
    head = (f'HTTP/1.1 {status}\r\nX-Release: {release}\r\nX-Checksum: {checksum}\r\n'
            f'Content-Length: {len(body) if length is None else length}\r\n{more}\r\n')
    return head.encode() + body


class Liar:
    """Answers every request with the same bytes, and then closes if told to."""

    def __init__(self, bytes_, closes=False):
        self.bytes, self.closes = bytes_, closes
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.requests = 0
        self.first = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            try:
                while self.read_head(connection):
                    self.requests += 1
                    self.first.set()
                    connection.sendall(self.bytes)
                    if self.closes:
                        return
            except OSError:
                return

    @staticmethod
    def read_head(connection):
        head = b''
        while not head.endswith(b'\r\n\r\n'):
            piece = connection.recv(65536)
            if not piece:
                return False
            head += piece
        return True


def run(server, *words):
    command = [LOAD, '--target', f'127.0.0.1:{server.port}', '--rate', '200', '--seconds', '0.2', '--mix', 'plain', *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    report = json.loads(done.stdout)
    assert done.returncode == (1 if report['failed'] else 0)
    assert report['sent'] == report['answered'] + report['left'] + report['failed']
    return report


def test_a_right_answer_is_none_of_the_failures():
    report = run(Liar(answer()))
    assert (report['failed'], report['releases']) == (0, {'v1': 40})


def test_a_page_needs_no_checksum_and_is_wrong_like_anything_else():
    page = answer(b'<!doctype html>', checksum='')
    assert run(Liar(page), '--mix', 'page')['failed'] == 0
    assert run(Liar(page))['causes'] == {'wrong checksum': 40}
    assert run(Liar(answer(status='503 Service Unavailable')), '--mix', 'page')['causes'] == {'status 503': 40}


def test_an_announced_close_is_none_of_the_failures():
    assert run(Liar(answer(more='Connection: close\r\n'), closes=True))['failed'] == 0


@pytest.mark.parametrize('bytes_, closes, cause', [
    (answer(checksum='0' * 64), False, 'wrong checksum'),
    (answer(status='502 Bad Gateway'), False, 'status 502'),
    (answer(release=''), False, 'no release named'),
    (b'', True, 'closed before the answer'),
    (answer(length=len(BODY) + 1), True, 'closed in the answer'),
    (answer() + b'more', False, 'malformed answer'),
    (b'SSH-2.0-x\r\n\r\n', False, 'malformed answer'),
    (answer(length=len(BODY) + 1), False, 'timeout'),
])
def test_each_wrong_answer_is_a_failure_with_its_cause(bytes_, closes, cause):
    report = run(Liar(bytes_, closes), '--timeout', '0.3')
    assert report['failed'] == report['sent'] == 40
    assert report['causes'].keys() >= {cause}
    assert {failure['cause'] for failure in report['failures']} == report['causes'].keys()


def test_a_closed_door_is_a_failure():
    server = Liar(answer())
    server.listener.close()
    with socket.socket() as taken:  # bound and not listening: nobody else can take the port meanwhile
        taken.bind(('127.0.0.1', 0))
        server.port = taken.getsockname()[1]
        assert run(server)['causes'] == {'connect': 40}


def test_a_stalled_server_gets_every_request_that_is_due():
    server = Liar(b'')
    report = run(server, '--timeout', '0.5')
    assert server.requests == report['sent'] == 40


def test_sigterm_ends_it_with_a_report(tmp_path):
    server = Liar(answer())
    command = [LOAD, '--target', f'127.0.0.1:{server.port}', '--mix', 'plain', '--list', tmp_path / 'list']
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.first.wait(30)
    running.send_signal(signal.SIGTERM)
    report = json.loads(running.communicate(timeout=30)[0])
    assert report['answered'] == report['sent'] == len((tmp_path / 'list').read_text().splitlines())
