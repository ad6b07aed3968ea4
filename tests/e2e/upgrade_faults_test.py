"""Upgrades that go wrong, and those that come at a bad moment. Those that go right are counted in tests/load/upgrade_test.py."""
import os
import shutil
import signal
import sqlite3
import subprocess
import threading

import pytest
from harness import BINARY, Failpoints, until
from shop import Shop
from unit import Unit

LONG = bool(os.environ.get('HOLDALL_LONG'))
POINTS = [f'serve.upgrade.{point}' for point in (
    'ask.before', 'ask.after', 'control.before', 'control.after', 'router.before', 'router.after', 'retire.before', 'retire.after',
    'exec.before')]
VICTIMS = ('control', 'router', 'serve')
# Each point with each victim; in the short form some of them.
PAIRS = [(point, victim) for point in POINTS for victim in VICTIMS]


class Points:
    """At the point that is set, `act` is called once; serve waits for it."""

    def __init__(self, path):
        self.name = self.act = None
        self.failpoints = Failpoints(path, self.arrive)

    def at(self, name, act):
        self.act, self.name = act, name

    def arrive(self, name, pid):
        if name == self.name:
            self.name = None
            self.act()


@pytest.fixture
def points(tmp_path):
    points = Points(tmp_path / 'failpoints')
    yield points
    points.failpoints.close()


@pytest.fixture
def unit(tmp_path, points):
    with Unit(failpoints=tmp_path / 'failpoints') as unit:
        yield unit
        if unit.serve.poll() is not None:
            unit.start()
        until('a control', lambda: unit.api('GET', '/__lbheartbeat__', timeout=2)[0] == 200)
        for app in unit.json('apps')['apps']:
            unit.cli('apps', 'destroy', app['name'], '-y')
        assert unit.stop() == 0


@pytest.fixture
def shop(unit):
    shop = Shop(unit)
    shop.deploy(replicas=2)
    return shop


def kill(processes):
    for process in processes:
        os.kill(process.pid, signal.SIGKILL)


def youngest(processes):
    return max(processes, key=lambda process: int(open(f'/proc/{process.pid}/stat').read().rsplit(')', 1)[1].split()[19]))


def serves_as_before(shop, instances):
    unit = shop.server
    until('a control', lambda: unit.api('GET', '/__lbheartbeat__', timeout=2)[0] == 200)
    assert shop.serving() == 'v1'
    assert unit.census().slots() == instances, 'an instance is another process than before'


def went_back(shop, instances, reason):
    said = shop.server.cli('reload', code=4).stderr
    assert reason in said and 'serves on' in said, said
    upgrade = shop.server.json('status', '--server')['upgrade']
    assert upgrade['result'] == 'failed' and reason in upgrade['reason']
    serves_as_before(shop, instances)


def test_a_binary_that_cannot_take_over_is_told_from_one_that_can_before_anything_is_stopped(shop, tmp_path):
    unit, instances = shop.server, shop.server.census().slots()
    control = unit.census().control[0].pid
    for program, reason in {'/bin/true': 'does not say what it would start', '/bin/false': 'exited with code 1'}.items():
        shutil.copy2(unit.installed, tmp_path / 'good')
        unit.binary = str(tmp_path / 'good')  # for the command; the server has the broken one
        unit.install(program)
        went_back(shop, instances, reason)
        unit.binary = str(unit.installed)
        unit.install(BINARY)
    unit.installed.unlink()
    unit.binary = str(tmp_path / 'good')
    went_back(shop, instances, 'open ')
    unit.binary = str(unit.installed)
    unit.install(BINARY)
    assert unit.census().control[0].pid == control
    unit.reload()
    serves_as_before(shop, instances)


def test_a_new_control_that_dies_gives_way_to_the_old_one(shop, points):
    unit, instances = shop.server, shop.server.census().slots()
    router = unit.census().router[0].pid
    points.at('serve.upgrade.control.after', lambda: kill(unit.census().control))
    went_back(shop, instances, 'its control killed by SIGKILL')
    assert [p.pid for p in unit.census().router] == [router]


def test_a_new_router_that_dies_gives_way_to_the_old_one(shop, points):
    unit, instances = shop.server, shop.server.census().slots()
    router = unit.census().router[0].pid
    points.at('serve.router.start.after', lambda: kill([youngest(unit.census().router)]))
    went_back(shop, instances, 'its router killed by SIGKILL')
    assert [p.pid for p in unit.census().router] == [router]


def test_a_new_control_that_is_not_ready_in_ten_seconds_gives_way_to_the_old_one(shop, points):
    unit, instances = shop.server, shop.server.census().slots()
    points.at('serve.upgrade.control.after', lambda: os.kill(unit.census().control[0].pid, signal.SIGSTOP))
    went_back(shop, instances, 'its control was not ready after 10')


def test_on_the_way_back_the_database_is_again_what_it_was_before_a_newer_schema(shop, points):
    unit, instances = shop.server, shop.server.census().slots()
    file = unit.state / 'holdall.db'

    def migrate_and_die():
        """As a control of a newer version does it: a copy, then another schema."""
        for control in unit.census().control:
            os.kill(control.pid, signal.SIGKILL)
        until('it to be dead', lambda: not unit.census().control)
        database = sqlite3.connect(file, isolation_level=None)
        version = database.execute('pragma user_version').fetchone()[0]
        database.execute('vacuum into ?', (f'{file}.before-{version + 1}',))
        database.execute('create table from_the_future (id integer)')
        database.execute(f'pragma user_version = {version + 2}')
        database.close()

    points.at('serve.upgrade.control.after', migrate_and_die)
    went_back(shop, instances, 'its control killed by SIGKILL')
    assert [path.name for path in unit.state.glob('holdall.db.failed-*')]
    assert 'from_the_future' not in [name for name, in unit.rows('select name from sqlite_master')]
    unit.reload()
    serves_as_before(shop, instances)


def test_a_release_in_progress_goes_on_and_knows_what_it_cost(shop):
    unit = shop.server
    shop.version(replicas=2, environment={'TURN': '2'}, monitor='4s')
    deploy = subprocess.Popen([unit.binary, 'deploy'], cwd=shop.directory, env=unit.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
    until('v2 to serve', lambda: shop.serving() == 'v2')
    unit.reload()
    unit.reload()
    said = deploy.communicate(timeout=60)[0]
    assert deploy.returncode == 0, said
    until('the release to be over', lambda: shop.releases()[0]['step'] == 'live')
    requests = shop.releases()[0]['report']['requests']
    assert requests.get('failed') == 0, requests
    assert 'router' not in (requests.get('unknown') or '')


def test_an_upgrade_while_control_is_dead_and_two_at_once(shop):
    unit, instances = shop.server, shop.server.census().slots()
    kill(unit.census().control)
    unit.reload()
    serves_as_before(shop, instances)
    both = [threading.Thread(target=unit.reload) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    serves_as_before(shop, instances)


@pytest.mark.parametrize('point, victim', PAIRS if LONG else PAIRS[::7])
def test_whoever_is_killed_at_any_point_of_an_upgrade_the_app_serves_on(shop, points, point, victim):
    unit, instances = shop.server, shop.server.census().slots()

    def strike():
        census = unit.census()
        kill({'control': census.control, 'router': census.router, 'serve': census.serve}[victim])

    points.at(point, strike)
    unit.cli('reload', code=None)
    assert points.name is None, 'the point was not reached'
    if unit.serve.poll() is not None or victim == 'serve':
        unit.serve.wait()
        until('the router to be gone', lambda: not unit.census().router)
        unit.start()
    serves_as_before(shop, instances)
