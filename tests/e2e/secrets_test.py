"""`holdall secrets` against a real server, and every sealed value against programs that know nothing of Holdall."""
import base64
import json
import os
import pty
import re
import select
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import nacl.public
import pytest
from harness import BINARY, PATIENCE, Failed, environment_of, until
from sealed import Box, Sealed, raw_key

# A service that names a secret nobody has sealed: the commands must not mind.
COMPOSE = 'name: shop\nservices:\n  web:\n    build: .\n    command: ["./web"]\n    environment: [DB_PASSWORD]\n'


class Project:
    def __init__(self, server, keygen=True):
        self.server, self.directory = server, server.app('shop', COMPOSE)
        self.path = self.directory / 'secrets.sealed'
        self.recovery = raw_key(self.secrets('keygen').stdout) if keygen else None

    def secrets(self, *words, **options):
        return self.server.cli('secrets', *words, cwd=self.directory, **options)

    def seal(self, name, value):
        return self.secrets('seal', name, stdin=value)

    def list(self):
        return self.server.json('secrets', 'list', cwd=self.directory)

    def key(self, number=1):
        return raw_key((self.server.place / f'keys/shop/{number}.key').read_text())

    def value(self, name, recipient='recovery', key=None):
        app, bound, value = Sealed(self.path).open(name, recipient, key or self.recovery)
        assert (app, bound) == ('shop', name)
        return value

    def server_opens(self):
        return {each['name'] for each in self.list()['secrets'] if each['server_opens']}


@pytest.fixture
def project(server):
    return Project(server)


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


# ---- keygen


def test_the_first_keygen_makes_the_servers_key_and_shows_a_recovery_key_once(server):
    project = Project(server, keygen=False)
    first = project.secrets('keygen')
    assert first.stdout.count('\n') == 1 and 'shown only now' in first.stderr
    recovery = raw_key(first.stdout)
    sealed = Sealed(project.path)
    assert list(sealed.recipients) == ['server', 'recovery']
    for name, key in (('recovery', recovery), ('server', project.key())):
        public = nacl.public.PrivateKey(base64.b64decode(key)).public_key
        assert sealed.recipients[name] == base64.b64encode(bytes(public)).decode()
    assert recovery not in project.path.read_text() + server.log_path.read_text()
    before = project.path.read_bytes()
    again = project.secrets('keygen')
    assert again.stdout == '' and project.path.read_bytes() == before


def test_a_private_key_stays_on_the_server_and_is_nobody_elses(project):
    file = project.server.place / 'keys/shop/1.key'
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == stat.S_IMODE(file.parent.parent.stat().st_mode) == 0o700
    key = project.key().encode()
    for place in (project.directory, project.server.state):
        for path in place.rglob('*'):
            assert not path.is_file() or key not in path.read_bytes()
    file.chmod(0o640)
    assert f'chmod 600 {file}' in project.secrets('rotate', code=6).stderr


# ---- seal


def test_what_is_sealed_opens_with_other_programs(project, box):
    value = 'pä$$ word\n"\\'
    project.seal('DB_PASSWORD', value)
    assert project.value('DB_PASSWORD') == value.encode()
    for recipient, key in (('server', project.key()), ('recovery', project.recovery)):
        sealed = Sealed(project.path).values['DB_PASSWORD'][recipient]
        assert box.open(key, sealed) == ('shop', 'DB_PASSWORD', value.encode())


def test_one_newline_at_the_end_of_stdin_is_cut_and_no_more(project):
    for given, kept in (('x\n', b'x'), ('x\n\n', b'x\n'), ('\nx', b'\nx'), ('x' * 65536 + '\n', b'x' * 65536)):
        project.seal('A', given)
        assert project.value('A') == kept
    before = project.path.read_bytes()
    for refused in ('', '\n', 'x' * 65537):
        project.secrets('seal', 'A', stdin=refused, code=2)
    assert project.path.read_bytes() == before


def test_a_value_on_the_command_line_is_refused_and_not_repeated(project):
    before = project.path.read_bytes()
    for words in (('seal', 'A', 'hunter2'), ('seal', 'A=hunter2'), ('seal', 'A', '--value=hunter2'),
                  ('seal', 'A-B=hunter2'), ('hunter2',)):
        refused = project.secrets(*words, code=2, stdin='x')
        assert 'hunter2' not in refused.stdout + refused.stderr
    assert 'on stdin' in project.secrets('seal', 'A', 'hunter2', code=2).stderr
    assert project.path.read_bytes() == before


def test_sealing_needs_the_file_and_no_server(project):
    project.server.stop()
    project.seal('A', 'one')
    assert project.value('A') == b'one'
    listed = project.secrets('list')
    assert 'not asked' in listed.stdout and 'no server answers' in listed.stderr
    project.server.start()
    assert project.server_opens() == {'A'}


class Typing:
    """The command on a terminal of its own."""

    def __init__(self, project, *words):
        self.said = b''
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(project.directory)
            os.execve(BINARY, ['holdall', 'secrets', *words], project.server.environment)

    def read_until(self, text):
        deadline = time.monotonic() + PATIENCE
        while text not in self.said:
            if not select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))[0]:
                raise Failed(f'waited for {text!r}; it said {self.said!r}')
            try:
                self.said += os.read(self.terminal, 4096)
            except OSError:  # it has ended
                break

    def end(self):
        self.read_until(b'no such text')
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.terminal)
        return code


def test_a_typed_value_is_not_shown(project):
    typing = Typing(project, 'seal', 'A')
    typing.read_until(b'(not shown): ')
    os.write(typing.terminal, b'hunter2\n')
    assert typing.end() == 0
    assert b'hunter2' not in typing.said and b'A is sealed' in typing.said
    assert project.value('A') == b'hunter2'


def test_ctrl_c_at_the_prompt_ends_it_and_changes_nothing(project):
    before = project.path.read_bytes()
    typing = Typing(project, 'seal', 'A')
    typing.read_until(b'(not shown): ')
    os.write(typing.terminal, b'hunt\x03')
    assert typing.end() == -2
    assert project.path.read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0, reason='another user can be tried by root only')
@pytest.mark.skipif(b'__asan_init' in BINARY.read_bytes(), reason='a leak checker looks into the process')
def test_nobody_can_look_into_the_command_while_it_waits_for_a_value(project):
    nobody, place = 65534, Path(tempfile.mkdtemp(prefix='holdall-test-'))
    os.chown(place, nobody, nobody)
    for source in (project.path, project.directory / 'compose.yaml', BINARY):
        shutil.copy(source, place)
    process = subprocess.Popen([place / 'holdall', 'secrets', 'seal', 'A'], cwd=place, env=project.server.environment,
                               user=nobody, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        # The kernel gives /proc/PID of a process that may not be dumped to root.
        until('it to become private', lambda: os.stat(f'/proc/{process.pid}/environ').st_uid == 0)
        assert re.search('Max core file size +0 ', Path(f'/proc/{process.pid}/limits').read_text())
        process.communicate(b'one')
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(place)


def test_the_file_keeps_its_mode_its_owner_and_everything_else_in_it(project):
    project.seal('B', 'two')
    text = '# ours\n\n' + project.path.read_text() + '# the end'
    project.path.write_text(text)
    project.path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(project.path, 12345, 12346)
    project.seal('A', 'one')
    status = project.path.stat()
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert os.geteuid() != 0 or (status.st_uid, status.st_gid) == (12345, 12346)
    lines = project.path.read_text().splitlines()
    added = [line for line in lines if line.startswith('A ')]
    assert '\n'.join(line for line in lines if line not in added) == text
    assert sorted(path.name for path in project.directory.iterdir()) == ['compose.yaml', 'secrets.sealed']


def test_a_link_to_the_sealed_file_is_followed(project, tmp_path):
    elsewhere = tmp_path / 'elsewhere.sealed'
    project.path.rename(elsewhere)
    project.path.symlink_to(elsewhere)
    project.seal('A', 'one')
    assert project.path.is_symlink() and 'A' in Sealed(elsewhere).values


# ---- list, rotate, recipients


def test_list_tells_which_values_the_server_can_open(project):
    project.seal('A', 'one')
    project.seal('B', 'two')
    text = project.path.read_text()
    project.path.write_text(text.replace('\nB server:', '\nC server:'))
    listed = project.list()
    assert listed['app'] == 'shop' and [r['name'] for r in listed['recipients']] == ['server', 'recovery']
    assert listed['secrets'] == [{'name': 'A', 'server_opens': True}, {'name': 'C', 'server_opens': False}]
    assert len(listed['problems']) == 1 and 'C was altered' in listed['problems'][0]


def test_a_rotation_seals_every_value_to_a_new_key_and_keeps_the_old_one(project):
    project.seal('A', 'one')
    project.seal('B', 'two')
    before = Sealed(project.path)
    project.secrets('rotate')
    after = Sealed(project.path)
    assert after.recipients['server'] != before.recipients['server']
    assert after.recipients['recovery'] == before.recipients['recovery']
    assert project.value('A', 'server', project.key(2)) == b'one'
    assert project.value('B') == b'two'
    assert before.open('A', 'server', project.key(1))[2] == b'one'
    assert project.server_opens() == {'A', 'B'}


@pytest.mark.skipif(os.geteuid() != 0, reason='a service gets secrets only as a user of its own')
def test_instances_of_releases_before_and_after_a_rotation_get_their_values(project):
    compose = project.directory / 'compose.yaml'
    compose.write_text(COMPOSE.replace('"./web"', '"sleep", "1000"'))
    (project.directory / '.dockerignore').write_text('compose.yaml\nsecrets.sealed\n')
    project.seal('DB_PASSWORD', 'one')

    def password(release):
        pids = project.server.census().slots().get(f'shop/web.1@{release}', [])
        return environment_of(pids[0]).get('DB_PASSWORD') if len(pids) == 1 else None

    project.server.cli('deploy', cwd=project.directory)
    assert password('v1') == 'one'
    project.secrets('rotate')
    first = project.server.census().slots()['shop/web.1@v1'][0]
    os.kill(first, signal.SIGKILL)
    until('v1 to run again with its value', lambda: first not in project.server.census().slots().get('shop/web.1@v1', [first])
          and password('v1') == 'one')
    project.seal('DB_PASSWORD', 'two')
    project.server.cli('deploy', cwd=project.directory)
    assert password('v2') == 'two'
    project.server.cli('rollback', cwd=project.directory)
    assert password('v3') == 'one'


def test_a_rotation_of_values_that_do_not_open_makes_no_key(project):
    project.seal('A', 'one')
    project.path.write_text(project.path.read_text().replace('\nA server:', '\nB server:'))
    before = project.path.read_bytes()
    assert 'B was sealed for another name' in project.secrets('rotate', code=2).stderr
    assert project.path.read_bytes() == before
    assert [path.name for path in (project.server.place / 'keys/shop').iterdir()] == ['1.key']


def test_a_new_recovery_key_opens_everything_and_the_former_nothing_new(project):
    project.seal('A', 'one')
    former, project.recovery = project.recovery, raw_key(project.secrets('rotate', '--recovery').stdout)
    assert project.value('A') == b'one'
    with pytest.raises(Exception):
        project.value('A', 'recovery', former)


def test_a_recipient_that_is_added_opens_every_value_and_removed_none(project, box):
    project.seal('A', 'one')
    private, public = box.keypair()
    project.secrets('recipients', 'add', 'ada@example.com', public)
    assert project.value('A', 'ada@example.com', private) == b'one'
    project.seal('B', 'two')
    assert project.value('B', 'ada@example.com', private) == b'two'
    assert 'ada@example.com' in project.secrets('recipients').stdout
    said = project.secrets('recipients', 'remove', 'ada@example.com').stdout
    assert 'can still open' in said
    assert 'ada@example.com' not in project.path.read_text()
    assert project.server_opens() == {'A', 'B'}


def test_a_private_key_is_never_taken_for_a_recipients(project):
    refused = project.secrets('recipients', 'add', 'ada', 'holdall-private-key-' + project.recovery, code=2)
    assert project.recovery not in refused.stderr and project.recovery not in project.path.read_text()


def test_after_a_lost_server_the_recovery_key_gives_its_values_to_another(project, tmp_path):
    project.seal('A', 'one')
    recovery = tmp_path / 'recovery.key'
    recovery.write_text(f'holdall-private-key-{project.recovery}\n')
    project.server.stop()
    lost = project.server.place / 'keys'
    lost.rename(tmp_path / 'lost')
    project.server.start()
    assert project.server_opens() == set()
    assert 'another server' in project.secrets('keygen', code=4).stderr
    assert '--key-file' in project.secrets('keygen', '--name', 'second', code=4).stderr
    said = project.secrets('keygen', '--name', 'second', '--key-file', recovery)
    assert said.stdout == ''
    project.secrets('recipients', 'remove', 'server')
    assert project.server_opens() == {'A'}
    assert project.value('A') == b'one'


def test_a_key_in_the_environment_is_used_warned_about_and_not_passed_on(project, box):
    project.seal('A', 'one')
    project.server.stop()
    private, public = box.keypair()
    secret = 'holdall-private-key-' + project.recovery
    done = project.secrets('recipients', 'add', 'ada', public, environment={'HOLDALL_KEY': secret})
    assert 'HOLDALL_KEY was in the environment' in done.stderr and project.recovery not in done.stderr
    assert project.value('A', 'ada', private) == b'one'
    project.server.daemon_environment['HOLDALL_KEY_OLD'] = secret
    project.server.start()
    for process in project.server.census().everything():
        with open(f'/proc/{process.pid}/environ', 'rb') as environment:
            assert project.recovery.encode() not in environment.read()
    del project.server.daemon_environment['HOLDALL_KEY_OLD']


def test_a_file_that_changes_while_the_server_seals_is_left_as_it_is(project):
    project.seal('A', 'one')
    typing = Typing(project, 'seal', 'A')
    typing.read_until(b'(not shown): ')
    project.seal('B', 'two')
    changed = project.path.read_bytes()
    os.write(typing.terminal, b'other\n')
    assert typing.end() == 4
    assert b'changed meanwhile' in typing.said and project.path.read_bytes() == changed


# ---- import


def test_an_env_file_is_imported_whole(project):
    (project.directory / '.env.old').write_text('# comment\nA=one\nexport B="two\\nlines"\nC=\'pa$$word\'\n')
    done = project.secrets('import', '.env.old')
    assert [project.value(name) for name in 'ABC'] == [b'one', b'two\nlines', b'pa$$word']
    assert 'in clear' in done.stderr and 'one' not in done.stdout + done.stderr
    assert project.server_opens() == {'A', 'B', 'C'}


@pytest.mark.parametrize('text', ['A=one\nB=pa$word\n', 'A=one\nhunter2\n', 'A=one\nhunter2 hunter2\n', 'A=one\nB=\n',
                                  'A=one\nhunter2.x=1\n', '', "A='hunter2"])
def test_an_env_file_that_is_not_clear_is_refused_whole_and_not_repeated(project, text):
    (project.directory / 'x.env').write_text(text)
    before = project.path.read_bytes()
    refused = project.secrets('import', 'x.env', code=2)
    assert 'x.env' in refused.stderr and 'hunter2' not in refused.stderr and 'word' not in refused.stderr
    assert project.path.read_bytes() == before


class BoredBot:
    """Its configuration as JSON, its values sealed by a program of its own."""

    def __init__(self, project, box):
        self.private, self.public = box.keypair()
        self.signing, _ = box.keypair()
        values = {'PARSE_REST_API_KEY': b'p' * 40, 'STATE_REST_API_KEY': b's' * 40}
        self.config = {'envVar': 'SECRET_KEY', 'publicKey': self.public, 'signingKey': self.signing,
                       'encSecrets': {name: box.make(self.signing, self.public, value) for name, value in values.items()}}
        self.path = project.directory / 'boredbot.json'
        self.write()

    def write(self):
        self.path.write_text(json.dumps(self.config))


@pytest.fixture
def boredbot(project, box):
    return BoredBot(project, box)


def test_boredbots_values_are_opened_and_sealed_anew_with_the_warning(project, boredbot):
    assert all(len(value) == 108 for value in boredbot.config['encSecrets'].values())
    done = project.secrets('import', 'boredbot.json', environment={'SECRET_KEY': boredbot.private})
    assert project.value('PARSE_REST_API_KEY') == b'p' * 40
    assert project.value('STATE_REST_API_KEY', 'server', project.key()) == b's' * 40
    assert 'change each of these values' in done.stderr and 'public' in done.stderr
    assert boredbot.private not in done.stdout + done.stderr


def test_boredbots_key_may_come_from_a_file(project, boredbot, tmp_path):
    key = tmp_path / 'secret.key'
    key.write_text(boredbot.private + '\n')
    project.secrets('import', boredbot.path, '--key-file', key)
    assert project.value('PARSE_REST_API_KEY') == b'p' * 40


def test_boredbots_values_of_pynacl_are_read_too(project, boredbot):
    sender = nacl.public.PrivateKey(base64.b64decode(boredbot.signing))
    to = nacl.public.PublicKey(base64.b64decode(boredbot.public))
    boredbot.config['encSecrets'] = {'A': base64.b64encode(nacl.public.Box(sender, to).encrypt(b'one')).decode()}
    boredbot.write()
    project.secrets('import', 'boredbot.json', environment={'SECRET_KEY': boredbot.private})
    assert project.value('A') == b'one'


def test_one_value_of_boredbots_that_does_not_open_refuses_all(project, boredbot, box):
    value = boredbot.config['encSecrets']['STATE_REST_API_KEY']
    boredbot.config['encSecrets']['STATE_REST_API_KEY'] = value[:50] + ('A' if value[50] != 'A' else 'B') + value[51:]
    boredbot.write()
    before = project.path.read_bytes()
    refused = project.secrets('import', 'boredbot.json', environment={'SECRET_KEY': boredbot.private}, code=2)
    assert 'STATE_REST_API_KEY does not open' in refused.stderr and 'PARSE_REST_API_KEY' not in refused.stderr
    wrong, _ = box.keypair()
    refused = project.secrets('import', 'boredbot.json', environment={'SECRET_KEY': wrong}, code=2)
    assert 'not that of publicKey' in refused.stderr
    assert 'SECRET_KEY' in project.secrets('import', 'boredbot.json', code=2).stderr
    assert project.path.read_bytes() == before


def test_whoever_has_boredbots_public_configuration_opens_its_values_and_not_ours(project, boredbot):
    """Why every value must be changed: crypto_box opens from either side, and one side is published."""
    signing = nacl.public.PrivateKey(base64.b64decode(boredbot.config['signingKey']))
    public = nacl.public.PublicKey(base64.b64decode(boredbot.config['publicKey']))
    sealed = base64.b64decode(boredbot.config['encSecrets']['PARSE_REST_API_KEY'])
    assert nacl.public.Box(signing, public).decrypt(sealed) == b'p' * 40
    project.secrets('import', 'boredbot.json', environment={'SECRET_KEY': boredbot.private})
    ours = Sealed(project.path)
    for name in ours.recipients:
        with pytest.raises(Exception):
            ours.open('PARSE_REST_API_KEY', name, boredbot.config['signingKey'])
