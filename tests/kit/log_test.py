"""The log of a service: every line is mozlog, whatever was asked, and none is lost."""
import collections
import os
import random
import signal
import subprocess
import threading
import time

import pytest

import mozlog
from harness import PATIENCE, until
from running import SERVICE, UUID4, Client, Running, environment, get

REQUESTS, CLIENTS = 10_000, 8

# target, method, body -> the status it gets
ASKED = [
    ('/hello', 'GET', b'', 200), ('/hello?token=hidden', 'GET', b'', 200), ('/hello', 'HEAD', b'', 200),
    ('/items/a%00b', 'GET', b'', 400), ('/items/%ff%fe', 'GET', b'', 200), ('/items/%22%7b', 'GET', b'', 200),
    ('/items/\xff\xfe', 'GET', b'', 400), ('/throw', 'GET', b'', 500), ('/throw-int', 'GET', b'', 500), ('/bug', 'GET', b'', 500),
    ('/missing', 'GET', b'', 404), ('/nowhere', 'GET', b'', 404), ('/hello', 'DELETE', b'', 405), ('/split', 'GET', b'', 500),
    ('/json', 'POST', b'{"a": [1, {"b": null}]}', 200), ('/json', 'POST', b'{"a": ', 400), ('/away', 'GET', b'', 303),
    ('/who', 'GET', b'', 200), ('/__lbheartbeat__', 'GET', b'', 200), ('/__version__', 'GET', b'', 200),
]
AGENTS = ['curl/7.88.1', b'\xff\xfe\x80 binary', 'with "quotes" \\ and \t tabs', 'x' * 5000, '\u00e9\u4e2d\U0001f600', '{"looks": "like json"}', None]
IDS = ['given-1', '4a8f3b1e-0000-4000-8000-000000000000', 'with blank', b'\xff', 'x' * 200, 'a"b\\c', None]


def well_formed(given):
    return isinstance(given, str) and 0 < len(given) <= 128 and all(' ' < c < '\x7f' for c in given)


def ask_many(port, seed, count, told, faults):
    """Each request's id and status, as the client saw them."""
    chance = random.Random(seed)
    try:
        client = Client(port)
        for number in range(count):
            target, method, body, status = chance.choice(ASKED)
            given = chance.choice(IDS)
            unique = f'{given}-{seed}-{number}' if isinstance(given, str) and len(given) < 64 and ' ' not in given else given
            agent = chance.choice(AGENTS)
            headers = [('X-Request-ID', unique)] if unique is not None else []
            headers += [('User-Agent', agent)] if agent is not None else []
            headers += [('Accept-Language', 'en-US'), ('X-Forwarded-For', '203.0.113.7, 10.0.0.1')]
            got, answered, _ = client.ask(method, target, headers, body)
            rid = answered['x-request-id']
            no_http = target == '/items/\xff\xfe'  # no header of it counts
            assert rid == unique if well_formed(unique) and not no_http else UUID4.fullmatch(rid), (unique, rid)
            if no_http:
                client.close()
                client = Client(port)
            assert got == status, (target, got)
            told.append((rid, got, method, target.split('?')[0], agent))
        client.close()
    except BaseException as fault:
        faults.append(fault)


def test_each_of_10000_mixed_requests_has_one_line_that_the_strict_schema_takes():
    with Running('web', LOG_LEVEL='debug', QUEUED=CLIENTS) as service:
        port = service.port()
        began = time.time_ns()
        told, faults = [], []
        threads = [threading.Thread(target=ask_many, args=(port, seed, REQUESTS // CLIENTS, told, faults)) for seed in range(CLIENTS)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert not faults, faults[0]
        assert service.stop() == 0
        ended = time.time_ns()
        lines = [mozlog.check(line) for line in service.log_file.read_bytes().splitlines()]
        assert service.log_file.read_bytes().endswith(b'\n')
    assert all(began - 10**10 < line['Timestamp'] <= ended for line in lines)
    summaries = [line for line in lines if line['Type'] == 'request.summary']
    assert len(told) == len(summaries) == REQUESTS
    by_id = {line['Fields']['rid']: line for line in summaries}
    assert len(by_id) == REQUESTS
    for rid, status, method, path, agent in told:
        line, fields = by_id[rid], by_id[rid]['Fields']
        assert fields['code'] == status
        assert fields['errno'] == (status if status >= 500 else 0)
        assert line['Severity'] == (3 if status >= 500 else 6)
        if fields['method']:  # empty for what was no HTTP
            assert (fields['method'], fields['path']) == (method, path)
            assert fields['lang'] == 'en-US' and fields['remoteAddressChain'] == ['203.0.113.7', '10.0.0.1', '127.0.0.1']
            shown = (agent.decode(errors='replace') if isinstance(agent, bytes) else agent or '').strip()
            assert fields['agent'].replace('\ufffd', '') == shown.replace('\ufffd', '')
    assert collections.Counter(status for _, status, *_ in told) == collections.Counter(line['Fields']['code'] for line in summaries)
    thrown = [line['Fields'] for line in summaries if line['Fields']['path'] == '/throw']
    assert thrown and all(f['msg'] == 'thrown: \ufffd\n{}' and f['error'] == 'std::runtime_error' for f in thrown)
    who = [line['Fields'] for line in summaries if line['Fields']['path'] == '/who']
    assert who and all(f['uid'] == 'ada' and f['context'] == 'test' and f['method'] == 'GET' for f in who)
    assert b'hidden' not in b''.join(str(line).encode() for line in lines), 'a query is nobody else\'s business'
    # What a handler logged bears the id of its request.
    asked = [line for line in lines if line['Type'] == 'item.asked']
    assert asked and all(by_id[line['Fields']['rid']]['Fields']['path'].startswith('/items/') for line in asked)
    assert all(line['Type'] in ('request.summary', 'item.asked', 'service.ready', 'service.stopping') for line in lines)


@pytest.mark.parametrize('nonblocking', [False, True])
def test_a_stderr_that_nobody_reads_costs_neither_an_answer_nor_a_line(nonblocking):
    read, write = os.pipe()
    os.set_blocking(write, not nonblocking)
    with Running('web', stderr=write, HOST='127.0.0.1', PORT=(port := free_port())) as service:
        os.close(write)
        until('the service', lambda: get(port, '/__lbheartbeat__')[0] == 200)
        with Client(port) as client:
            for number in range(500):
                assert client.ask('GET', '/hello', [('User-Agent', 'x' * 1000), ('X-Request-ID', f'n{number}')])[0] == 200
        assert get(port, '/__heartbeat__')[0] == 500  # it answers: the backend is not there
        service.process.send_signal(signal.SIGTERM)
        with os.fdopen(read, 'rb') as log:
            lines = [mozlog.check(line) for line in log.read().splitlines()]
        assert service.process.wait(PATIENCE) == 0
    ids = [line['Fields']['rid'] for line in lines if line['Type'] == 'request.summary' and line['Fields']['path'] == '/hello']
    assert ids == [f'n{number}' for number in range(500)]
    assert lines[-1]['Type'] == 'service.stopping'


def free_port():
    import harness
    return harness.free_port()


def test_a_stderr_that_is_closed_stops_nothing():
    read, write = os.pipe()
    with Running('web', stderr=write, PORT=(port := free_port())) as service:
        os.close(write)
        os.close(read)
        until('the service', lambda: get(port, '/hello')[0] == 200)
        assert service.stop() == 0


def test_a_full_disk_loses_lines_only_with_a_count_and_stops_nothing():
    with Running('web', stderr=os.open('/dev/full', os.O_WRONLY), PORT=(port := free_port())) as service:
        until('the service', lambda: get(port, '/hello')[0] == 200)
        assert get(port, '/hello')[0] == 200
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(PATIENCE) == 0


@pytest.mark.parametrize('command, kind, message, code', [
    ('fail', 'service.failed', 'it is so', 4),
    ('surprise', 'service.failed', 'nobody caught this', 70),
    ('crash', 'service.crash', 'in a thread of its own', -signal.SIGABRT),
])
def test_an_exception_that_nobody_caught_is_logged_before_the_end(command, kind, message, code):
    with Running(command) as service:
        assert service.process.wait(PATIENCE) == code
        lines = [mozlog.check(line) for line in service.log_file.read_bytes().splitlines() if line.startswith(b'{')]
        assert [(line['Type'], line['Fields']['msg'], line['Severity']) for line in lines] == [(kind, message, 2)]


def test_level_and_format_are_settings():
    with Running('web', LOG_LEVEL='error') as service:
        assert service.process.poll() is None
        until('nothing but errors', lambda: service.log() == [])
    run = subprocess.run([SERVICE, 'fail'], env=environment(LOG_FORMAT='text'), capture_output=True, text=True)
    assert 'critical service.failed  it is so  kind=conflict' in run.stderr
