"""Environments from outside: their files and variables, their apps side by side on one server, and several hosts."""
import json
import os
import pty
import signal
import subprocess
from contextlib import ExitStack

import pytest
from harness import Server, environment_of, free_port, until
from shop import TOOLS

SHOP = '''
name: shop
services:
  web:
    build: .
    command: ["./test_app"]
    environment: {{TURN: "{turn}", MOOD: "${{MOOD:-grey}}", MODE: "${{SHOP_MODE:-}}"}}
    stop_grace_period: 2s
    deploy: {{replicas: 1, update_config: {{monitor: {monitor}}}}}
    x-holdall:
      route: ${{HOLDALL_DOMAIN}}
      ready: {{path: /up, interval: 20ms}}
{more}
x-holdall:
  environments:
{environments}
'''


class Project:
    """One directory that is released to environments."""

    def __init__(self, server, environments, **how):
        self.server, self.environments = server, environments
        self.write(**how)

    def write(self, turn=1, more='', monitor='300ms'):
        self.directory = self.server.app('shop', SHOP.format(turn=turn, more=more, monitor=monitor, environments=self.environments),
                                         {'test_app': TOOLS / 'test_app'})
        (self.directory / '.dockerignore').write_text('*\n!test_app\n')

    def file(self, name, text):
        (self.directory / name).write_text(text)

    def cli(self, *words, **options):
        # This machine's own socket is nobody's: what is asked goes to an environment's host.
        options.setdefault('environment', {'HOLDALL_API': '/nonexistent/api.sock'})
        return self.server.cli(*words, cwd=self.directory, **options)

    def json(self, *words, **options):
        return json.loads(self.cli(*words, '--json', **options).stdout)


def served(server, host):
    status, headers, _ = server.get('/', host=host)
    return headers['X-Release'] if status == 200 else status


def variables(server, app, variable):
    """What instances of an app have in a variable."""
    return {environment_of(pid).get(variable) for name, pids in server.census().slots().items()
            if name.startswith(app + '/') for pid in pids}


SIDE_BY_SIDE = '''
    production: {{host: {url}, domain: shop.example}}
    staging: {{host: {url}, domain: staging.shop.example}}
'''


@pytest.fixture
def both(server):
    return Project(server, SIDE_BY_SIDE.format(url=server.url()))


@pytest.fixture
def pair(server):
    """A project whose production is on two servers."""
    with ExitStack() as stack:
        second = stack.enter_context(Server())
        project = Project(server, f'''
    production: {{host: ["{server.url()}", "{second.url()}"], domain: shop.example}}
''')
        project.servers = [server, second]
        yield project
        second.stop()


def test_staging_and_production_of_one_app_live_side_by_side(both, server):
    both.cli('deploy', '--on', 'production')
    both.file('.env.staging', 'MOOD=green\n')
    both.cli('deploy', '--on', 'staging')
    assert [a['name'] for a in both.json('apps', '--on', 'staging')['apps']] == ['shop', 'shop-staging']
    assert served(server, 'shop.example') == 'v1' and served(server, 'staging.shop.example') == 'v1'
    assert variables(server, 'shop', 'HOLDALL_ENV') == {'production'}
    assert variables(server, 'shop-staging', 'HOLDALL_ENV') == {'staging'}
    assert variables(server, 'shop', 'MOOD') == {'grey'}
    assert variables(server, 'shop-staging', 'MOOD') == {'green'}
    if os.geteuid() == 0:  # users of their own
        users = {name: os.stat(f'/proc/{pids[0]}').st_uid for name, pids in server.census().slots().items()}
        assert len(set(users.values())) == 2

    both.write(turn=2)
    both.cli('deploy', '--on', 'staging')
    assert served(server, 'staging.shop.example') == 'v2' and served(server, 'shop.example') == 'v1'
    both.cli('rollback', '--on', 'staging')
    assert served(server, 'staging.shop.example') == 'v3' and served(server, 'shop.example') == 'v1'
    assert 'shop-staging' in both.cli('status', '--on', 'staging').stdout
    assert 'web-1' in (said := both.cli('ps', '--on', 'production').stdout) or 'web.1' in said
    for name in ('shop', 'shop-staging'):
        assert (server.state / 'logs' / name).is_dir()


def test_a_port_that_another_environment_publishes_is_named_with_its_app(both):
    port = free_port()
    both.write(more=f'    ports: ["127.0.0.1:{port}:80"]')
    both.cli('deploy', '--on', 'production')
    done = both.cli('deploy', '--on', 'staging', code=None)
    assert done.returncode != 0
    assert str(port) in done.stdout + done.stderr and "shop" in done.stdout + done.stderr


def test_several_environments_and_none_named_is_refused_with_the_list(both):
    for words in (['deploy'], ['plan'], ['status'], ['releases'], ['rollback']):
        done = both.cli(*words, code=2)
        assert 'production, staging' in done.stderr and '--on production' in done.stderr


def test_an_environments_file_is_laid_over_and_nothing_of_development_is_read(both, server):
    both.file('compose.staging.yaml', 'services: {web: {environment: {EXTRA: "1"}}}\n')
    both.file('compose.override.yaml', 'services: {web: {environment: {EXTRA: override}}}\n')
    both.file('.env', 'MOOD=development\n')
    both.cli('deploy', '--on', 'staging', environment={'HOLDALL_API': '/nonexistent', 'MOOD': 'shell'})
    assert variables(server, 'shop-staging', 'EXTRA') == {'1'}
    assert variables(server, 'shop-staging', 'MOOD') == {'grey'}
    model = both.cli('config', '--on', 'staging').stdout
    assert 'name: shop-staging' in model and 'staging.shop.example' in model


def test_an_env_file_that_git_ignores_is_refused_and_the_environments_own_is_not(both, server):
    subprocess.run(['git', 'init', '-q'], cwd=both.directory, check=True)
    both.write(more='    env_file: web.env')
    both.file('web.env', 'EXTRA=1\n')
    both.file('.gitignore', 'web.env\n.env.*\n')
    both.file('.env.staging', 'MOOD=green\n')
    done = both.cli('deploy', '--on', 'staging', code=2)
    assert 'env_file web.env is refused in a release: git ignores it' in done.stderr
    assert 'holdall secrets import web.env --on staging' in done.stderr
    both.file('.gitignore', '.env.*\n')
    both.cli('deploy', '--on', 'staging')
    assert variables(server, 'shop-staging', 'EXTRA') == {'1'} and variables(server, 'shop-staging', 'MOOD') == {'green'}


def test_a_named_host_comes_before_the_environments_own(both, server):
    with Server() as other:
        both.cli('deploy', '--on', 'production', '-H', other.url())
        assert served(other, 'shop.example') == 'v1'
        assert both.json('apps', '--on', 'production')['apps'] == []
        other.cli('apps', 'destroy', 'shop', '-y')
        other.stop()


def test_protected_asks_on_a_terminal_and_wants_yes_without_one(server):
    project = Project(server, f'''
    production: {{host: {server.url()}, domain: shop.example, protected: true}}
''')
    done = project.cli('deploy', code=2)
    assert 'production is protected' in done.stderr and '--yes' in done.stderr
    assert project.json('apps')['apps'] == []
    assert 'nothing was changed' in on_terminal(project, 'deploy', 'other')
    assert project.json('apps')['apps'] == []
    assert 'live' in on_terminal(project, 'deploy', 'shop')
    project.write(turn=2)
    project.cli('deploy', '--yes')
    for change in (['rollback'], ['env', 'set', 'MOOD=blue'], ['maintenance', 'on']):
        assert 'production is protected' in project.cli(*change, code=2).stderr
    project.cli('rollback', '-y')
    assert served(server, 'shop.example') == 'v3'


def on_terminal(project, command, answer):
    """What the command says to a person who types `answer`."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([project.server.binary, command], cwd=project.directory, stdin=theirs, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, env=project.server.environment, text=True)
    os.close(theirs)
    os.write(ours, f'{answer}\n'.encode())
    out, _ = process.communicate(timeout=60)
    os.close(ours)
    return out


def test_hosts_are_released_in_turn_and_read_together(pair):
    done = pair.cli('deploy')
    urls = [server.url() for server in pair.servers]
    assert done.stdout.index(urls[0]) < done.stdout.index(urls[1])
    assert [served(server, 'shop.example') for server in pair.servers] == ['v1', 'v1']
    for words in (['status'], ['ps', '--on', 'production'], ['releases']):
        out = pair.cli(*words).stdout
        assert all(url in out for url in urls), words
    assert [host['host'] for host in pair.json('status')['hosts']] == urls
    for server in pair.servers:
        server.get('/', host='shop.example')
    out = pair.cli('logs', '--on', 'production').stdout
    assert all(f'{url} web.1' in out for url in urls)
    pair.write(turn=2)
    pair.cli('deploy')
    pair.cli('rollback')
    assert [served(server, 'shop.example') for server in pair.servers] == ['v3', 'v3']
    pair.cli('restart', '--on', 'production')
    pair.cli('scale', 'web=2')
    for server in pair.servers:
        assert sorted(server.census().slots()) == ['shop/web.1@v4', 'shop/web.2@v4']


def test_what_is_set_of_an_environment_is_set_on_each_of_its_hosts(pair):
    pair.cli('deploy')
    pair.cli('env', 'set', 'MOOD=blue')
    assert [variables(server, 'shop', 'MOOD') for server in pair.servers] == [{'blue'}, {'blue'}]
    listed = pair.json('env')['hosts']
    assert [host['set'][0]['value'] for host in listed] == ['blue', 'blue']
    pair.cli('maintenance', 'on')
    assert [served(server, 'shop.example') for server in pair.servers] == [503, 503]
    pair.cli('maintenance', 'off')
    assert [served(server, 'shop.example') for server in pair.servers] == ['v2', 'v2']


def test_a_failure_on_the_second_host_takes_back_the_first(pair):
    first, second = pair.servers
    pair.cli('deploy')
    # Both servers are of one machine, so that only the first can have the port.
    port = free_port()
    pair.write(turn=2, more=f'    ports: ["127.0.0.1:{port}:80"]')
    done = pair.cli('deploy', code=1)
    said = done.stdout + done.stderr
    assert 'shop is released nowhere' in said and str(port) in said
    assert f'{first.url()}   v1 serves again' in said
    assert [served(server, 'shop.example') for server in pair.servers] == ['v3', 'v1']
    assert variables(first, 'shop', 'TURN') == {'1'}
    hosts = json.loads(pair.cli('deploy', '--json', code=1).stdout)['hosts']
    assert [host['host'] for host in hosts] == [first.url(), second.url()]
    assert hosts[0]['outcome'] == 'v3 serves again'


def test_a_first_release_that_fails_on_the_second_host_leaves_nothing_running_on_the_first(pair):
    first, second = pair.servers
    # Both servers are of one machine, so that only the first can have the port.
    pair.write(more=f'    ports: ["127.0.0.1:{free_port()}:80"]')
    said = pair.cli('deploy', code=1).stdout
    assert f'{first.url()}   v1 is stopped: nothing serves, as before' in said
    assert not first.census().instances and not first.census().shims
    release, = first.json('releases', '-H', first.url(), '-p', 'shop')['releases']
    assert release['step'] == 'failed' and release['reason'].startswith('taken back by ')
    pair.write(turn=2)
    pair.cli('deploy')
    assert served(first, 'shop.example') == 'v2'


def test_a_host_that_does_not_answer_is_found_before_anything_is_released(pair):
    first, second = pair.servers
    second.stop()
    done = pair.cli('deploy', code=3)
    assert second.url() in done.stderr
    assert first.json('apps')['apps'] == []
    second.start()


def test_ctrl_c_before_the_switch_on_the_second_host_takes_back_the_first(pair):
    first, second = pair.servers
    pair.cli('deploy')
    pair.write(turn=2, monitor='300ms', more='      start_timeout: 60s')
    pair.file('compose.production.yaml', 'services: {web: {environment: {SLOW: "1"}}}\n')
    process = subprocess.Popen([first.binary, 'deploy'], cwd=pair.directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env={**first.environment, 'HOLDALL_API': '/nonexistent'}, text=True)
    until('the first host to be live', lambda: served(first, 'shop.example') == 'v2')
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode in (1, 130)
    assert 'released nowhere' in out
    assert served(first, 'shop.example') == 'v3'  # v1 again, as a release of its own
    assert served(second, 'shop.example') in ('v1', 'v3')


def test_ctrl_c_after_the_last_switch_leaves_the_release_to_the_servers(pair):
    first, second = pair.servers
    pair.write(monitor='2s')
    process = subprocess.Popen([first.binary, 'deploy'], cwd=pair.directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env={**first.environment, 'HOLDALL_API': '/nonexistent'}, text=True)
    until('the second host to be live', lambda: served(second, 'shop.example') == 'v1')
    said = ''
    while 'live' not in said.split(second.url())[-1] or second.url() not in said:
        said += process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert [served(server, 'shop.example') for server in pair.servers] == ['v1', 'v1']
    until('its end', lambda: second.json('releases', '-H', second.url(), '-p', 'shop')['releases'][0]['step'] == 'live')


def test_secrets_of_several_hosts_are_sealed_to_each(pair):
    pair.cli('secrets', 'keygen')
    sealed = pair.directory / 'secrets.production.sealed'
    assert [line.split()[1] for line in sealed.read_text().splitlines() if line.startswith('recipient ')] == [
        'server-1', 'server-2', 'recovery']
    pair.cli('secrets', 'seal', 'DB_PASSWORD', stdin='hunter2')
    assert 'can open it' in pair.cli('secrets', 'list').stdout
    pair.write(more='')
    compose = pair.directory / 'compose.yaml'
    compose.write_text(compose.read_text().replace('MOOD: ', 'DB_PASSWORD: "${DB_PASSWORD}", MOOD: '))
    pair.cli('deploy')
    for server in pair.servers:
        assert variables(server, 'shop', 'DB_PASSWORD') == {'hunter2'}
    pair.cli('secrets', 'rotate')
    pair.cli('deploy', '--force')
    for server in pair.servers:
        assert variables(server, 'shop', 'DB_PASSWORD') == {'hunter2'}
