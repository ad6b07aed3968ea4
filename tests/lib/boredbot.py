"""examples/boredbot as a test runs it: the built program, and the two accounts that it works with."""
import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request

from harness import BINARY, ROOT, free_port, until
from parse_api import Account

BOREDBOT = BINARY.parent / 'examples/boredbot'


def robot_account(key='robot-key-0123456789'):
    return Account('boredbot', key, {'lines': {'status': 'String'}})


def mood_account(key='mood-key-0123456789'):
    return Account('mood', key, {'current': {'feeling': 'String'}})


def add(account, kind, **fields):
    """Adds a row as anybody with the account's key does."""
    request = urllib.request.Request(f'{account.url}/classes/{kind}', data=json.dumps(fields).encode(), headers=account.headers())
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 201


def rows(account, kind):
    request = urllib.request.Request(f'{account.url}/classes/{kind}?order=createdAt', headers=account.headers())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())['results']


def settings(robot, mood):
    return {'PARSE_URL': robot.url, 'PARSE_APPLICATION_ID': robot.application, 'PARSE_REST_API_KEY': robot.key,
            'STATE_URL': mood.url, 'STATE_APPLICATION_ID': mood.application, 'STATE_REST_API_KEY': mood.key}


def items(page):
    """The lines of a page, without their tags."""
    return [re.sub('<[^>]*>', '', item) for item in re.findall('<li>(.*?)</li>', page)]


class Project:
    """A copy of the example in `directory`, with the built program, as somebody who releases it to `server` has it."""

    def __init__(self, server, directory, api):
        self.server, self.directory = server, directory
        shutil.copytree(ROOT / 'examples/boredbot', directory)
        shutil.copy(BOREDBOT, directory)
        self.change('http://127.0.0.1:1337/1', api.url)

    def change(self, old, new):
        """Edits compose.yaml."""
        compose = self.directory / 'compose.yaml'
        text = compose.read_text()
        assert old in text, f'{old} is not in {compose}'
        compose.write_text(text.replace(old, new))

    def cli(self, *words, **options):
        return self.server.cli(*words, cwd=self.directory, **options)

    def seal(self, robot, mood):
        self.cli('secrets', 'seal', 'PARSE_REST_API_KEY', stdin=robot.key)
        self.cli('secrets', 'seal', 'STATE_REST_API_KEY', stdin=mood.key)

    def break_it(self, port):
        """The next version listens where nobody can reach it."""
        self.change('["./boredbot", "web"]', f'["env", "HOST=127.0.0.1", "PORT={port}", "./boredbot", "web"]')
        self.change('replicas: 3', 'replicas: 1')  # on one port there is room for one


class BoredBot:
    """One of its commands, running on a port of its own."""

    def __init__(self, command, environment):
        self.port = free_port()
        inherited = {name: os.environ[name] for name in ('PATH', 'ASAN_OPTIONS', 'UBSAN_OPTIONS') if name in os.environ}
        self.process = subprocess.Popen([BOREDBOT, command], env={**inherited, **environment, 'PORT': str(self.port)},
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def get(self, path='/'):
        try:
            answer = urllib.request.urlopen(f'http://127.0.0.1:{self.port}{path}', timeout=30)
        except urllib.error.HTTPError as refusal:
            answer = refusal
        with answer:
            return answer.status, answer.read().decode()

    def __enter__(self):
        until('it to listen', lambda: self.get('/__lbheartbeat__')[0] == 200)
        return self

    def end(self):
        """SIGTERM; what it said. It must end well."""
        self.process.terminate()
        said = self.process.communicate(timeout=30)[0]
        assert self.process.returncode == 0, said
        return said

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
