"""A small REST API of Parse's shape: what examples/boredbot asks of one, and no more.

    with Api({'boredbot': Account('id', 'key', {'lines': {'status': 'String'}})}) as api:
        ... api.url ...

It answers as Parse Server 7.5.2 does, which parse_test.py holds it to. Rows live as long as it does.
"""
import json
import secrets
import string
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

MOUNT = '/1'
NAMES = string.ascii_letters + string.digits
TYPES = {'String': str, 'Number': (int, float), 'Boolean': bool}


@dataclass
class Account:
    """An application, the key that its REST calls bear, and its classes: the type of each of their fields."""
    application: str
    key: str
    classes: dict
    url: str = ''
    rows: dict = field(default_factory=dict)

    def headers(self):
        return {'X-Parse-Application-Id': self.application, 'X-Parse-REST-API-Key': self.key, 'Content-Type': 'application/json'}


class Refused(Exception):
    def __init__(self, status, error, code=None):
        super().__init__(error)
        self.status, self.body = status, {'error': error} if code is None else {'code': code, 'error': error}


LAST = 0
TELLING = threading.Lock()


def now():
    """An instant that no other row has, so that rows have an order."""
    global LAST
    with TELLING:
        LAST = max(time.time_ns() // 1_000_000, LAST + 1)
        seconds, milliseconds = divmod(LAST, 1000)
    return time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds)) + f'.{milliseconds:03}Z'


def integer(query, name, default):
    return int(query.get(name, default))


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    server_version, sys_version = 'parse-api', ''

    def do_GET(self):  # noqa: N802
        self.respond(lambda rows, _: self.find(rows))

    def do_POST(self):  # noqa: N802
        self.respond(self.create)

    def respond(self, act):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        headers = {}
        try:
            status, document, headers = act(self.rows(), body)
        except Refused as refusal:
            status, document = refusal.status, refusal.body
        content = json.dumps(document, separators=(',', ':')).encode()
        self.send_response(status)
        for name, value in {**headers, 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def rows(self):
        """The rows of the class that the path names, of the account that the headers prove."""
        api = self.server.api
        api.gate.wait()
        api.asked.append((self.command, self.path, dict(self.headers)))
        self.account = account = api.accounts.get(self.headers.get('X-Parse-Application-Id', ''))
        # As the real one: who knows no key is not told whether the application exists.
        if not account or not secrets.compare_digest(self.headers.get('X-Parse-REST-API-Key', '').encode(), account.key.encode()):
            raise Refused(403, 'unauthorized')
        path = urlsplit(self.path).path.removeprefix(f'{MOUNT}/classes/')
        self.kind = path
        if path not in account.classes:
            raise Refused(400, f'This user is not allowed to access non-existent class: {path}', 119)
        return account.rows.setdefault(path, [])

    def find(self, rows):
        query = dict(parse_qsl(urlsplit(self.path).query))
        for name in query:
            if name not in ('order', 'limit', 'skip'):
                raise Refused(400, f'Invalid parameter for query: {name}', 102)
        found = list(rows)
        for key in reversed([key for key in query.get('order', '').split(',') if key]):
            found.sort(key=lambda row, name=key.lstrip('-'): row.get(name) or '', reverse=key.startswith('-'))
        skip = integer(query, 'skip', 0)
        return 200, {'results': found[skip:skip + integer(query, 'limit', 100)]}, {}

    def create(self, rows, body):
        row = self.fields(body)
        for name, value in row.items():
            of = self.account.classes[self.kind].get(name, 'String')
            if value is not None and not isinstance(value, TYPES[of]):
                kind = {str: 'String', bool: 'Boolean', int: 'Number', float: 'Number', list: 'Array'}.get(type(value), 'Object')
                raise Refused(400, f'schema mismatch for {self.kind}.{name}; expected {of} but got {kind}', 111)
        stored = self.server.api.add(self.account, self.kind, row)
        return 201, {'objectId': stored['objectId'], 'createdAt': stored['createdAt']}, {
            'Location': f'{self.server.api.url}/classes/{self.kind}/{stored["objectId"]}'}

    def fields(self, body):
        # A body of any type is read as JSON; one that does not say what it is is not read, and a row without fields is made.
        if not self.headers.get('Content-Type'):
            return {}
        try:
            document = json.loads(body or '{}')
        except ValueError as problem:
            raise Refused(400, str(problem)) from problem
        if not isinstance(document, (dict, list)):
            raise Refused(400, 'a row is an object')
        return document if isinstance(document, dict) else {}

    def log_message(self, *_):
        pass


class Api:
    """Serves on a port of loopback until it is closed."""

    def __init__(self, accounts, port=0):
        self.accounts = {account.application: account for account in accounts}
        self.asked = []  # (method, path, headers) of every request
        self.gate = threading.Event()
        self.gate.set()
        self.http = ThreadingHTTPServer(('127.0.0.1', port), Handler)
        self.http.daemon_threads = True
        self.http.api = self
        self.port = self.http.server_address[1]
        self.url = f'http://127.0.0.1:{self.port}{MOUNT}'
        for account in accounts:
            account.url = self.url
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True)
        self.thread.start()

    def add(self, account, kind, row):
        at = now()
        stored = {'objectId': ''.join(secrets.choice(NAMES) for _ in range(10)), 'createdAt': at, 'updatedAt': at,
                  **{name: value for name, value in row.items() if value is not None}}
        account.rows.setdefault(kind, []).append(stored)
        return stored

    def clear(self):
        """Takes every row away."""
        for account in self.accounts.values():
            account.rows.clear()

    def pause(self):
        """From now on requests are taken and not answered, until `resume`."""
        self.gate.clear()

    def resume(self):
        self.gate.set()

    def close(self):
        self.resume()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
