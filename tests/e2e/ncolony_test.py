"""What NColony, the supervisor that BoredBot ran under, could not do or did wrong: a test each that Holdall does not have it.

The numbers are those of the list of its weaknesses. NC-W7 is about schedules, which come with jobs.
"""
import json
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from boredbot import Project, mood_account, robot_account, rows
from harness import Server, until
from parse_api import Api

SIMPLE = '''
name: {name}
services:
  worker:
    build: .
    command: ["/bin/sh", "-c", {script}]
    stop_grace_period: 500ms
    restart: always
    deploy: {{replicas: {replicas}, update_config: {{monitor: 50ms}}}}
{more}
'''


@pytest.fixture
def flags():
    """A directory in which services, who have users of their own, and the test leave each other signs."""
    place = Path(tempfile.mkdtemp(prefix='holdall-flags-'))
    place.chmod(0o777)
    yield place
    shutil.rmtree(place)


def write(server, name, script, replicas=1, more=''):
    return server.app(name, SIMPLE.format(name=name, script=json.dumps(script), replicas=replicas, more=more))


def deploy(server, name, script, code=0, **options):
    return server.cli('deploy', cwd=write(server, name, script, **options), code=code)


def instances(server, name):
    return server.json('ps', '-H', server.url(), cwd=server.place / 'apps' / name)['instances']


def only(server, name):
    found = instances(server, name)
    assert len(found) == 1, found
    return found[0]


def ready(server, name, count=1):
    return until(f'{count} of {name} to be ready', lambda: sum(i['health'] == 'ready' for i in instances(server, name)) == count)


STAY = 'exec sleep 1000'


def test_nc_w1_a_bad_order_harms_no_later_one(server):
    """A message for an unknown name stopped the loop for ever, and the file poisoned every later start."""
    deploy(server, 'first', STAY)
    for method, path, body in [('POST', '/v1/apps/nobody/rollback', {}), ('POST', '/v1/apps/first/releases', {'model': 3}),
                               ('DELETE', '/v1/apps/nobody', None), ('POST', '/v1/apps/first/rollback', {'to': 'v99'})]:
        status, answer = server.api(method, path, body)
        assert 400 <= status < 500, (path, status, answer)
    deploy(server, 'second', STAY)
    assert server.stop() == 0
    server.start()
    assert ready(server, 'first') and ready(server, 'second')
    deploy(server, 'third', STAY)


def test_nc_w2_a_malformed_file_is_refused_and_stops_nothing_else(server):
    """One malformed config file stopped the reading of all of them."""
    deploy(server, 'good', STAY)
    bad = server.app('bad', 'services: {worker: {image: [}')
    assert 'compose.yaml:1' in server.cli('deploy', cwd=bad, code=2).stderr
    deploy(server, 'bad', STAY)
    assert ready(server, 'good') and ready(server, 'bad')


def test_nc_w3_what_waits_for_its_next_start_can_be_removed(server, flags):
    """Removing a process during its backoff raised an error later."""
    deploy(server, 'looping', f'if test -e {flags}/fail; then exit 3; fi; while ! test -e {flags}/fail; do sleep 0.02; done; exit 3')
    (flags / 'fail').touch()
    until('it to wait', lambda: only(server, 'looping')['health'] == 'waiting')
    server.cli('apps', 'destroy', 'looping', '-y')
    assert not server.census().instances
    deploy(server, 'looping', STAY)
    assert ready(server, 'looping')


def test_nc_w4_no_process_outlives_its_stop_and_none_gets_a_second_copy(server):
    """A child that ignored TERM was left to init; after a SIGKILL of the supervisor each process ran twice."""
    deploy(server, 'stubborn', "trap '' TERM; while :; do sleep 0.05; done", replicas=2)
    ready(server, 'stubborn', 2)
    before = server.census().slots()
    server.serve.send_signal(signal.SIGKILL)
    server.serve.wait()
    server.start()
    ready(server, 'stubborn', 2)
    assert server.census().slots() == before and all(len(pids) == 1 for pids in before.values())
    server.cli('apps', 'destroy', 'stubborn', '-y')
    assert not server.census().instances and not server.census().shims


def test_nc_w5_the_directories_that_are_given_are_used_whatever_their_names():
    """The option for a directory of pid files crashed at once. Here nothing is known by a pid, and what a killed server
    left behind hinders no other one."""
    server = Server()
    server.state = server.place / 'state of the süd branch'
    server.environment['HOLDALL_STATE'] = server.daemon_environment['HOLDALL_STATE'] = str(server.state)
    with server:
        deploy(server, 'app', STAY)
        for _ in range(2):
            server.serve.kill()
            server.serve.wait()
            server.start()
            ready(server, 'app')
        assert not [p for p in server.place.rglob('*.pid')]
        server.cli('apps', 'destroy', 'app', '-y')
        server.stop()


def test_nc_w6_status_order_readiness_replacement_limits_and_streams(server, flags):
    """It had no status, no order of starting, no readiness, no replacement without a gap, no limits, and one stream of output."""
    compose = '''
name: whole
services:
  web:
    build: .
    command: ["/bin/sh", "-c", "echo to out; echo to err >&2; test -e {flags}/base; exec python3 -u -m http.server $$PORT"]
    depends_on: {{base: {{condition: service_healthy}}}}
    environment: {{TURN: "{turn}"}}
    pids_limit: 50
    deploy: {{update_config: {{monitor: 50ms}}}}
    stop_grace_period: 1s
    x-holdall: {{route: whole.localhost, ready: /}}
  base:
    build: .
    command: ["/bin/sh", "-c", "sleep 0.3; touch {flags}/base; exec sleep 1000"]
    stop_grace_period: 500ms
    deploy: {{update_config: {{monitor: 50ms}}}}
    x-holdall: {{ready: {{command: [test, -e, {flags}/base], interval: 20ms}}}}
'''
    directory = server.app('whole', compose.format(flags=flags, turn=1))
    (directory / '.dockerignore').write_text('compose.yaml\n')  # another version of the file is no other artefact
    server.cli('deploy', cwd=directory)
    shown = {i['service']: i for i in server.json('ps', '-H', server.url(), cwd=directory)['instances']}
    assert shown['web']['health'] == shown['base']['health'] == 'ready' and shown['web']['restarts'] == 0
    said = server.cli('logs', 'web', '-H', server.url(), cwd=directory).stdout
    assert 'to out' in said and 'to err' in said
    files = [p for p in (server.state / 'logs/whole').rglob('*') if p.is_file()]
    holding = {word: {p.name.split('.')[0].split('-')[0] for p in files if word.encode() in p.read_bytes()} for word in ('to out', 'to err')}
    assert holding == {'to out': {'stdout'}, 'to err': {'stderr'}}
    (directory / 'compose.yaml').write_text(compose.format(flags=flags, turn=2))
    said = server.cli('deploy', cwd=directory).stdout
    assert '0 failed' in said and 'base' not in said.split('start', 1)[1].splitlines()[0]
    assert server.get('/', 'whole.localhost')[0] == 200


def test_nc_w8_a_missing_heartbeat_replaces_one_instance_once_and_a_directory_is_none(server, flags):
    """It ordered a restart at every look, and a beat file that was not there yet ended all checking for ever."""
    beat = 'while :; do touch {file}; sleep 0.1; if test -e {flags}/$HOLDALL_SERVICE-stop && mkdir {flags}/$HOLDALL_SERVICE-once 2>/dev/null; then exec sleep 1000; fi; done'
    heartbeat = '    x-holdall: {{ready: {{file: {file}, interval: 600ms}}, drain_timeout: 100ms}}'
    for name in ('one', 'two'):
        # Not there at first, which is no failure.
        file = flags / f'{name}-beat'
        script = 'sleep 0.5; ' + beat.format(file=file, flags=flags).replace('$HOLDALL_SERVICE', name)
        deploy(server, name, script, more=heartbeat.format(file=file))
        assert only(server, name)['health'] == 'ready'
    before = {name: only(server, name)['id'] for name in ('one', 'two')}
    (flags / 'one-stop').touch()
    until('it to be replaced', lambda: (lambda i: i['id'] != before['one'] and i['health'] == 'ready')(only(server, 'one')))
    assert len(server.census().slots()['one/worker.1@v1']) == 1
    restarts = only(server, 'one')['restarts']
    assert restarts == 1, 'a storm of restarts'
    assert only(server, 'two')['id'] == before['two']
    # A directory is no heartbeat: that release fails in words, and everybody else is still looked at.
    (flags / 'directory').mkdir()
    said = deploy(server, 'three', STAY, code=1, more=f'    x-holdall: {{ready: {{file: {flags}/directory, interval: 300ms}}, start_timeout: 1s}}').stdout
    assert 'no heartbeat yet' in said and 'is not there' in said
    (flags / 'two-stop').touch()
    until('the other to be replaced', lambda: (lambda i: i['id'] != before['two'] and i['health'] == 'ready')(only(server, 'two')))


def test_bb_f10_robot_and_web_are_started_and_supervised_together(server):
    """`boredbot start` wrote two process files with the key in them and became the supervisor of both."""
    robot, mood = robot_account(), mood_account()
    with Api([robot, mood]) as api:
        project = Project(server, server.place / 'boredbot', api)
        project.cli('secrets', 'keygen')
        project.seal(robot, mood)
        project.cli('deploy')
        until('the robot to say something', lambda: rows(robot, 'lines'), every=0.1)
        assert server.get('/', 'boredbot.localhost')[0] == 200
        slots = server.census().slots()
        assert sorted(name.split('@')[0] for name in slots) == ['boredbot/robot.1', 'boredbot/web.1', 'boredbot/web.2', 'boredbot/web.3']
        for key in (robot.key, mood.key):
            assert not [p for p in server.state.rglob('*') if p.is_file() and p.suffix != '.key' and key.encode() in p.read_bytes()], 'a key is on the disk'
        for name in ('boredbot/robot.1@v1', 'boredbot/web.2@v1'):
            os.kill(slots[name][0], signal.SIGKILL)
        until('both to be back', lambda: (lambda now: sorted(now) == sorted(slots) and all(now[n] != slots[n] for n in ('boredbot/robot.1@v1', 'boredbot/web.2@v1')))(server.census().slots()))
        assert server.census().slots()['boredbot/web.1@v1'] == slots['boredbot/web.1@v1']
