"""An app with sealed secrets on a server of a test's own: web has one in a variable and one in a file, robot has its own."""
import re
import subprocess
from pathlib import Path

from harness import environment_of, until

COMPOSE = '''
name: vault
services:
  web:
    build: .
    command: ["sleep", "3600.11"]
    environment:
      - URL=x://app:${DB_PASSWORD}@db
    secrets: [api]
    stop_grace_period: 1s
    deploy: {update_config: {monitor: 0s}}
  robot:
    build: .
    command: ["sleep", "3600.12"]
    environment: [ROBOT_KEY]
    stop_grace_period: 1s
    deploy: {update_config: {monitor: 0s}}
secrets:
  api: {environment: API_KEY}
'''
VALUES = {'DB_PASSWORD': 'canary-db-1', 'API_KEY': 'canary-api-1', 'ROBOT_KEY': 'canary-robot-1'}


class SealedShop:
    def __init__(self, server, compose=COMPOSE, values=None):
        self.server, self.directory = server, server.app('vault', compose)
        self.path = self.directory / 'secrets.sealed'
        self.cli('secrets', 'keygen')
        for name, value in (VALUES if values is None else values).items():
            self.seal(name, value)

    def cli(self, *words, **options):
        return self.server.cli(*words, cwd=self.directory, **options)

    def seal(self, name, value):
        return self.cli('secrets', 'seal', name, stdin=value)

    def deploy(self, code=0):
        return self.cli('deploy', code=code)

    def slots(self):
        return self.server.census().slots()

    def pid(self, slot):
        """Of the program, once it is executed: 'web.1@v1'."""
        return until(f'{slot} to run', lambda: self.slots().get(f'vault/{slot}', [None])[0])

    def environment(self, slot):
        return environment_of(self.pid(slot))

    def file(self, slot, name):
        return Path(f'/proc/{self.pid(slot)}/root/run/secrets/{name}').read_text()

    def releases(self):
        return self.server.json('releases', cwd=self.directory)['releases']


def uid_of(pid):
    return int(re.search(r'^Uid:\s+(\d+)', Path(f'/proc/{pid}/status').read_text(), re.M)[1])


def as_user(uid, *argv):
    """What another service could do, were it to look: (exit code, output)."""
    done = subprocess.run(['setpriv', '--reuid', str(uid), '--regid', str(uid), '--clear-groups', *argv],
                          capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout
