"""The command table as a user meets it: help, manual pages, and the shells' completion, loaded into the real shells."""
import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path

import pytest
from harness import BINARY, PATIENCE

ENVIRONMENT = {**os.environ, 'PATH': f'{Path(BINARY).resolve().parent}:{os.environ["PATH"]}', 'LANG': 'C.UTF-8'}


def holdall(*words, **options):
    return subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=60, env=ENVIRONMENT, **options)


def commands():
    """Every command that `holdall --help` lists."""
    listed = holdall('--help').stdout.split('\nGlobal flags:')[0]
    return re.findall(r'^  ([a-z]+) +\S', listed, re.MULTILINE)


@pytest.fixture(scope='module')
def share(tmp_path_factory):
    into = tmp_path_factory.mktemp('share')
    assert holdall('man', '--into', str(into)).returncode == 0
    return into


def test_every_command_has_a_help_with_an_example(share):
    assert {'up', 'deploy', 'logs', 'secrets', 'completion', 'man'} <= set(commands())
    for command in commands():
        done = holdall(command, '--help')
        assert done.returncode == 0 and done.stderr == '', command
        assert done.stdout.split('\n')[2].startswith(f'Usage: holdall {command}'), command
        assert re.search(rf'\nExample:\n.*holdall .*{command}', done.stdout), command
        assert (share / f'man/man1/holdall-{command}.1').exists(), command
        for word in re.findall(r'^  ([a-z]+) +\S', done.stdout.partition('\nWords:\n')[2].partition('\n\n')[0], re.MULTILINE):
            said = holdall(command, word, '--help')
            assert said.returncode == 0 and '\nExample:\n' in said.stdout, (command, word)


def test_manual_pages_are_what_troff_expects(share):
    pages = sorted((share / 'man/man1').iterdir())
    assert len(pages) == len(commands()) + 1
    for page in pages:
        lint = subprocess.run(['mandoc', '-T', 'lint', '-W', 'warning', page], capture_output=True, text=True)
        # Outside a checkout nobody knows the day.
        complaints = [line for line in lint.stdout.splitlines() if 'missing date' not in line]
        assert not complaints, complaints
        # Both programs that show manual pages read it: man without a word of complaint.
        shown = subprocess.run(['man', '--warnings', '-l', page], capture_output=True, text=True, env={**ENVIRONMENT, 'MANPAGER': 'cat'})
        assert shown.returncode == 0 and shown.stderr == '', shown.stderr
        assert 'EXIT STATUS' in shown.stdout or 'EXAMPLES' in shown.stdout
    shown = subprocess.run(['man', '-l', share / 'man/man1/holdall.1'], capture_output=True, text=True, env={**ENVIRONMENT, 'MANPAGER': 'cat'})
    assert 'holdall-secrets(1)' in shown.stdout


@pytest.fixture
def project(tmp_path):
    (tmp_path / 'compose.yaml').write_text('services:\n  web:\n    command: [serve]\n    build: .\n  worker:\n    command: [work]\n    build: .\n')
    return tmp_path


def test_bash_loads_its_completion_and_completes(share, project):
    def complete(line):
        script = (f'source {share}/bash-completion/completions/holdall; complete -p holdall >&2; COMP_LINE="$1"; COMP_POINT=${{#1}}; '
                  '_holdall; printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(['bash', '--norc', '-c', script, 'bash', line], cwd=project, env=ENVIRONMENT, capture_output=True, text=True)
        assert done.stderr == 'complete -F _holdall holdall\n'
        return done.stdout.split()
    assert complete('holdall dep') == ['deploy']
    assert complete('holdall logs --fol') == ['--follow']
    assert complete('holdall logs w') == ['web', 'worker']
    assert complete('holdall ps --format=j') == ['json']  # bash takes '=' for the end of a word
    assert complete('holdall secrets rec') == ['recipients']


def test_fish_loads_its_completion_and_completes(share, project):
    def complete(line):
        script = f'source {share}/fish/vendor_completions.d/holdall.fish; complete -C $argv[1]'
        done = subprocess.run(['fish', '--no-config', '-c', script, line], cwd=project, env=ENVIRONMENT, capture_output=True, text=True)
        assert done.stderr == ''
        return done.stdout.splitlines()
    assert complete('holdall dep') == ['deploy\trelease this directory without losing a request']
    assert complete('holdall logs --fol') == ['--follow\tgo on with what comes']
    assert complete('holdall logs w') == ['web', 'worker']
    assert complete('holdall -f comp') == ['compose.yaml']


def test_zsh_loads_its_completion_and_completes(share, project):
    """As it is typed: zsh completes nowhere but on a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project)
        os.execvpe('zsh', ['zsh', '-f', '-i'], {**ENVIRONMENT, 'TERM': 'dumb', 'HOME': str(project)})
    try:
        seen = b''

        def wait_for(text):
            nonlocal seen
            deadline = time.monotonic() + PATIENCE
            while text not in seen:
                assert time.monotonic() < deadline, seen
                if select.select([terminal], [], [], 1)[0]:
                    seen += os.read(terminal, 4096)
            seen = seen.split(text, 1)[1]

        def send(text):
            os.write(terminal, text)
        send(b'unsetopt zle_bracketed_paste 2>/dev/null; PS1="READY"">"; autoload -U compinit; compinit -u -D; '
             + f'fpath=({share}/zsh/vendor-completions $fpath); source {share}/zsh/vendor-completions/_holdall\n'.encode())
        wait_for(b'READY>')
        send(b'holdall dep\t')
        wait_for(b'deploy')
        send(b'\x15holdall logs --fol\t')
        wait_for(b'--follow')
        send(b'\x15holdall logs wo\t')
        wait_for(b'worker')
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


def test_a_spelling_of_another_tool_is_answered_with_ours():
    for typed, ours in [('ps:scale', 'holdall scale'), ('releases:info', 'holdall releases show'), ('redeploy', 'holdall deploy'),
                        ('envify', 'holdall secrets import FILE'), ('app logs', 'holdall logs'), ('accessory boot', 'holdall deploy')]:
        done = holdall(*typed.split())
        assert done.returncode == 2 and done.stdout == ''
        assert f'`{ours}`' in done.stderr and done.stderr.count('\n') == 1, done.stderr
