"""Upgrades and restarts of the service under 500 requests a second lose none of them and restart no instance.
HOLDALL_LONG=1 makes 50 of them.
"""
import os

import pytest
from harness import BINARY, until
from release_under_load_test import compare, load  # noqa: F401  a fixture
from shop import Shop
from unit import Unit

LONG = bool(os.environ.get('HOLDALL_LONG'))
UPGRADES, RESTARTS = (25, 25) if LONG else (2, 2)


@pytest.fixture
def unit():
    with Unit() as unit:
        yield unit
        for app in unit.json('apps')['apps']:
            unit.cli('apps', 'destroy', app['name'], '-y')
        unit.stop()


@pytest.fixture
def shop(unit):
    return Shop(unit)


def pids(shop):
    return shop.server.census().slots()


def nothing_lost(load, shop, instances):
    report = load.end()
    assert report['failed'] == 0, report['failures'][:10]
    assert pids(shop) == instances, 'an instance is another process than before'
    compare(load, shop)


def test_upgrades_and_restarts_lose_no_request_and_restart_no_instance(shop, load):
    unit, instances = shop.server, pids(shop)
    assert len(instances) == 3
    for turn in range(UPGRADES):
        before, serve = unit.replaced(), unit.serve.pid
        unit.install(BINARY)
        unit.reload()
        assert unit.census().serve[0].pid == serve
        assert unit.json('status', '--server')['upgrade']['result'] == 'done'
        until('control to be another', lambda: unit.json('status', '--server')['control']['pid'] not in before)
        assert unit.json('status', '--server')['router']['pid'] not in before
        assert pids(shop) == instances
    for turn in range(RESTARTS):
        assert unit.stop() == 0
        unit.start()
        assert pids(shop) == instances
    nothing_lost(load, shop, instances)
    assert unit.manager.ready() == 1 + UPGRADES + RESTARTS
