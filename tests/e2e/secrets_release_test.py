"""Sealed secrets in the instances of a release: who sees which, what refuses a release, and that they come back."""
import os
import signal
from pathlib import Path

import pytest
from harness import until
from sealed_shop import VALUES, SealedShop, as_user, uid_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason='services have users of their own as root alone')


@pytest.fixture
def vault(server):
    return SealedShop(server)


def flip(path, name):
    """Another character in the middle of the value of that name."""
    lines = path.read_text().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if line.startswith(f'{name} '))
    middle = len(name) + 60
    lines[at] = lines[at][:middle] + ('A' if lines[at][middle] != 'A' else 'B') + lines[at][middle + 1:]
    path.write_text(''.join(lines))


def test_each_service_sees_its_own_in_a_variable_and_in_a_file(vault):
    vault.deploy()
    web, robot = vault.environment('web.1@v1'), vault.environment('robot.1@v1')
    assert web['URL'] == 'x://app:canary-db-1@db'
    assert robot['ROBOT_KEY'] == 'canary-robot-1'
    assert vault.file('web.1@v1', 'api') == 'canary-api-1'
    assert web['HOLDALL_SECRETS'] == '/run/secrets'
    assert not any(value in text for value in (VALUES['DB_PASSWORD'], VALUES['API_KEY']) for text in robot.values())
    assert VALUES['ROBOT_KEY'] not in web.values()
    with pytest.raises(FileNotFoundError):
        vault.file('robot.1@v1', 'api')
    assert not Path('/run/secrets/api').exists()


def test_another_service_can_read_neither_its_environment_nor_its_files(vault):
    vault.deploy()
    web, robot = vault.pid('web.1@v1'), vault.pid('robot.1@v1')
    assert 0 not in (uid_of(web), uid_of(robot)) and uid_of(web) != uid_of(robot)
    for path in ('environ', 'root/run/secrets/api', 'cwd/.'):
        assert as_user(uid_of(robot), 'cat', f'/proc/{web}/{path}') == (1, ''), path
    assert as_user(uid_of(web), 'cat', f'/proc/{web}/environ')[0] == 0


def test_nothing_of_the_server_holds_a_value(vault):
    vault.deploy()
    server = vault.server
    vault.seal('DB_PASSWORD', 'canary-db-2')
    plan = vault.cli('plan').stdout
    assert 'secret DB_PASSWORD changed' in plan
    vault.deploy()
    for place in (server.state, server.run_dir, vault.directory):
        for path in place.rglob('*'):
            if path.is_file():
                assert b'canary-' not in path.read_bytes(), path
    assert b'canary-' not in server.log_path.read_bytes()
    census = server.census()
    for process in census.serve + census.control + census.router + census.shims:
        assert b'canary-' not in Path(f'/proc/{process.pid}/environ').read_bytes()
        assert 'canary-' not in ' '.join(process.argv)


@pytest.mark.parametrize('fault', ['another key', 'a flipped bit', 'a name that is not sealed', 'one bad value among ten'])
def test_what_does_not_open_refuses_the_release_and_changes_nothing(vault, fault):
    vault.deploy()
    before = vault.slots()
    for number in range(7):
        vault.seal(f'OTHER_{number}', f'canary-{number}')
    compose = vault.directory / 'compose.yaml'
    compose.write_text(compose.read_text().replace('3600.12', '3600.13'))
    if fault == 'another key':
        os.rename(vault.server.place / 'keys/vault', vault.server.place / 'away')
    elif fault == 'a flipped bit':
        flip(vault.path, 'DB_PASSWORD')
    elif fault == 'one bad value among ten':
        flip(vault.path, 'OTHER_3')
    else:
        compose.write_text(compose.read_text().replace('[ROBOT_KEY]', '[ROBOT_KEY, MISSING]'))
    done = vault.deploy(code=None)
    said = done.stdout + done.stderr
    assert done.returncode in (2, 6), said
    assert 'canary-' not in said
    expected = {'another key': 'key', 'a flipped bit': 'DB_PASSWORD', 'one bad value among ten': 'OTHER_3',
                'a name that is not sealed': 'holdall secrets seal MISSING'}[fault]
    assert expected in said
    assert vault.slots() == before
    assert [r['release'] for r in vault.releases()] == ['v1']


def test_only_who_sees_a_changed_value_is_replaced_and_sealing_it_again_is_no_change(vault):
    vault.deploy()
    vault.seal('DB_PASSWORD', VALUES['DB_PASSWORD'])
    assert 'nothing changed' in vault.deploy().stdout
    vault.seal('DB_PASSWORD', 'canary-db-2')
    robot = vault.pid('robot.1@v1')
    vault.deploy()
    assert vault.environment('web.1@v2')['URL'] == 'x://app:canary-db-2@db'
    assert vault.pid('robot.1@v1') == robot


def test_a_rollback_brings_the_old_value_back(vault):
    vault.deploy()
    vault.seal('DB_PASSWORD', 'canary-db-2')
    vault.deploy()
    vault.cli('rollback')
    assert vault.environment('web.1@v3')['URL'] == 'x://app:canary-db-1@db'


def test_a_crashed_instance_has_its_secrets_again_also_when_control_was_killed(vault):
    vault.deploy()
    first = vault.pid('web.1@v1')
    for process in vault.server.census().control:
        os.kill(process.pid, signal.SIGKILL)
    os.kill(first, signal.SIGKILL)
    until('another one', lambda: vault.pid('web.1@v1') not in (None, first))
    until('its secrets', lambda: vault.environment('web.1@v1').get('URL') == 'x://app:canary-db-1@db')
    assert vault.file('web.1@v1', 'api') == 'canary-api-1'


def test_a_probe_by_command_sees_what_the_instance_sees(server):
    vault = SealedShop(server, '''
name: vault
services:
  web:
    build: .
    command: ["sleep", "3600.11"]
    environment: [DB_PASSWORD]
    secrets: [api]
    stop_grace_period: 1s
    deploy: {update_config: {monitor: 0s}}
    x-holdall:
      ready: {command: ["sh", "-c", "test $$DB_PASSWORD = canary-db-1 && test $$(cat /run/secrets/api) = canary-api-1"]}
secrets:
  api: {environment: API_KEY}
''')
    vault.deploy()
    assert vault.releases()[0]['step'] == 'live'


def test_users_are_never_given_twice(vault):
    vault.deploy()
    web = uid_of(vault.pid('web.1@v1'))
    vault.cli('apps', 'destroy', 'vault', '-y')
    compose = vault.directory / 'compose.yaml'
    other = vault.server.app('other', 'name: other\nservices:\n  web: {build: ., command: [sleep, "3600.14"], '
                                      'stop_grace_period: 1s, deploy: {update_config: {monitor: 0s}}}\n')
    vault.server.cli('deploy', cwd=other)
    used = {row[0] for row in vault.server.rows('select uid from service_uids')}
    assert len(used) == 3 and web in used
    vault.deploy()
    assert uid_of(until('web', lambda: vault.slots().get('vault/web.1@v1', [None])[0])) == web
    assert compose.exists()
