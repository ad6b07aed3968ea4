"""What is said of files with the mistakes people make: each folder of tests/compose/broken is one, and its README says
which.

    in/            the project
    error          `exit CODE`, then what `holdall config --quiet` prints on stderr
    reference.txt  the same of Docker Compose 2.40.3: for reading beside ours, no part of the test

HOLDALL_ACCEPT=1 writes `error` anew; the diff is reviewed.
"""
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from harness import BINARY

BROKEN = Path(__file__).resolve().parent / 'compose' / 'broken'
FOLDERS = sorted(folder for folder in BROKEN.iterdir() if folder.is_dir())


@pytest.mark.parametrize('folder', FOLDERS, ids=lambda folder: folder.name)
def test_broken(folder, tmp_path):
    work = tmp_path / 'shop'
    shutil.copytree(folder / 'in', work)
    environment = {'PATH': os.environ['PATH'], 'HOME': str(tmp_path), 'LANG': 'C.UTF-8'}
    environment.update({name: os.environ[name] for name in ('ASAN_OPTIONS', 'UBSAN_OPTIONS') if name in os.environ})
    done = subprocess.run([BINARY, 'config', '--quiet'], cwd=work, env=environment, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60)
    assert done.stdout == ''
    said = f'exit {done.returncode}\n{done.stderr}'.replace(str(work), '$WORK')
    if os.environ.get('HOLDALL_ACCEPT'):
        (folder / 'error').write_text(said)
    assert said == (folder / 'error').read_text()


def test_each_that_docker_compose_refuses_is_refused_but_a_file_of_figs():
    """And ours names the file, the line and the column, where the mistake is in a line."""
    for folder in FOLDERS:
        ours, theirs = (folder / 'error').read_text(), (folder / 'reference.txt').read_text()
        assert theirs.startswith('exit 1\n'), folder.name
        if folder.name.endswith('services-missing'):
            assert ours.startswith('exit 0\nwarning: compose.yaml:1:1: '), folder.name
        else:
            assert ours.startswith('exit 2\nerror: '), folder.name
