"""The real Parse Server on PostgreSQL with PostGIS, one application and one database per account.

    with Parse([Account(...), Account(...)]) as parse:
        ... account.url ...

npm installs it into build/parse, once. Everything runs on loopback, out of a directory of its own, as a user without
rights, and is ended by pid.
"""
import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import urllib.request
from pathlib import Path

from parse_api import MOUNT
from harness import ROOT, Failed, free_port, until

HERE = Path(__file__).resolve().parent
INSTALLED = ROOT / 'build/parse'
USER, GROUP = 'nobody', 'nogroup'
RECIPE = ('package.json', 'package-lock.json')


def install():
    """node_modules as the lock file says: a minute the first time, nothing later."""
    digest = hashlib.sha256(b''.join((HERE / name).read_bytes() for name in RECIPE)).hexdigest()
    done = INSTALLED / 'digest'
    if not done.exists() or done.read_text() != digest:
        INSTALLED.mkdir(parents=True, exist_ok=True)
        for name in RECIPE:
            shutil.copy(HERE / name, INSTALLED)
        npm = subprocess.run(['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], cwd=INSTALLED, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=900)
        if npm.returncode:
            raise Failed(f'npm ci: {npm.stdout}')
        done.write_text(digest)
    return INSTALLED / 'node_modules'


def postgres_programs():
    versions = sorted(Path('/usr/lib/postgresql').glob('*/bin/postgres'))
    if not versions:
        raise Failed('no PostgreSQL in /usr/lib/postgresql: tools/install_packages.sh --parse')
    return versions[-1].parent


class Parse:
    def __init__(self, accounts):
        self.accounts = accounts
        self.programs = postgres_programs()
        modules = install()
        self.place = Path(tempfile.mkdtemp(prefix='holdall-parse-'))
        self.children = []
        try:
            self.own(self.place)
            self.place_program(modules)
            self.start_postgres()
            for number, account in enumerate(accounts):
                self.start_parse(account, f'account_{number}')
            for account in accounts:
                self.wait_ready(account)
        except BaseException:
            self.close()
            raise

    def own(self, path):
        if os.geteuid() == 0:
            shutil.chown(path, USER, GROUP)

    def unprivileged(self, *words):
        """A command line that ends with this process."""
        drop = ['--reuid', USER, '--regid', GROUP, '--clear-groups'] if os.geteuid() == 0 else []
        return ['setpriv', *drop, '--pdeathsig', 'KILL', '--', *map(str, words)]

    def start(self, *words, **options):
        child = subprocess.Popen(self.unprivileged(*words), cwd=self.place, env={'PATH': os.environ['PATH'], 'HOME': str(self.place)},
                                 start_new_session=True, text=True, **options)
        self.children.append(child)
        return child

    def run(self, *words):
        done = subprocess.run(self.unprivileged(*words), cwd=self.place, env={'PATH': os.environ['PATH'], 'HOME': str(self.place)},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise Failed(f'{words[0]}: exit {done.returncode}\n{done.stdout}')

    def place_program(self, modules):
        """The program beside its modules: the installed ones where the user may read them, else a copy."""
        shutil.copy(HERE / 'server.js', self.place)
        if subprocess.run(self.unprivileged('test', '-r', modules / 'express/package.json')).returncode == 0:
            (self.place / 'node_modules').symlink_to(modules)
        else:
            shutil.copytree(modules, self.place / 'node_modules', symlinks=True)

    # ---- PostgreSQL

    def start_postgres(self):
        self.password, self.port = secrets.token_hex(16), free_port()
        data, word = self.place / 'data', self.place / 'password'
        word.touch(0o600)
        word.write_text(self.password)
        self.own(word)
        self.run(self.programs / 'initdb', '-D', data, '-U', 'parse', '-A', 'scram-sha-256', '--pwfile', word, '-E', 'UTF8', '--no-sync')
        (data / 'pg_hba.conf').write_text('local all parse trust\nhost all parse 127.0.0.1/32 scram-sha-256\n')
        log = open(self.place / 'postgres.log', 'wb')
        # Its socket stands in the directory that only this user may enter.
        self.start(self.programs / 'postgres', '-D', data, '-h', '127.0.0.1', '-p', self.port, '-k', self.place, '-F', stdout=log, stderr=log)
        until('PostgreSQL to answer', lambda: subprocess.run(
            [self.programs / 'pg_isready', '-q', '-h', self.place, '-p', str(self.port)]).returncode == 0, every=0.1)
        self.sql('template1', 'create extension postgis')
        for number in range(len(self.accounts)):
            self.sql('template1', f'create database account_{number}')

    def sql(self, database, text):
        self.run(self.programs / 'psql', '-q', '-h', self.place, '-p', self.port, '-U', 'parse', '-d', database, '-c', text)

    # ---- Parse Server: a process per application, which is as many as one process can hold

    def start_parse(self, account, database):
        port = free_port()
        account.url = f'http://127.0.0.1:{port}{MOUNT}'
        account.master = secrets.token_hex(16)
        account.process = self.start('node', 'server.js', stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT)
        account.process.stdin.write(json.dumps({
            'port': port, 'mount': MOUNT, 'appId': account.application, 'restAPIKey': account.key, 'masterKey': account.master,
            'databaseURI': f'postgres://parse:{self.password}@127.0.0.1:{self.port}/{database}'}) + '\n')
        account.process.stdin.flush()

    def wait_ready(self, account):
        said = []
        for line in account.process.stdout:  # it warns of what its next version changes before it serves
            said.append(line)
            if line.strip() == 'ready':
                break
        else:
            raise Failed(f'parse-server did not start: {"".join(said)}')
        for name, fields in account.classes.items():
            self.as_master(account, 'POST', f'/schemas/{name}', {
                'className': name, 'fields': {field: {'type': of} for field, of in fields.items()}})

    def as_master(self, account, method, path, document):
        request = urllib.request.Request(account.url + path, method=method, data=json.dumps(document).encode(), headers={
            'X-Parse-Application-Id': account.application, 'X-Parse-Master-Key': account.master, 'Content-Type': 'application/json'})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def clear(self):
        """Takes every row away."""
        for account in self.accounts:
            for name in account.classes:
                self.as_master(account, 'DELETE', f'/purge/{name}', {})

    def pause(self):
        """From now on requests are taken and not answered, until `resume`."""
        for account in self.accounts:
            account.process.send_signal(signal.SIGSTOP)

    def resume(self):
        for account in self.accounts:
            account.process.send_signal(signal.SIGCONT)

    def close(self):
        for child in reversed(self.children):
            child.terminate()
        for child in self.children:
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            for stream in (child.stdin, child.stdout):
                if stream:
                    stream.close()
        shutil.rmtree(self.place, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
