"""The rooms check refuses each kind of trespass, and passes what the house allows."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import check_rooms

ROOMS = 'base:\nnet: base\nstore: base\nrelease: base store\n'
CMAKE = 'room(base)\nroom(net base)\nroom(store base)\nroom(release base store)\n'


def house(tmp_path, files, rooms=ROOMS, cmake=CMAKE):
    (tmp_path / 'src').mkdir()
    (tmp_path / 'src/ROOMS').write_text(rooms)
    (tmp_path / 'CMakeLists.txt').write_text(cmake)
    for name, text in files.items():
        path = tmp_path / 'src' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return check_rooms.offences(tmp_path)


def test_allows_doors_open_rooms_own_headers_and_system_headers(tmp_path):
    assert house(tmp_path, {
        'release/rollout.cc': '#include "release/rollout.h"\n#include <map>\n#include "base/id.h"\n#include "store/store.h"\n',
        'release/rollout_test.cc': '#include <doctest/doctest.h>\n#include "store/fake.h"\n#include "base/fake.h"\n',
        'store/database.cc': '#include <sqlite3.h>\n',
        'main.cc': '#include "daemon.h"\n#include "release/release.h"\n',
        'daemon.h': '',
        'base/text.h': '// no co_await here\n',
    }) == []


@pytest.mark.parametrize('path, text, words', [
    ('store/a.cc', '#include "release/release.h"', 'store may not include release'),
    ('store/a.cc', '#include "net/http.h"', 'store may not include net'),
    ('release/a.cc', '#include "store/sqlite.h"', 'store/sqlite.h is private'),
    ('main.cc', '#include "store/sqlite.h"', 'store/sqlite.h is private'),
    ('release/a.cc', '#include "store/fake.h"', 'for tests'),
    ('release/a.cc', '#include "base/fake.h"', 'for tests'),
    ('release/a.cc', '#include "../store/store.h"', 'by its path from src/'),
    ('release/a.cc', '#  include <store/store.h>', 'with quotes'),
    ('release/a.cc', '#include "stdio.h"', 'in no room'),
    ('base/a.cc', '#include <boost/json.hpp>', 'boost/json.hpp'),
    ('store/a.cc', '#include <sodium.h>', 'sodium.h'),
    ('release/a.cc', '#include <sqlite3.h>', 'sqlite3.h'),
    ('release/a.cc', '#include <yaml.h>', 'yaml.h'),
    ('release/a.cc', '#include <CLI/CLI.hpp>', 'CLI/CLI.hpp'),
    ('release/a.cc', '#include <seccomp.h>', 'seccomp.h'),
    ('release/a.cc', '#include <doctest/doctest.h>', 'doctest'),
    ('release/a.cc', 'void f() { co_await g(); }', 'coroutines'),
    ('util/a.cc', '', 'in no room that ROOMS lists'),
    ('release/deep/a.h', '#include "net/http.h"', 'release may not include net'),
    ('helper.cc', '', 'in no room that ROOMS lists'),
    ('notes/README', '', 'in no room that ROOMS lists'),
])
def test_refuses(tmp_path, path, text, words):
    found = house(tmp_path, {path: text})
    assert len(found) == 1 and words in found[0], found


def test_refuses_a_room_that_includes_one_listed_below_it(tmp_path):
    assert 'listed above' in house(tmp_path, {}, rooms='net: base\nbase:\n')[0]


def test_refuses_a_cmake_line_that_differs(tmp_path):
    assert house(tmp_path, {}, cmake=CMAKE.replace('release base store', 'release base store net')) == [
        'CMakeLists.txt: room(release ...) and ROOMS disagree']


def test_refuses_another_order_in_cmake(tmp_path):
    swapped = 'room(base)\nroom(store base)\nroom(net base)\nroom(release base store)\n'
    assert 'another order' in house(tmp_path, {}, cmake=swapped)[0]
