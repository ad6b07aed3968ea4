"""One server and one app on it, whose versions tests release: tests/app, which misbehaves as they ask."""
import os
from pathlib import Path

from harness import ROOT

TOOLS = Path(os.environ.get('HOLDALL_TOOLS', ROOT / 'build/dev/tests'))


class Shop:
    def __init__(self, server):
        self.heard = {}  # segment -> its text
        self.server = server
        self.directory = None

    def version(self, name='shop', replicas=2, environment=None, service='', holdall='', monitor='500ms'):
        """Writes the next version of the project; nothing runs yet."""
        variables = {'TURN': '1', **(environment or {})}
        lines = '\n'.join(f'      {key}: "{value}"' for key, value in variables.items())
        self.directory = self.server.app(name, f'''
name: {name}
services:
  web:
    build: .
    command: ["./test_app"]
    environment:
{lines}
    stop_grace_period: 2s
    deploy: {{replicas: {replicas}, update_config: {{monitor: {monitor}}}}}
{service}
    x-holdall:
      route: {name}.localhost
      ready: {{path: /up, interval: 20ms}}
      drain_timeout: 5s
{holdall}
''', {'test_app': TOOLS / 'test_app'})
        (self.directory / '.dockerignore').write_text('compose.yaml\n')  # another version of the file is no other artefact
        return self.directory

    def cli(self, *words, **options):
        return self.server.cli(*words, cwd=self.directory, **options)

    def json(self, *words, **options):
        return self.server.json(*words, cwd=self.directory, **options)

    def deploy(self, code=0, **version):
        self.version(**version)
        return self.cli('deploy', code=code)

    def releases(self):
        return self.json('releases')['releases']

    def get(self, path='/', name='shop', load_id=''):
        return self.server.ask('GET', path, {'Host': f'{name}.localhost', 'X-Load-Id': load_id})

    def post(self, path):
        return self.server.ask('POST', path, {'Host': 'shop.localhost'})

    def listen(self):
        """Reads what the instances have said so far: only the last 20 dead ones of an app are kept to be read."""
        for segment in sorted((self.server.state / 'logs/shop').glob('*/*/stdout*')):
            self.heard[segment] = segment.read_bytes().decode(errors='replace')

    def said(self):
        """Every line on stdout of every instance that was listened to."""
        self.listen()
        for text in self.heard.values():
            yield from text.splitlines()

    def serving(self, name='shop'):
        """The release that answers."""
        status, headers, body = self.get('/', name)
        assert status == 200, body
        return headers['X-Release']
