"""A Holdall server of a test's own: started, driven by the real command, counted by a census of /proc, removed whole.

    with Server() as server:
        app = server.app('shop', {'web': {...}})
        server.cli('deploy', cwd=app)

Nothing here sleeps for a fixed time: `until` asks again until it is so, or fails with what it saw last.
"""
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BINARY = Path(os.environ.get('HOLDALL_BINARY', ROOT / 'build/dev/holdall'))
PATIENCE = float(os.environ.get('HOLDALL_TEST_PATIENCE', '30'))


class Failed(AssertionError):
    pass


def until(what, condition, seconds=None, every=0.005):
    """The first true value of condition(). Says what was waited for when it does not come."""
    deadline = time.monotonic() + (seconds or PATIENCE)
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except (OSError, KeyError, IndexError, sqlite3.DatabaseError) as problem:
            last = problem
        if time.monotonic() > deadline:
            raise Failed(f'waited {seconds or PATIENCE:.0f} s for {what}; saw last: {last!r}')
        time.sleep(every)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


@dataclass(frozen=True)
class Process:
    pid: int
    argv: tuple
    exe: str
    cwd: str
    parent: int
    state: str  # R, S, Z, ...

    def alive(self):
        try:
            return Path(f'/proc/{self.pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
        except (FileNotFoundError, ProcessLookupError):
            return False


def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ''


def processes():
    """Every process of the machine, zombies included."""
    for entry in os.scandir('/proc'):
        if not entry.name.isdigit():
            continue
        try:
            argv = Path(entry.path, 'cmdline').read_bytes().split(b'\0')[:-1]
            fields = Path(entry.path, 'stat').read_text().rsplit(')', 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        yield Process(int(entry.name), tuple(a.decode(errors='replace') for a in argv), link(f'{entry.path}/exe'),
                      link(f'{entry.path}/cwd'), int(fields[1]), fields[0])


def environment_of(pid):
    try:
        raw = Path(f'/proc/{pid}/environ').read_bytes()
    except OSError:
        return {}
    return dict(part.decode(errors='replace').split('=', 1) for part in raw.split(b'\0') if b'=' in part)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__('holdall', timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Server:
    """`holdall serve` with its own state, sockets and port."""

    def __init__(self, binary=BINARY, failpoints=None, environment=None, flags=()):
        self.binary, self.flags = str(binary), flags
        self.place = Path(tempfile.mkdtemp(prefix='holdall-test-'))
        self.state, self.run_dir = self.place / 'state', self.place / 'run'
        self.http = free_port()
        self.environment = {
            'PATH': os.environ['PATH'], 'HOME': str(self.place), 'LANG': 'C.UTF-8',
            'HOLDALL_STATE': str(self.state), 'HOLDALL_API': str(self.run_dir / 'api.sock'),
            'HOLDALL_HTTP': f'127.0.0.1:{self.http}', 'HOLDALL_KEYS': str(self.place / 'keys'), **(environment or {}),
        }
        for name in ('ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS'):
            if name in os.environ:
                self.environment[name] = os.environ[name]
        self.daemon_environment = dict(self.environment)
        if failpoints:
            self.daemon_environment['HOLDALL_FAILPOINTS'] = str(failpoints)
        self.serve = None
        self.log_path = self.place / 'serve.log'

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, kind, value, trace):
        if kind and self.log_path.exists():
            print(f'--- {self.log_path} (its last lines)')
            print('\n'.join(self.log_path.read_text(errors='replace').splitlines()[-60:]))
        self.remove()

    # ---- life

    def start(self, ready=True):
        with open(self.log_path, 'ab') as log:
            self.serve = subprocess.Popen([self.binary, 'serve', *self.flags], env=self.daemon_environment, stdout=log, stderr=log,
                                          stdin=subprocess.DEVNULL, start_new_session=True)
        if ready:
            self.wait_ready()

    def wait_ready(self):
        def answers():
            if self.serve.poll() is not None:
                raise Failed(f'serve ended with {self.serve.returncode}: {self.log_path.read_text()[-2000:]}')
            # For an instant, the control of a serve that was killed answers still.
            ours = all(control.parent == self.serve.pid for control in self.census().control)
            return ours and self.api('GET', '/__lbheartbeat__', timeout=2)[0] == 200
        until('the API to answer', answers)

    def stop(self):
        """SIGTERM to serve; instances run on."""
        self.serve.terminate()
        return self.serve.wait(PATIENCE)

    def remove(self):
        """Ends everything of this server, whatever state it is in, and deletes its place."""
        if self.serve and self.serve.poll() is None:
            self.serve.kill()
            self.serve.wait()
        def none_left():
            for process in self.census().everything():
                try:
                    os.kill(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            return not self.census().everything()
        until('its processes to end', none_left)
        self.remove_groups()
        subprocess.run(['chmod', '-R', 'u+w', self.place], check=False)
        shutil.rmtree(self.place, ignore_errors=True)

    def remove_groups(self):
        """The control groups of instances whose control was killed: the next control would take them away."""
        for meta in self.run_dir.glob('i/*/meta'):
            for group in map(Path, json.loads(meta.read_text()).get('control_groups', [])):
                for directory in (group, group.parent):
                    try:
                        directory.rmdir()
                    except OSError:
                        pass  # gone, or somebody else's are in it

    # ---- the command and the API

    def cli(self, *words, cwd=None, code=0, stdin='', seconds=None, environment=None):
        """Runs the command to its end. Fails unless the exit code is `code` (None: any)."""
        done = subprocess.run([self.binary, *map(str, words)], cwd=cwd or self.place, capture_output=True, text=True,
                              env={**self.environment, **(environment or {})}, input=stdin, timeout=seconds or 4 * PATIENCE)
        if code is not None and done.returncode != code:
            raise Failed(f'holdall {" ".join(map(str, words))}: exit {done.returncode}, expected {code}\n'
                         f'{done.stdout}{done.stderr}')
        return done

    def json(self, *words, **options):
        return json.loads(self.cli(*words, '--json', **options).stdout)

    def api(self, method, path, body=None, timeout=PATIENCE):
        connection = UnixConnection(self.run_dir / 'api.sock', timeout)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(text) if text.startswith(b'{') else text

    def url(self):
        """For -H."""
        return f'unix://{self.run_dir}/api.sock'

    def ask(self, method, path, headers, timeout=PATIENCE):
        """One request through the router: (status, headers, body)."""
        connection = http.client.HTTPConnection('127.0.0.1', self.http, timeout=timeout)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def get(self, path, host='127.0.0.1', timeout=PATIENCE):
        return self.ask('GET', path, {'Host': host}, timeout)

    # ---- what there is

    def app(self, name, compose, files=None):
        """A project directory; `compose` is the text of its compose.yaml, files are copied into it."""
        directory = self.place / 'apps' / name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / 'compose.yaml').write_text(compose)
        for target, source in (files or {}).items():
            shutil.copy2(source, directory / target)
        return directory

    def census(self):
        return Census(self)

    def rows(self, sql, *parameters):
        """Rows of the state database as it is on the disk. Control holds it alone, so a copy of it is read."""
        with tempfile.TemporaryDirectory(dir=self.place) as place:
            for name in ('holdall.db', 'holdall.db-wal'):
                if (self.state / name).exists():
                    shutil.copyfile(self.state / name, Path(place, name))
            connection = sqlite3.connect(Path(place, 'holdall.db'))
            try:
                return connection.execute(sql, parameters).fetchall()
            finally:
                connection.close()


class Census:
    """Who lives of one server, sorted into its kinds."""

    def __init__(self, server):
        state, serve = str(server.state), server.serve.pid if server.serve else None
        self.serve, self.control, self.router, self.shims, self.instances = [], [], [], [], []
        for process in processes():
            if process.state == 'Z':
                continue
            exe = process.exe.removesuffix(' (deleted)')
            # Without root, what is not dumpable shows neither exe nor environment: then argv and parents must do.
            hidden = not exe and os.geteuid() != 0
            program = process.argv[0] if hidden and process.argv else exe
            if program.startswith(f'{state}/bin/'):
                self.shims.append(process)
            elif (serve in (process.pid, process.parent) if hidden else exe == os.path.realpath(server.binary)) and len(process.argv) > 1:
                kind = {'serve': self.serve, 'control': self.control, 'router': self.router}.get(process.argv[1])
                if kind is not None and (hidden or environment_of(process.pid).get('HOLDALL_STATE') == state):
                    kind.append(process)
            elif process.cwd.startswith(f'{state}/artefacts/') or exe.startswith(f'{state}/artefacts/'):
                self.instances.append(process)

    def everything(self):
        return self.serve + self.control + self.router + self.shims + self.instances

    def slots(self):
        """{'hello/web.1@v3': [pids of its main processes]}: an instance is a child of a shim."""
        shims = {p.pid for p in self.shims}
        found = {}
        for process in self.instances:
            if process.parent in shims:
                of = environment_of(process.pid)
                if 'HOLDALL_INSTANCE' in of:
                    key = f'{of["HOLDALL_APP"]}/{of["HOLDALL_INSTANCE"]}@{of.get("HOLDALL_RELEASE", "?")}'
                    found.setdefault(key, []).append(process.pid)
        return found


class Failpoints:
    """The other end of HOLDALL_FAILPOINTS: every process of a server that reaches a point says so and waits.

    `decide(name, pid)` runs in a thread of its own for each arrival; what it kills, it kills before the word `go`.
    """

    def __init__(self, path, decide):
        self.path, self.decide = str(path), decide
        self.seen = []
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o777)  # the router is not root
        self.listener.listen(128)
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            arrival = b''
            while not arrival.endswith(b'\n'):
                piece = connection.recv(256)
                if not piece:
                    return
                arrival += piece
            name = arrival.decode().split()[0]
            # A shim knows itself as 1; the kernel says who it is out here.
            pid = struct.unpack('3i', connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
            with self.lock:
                self.seen.append(name)
            self.decide(name, pid)
            try:
                connection.sendall(b'go\n')
            except OSError:
                pass

    def names(self):
        with self.lock:
            return list(self.seen)

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.thread.join()
        Path(self.path).unlink(missing_ok=True)
