"""The Debian package: what is in it, what lintian says of it, and its scripts in a root of their own."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from harness import BINARY, ROOT


@pytest.fixture(scope='module')
def deb(tmp_path_factory):
    if not shutil.which('dpkg-deb'):
        pytest.skip('no dpkg here')
    out = tmp_path_factory.mktemp('deb')
    return Path(subprocess.run([ROOT / 'packaging/build_deb', BINARY, out], check=True, capture_output=True, text=True).stdout.strip())


def unpacked(deb, tmp_path):
    subprocess.run(['dpkg-deb', '-R', deb, tmp_path / 'tree'], check=True)
    return tmp_path / 'tree'


def test_the_package_has_the_binary_the_unit_and_what_a_shell_and_man_look_for(deb, tmp_path):
    tree = unpacked(deb, tmp_path)
    for path in ['usr/bin/holdall', 'lib/systemd/system/holdall.service', 'usr/lib/sysusers.d/holdall.conf',
                 'etc/holdall/holdall.conf', 'usr/share/man/man1/holdall.1.gz', 'usr/share/man/man1/holdall-reload.1.gz',
                 'usr/share/bash-completion/completions/holdall', 'usr/share/zsh/vendor-completions/_holdall',
                 'usr/share/fish/vendor_completions.d/holdall.fish', 'usr/share/doc/holdall/copyright']:
        assert (tree / path).is_file(), path
    version = subprocess.run([tree / 'usr/bin/holdall', 'version'], check=True, capture_output=True, text=True).stdout
    assert f'version {deb.name.split("_")[1]} ' in version


def test_the_unit_says_what_an_upgrade_without_loss_needs():
    unit = (ROOT / 'packaging/holdall.service').read_text()
    for line in ['Type=notify', 'KillMode=process', 'Delegate=yes', 'OOMPolicy=continue', 'FileDescriptorStoreMax=4096',
                 'ExecReload=/usr/bin/holdall reload', 'Restart=always']:
        assert f'\n{line}\n' in unit
    if shutil.which('systemd-analyze'):
        done = subprocess.run(['systemd-analyze', 'verify', '--man=no', ROOT / 'packaging/holdall.service'], capture_output=True, text=True)
        problems = [line for line in done.stderr.splitlines() if 'not executable' not in line and 'holdall.service' in line]
        assert not problems, problems


@pytest.mark.skipif(not shutil.which('lintian'), reason='no lintian here')
def test_lintian_finds_nothing(deb):
    # An address that takes mail is for whoever publishes it; the helpers for systemctl do not know a reload in place of a
    # restart; libraries are linked as archives on purpose (ARCHITECTURE.md).
    expected = ['bogus-mail-host', 'bogus-mail-host-in-debian-changelog', 'initial-upload-closes-no-bugs',
                'maintainer-script-calls-systemctl', 'embedded-library']
    done = subprocess.run(['lintian', '--fail-on', 'error,warning', '--allow-root', '--suppress-tags', ','.join(expected), deb],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason='dpkg needs root')
def test_it_is_installed_upgraded_removed_and_purged_and_only_purge_deletes_data(deb, tmp_path):
    root = tmp_path / 'root'
    for directory in ['var/lib/dpkg/info', 'var/lib/dpkg/updates', 'var/lib/dpkg/triggers', 'etc', 'proc']:
        (root / directory).mkdir(parents=True)
    (root / 'var/lib/dpkg/status').touch()

    def dpkg(*words):
        return subprocess.run(['dpkg', f'--root={root}', '--force-script-chrootless', '--force-depends', '--log=/dev/null', *words],
                              check=True, capture_output=True, text=True)

    dpkg('-i', deb)
    assert (root / 'usr/bin/holdall').exists()
    if shutil.which('systemd-sysusers'):
        assert re.search('^holdall:', (root / 'etc/group').read_text(), re.M)
    data = root / 'var/lib/holdall/holdall.db'
    key = root / 'etc/holdall/keys/shop/1.key'
    for file in (data, key):
        file.parent.mkdir(parents=True)
        file.write_text('precious')
    (root / 'etc/holdall/holdall.conf').write_text('HOLDALL_HTTP=:8080\n')
    dpkg('-i', deb)
    dpkg('-r', 'holdall')
    assert not (root / 'usr/bin/holdall').exists()
    assert data.exists() and key.exists()
    assert (root / 'etc/holdall/holdall.conf').read_text() == 'HOLDALL_HTTP=:8080\n'
    dpkg('-i', deb)
    dpkg('-P', 'holdall')
    assert not data.exists() and not key.exists() and not (root / 'etc/holdall').exists()
    left = [path for path in root.rglob('*') if path.is_file() and 'var/lib/dpkg' not in str(path) and 'holdall' in path.name]
    assert not left
