"""docs/kit.md's example is a service: built from the text of the page, against the installed kit, and talked to."""
import http.client
import json
import os
import re
import subprocess

import mozlog
from harness import PATIENCE, ROOT
from running import BUILD, Running, environment, get

# Whose archives are installed: those of a sanitized build need its flags to be linked.
KIT_BUILD = os.environ.get('HOLDALL_KIT_BUILD', BUILD)


def sources():
    """The page's blocks that name their file."""
    page = (ROOT / 'docs/kit.md').read_text()
    return {match[1]: match[2] for match in re.finditer(r'^```\w+\n(?://|#) (\S+)\n(.*?)^```', page, re.M | re.S)}


def build(place):
    prefix, source = place / 'prefix', place / 'source'
    subprocess.run(['cmake', '--install', KIT_BUILD, '--component', 'kit', '--prefix', prefix], check=True, capture_output=True)
    source.mkdir()
    for name, text in sources().items():
        (source / name).write_text(text)
    for step in (['cmake', '-S', source, '-B', place / 'build', f'-DCMAKE_PREFIX_PATH={prefix}'], ['cmake', '--build', place / 'build']):
        done = subprocess.run(step, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return prefix, place / 'build/notes'


def test_the_example_builds_against_the_installed_kit_and_serves(tmp_path):
    assert set(sources()) == {'notes.cc', 'CMakeLists.txt'}
    assert len(sources()['notes.cc'].splitlines()) <= 65
    prefix, notes = build(tmp_path)
    rooms = {path.name for path in (prefix / 'include/holdall-kit').iterdir()}
    assert rooms == {'base', 'net', 'store', 'kit'}
    assert 'libssl' not in subprocess.run(['ldd', notes], capture_output=True, text=True).stdout

    told = subprocess.run([notes], env=environment(), capture_output=True, text=True)
    assert told.returncode == 2 and 'web' in told.stderr and 'migrate' in told.stderr
    with Running('web', program=notes, cwd=tmp_path) as service:
        status, _, body = get(service.port(), '/__heartbeat__')
        assert status == 200 and json.loads(body)['details']['database']['messages'].keys() == {'dockerflow.health.W001'}
    # Two at once: one applies the migration, both succeed.
    at_once = [subprocess.Popen([notes, 'migrate'], cwd=tmp_path, env=environment()) for _ in range(2)]
    assert [process.wait(PATIENCE) for process in at_once] == [0, 0]
    with Running('web', program=notes, cwd=tmp_path) as one, Running('web', program=notes, cwd=tmp_path, LONGEST=5) as other:
        assert json.loads(get(one.port(), '/__heartbeat__')[2])['status'] == 'ok'
        status, headers, body = get(one.port(), '/notes', [('X-Request-ID', 'r1')], 'POST', b'{"text": "buy milk"}')
        assert (status, json.loads(body), headers['x-request-id']) == (201, {'id': 1, 'text': 'buy milk'}, 'r1')
        assert get(other.port(), '/notes', (), 'POST', b'{"text": "too long"}')[0] == 400
        assert get(other.port(), '/notes', (), 'POST', b'{}')[0] == 400
        assert json.loads(get(other.port(), '/notes')[2]) == {'notes': [{'id': 1, 'text': 'buy milk'}]}
        connection = http.client.HTTPConnection('localhost', one.port(), timeout=PATIENCE)
        connection.request('GET', '/nothing')
        assert connection.getresponse().status == 404
        assert one.stop() == other.stop() == 0
        lines = [mozlog.check(line) for line in one.log_file.read_bytes().splitlines()]
    added = next(line for line in lines if line['Type'] == 'note.added')
    assert added['Fields'] == {'id': 1, 'rid': 'r1'} and added['Logger'] == 'notes.web'
