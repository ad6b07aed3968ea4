"""Releases and rollbacks under 500 requests a second lose none of them: what the client sent is laid beside what the app
says it answered. HOLDALL_LONG=1 makes 20 releases and 20 rollbacks of it.
"""
import collections
import json
import os
import signal
import subprocess

import pytest
from harness import until
from shop import TOOLS

ROUNDS = 20 if os.environ.get('HOLDALL_LONG') else 3
RATE = 500


class Load:
    """The generator, at work until `end`."""

    def __init__(self, shop, directory, rate=RATE):
        self.list = directory / 'list'
        self.begun = self.process = None
        self.process = subprocess.Popen(
            [TOOLS / 'load', '--target', f'127.0.0.1:{shop.server.http}', '--host', 'shop.localhost', '--rate', str(rate),
             '--list', self.list], stdout=subprocess.PIPE, text=True)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        report = json.loads(self.process.communicate(timeout=120)[0])
        seconds = report['sent'] / RATE
        print(f'{report["sent"]} sent in {seconds:.0f} s, {report["answered"]} answered, {report["left"]} left by the client, '
              f'{report["failed"]} failed {report["causes"] or ""}; p50 {report["latency_ms"]["p50"]} ms, '
              f'p99 {report["latency_ms"]["p99"]} ms, longest {report["latency_ms"]["max"]} ms')
        return report

    def outcomes(self):
        """id -> (kind, outcome, release)"""
        return {words[0]: tuple(words[1:4]) for words in map(str.split, self.list.read_text().splitlines())}


@pytest.fixture
def load(shop, tmp_path):
    shop.deploy(replicas=3)
    load = Load(shop, tmp_path)
    until('requests to be answered', lambda: load.list.exists() and load.list.stat().st_size > 0)
    yield load
    if load.process.poll() is None:
        load.process.kill()
        load.process.communicate()


def app_side(shop):
    """What all instances wrote down: Counters of the ids accepted and answered."""
    accepted, answered = collections.Counter(), collections.Counter()
    for words in map(str.split, shop.said()):
        if len(words) == 3 and words[1] in ('accepted', 'answered'):
            (accepted if words[1] == 'accepted' else answered)[words[2]] += 1
    return accepted, answered


def compare(load, shop):
    """Every answer that the client has, the app gave, and no post was done twice."""
    outcomes = load.outcomes()
    accepted, answered = app_side(shop)
    unknown = [id_ for id_ in accepted if id_ not in outcomes]
    assert not unknown, f'the app accepted what nobody sent: {unknown[:5]}'
    never = [id_ for id_, (_, outcome, _) in outcomes.items() if outcome == 'answered' and answered[id_] < 1]
    assert not never, f'{len(never)} answers that no instance gave: {never[:5]}'
    twice = [id_ for id_, (kind, _, _) in outcomes.items() if kind == 'post' and accepted[id_] > 1]
    assert not twice, f'{len(twice)} posts came to an app twice: {twice[:5]}'


def test_releases_and_rollbacks_lose_nothing(shop, load):
    expected = 'v1'
    for turn in range(ROUNDS):
        shop.deploy(replicas=3, environment={'TURN': f'turn {turn}'})
        shop.cli('rollback')
        expected = f'v{2 * turn + 3}'
        assert shop.serving() == expected
        shop.listen()
    report = load.end()
    assert report['failed'] == 0, report['failures'][:10]
    assert len(report['releases']) == 2 * ROUNDS + 1
    compare(load, shop)
    for release in shop.releases():
        assert release['report']['requests']['failed'] == 0, release


@pytest.mark.parametrize('mode', ['unready', 'crash', 'wrong-port'])
def test_a_broken_version_costs_nothing(shop, load, mode):
    shop.deploy(code=1, replicas=3, environment={'MODE': mode}, holdall='      start_timeout: 1s')
    report = load.end()
    assert report['failed'] == 0, report['failures'][:10]
    assert report['releases'].keys() == {'v1'}, 'the broken version got a request'
    compare(load, shop)


def test_one_that_turns_unhealthy_costs_only_what_it_had_accepted(shop, load):
    shop.version(replicas=3, environment={'TURN': '2'}, monitor='30s')
    deploy = subprocess.Popen([shop.server.binary, 'deploy'], cwd=shop.directory, env=shop.server.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until('v2 to serve', lambda: shop.serving() == 'v2')
    shop.post('/sick')
    deploy.communicate(timeout=60)
    assert deploy.returncode == 1
    assert shop.serving() == 'v1'
    report = load.end()
    accepted_by_v2 = {id_ for id_, (_, outcome, release) in load.outcomes().items() if release == 'v2'}
    others = [failure for failure in report['failures'] if failure['id'] not in accepted_by_v2]
    assert not others, others[:10]
    compare(load, shop)


def test_a_killed_control_costs_no_request(shop, load):
    for _ in range(3):
        victim = shop.server.census().control[0].pid
        os.kill(victim, signal.SIGKILL)
        until('another control', lambda: [p.pid for p in shop.server.census().control] not in ([], [victim]))
        shop.server.wait_ready()
    assert load.end()['failed'] == 0
