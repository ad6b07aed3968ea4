"""A service of the kit, started for a test: its address, its log, its end."""
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from harness import BINARY, PATIENCE, until

BUILD = BINARY.parent
SERVICE = BUILD / 'tests/kit_service'


def environment(**variables):
    keep = {name: os.environ[name] for name in ('PATH', 'ASAN_OPTIONS', 'UBSAN_OPTIONS') if name in os.environ}
    return keep | {'LANG': 'C.UTF-8', 'HOST': '127.0.0.1', 'PORT': '0'} | {k: str(v) for k, v in variables.items()}


class Running:
    """`with Running('web', BACKEND=...) as service`. Its stderr goes to a file, `log()` reads it."""

    def __init__(self, command='web', *arguments, program=SERVICE, cwd=None, stderr=None, **variables):
        self.place = tempfile.TemporaryDirectory(prefix='holdall-kit-')
        self.log_file = Path(self.place.name) / 'log'
        with open(self.log_file, 'wb') as log:
            self.process = subprocess.Popen([program, command, *arguments], cwd=cwd or self.place.name, env=environment(**variables),
                                            stdin=subprocess.DEVNULL, stderr=stderr or log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        self.place.cleanup()

    def log(self, kind=None):
        lines = [json.loads(line) for line in self.log_file.read_bytes().splitlines()]
        return [line for line in lines if kind in (None, line['Type'])]

    def port(self):
        ready = until('service.ready', lambda: self.log('service.ready'))
        return int(ready[0]['Fields']['address'].rsplit(':', 1)[1])

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)


class Client:
    """One keep-alive connection that sends exactly what it is told."""

    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port), PATIENCE)
        self.file = self.socket.makefile('rb')

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, method, target, headers=(), body=b''):
        head = f'{method} {target} HTTP/1.1\r\nHost: x\r\n'.encode('latin-1')
        for name, value in headers:
            head += name.encode() + b': ' + (value if isinstance(value, bytes) else value.encode()) + b'\r\n'
        if (body or method == 'POST') and not any(name == 'Content-Length' for name, _ in headers):
            head += f'Content-Length: {len(body)}\r\n'.encode()
        self.socket.sendall(head + b'\r\n' + body)

    def answer(self, method='GET'):
        status = int(self.file.readline().split()[1])
        headers = {}
        while (line := self.file.readline().strip()):
            name, value = line.split(b':', 1)
            headers[name.decode().lower()] = value.strip().decode('latin-1')
        size = 0 if method == 'HEAD' or status in (204, 304) else int(headers.get('content-length', 0))
        return status, headers, self.file.read(size)

    def ask(self, method, target, headers=(), body=b''):
        self.send(method, target, headers, body)
        return self.answer(method)


def get(port, target, headers=(), method='GET', body=b''):
    with Client(port) as client:
        return client.ask(method, target, headers, body)


class Backend:
    """What a health check asks: answers, warns, refuses, answers late, or takes the connection and says nothing."""

    def __init__(self):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.url = f'http://127.0.0.1:{self.port}/'
        self.mood, self.delay, self.asked, self.held = 'ok', 0, 0, []
        self.lock = threading.Lock()
        self.later = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(client,), daemon=True).start()

    def answer(self, client):
        with self.lock:
            self.asked += 1
        client.recv(65536)
        mood = self.mood
        if mood == 'hung':
            self.held.append(client)
            return
        self.later.wait(self.delay)
        status, body = {'ok': ('200 OK', b'fine'), 'warn': ('200 OK', b'warn'), 'bad': ('500 No', b'')}[mood]
        with client:
            client.sendall(f'HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n'.encode() + body)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.later.set()
        if self.listener.fileno() >= 0:
            self.stop()
        for client in self.held:
            client.close()


UUID4 = re.compile(r'[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}')
