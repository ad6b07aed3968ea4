"""What users see, as data: each folder of tests/cases is one command.

    cmd     its words, without `holdall`
    in/     the directory it runs in (a copy of it)
    out     what it must print on stdout
    error   `exit CODE`, then what it must print on stderr; no such file: exit 0 and nothing on stderr

HOLDALL_ACCEPT=1 writes `out` and `error` anew; the diff is reviewed. No server runs: what needs one is in tests/e2e.
"""
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from harness import BINARY

CASES = Path(__file__).resolve().parent / 'cases'


@pytest.mark.parametrize('case', sorted(p.name for p in CASES.iterdir() if p.is_dir()))
def test_case(case, tmp_path):
    folder, work = CASES / case, tmp_path / 'work'
    if (folder / 'in').exists():
        shutil.copytree(folder / 'in', work, symlinks=True)
    else:
        work.mkdir()
    environment = {'PATH': os.environ['PATH'], 'HOME': str(tmp_path), 'HOLDALL_API': str(tmp_path / 'api.sock'),
                   'HOLDALL_STATE': str(tmp_path / 'state'), 'XDG_RUNTIME_DIR': str(tmp_path), 'LANG': 'C.UTF-8'}
    environment.update({name: os.environ[name] for name in ('ASAN_OPTIONS', 'UBSAN_OPTIONS') if name in os.environ})
    done = subprocess.run([BINARY, *shlex.split((folder / 'cmd').read_text())], cwd=work, env=environment,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    out, error = done.stdout, f'exit {done.returncode}\n{done.stderr}'
    out, error = (text.replace(str(work), '$WORK').replace(str(tmp_path), '$HOME') for text in (out, error))
    if error == 'exit 0\n':
        error = ''
    if os.environ.get('HOLDALL_ACCEPT'):
        (folder / 'out').write_text(out)
        (folder / 'error').unlink(missing_ok=True)
        if error:
            (folder / 'error').write_text(error)
    assert out == (folder / 'out').read_text()
    assert error == ((folder / 'error').read_text() if (folder / 'error').exists() else '')
