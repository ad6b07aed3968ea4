"""Dockerflow's three endpoints: what they say of a backing service that works, is stopped, hangs or is slow."""
import json
import threading
import time

import pytest

from harness import PATIENCE, until
from running import Backend, Client, Running, get


@pytest.fixture
def backend():
    with Backend() as backend:
        yield backend


def heartbeat(port):
    began = time.monotonic()
    status, headers, body = get(port, '/__heartbeat__')
    assert headers['content-type'] == 'application/json'
    return status, json.loads(body), time.monotonic() - began


def test_a_backend_that_works_is_ok(backend):
    with Running('web', BACKEND=backend.url) as service:
        assert heartbeat(service.port())[:2] == (200, {'status': 'ok', 'checks': {'backend': 'ok', 'itself': 'ok'}, 'details': {}})


def test_a_backend_that_is_stopped_fails_the_heartbeat_and_says_why(backend):
    with Running('web', BACKEND=backend.url) as service:
        port = service.port()
        backend.stop()
        status, said, took = heartbeat(port)
        assert status == 500 and said['status'] == 'error' and said['checks'] == {'backend': 'error', 'itself': 'ok'}
        detail = said['details']['backend']
        assert (detail['status'], detail['level']) == ('error', 40) and 'refused' in detail['messages']['holdall.health.E001']
        logged = service.log('health.check')
        assert logged[-1]['Severity'] == 3 and logged[-1]['Fields']['check'] == 'backend' and logged[-1]['Fields']['rid']
        assert get(port, '/__lbheartbeat__')[0] == 200


def test_a_backend_that_hangs_costs_its_timeout_once_and_no_pile_of_threads(backend):
    backend.mood = 'hung'
    with Running('web', BACKEND=backend.url, PATIENCE='700ms') as service:
        port = service.port()
        results = []
        threads = [threading.Thread(target=lambda: results.append(heartbeat(port))) for _ in range(6)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert all(status == 500 and said['checks'] == {'backend': 'error', 'itself': 'ok'} for status, said, _ in results)
        assert all(took < 4 for *_, took in results)
        assert backend.asked <= 4, 'heartbeats that come together share a check'
        assert get(port, '/__lbheartbeat__')[0] == 200
        assert service.stop() == 0


def test_a_backend_that_is_slow_is_waited_for_within_the_timeout(backend):
    backend.delay = 0.3
    with Running('web', BACKEND=backend.url, PATIENCE='10s') as service:
        status, said, took = heartbeat(service.port())
        assert status == 200 and said['status'] == 'ok' and took >= 0.3


def test_a_warning_is_told_and_answered_with_200(backend):
    backend.mood = 'warn'
    with Running('web', BACKEND=backend.url) as service:
        status, said, _ = heartbeat(service.port())
        assert status == 200 and said['status'] == 'warning'
        assert said['details']['backend'] == {'status': 'warning', 'level': 30, 'messages': {'service.W001': 'the backend is worn'}}


def test_the_failed_status_the_details_and_silenced_findings_are_settings(backend):
    backend.mood = 'bad'
    with Running('web', BACKEND=backend.url, DOCKERFLOW_HEARTBEAT_FAILED_STATUS_CODE=503, DOCKERFLOW_HEARTBEAT_DETAILS='false') as service:
        status, said, _ = heartbeat(service.port())
        assert status == 503 and said == {'status': 'error', 'checks': {'backend': 'error', 'itself': 'ok'}}
    with Running('web', BACKEND=backend.url, DOCKERFLOW_SILENCED_CHECKS='other, holdall.health.E001') as service:
        assert heartbeat(service.port())[:2] == (200, {'status': 'ok', 'checks': {'backend': 'ok', 'itself': 'ok'}, 'details': {}})


def test_health_is_answered_though_every_thread_is_taken(backend):
    with Running('web', BACKEND=backend.url) as service:
        port = service.port()
        waiting = [Client(port) for _ in range(4)]
        for client in waiting:
            client.send('GET', '/wait')
        until('a full pool', lambda: get(port, '/hello')[0] == 503)
        assert heartbeat(port)[0] == 200
        assert get(port, '/__lbheartbeat__')[0] == get(port, '/__version__')[0] == 200
        # Those that wait are answered, the service being stopped or not.
        service.process.terminate()
        until('the stop', lambda: service.log('service.stopping'))
        for client in waiting:
            client.close()


@pytest.mark.parametrize('path', ['/__version__', '/__heartbeat__', '/__lbheartbeat__'])
def test_a_slash_at_the_end_and_head_are_understood(path, backend):
    with Running('web', BACKEND=backend.url) as service:
        port = service.port()
        assert get(port, path + '/')[0] == 200
        assert get(port, path, method='HEAD')[0] == 200
        assert get(port, path, method='POST')[0] == 405


def test_the_version_is_the_file_in_the_working_directory_else_the_embedded_one(tmp_path):
    with Running('web') as service:
        assert json.loads(get(service.port(), '/__version__')[2])['commit'] == '4f2a91c'
    (tmp_path / 'version.json').write_text(text := '{"source": "https://x", "version": "", "commit": "c", "build": "b"}\n')
    with Running('web', cwd=tmp_path) as service:
        status, headers, body = get(service.port(), '/__version__')
        assert (status, headers['content-type'], body.decode()) == (200, 'application/json', text)
    (tmp_path / 'version.json').write_text('no json')
    with Running('web', cwd=tmp_path) as service:
        assert service.process.wait(PATIENCE) == 2
        assert 'version.json' in service.log('service.settings')[0]['Fields']['msg']
