"""The HTTPS client against servers that are not ours: Python's ssl and `openssl s_server`."""
import http.server
import socket
import ssl
import subprocess
import threading
import time

import pytest

from harness import PATIENCE, free_port, until
from running import SERVICE, environment

PATIENT, HASTY = 10_000, 600  # milliseconds


def openssl(*arguments, cwd):
    subprocess.run(['openssl', *arguments], cwd=cwd, check=True, capture_output=True)


@pytest.fixture(scope='module')
def keys(tmp_path_factory):
    """ca.pem, and NAME.pem with NAME.key: good, expired, early, elsewhere (another host), stranger (signed by itself)."""
    place = tmp_path_factory.mktemp('keys')
    key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    openssl('req', '-x509', *key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Test CA', '-days', '2', cwd=place)
    openssl('req', '-x509', *key, '-keyout', 'stranger.key', '-out', 'stranger.pem', '-subj', '/CN=localhost',
            '-addext', 'subjectAltName=DNS:localhost', '-days', '2', cwd=place)
    (place / 'ca.conf').write_text('[ca]\ndefault_ca=d\n[d]\nnew_certs_dir=.\ndatabase=index\nserial=serial\ndefault_md=sha256\n'
                                   'policy=p\ncopy_extensions=copy\nunique_subject=no\n[p]\ncommonName=supplied\n')
    (place / 'index').touch()
    (place / 'serial').write_text('01\n')
    dates = {'expired': ('20200101000000Z', '20200201000000Z'), 'early': ('21200101000000Z', '21200201000000Z')}
    for name, names in [('good', 'DNS:localhost,IP:127.0.0.1'), ('expired', 'DNS:localhost'), ('early', 'DNS:localhost'),
                        ('elsewhere', 'DNS:example.com'), ('wild', 'DNS:*.localhost')]:
        openssl('req', *key, '-keyout', f'{name}.key', '-out', f'{name}.csr', '-subj', f'/CN={name}', '-addext', f'subjectAltName={names}', cwd=place)
        start, end = dates.get(name, ('20240101000000Z', '21200101000000Z'))
        openssl('ca', '-batch', '-config', 'ca.conf', '-cert', 'ca.pem', '-keyfile', 'ca.key', '-in', f'{name}.csr', '-out', f'{name}.pem',
                '-startdate', start, '-enddate', end, '-notext', cwd=place)
    return place


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        if self.path == '/redirect':
            self.send_response(302)
            self.send_header('Location', '/')
            self.send_header('Content-Length', '0')
            return self.end_headers()
        size = int(self.path.rsplit('=', 1)[1]) if '=' in self.path else 5
        self.send_response(200)
        self.send_header('Content-Length', str(size))
        self.end_headers()
        self.wfile.write(b'x' * size)

    def log_message(self, *_):
        pass


class Served:
    """Python's server with that certificate; `version` is the newest TLS it speaks."""

    def __init__(self, keys, name, version=None):
        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.seen = []
        self.port = self.server.server_address[1]
        if name:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(keys / f'{name}.pem', keys / f'{name}.key')
            if version:
                context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, version
                context.set_ciphers('ALL:@SECLEVEL=0')
            # The handshake belongs to the request's thread: accepting goes on when a client refuses.
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.server.handle_error = lambda *_: None
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def fetch(url, patience=PATIENT, ca=None, **variables):
    began = time.monotonic()
    told = subprocess.run([SERVICE, 'fetch', url, str(patience), *([ca] if ca else [])], env=environment(**variables), capture_output=True,
                          text=True, timeout=PATIENCE)
    assert told.returncode == 0, told.stderr
    return told.stdout.strip(), time.monotonic() - began


def test_a_good_certificate_is_accepted_and_the_request_is_what_was_meant(keys):
    with Served(keys, 'good') as served:
        assert fetch(f'https://localhost:{served.port}/a?b#d', ca=keys / 'ca.pem')[0] == '200 xxxxx'
        path, headers = served.server.seen[0]
        assert path == '/a?b' and headers['Host'] == f'localhost:{served.port}'
        assert fetch(f'https://127.0.0.1:{served.port}/', ca=keys / 'ca.pem')[0] == '200 xxxxx'


def test_the_store_of_the_system_is_asked_unless_a_file_is_given(keys):
    with Served(keys, 'good') as served:
        url = f'https://localhost:{served.port}/'
        assert 'certificate is refused' in fetch(url)[0]
        # OpenSSL's own variable for the system's store.
        assert fetch(url, SSL_CERT_FILE=keys / 'ca.pem')[0] == '200 xxxxx'
        assert fetch(url, ca=keys / 'none.pem')[0].startswith('failed: ')


@pytest.mark.parametrize('name, host, says', [
    ('expired', 'localhost', 'expired'), ('early', 'localhost', 'not yet valid'), ('elsewhere', 'localhost', 'hostname mismatch'),
    ('stranger', 'localhost', 'self-signed'), ('elsewhere', '127.0.0.1', 'IP address mismatch'), ('wild', 'localhost', 'hostname mismatch')])
def test_a_bad_certificate_is_refused_before_anything_is_sent(keys, name, host, says):
    with Served(keys, name) as served:
        told, _ = fetch(f'https://{host}:{served.port}/', ca=keys / 'ca.pem')
        assert told.startswith('failed: ') and 'certificate is refused' in told and says in told
        assert served.server.seen == []


def test_openssls_own_server_is_spoken_to(keys):
    port = free_port()
    server = subprocess.Popen(['openssl', 's_server', '-accept', f'127.0.0.1:{port}', '-cert', 'good.pem', '-key', 'good.key', '-www', '-quiet'],
                              cwd=keys, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        told = until('s_server', lambda: (got := fetch(f'https://localhost:{port}/', ca=keys / 'ca.pem')[0]).startswith('200 ') and got)
        assert 'TLSv1.3' in told  # its page tells of the session; its body ends with the connection
    finally:
        server.kill()
        server.wait(PATIENCE)


def test_tls_older_than_1_2_is_not_spoken(keys):
    with Served(keys, 'good', ssl.TLSVersion.TLSv1_2) as served:
        assert fetch(f'https://localhost:{served.port}/', ca=keys / 'ca.pem')[0] == '200 xxxxx'
    with Served(keys, 'good', ssl.TLSVersion.TLSv1_1) as served:
        assert fetch(f'https://localhost:{served.port}/', ca=keys / 'ca.pem')[0].startswith('failed: ')


def test_redirects_are_answers_and_sizes_are_bounded(keys):
    with Served(keys, 'good') as served:
        assert fetch(f'https://localhost:{served.port}/redirect', ca=keys / 'ca.pem')[0] == '302'
        told, _ = fetch(f'https://localhost:{served.port}/?size={(1 << 20) + 1}', ca=keys / 'ca.pem')
        assert told.startswith('failed: ') and 'larger than' in told
        assert len(fetch(f'https://localhost:{served.port}/?size={1 << 20}', ca=keys / 'ca.pem')[0]) == (1 << 20) + 4


def test_plain_http_works_and_a_server_without_tls_is_told(keys):
    with Served(keys, None) as served:
        assert fetch(f'http://localhost:{served.port}/')[0] == '200 xxxxx'
        told, _ = fetch(f'https://localhost:{served.port}/')
        assert told.startswith('failed: ') and 'no TLS' in told


def listener():
    return socket.create_server(('127.0.0.1', 0))


def in_time(told, took):
    assert told.startswith('busy: '), told
    assert HASTY / 1000 <= took < HASTY / 1000 + 3


def test_a_connect_that_stalls_ends_at_the_deadline():
    # A backlog that is full swallows what comes.
    with socket.socket() as full:
        full.bind(('127.0.0.1', 0))
        full.listen(0)
        held = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(full.getsockname())
            held.append(client)
        in_time(*fetch(f'https://127.0.0.1:{full.getsockname()[1]}/', HASTY))
        [client.close() for client in held]


def test_a_handshake_that_stalls_ends_at_the_deadline():
    with listener() as silent:
        told, took = fetch(f'https://127.0.0.1:{silent.getsockname()[1]}/', HASTY)
        in_time(told, took)
        assert 'handshake' in told


@pytest.mark.parametrize('said', [b'', b'HTTP/1.1 200 OK\r\nContent-Le', b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'])
@pytest.mark.parametrize('tls', [False, True])
def test_an_answer_that_stalls_ends_at_the_deadline(keys, said, tls):
    with listener() as server:
        held = []

        def serve():
            client, _ = server.accept()
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(keys / 'good.pem', keys / 'good.key')
                client = context.wrap_socket(client, server_side=True)
            held.append(client)
            client.recv(65536)
            client.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        in_time(*fetch(f'http{"s" * tls}://127.0.0.1:{server.getsockname()[1]}/', HASTY, ca=keys / 'ca.pem'))
        thread.join()
        held[0].close()


@pytest.mark.parametrize('head', [b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf', b'HTTP/1.1 200 OK\r\n\r\nall or half?'])
def test_a_tls_answer_that_is_cut_is_never_taken_for_whole(keys, head):
    with listener() as server:
        def serve():
            client, _ = server.accept()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(keys / 'good.pem', keys / 'good.key')
            wrapped = context.wrap_socket(client, server_side=True)
            wrapped.recv(65536)
            wrapped.sendall(head)
            socket.socket.shutdown(wrapped, socket.SHUT_RDWR)  # the connection ends, TLS does not
            wrapped.close()

        thread = threading.Thread(target=serve)
        thread.start()
        told, _ = fetch(f'https://127.0.0.1:{server.getsockname()[1]}/', ca=keys / 'ca.pem')
        thread.join()
        assert told.startswith('failed: ') and 'early' in told


def test_nobody_at_the_address_and_no_such_name_are_told():
    told, _ = fetch(f'http://localhost:{free_port()}/')
    assert told.startswith('busy: ') and 'refused' in told
    told, took = fetch('https://no-such-host.invalid/', 5000)
    assert told.startswith('busy: ') and 'looking up' in told and took < 8
