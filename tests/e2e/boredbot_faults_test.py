"""The faults of the scheme that BoredBot had, one by one: what it leaked or trusted, ours does not."""
import os
import subprocess
from pathlib import Path

import pytest
from harness import processes
from sealed_shop import VALUES, SealedShop, as_user, uid_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason='services have users of their own as root alone')


@pytest.fixture
def vault(server):
    return SealedShop(server)


def private_key(vault):
    return (vault.server.place / 'keys/vault/1.key').read_text().strip()


def test_w1_the_key_is_in_no_argv_no_environment_and_no_file_but_its_own(vault):
    vault.deploy()
    key = private_key(vault).encode()
    for process in processes():
        if process.pid == os.getpid():
            continue
        assert key not in ' '.join(process.argv).encode()
        try:
            assert key not in Path(f'/proc/{process.pid}/environ').read_bytes(), process
        except OSError:
            continue
    for place in (vault.server.state, vault.server.run_dir, vault.directory):
        assert not any(key in path.read_bytes() for path in place.rglob('*') if path.is_file())


def test_w2_a_process_has_no_key_and_only_the_values_that_its_service_names(vault):
    vault.deploy()
    robot = vault.pid('robot.1@v1')
    uid = uid_of(robot)
    assert as_user(uid, 'cat', str(vault.server.place / 'keys/vault/1.key')) == (1, '')
    seen = Path(f'/proc/{robot}/environ').read_bytes()
    assert VALUES['ROBOT_KEY'].encode() in seen
    assert VALUES['DB_PASSWORD'].encode() not in seen and VALUES['API_KEY'].encode() not in seen
    # The state directory, where it looks from inside, holds its artefact and its home.
    assert sorted(os.listdir(f'/proc/{robot}/root{vault.server.state}')) == ['artefacts', 'home']


def test_w2_a_key_can_be_replaced_and_running_services_do_not_notice(vault):
    vault.deploy()
    before = vault.slots()
    vault.cli('secrets', 'rotate')
    assert 'nothing changed' in vault.deploy().stdout
    assert vault.slots() == before


def test_w3_what_is_public_opens_nothing_and_a_value_cannot_take_another_ones_place(vault):
    vault.deploy()
    lines = vault.path.read_text().splitlines()
    values = dict(line.split(' ', 1) for line in lines if not line.startswith(('#', 'recipient')) and line)
    swapped = [f'{line.split(" ")[0]} {values["API_KEY" if line.startswith("DB_PASSWORD") else "DB_PASSWORD"]}'
               if line.startswith(('DB_PASSWORD ', 'API_KEY ')) else line for line in lines]
    vault.path.write_text('\n'.join(swapped) + '\n')
    done = vault.deploy(code=2)
    assert 'DB_PASSWORD' in done.stderr and 'API_KEY' in done.stderr
    assert [r['release'] for r in vault.releases()] == ['v1']


def test_w3_a_value_is_not_taken_from_the_command_line(vault):
    done = subprocess.run([vault.server.binary, 'secrets', 'seal', 'NAME', 'canary-argv'], cwd=vault.directory,
                          env=vault.server.environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode == 2
    assert 'canary-argv' not in done.stdout + done.stderr
    assert 'NAME ' not in vault.path.read_text()


def test_w4_a_bad_key_is_a_refused_release_and_no_crash_at_the_first_use(vault):
    os.rename(vault.server.place / 'keys/vault', vault.server.place / 'away')
    done = vault.deploy(code=None)
    assert done.returncode in (2, 6) and 'key' in done.stderr
    assert vault.slots() == {}
    os.rename(vault.server.place / 'away', vault.server.place / 'keys/vault')
    vault.deploy()
    assert vault.environment('web.1@v1')['URL'] == 'x://app:canary-db-1@db'
