"""Maintenance from outside: a page, or a wait, and nothing that counts as failed."""
import json
import os
import threading

from harness import until


def ask(shop, accept):
    return shop.server.ask('GET', '/', {'Host': 'shop.localhost', 'Accept': accept})


def test_a_page_of_the_wanted_type_that_survives_a_killed_control_and_router(shop):
    shop.deploy()
    instances = shop.server.census().slots()
    assert '503 page' in shop.cli('maintenance', 'on').stdout
    status, headers, body = ask(shop, 'text/html,*/*;q=0.8')
    assert (status, headers['Retry-After'], headers['Content-Type']) == (503, '30', 'text/html; charset=utf-8')
    assert b'<h1>Down for maintenance</h1>' in body
    assert json.loads(ask(shop, 'application/json')[2])['error']['message'] == 'down for maintenance'
    assert ask(shop, '*/*')[2] == b'down for maintenance\n'
    assert 'maintenance since' in shop.cli('status').stdout
    for victim in ('router', 'control'):
        before = getattr(shop.server.census(), victim)[0].pid
        os.kill(before, 9)
        until('another', lambda: [p for p in getattr(shop.server.census(), victim) if p.pid != before])
        shop.server.wait_ready()
        assert ask(shop, '*/*')[0] == 503
    assert shop.json('status')['maintenance']['hold_ms'] == 0
    shop.cli('maintenance', 'off')
    assert shop.serving() == 'v1'
    assert shop.server.census().slots() == instances


def test_requests_wait_for_its_end_and_none_fails_through_a_release_in_it(shop):
    shop.deploy()
    shop.cli('maintenance', 'on', '--hold', '60s')
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(shop.get()[0])) for _ in range(8)]
    for thread in threads:
        thread.start()
    shop.deploy(environment={'TURN': '2'})
    assert not answers
    shop.cli('maintenance', 'off')
    for thread in threads:
        thread.join()
    assert answers == [200] * 8
    requests = shop.releases()[0]['report']['requests']
    assert requests['failed'] == 0


def test_who_waits_longer_than_allowed_gets_the_page_and_the_report_counts_it_apart(shop):
    shop.deploy()
    shop.cli('maintenance', 'on', '--hold', '100ms')
    shop.version(environment={'TURN': '2'}, monitor='1s')
    stop = threading.Event()
    seen = []
    def asking():
        while not stop.is_set():
            seen.append(shop.get()[0])
    thread = threading.Thread(target=asking)
    thread.start()
    try:
        shop.cli('deploy')
    finally:
        stop.set()
        thread.join()
    assert set(seen) == {503}
    requests = shop.releases()[0]['report']['requests']
    assert requests['failed'] == 0 and requests['maintenance'] > 0


def test_wrong_words(shop):
    shop.deploy()
    assert 'on, off' in shop.cli('maintenance', 'perhaps', code=2).stderr
    assert 'no duration' in shop.cli('maintenance', 'on', '--hold', 'long', code=2).stderr
    assert 'at most' in shop.cli('maintenance', 'on', '--hold', '2h', code=2).stderr
