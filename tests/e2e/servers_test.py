"""From an empty home directory to staging and to a production of two hosts, over ssh, with the commands of a new user; and who may
do what there. Each machine has its own namespaces and file system (tests/lib/servers.py)."""
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / 'lib'))
from harness import BINARY, ROOT, until
from servers import SSHD, Machines

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not Path(SSHD).exists(), reason='needs root, for namespaces, and sshd')

ENVIRONMENTS = """
x-holdall:
  environments:
    staging:
      host: ssh://root@{staging}
      domain: staging.hello.test
    production:
      host:
        - ssh://root@{one}
        - ssh://root@{two}
      domain: hello.test
"""


@pytest.fixture(scope='module')
def machines():
    with Machines('laptop', 'staging', 'one', 'two') as all_of_them:
        yield all_of_them


@pytest.fixture(scope='module')
def servers(machines):
    """Each of them set up from the laptop; what setup said of the first."""
    said = {}
    for server in (machines.staging, machines.one, machines.two):
        said[server.name] = machines.laptop.run('holdall', 'setup', f'root@{server.address}').stdout
    return said


@pytest.fixture(scope='module')
def project(machines, servers):
    """A copy of examples/hello in the laptop's home, with the pasted block and one more variable."""
    place = machines.laptop.path('/root/hello')
    shutil.copytree(ROOT / 'examples/hello', place)
    compose = (place / 'compose.yaml').read_text()
    compose = compose.replace('route: hello.localhost', 'route: ${HOLDALL_DOMAIN}')
    compose = compose.replace('      COLOUR: grey\n', '      COLOUR: grey\n      GREETING: ${GREETING}\n')
    compose = compose.replace('monitor: 3s', 'monitor: 300ms').replace('replicas: 3', 'replicas: 2')
    addresses = {server.name: server.address for server in machines.all}
    (place / 'compose.yaml').write_text(compose + ENVIRONMENTS.format(**addresses))
    seal(machines.laptop, 'staging')
    return '/root/hello'


def seal(laptop, environment):
    laptop.run('holdall', 'secrets', 'keygen', '--on', environment, cwd='/root/hello')
    laptop.run('holdall', 'secrets', 'seal', 'GREETING', '--on', environment, cwd='/root/hello', stdin='good morning')


def get(machine, server, host):
    """What the app answers there, asked from that machine; nothing where it does not."""
    done = machine.run('python3', '-c', f'''
import http.client
c = http.client.HTTPConnection("{server.address}", 80, timeout=5)
c.request("GET", "/", headers={{"Host": "{host}"}})
print(c.getresponse().read().decode())''', code=None)
    return json.loads(done.stdout) if done.returncode == 0 and done.stdout.startswith('{') else None


def serving(machines, server, app):
    done = machines.laptop.run('holdall', '-H', f'ssh://root@{server.address}', '-p', app, 'status', '--json')
    return json.loads(done.stdout)['serving']['release']


def test_setup_makes_a_server_and_says_what_it_did(machines, servers):
    said = servers['staging']
    for line in ('/usr/local/bin/holdall', 'group holdall', 'user holdall', '/etc/holdall/keys', 'systemd does not run here',
                 'started without systemd', 'the server is ready', f'host: ssh://root@{machines.staging.address}'):
        assert line in said, said
    server = machines.staging
    assert server.path('/usr/local/bin/holdall').read_bytes() == BINARY.read_bytes()
    assert server.path('/etc/holdall/keys').stat().st_mode & 0o7777 == 0o700
    assert 'ExecStart=/usr/local/bin/holdall serve' in server.path('/etc/systemd/system/holdall.service').read_text()
    assert server.run('stat', '-c', '%U %G %a', '/run/holdall/api.sock').stdout == 'root holdall 660\n'
    assert server.run('stat', '-c', '%U %a', '/run/holdall/people.sock').stdout == 'holdall 600\n'
    assert not list(server.path('/root').glob('.holdall-setup-*'))


def test_a_second_setup_changes_nothing_and_says_so(machines, servers):
    said = machines.laptop.run('holdall', 'setup', f'root@{machines.staging.address}').stdout
    assert 'nothing was changed' in said
    assert 'done' not in said.replace('done     holdall is there', ''), said


def test_setup_from_a_login_that_is_not_root_goes_through_sudo_and_lets_that_login_in(machines, servers):
    server, ops = machines.staging, f'ops@{machines.staging.address}'
    server.run('useradd', '--create-home', '--shell', '/bin/sh', '--password', '*', 'ops')
    ssh = server.path('/home/ops/.ssh')
    ssh.mkdir()
    shutil.copy(server.path('/root/.ssh/authorized_keys'), ssh)
    server.run('chown', '-R', 'ops:', '/home/ops/.ssh')
    denied = machines.laptop.run('holdall', '-H', f'ssh://{ops}', 'apps', code=None)
    assert denied.returncode != 0, denied.stdout
    refused = machines.laptop.run('holdall', 'setup', ops, code=None)  # sudo asks for a password, and there is no terminal
    assert refused.returncode != 0 and 'sudo' in refused.stdout + refused.stderr
    server.path('/etc/sudoers.d/ops').write_text('ops ALL=(root) NOPASSWD: ALL\n')
    said = machines.laptop.run('holdall', 'setup', ops).stdout
    assert 'joins group holdall' in said and f'host: ssh://{ops}' in said, said
    assert 'APP' in machines.laptop.run('holdall', '-H', f'ssh://{ops}', 'apps').stdout
    assert not list(server.path('/home/ops').glob('.holdall-setup-*'))


def test_a_setup_mends_what_a_half_one_left(machines, servers):
    server = machines.two
    shutil.rmtree(server.path('/etc/holdall/login/.ssh'))
    server.path('/etc/holdall/keys').chmod(0o755)
    said = machines.laptop.run('holdall', 'setup', f'root@{server.address}', '--dry-run').stdout
    assert said.count('  would') == 2 and 'nothing was changed' in said
    machines.laptop.run('holdall', 'setup', f'root@{server.address}')
    assert server.path('/etc/holdall/keys').stat().st_mode & 0o7777 == 0o700
    assert server.path('/etc/holdall/login/.ssh').is_dir()


def test_what_setup_cannot_do_it_refuses_with_the_reason(machines, servers):
    laptop = machines.laptop
    assert 'later version' in laptop.run('holdall', 'setup', '--here', '--engine', 'docker', code=2).stderr
    assert 'later version' in laptop.run('holdall', 'setup', '--here', '--restore', 'x', code=2).stderr
    assert 'USER@HOST' in laptop.run('holdall', 'setup', code=2).stderr
    laptop.run('holdall', 'setup', 'root@-oProxyCommand=touch', code=2)
    taken = subprocess.Popen(laptop.words(['python3', '-m', 'http.server', '80']), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        probe = 'import socket; socket.create_connection(("127.0.0.1", 80))'
        until('port 80 to be taken', lambda: laptop.run('python3', '-c', probe, code=None).returncode == 0, every=0.1)
        assert 'python3 (pid' in laptop.run('holdall', 'setup', '--here', code=4).stderr
    finally:
        taken.kill()
        taken.wait()
    assert not laptop.path('/etc/holdall').exists()


def test_the_app_is_planned_and_released_to_staging(machines, project):
    laptop = machines.laptop
    assert 'web' in laptop.run('holdall', 'plan', '--on', 'staging', cwd=project).stdout
    laptop.run('holdall', 'deploy', '--on', 'staging', cwd=project)
    answer = get(laptop, machines.staging, 'staging.hello.test')
    assert (answer['app'], answer['release']) == ('hello', 'v1')
    assert serving(machines, machines.staging, 'hello-staging') == 'v1'


def test_the_app_is_released_to_both_hosts_of_production(machines, project):
    laptop = machines.laptop
    seal(laptop, 'production')
    laptop.run('holdall', 'deploy', '--on', 'production', cwd=project)
    for server in (machines.one, machines.two):
        assert get(laptop, server, 'hello.test')['release'] == 'v1'
        assert not get(laptop, server, 'staging.hello.test')


def test_a_failure_on_the_second_host_reverts_the_first(machines, project):
    laptop = machines.laptop
    compose = laptop.path('/root/hello/compose.yaml')
    compose.write_text(compose.read_text().replace('COLOUR: grey', 'COLOUR: green'))
    python = machines.two.path(machines.two.run('readlink', '-f', '/usr/bin/python3').stdout.strip())
    aside = python.with_name('python-aside')
    python.rename(aside)
    try:
        failed = laptop.run('holdall', 'deploy', '--on', 'production', cwd=project, code=1)
    finally:
        aside.rename(python)
    assert machines.two.address in failed.stdout + failed.stderr
    for server in (machines.one, machines.two):
        answer = get(laptop, server, 'hello.test')
        assert answer['colour'] == 'grey', (answer, failed.stdout, failed.stderr)


@pytest.fixture(scope='module')
def people(machines, project):
    """Accounts on the laptop: each a key, opened on staging by `access add`."""
    laptop = machines.laptop
    for name, flags in {'reader': ['--role', 'read'], 'deployer': ['--role', 'deploy', '--app', 'hello-staging'],
                        'other': ['--role', 'deploy', '--app', 'other']}.items():
        laptop.run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', f'/root/.ssh/{name}')
        laptop.run('holdall', '-H', f'ssh://root@{machines.staging.address}', 'access', 'add', name, '--key', f'/root/.ssh/{name}.pub', *flags)
        laptop.path('/root/.ssh/config').open('a').write(f'Host as-{name}\n  HostName {machines.staging.address}\n  HostKeyAlias {machines.staging.address}\n'
                                                         f'  User holdall\n  IdentityFile ~/.ssh/{name}\n  IdentitiesOnly yes\n')
    return laptop


def as_person(laptop, name, *words, **options):
    return laptop.run('holdall', '-H', f'ssh://as-{name}', '-p', 'hello-staging', *words, **options)


def test_a_person_does_what_their_role_allows_and_no_more(machines, people):
    assert 'hello-staging' in as_person(people, 'reader', 'apps').stdout
    denied = as_person(people, 'reader', 'rollback', 'v1', code=6)
    assert 'reader has the role read, and this needs deploy' in denied.stderr
    assert 'may use other only' in as_person(people, 'other', 'status', code=6).stderr
    assert 'hello-staging' not in as_person(people, 'other', 'apps').stdout
    as_person(people, 'deployer', 'access', 'list', code=6)
    log = people.run('holdall', '-H', f'ssh://root@{machines.staging.address}', 'access', 'log', '--json').stdout
    calls = json.loads(log)['calls']
    assert [(call['who'], call['denied'], call['status']) for call in calls[:3]] == [('deployer', True, 403), ('other', True, 403), ('reader', True, 403)]


def test_a_persons_release_bears_their_name(machines, people):
    compose = people.path('/root/hello/compose.yaml')
    compose.write_text(re.sub('COLOUR: .*', 'COLOUR: blue', compose.read_text()))
    people.run('holdall', 'deploy', '--on', 'staging', '-H', 'ssh://as-deployer', cwd='/root/hello')
    assert get(people, machines.staging, 'staging.hello.test')['colour'] == 'blue'
    releases = json.loads(as_person(people, 'reader', 'releases', '--json').stdout)['releases']
    assert releases[0]['by'] == 'deployer'


def test_a_key_opens_the_api_and_nothing_else(machines, people):
    """No shell, no other command, no other name, no forwarding, no terminal, no files."""
    server = machines.staging
    ask = 'GET /v1/apps HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    for words in (['id'], ['holdall', 'stdio'], ['holdall', 'stdio', '--as', 'deployer'], ['sh', '-c', 'id'], ['-t']):
        flags = [word for word in words if word == '-t']
        rest = [word for word in words if word != '-t']
        said = people.run('ssh', *flags, 'as-reader', *rest, stdin=ask, code=None).stdout
        assert 'uid=' not in said
        assert said == '' or said.startswith('HTTP/1.1 200 ') and 'hello-staging' in said, said  # as reader, whatever was asked for
    through = people.run('ssh', '-W', '127.0.0.1:80', 'as-reader', code=None, seconds=20)
    assert through.returncode != 0 and 'prohibited' in through.stderr, through.stderr
    assert people.run('ssh', '-N', '-o', 'ExitOnForwardFailure=yes', '-R', '9998:127.0.0.1:80', 'as-reader', code=None, seconds=20).returncode != 0
    people.run('scp', '-q', 'as-reader:/etc/passwd', '/root/stolen', code=None, seconds=20)
    assert not people.path('/root/stolen').exists() or people.path('/root/stolen').stat().st_size == 0
    # The login itself: neither the API's own socket nor sshd's file is its to touch.
    probe = 'import os, socket; s = socket.socket(socket.AF_UNIX); s.connect("/run/holdall/api.sock")'
    assert 'PermissionError' in server.run('setpriv', '--reuid=holdall', '--regid=nogroup', '--clear-groups', 'python3', '-c', probe, code=1).stderr
    assert server.run('setpriv', '--reuid=holdall', '--regid=nogroup', '--clear-groups', 'test', '-w', '/etc/holdall/login/.ssh/authorized_keys', code=1)


def test_what_is_taken_away_opens_nothing_any_more(machines, people):
    people.run('holdall', '-H', f'ssh://root@{machines.staging.address}', 'access', 'remove', 'other')
    assert as_person(people, 'other', 'apps', code=None).returncode != 0
    assert 'other' not in machines.staging.path('/etc/holdall/login/.ssh/authorized_keys').read_text()


def test_remove_leaves_instances_and_data_and_purge_wants_the_name_typed(machines, project, people):
    laptop, server = machines.laptop, machines.staging
    laptop.run('holdall', 'setup', f'root@{server.address}', '--remove')
    assert not server.path('/usr/local/bin/holdall').exists() and server.path('/var/lib/holdall/holdall.db').exists()
    assert any('app.py' in line for line in server.processes())  # instances run on
    laptop.run('holdall', 'setup', f'root@{server.address}')
    until('the instances to be adopted', lambda: get(laptop, server, 'staging.hello.test'))
    refused = laptop.run('holdall', 'setup', f'root@{server.address}', '--remove', '--purge', stdin='elsewhere\n', code=2)
    assert 'nothing was removed' in refused.stderr
    laptop.run('holdall', 'setup', f'root@{server.address}', '--remove', '--purge', stdin='staging\n')
    for path in ('/var/lib/holdall', '/etc/holdall', '/usr/local/bin/holdall', '/etc/systemd/system/holdall.service'):
        assert not server.path(path).exists()
    assert not any('app.py' in line or 'holdall' in line for line in server.processes() if 'servers.py' not in line)
