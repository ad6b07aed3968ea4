"""examples/boredbot as an app: sealed, released, changed, broken and given other keys, as its README and `make run` do it."""
import os
from pathlib import Path

import pytest
from boredbot import Project, add, items, mood_account, robot_account, rows
from canary import services_of
from harness import Server, free_port, until
from parse_api import Api

HOST = 'boredbot.localhost'


@pytest.fixture
def world():
    robot, mood = robot_account(), mood_account()
    flags = () if os.geteuid() == 0 else ('--shared-uid',)
    with Server(flags=flags) as server, Api([robot, mood]) as api:
        project = Project(server, server.place / 'boredbot', api)
        project.change('monitor: 3s', 'monitor: 300ms')
        project.cli('secrets', 'keygen')
        project.seal(robot, mood)
        project.cli('deploy')
        yield server, project, robot, mood
        project.cli('apps', 'destroy', 'boredbot', '-y')
        server.stop()
        assert not server.census().everything()


def page(server, *words):
    """The page with the words in it: one may be a second old."""
    return until(f'a page with {words}', lambda: (lambda text: text if all(word in text for word in words) else None)(
        server.get('/', host=HOST)[2].decode()), every=0.1)


def pids(server):
    """{slot: pid} of the instances' main processes."""
    return {slot: one for slot, (one,) in server.census().slots().items()}


def test_robot_and_page_work_together(world):
    server, project, robot, mood = world
    until('a line', lambda: rows(robot, 'lines'))
    add(mood, 'current', feeling='well looked after')
    text = page(server, '<strong>well looked after</strong>', 'I&#39;m bored', 'of v1')
    assert items(text) == [f'I&#39;m bored ({row["updatedAt"]})' for row in reversed(rows(robot, 'lines'))]
    assert sorted(pids(server)) == ['boredbot/robot.1@v1', 'boredbot/web.1@v1', 'boredbot/web.2@v1', 'boredbot/web.3@v1']


@pytest.mark.skipif(os.geteuid() != 0, reason='mounts of their own only where the server is root')
def test_each_service_sees_its_own_secrets_and_no_other(world):
    server = world[0]
    seen = {}
    for pid, service in services_of(server.census())[0].items():
        seen.setdefault(service, set()).update(path.name for path in Path(f'/proc/{pid}/root/run/secrets').iterdir())
    assert seen == {'robot': {'PARSE_REST_API_KEY'}, 'web': {'PARSE_REST_API_KEY', 'STATE_REST_API_KEY'}}


def test_another_colour_replaces_the_page_and_not_the_robot(world):
    server, project, robot, mood = world
    before = pids(server)
    project.change('MOOD_COLOUR: grey', 'MOOD_COLOUR: green')
    said = project.cli('deploy').stdout
    assert 'web.environment.MOOD_COLOUR  grey -> green   compose.yaml:14' in said
    page(server, '--mood: green', 'of v2')
    after = pids(server)
    assert after['boredbot/robot.1@v1'] == before['boredbot/robot.1@v1']
    assert sorted(after) == ['boredbot/robot.1@v1', 'boredbot/web.1@v2', 'boredbot/web.2@v2', 'boredbot/web.3@v2']


def test_a_version_that_nobody_can_reach_fails_with_its_reason_and_the_old_one_serves(world):
    server, project, robot, mood = world
    before = pids(server)
    port = free_port()
    project.break_it(port)
    said = project.cli('deploy', code=1).stdout
    assert f'web.1 listens on 127.0.0.1:{port}, expected 0.0.0.0:' in said and '($PORT)   after 2.' in said
    assert f'| service.ready' in said and 'v1 serves; v2 never got a request' in said
    page(server, 'of v1')
    assert pids(server) == before


def test_another_key_reaches_the_one_service_that_names_it_and_rollback_brings_the_old_one_back(world):
    server, project, robot, mood = world
    add(mood, 'current', feeling='unchanged')
    page(server, 'unchanged')
    before, old_key = pids(server), mood.key
    mood.key = 'another-key-4242424242'
    page(server, 'The mood cannot be read just now')
    project.seal(robot, mood)
    said = project.cli('deploy').stdout
    assert 'STATE_REST_API_KEY' in said and mood.key not in said
    assert 'cannot be read' not in page(server, 'unchanged', 'of v2')
    assert pids(server)['boredbot/robot.1@v1'] == before['boredbot/robot.1@v1']
    mood.key = old_key
    project.cli('rollback')
    assert 'cannot be read' not in page(server, 'unchanged', 'of v3')


def test_a_service_that_is_given_no_key_is_refused_with_its_place(world):
    server, project, robot, mood = world
    sealed = project.directory / 'secrets.sealed'
    sealed.write_text(''.join(line for line in sealed.read_text().splitlines(True) if not line.startswith('STATE_REST_API_KEY ')))
    done = project.cli('deploy', code=2)
    assert 'compose.yaml:' in done.stderr and 'holdall secrets seal STATE_REST_API_KEY' in done.stderr
    page(server, 'of v1')
