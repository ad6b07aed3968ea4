"""The released binary starts on Debian 12 and on Ubuntu 22.04: what it asks of the system is what both have."""
import re
import subprocess

import pytest
from harness import BINARY

SHARED = {'libc.so.6', 'libm.so.6', 'libgcc_s.so.1', 'libstdc++.so.6', 'libssl.so.3', 'libcrypto.so.3', 'ld-linux-x86-64.so.2',
          'ld-linux-aarch64.so.1'}
# The newest version of each that Ubuntu 22.04 has.
NEWEST = {'GLIBC': (2, 35), 'GLIBCXX': (3, 4, 30), 'CXXABI': (1, 3, 13), 'GCC': (12, 0, 0), 'OPENSSL': (3, 0, 2)}


def readelf(*words):
    return subprocess.run(['readelf', '--wide', *map(str, words)], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope='module', autouse=True)
def released():
    if 'libasan' in readelf('-d', BINARY) or '__asan' in readelf('--dyn-syms', BINARY):
        pytest.skip('a sanitized binary is not what is released')


def test_it_needs_no_shared_library_but_those_of_every_system():
    needed = set(re.findall(r'\(NEEDED\).*\[(.*)\]', readelf('-d', BINARY)))
    assert needed and needed <= SHARED, needed - SHARED


def test_it_needs_no_symbol_newer_than_ubuntu_22_04():
    versions = set(re.findall(r'Name: ([A-Z]+)_([0-9.]+)\b', readelf('--version-info', BINARY)))
    assert {name for name, _ in versions} >= {'GLIBC', 'GLIBCXX'}
    newer = {f'{name}_{version}' for name, version in versions
             if name in NEWEST and tuple(map(int, version.split('.'))) > NEWEST[name]}
    assert not newer, newer
    unknown = {name for name, _ in versions} - NEWEST.keys()
    assert not unknown, unknown


def test_the_shim_that_it_carries_needs_nothing_at_all():
    shim = BINARY.parent / 'shim/holdall-shim'
    if not shim.exists():
        pytest.skip('the build directory is not there')
    assert 'NEEDED' not in readelf('-d', shim) and 'INTERP' not in readelf('-l', shim)
    assert shim.read_bytes() in BINARY.read_bytes()
