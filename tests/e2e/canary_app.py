"""An app that may have secrets: it answers with the digests of those that it has, and keeps what it has in sight of a search.

    GET /up        200
    GET /digests   {"file NAME": sha256, "variable NAME": sha256}, of /run/secrets and of variables that begin with CANARY
"""
import hashlib
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def digests():
    values = {f'file {path.name}': path.read_bytes() for path in Path('/run/secrets').glob('*')}
    values |= {f'variable {os.fsdecode(name)}': value for name, value in os.environb.items() if name.startswith(b'CANARY')}
    return {name: hashlib.sha256(value).hexdigest() for name, value in values.items()}


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):  # noqa: N802
        body = json.dumps(digests()).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print('ready', flush=True)
ThreadingHTTPServer(('0.0.0.0', int(os.environ['PORT'])), Handler).serve_forever()
