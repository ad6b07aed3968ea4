"""examples/boredbot, as a program: against the small API here, against the real Parse Server in tests/parse."""
import json
import subprocess
import time
from datetime import datetime

import pytest
from boredbot import BOREDBOT, BoredBot, add, items, mood_account, robot_account, rows, settings
from harness import free_port, until
from parse_api import Api


@pytest.fixture(scope='module')
def service():
    """An API, the robot's account and the mood's."""
    robot, mood = robot_account(), mood_account()
    with Api([robot, mood]) as api:
        yield api, robot, mood


@pytest.fixture
def parse(service):
    """The same, without rows."""
    service[0].clear()
    return service


def instant(row):
    return datetime.fromisoformat(row['createdAt'].replace('Z', '+00:00'))


def eventually(web, *words):
    """A page that has the words: one may be a second old."""
    return until(f'a page with {words}', lambda: (lambda page: page if all(word in page for word in words) else None)(web.get()[1]), every=0.1)


# ---- the robot


def test_the_robot_says_that_it_is_bored_every_ten_seconds(parse):
    api, robot, mood = parse
    with BoredBot('robot', settings(robot, mood)) as bot:
        said = until('two lines', lambda: (lambda lines: lines if len(lines) == 2 else None)(rows(robot, 'lines')), every=0.2)
        bot.end()
    assert [line['status'] for line in said] == ["I'm bored", "I'm bored"]
    assert 9.5 < (instant(said[1]) - instant(said[0])).total_seconds() < 11


def test_the_robot_outlives_an_api_that_does_not_answer(parse):
    api, robot, mood = parse
    api.pause()
    try:
        with BoredBot('robot', settings(robot, mood)) as bot:
            until('its heartbeat to fail', lambda: bot.get('/__heartbeat__')[0] == 500, every=0.1)
            api.resume()
            until('a line', lambda: rows(robot, 'lines'), every=0.1)
            until('its heartbeat to be well', lambda: bot.get('/__heartbeat__')[0] == 200, every=0.1)
            said = bot.end()
    finally:
        api.resume()
    assert 'robot.unheard' in said and robot.key not in said


def test_the_robot_waits_for_an_api_that_is_not_there_yet():
    robot, mood = robot_account(), mood_account()
    port = free_port()
    robot.url = mood.url = f'http://127.0.0.1:{port}/1'
    with BoredBot('robot', settings(robot, mood)) as bot:
        until('its heartbeat to fail', lambda: bot.get('/__heartbeat__')[0] == 500, every=0.1)
        with Api([robot, mood], port):
            until('a line', lambda: rows(robot, 'lines'), every=0.1)
        bot.end()


def test_its_requests_bear_the_three_headers_and_nothing_of_the_other_account():
    robot, mood = robot_account(), mood_account()
    with Api([robot, mood]) as api, BoredBot('robot', settings(robot, mood)) as bot:
        until('a request', lambda: api.asked)
        bot.end()
        method, path, headers = api.asked[0]
    assert (method, path) == ('POST', '/1/classes/lines')
    assert {name: headers[name] for name in robot.headers()} == robot.headers()
    assert mood.key not in str(headers)


# ---- the page


def test_the_page_shows_the_lines_of_one_account_and_the_mood_of_the_other(parse):
    api, robot, mood = parse
    add(robot, 'lines', status='first')
    add(robot, 'lines', status='second')
    add(mood, 'current', feeling='splendid')
    with BoredBot('web', settings(robot, mood)) as web:
        status, page = web.get()
        web.end()
    first, second = rows(robot, 'lines')
    assert status == 200 and '<strong>splendid</strong>' in page
    assert items(page) == [f'second ({second["updatedAt"]})', f'first ({first["updatedAt"]})']


def test_what_people_wrote_is_shown_and_not_obeyed(parse):
    api, robot, mood = parse
    evil = '"\'><script>alert(1)</script>&amp;'
    add(robot, 'lines', status=evil)
    add(mood, 'current', feeling=evil)
    with BoredBot('web', {**settings(robot, mood), 'MOOD_COLOUR': 'red}</style><script>'}) as web:
        page = web.get()[1]
    assert '<script' not in page and page.count('&quot;&#39;&gt;&lt;script&gt;') == 2
    assert '--mood: grey' in page


def test_the_page_has_the_colour_it_is_given(parse):
    api, robot, mood = parse
    with BoredBot('web', {**settings(robot, mood), 'MOOD_COLOUR': 'green'}) as web:
        assert '--mood: green' in web.get()[1]


def test_no_mood_and_two_moods_are_said(parse):
    api, robot, mood = parse
    with BoredBot('web', settings(robot, mood)) as web:
        assert web.get()[0] == 200 and 'no mood' in web.get()[1]
        add(mood, 'current', feeling='older')
        older = time.time()
        until('the next millisecond, which instants of rows count', lambda: time.time() > older + 0.002)
        add(mood, 'current', feeling='newer')
        eventually(web, 'More than one mood is current', '<strong>newer</strong>')


def test_only_the_newest_lines_are_shown(parse):
    api, robot, mood = parse
    for number in range(25):
        add(robot, 'lines', status=f'line {number}')
    with BoredBot('web', settings(robot, mood)) as web:
        shown = items(web.get()[1])
    assert len(shown) == 20 and all(f'line {number} (' in ' '.join(shown) for number in range(10, 25))


def test_a_page_without_the_api_is_a_page_that_says_so_and_comes_back(parse):
    api, robot, mood = parse
    add(robot, 'lines', status='before')
    with BoredBot('web', settings(robot, mood)) as web:
        eventually(web, 'before')
        api.pause()
        try:
            page = eventually(web, 'The lines cannot be read just now', 'The mood cannot be read just now')
            assert 'before' in page, 'what was there is still shown'
            status, checks = web.get('/__heartbeat__')
            assert status == 200 and json.loads(checks)['checks']['parse'] == 'warning'
        finally:
            api.resume()
        add(robot, 'lines', status='after')
        page = eventually(web, 'after')
        assert 'cannot be read' not in page
        web.end()


def test_a_key_that_the_api_does_not_know_is_said_and_never_shown(parse):
    api, robot, mood = parse
    add(robot, 'lines', status='still here')
    wrong = 'wrong-key-9876543210'
    with BoredBot('web', {**settings(robot, mood), 'STATE_REST_API_KEY': wrong}) as web:
        page = eventually(web, 'still here', 'mood unknown')
        heartbeat = web.get('/__heartbeat__')[1]
        said = web.end()
    assert '403: unauthorized' in said and '403: unauthorized' in heartbeat
    for text in (page, heartbeat, said):
        assert wrong not in text and robot.key not in text


# ---- the command


def run(*words, environment=None):
    return subprocess.run([BOREDBOT, *words], env=environment or {}, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize('words', [(), ('gunicorn',), ('--listen',)])
def test_a_command_that_is_missing_or_unknown_is_refused_with_the_list(words):
    done = run(*words)
    assert done.returncode == 2
    assert 'robot' in done.stderr and 'web' in done.stderr


def test_all_that_is_missing_is_told_at_once_and_no_secret_with_it():
    done = run('web', environment={'PARSE_URL': 'ftp://nowhere', 'STATE_REST_API_KEY': 'a-key-0123456789'})
    assert done.returncode == 2
    for name in ('PARSE_URL', 'PARSE_APPLICATION_ID', 'PARSE_REST_API_KEY', 'STATE_URL', 'STATE_APPLICATION_ID'):
        assert name in done.stderr
    assert 'a-key-0123456789' not in done.stderr + done.stdout
