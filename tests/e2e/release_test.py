"""What a release promises, seen from outside: through the command, the router and a census of processes."""
import os
import signal
import subprocess
import threading
import time

import pytest
from harness import environment_of, until


def test_a_first_release_serves_on_its_route(shop):
    shop.deploy()
    assert shop.serving() == 'v1'
    assert [(r['release'], r['step'], r['serving']) for r in shop.releases()] == [('v1', 'live', True)]
    assert sorted(shop.server.census().slots()) == ['shop/web.1@v1', 'shop/web.2@v1']


def test_a_host_that_nobody_routes_is_404(shop):
    shop.deploy()
    assert shop.server.get('/', host='other.localhost')[0] == 404


def test_a_second_release_replaces_the_first(shop):
    shop.deploy()
    shop.deploy(environment={'TURN': '2'})
    assert shop.serving() == 'v2'
    assert sorted(shop.server.census().slots()) == ['shop/web.1@v2', 'shop/web.2@v2']


def test_nothing_changed_is_said_and_starts_nothing(shop):
    shop.deploy()
    before = shop.server.census().slots()
    done = shop.deploy()
    assert 'nothing' in done.stdout + done.stderr
    assert shop.server.census().slots() == before
    assert len(shop.releases()) == 1


def test_force_replaces_what_did_not_change(shop):
    shop.deploy()
    shop.cli('deploy', '--force')
    assert shop.serving() == 'v2'


def test_only_what_changed_is_replaced(shop):
    other = '''
  worker:
    build: .
    command: ["./test_app"]
    environment: {MODE: deaf}
'''
    shop.version()
    compose = shop.directory / 'compose.yaml'
    compose.write_text(compose.read_text().replace('\nservices:', '\nservices:' + other))
    shop.cli('deploy')
    worker = shop.server.census().slots()['shop/worker.1@v1']
    compose.write_text(compose.read_text().replace('TURN: "1"', 'TURN: "2"'))
    shop.cli('deploy')
    slots = shop.server.census().slots()
    assert slots['shop/worker.1@v1'] == worker
    assert 'shop/web.1@v2' in slots


def test_a_plan_names_the_change_and_its_place_and_starts_nothing(shop):
    shop.deploy()
    shop.version(environment={'TURN': '2'})
    said = shop.cli('plan').stdout
    assert 'environment.TURN' in said and 'compose.yaml:' in said
    assert shop.serving() == 'v1'
    assert len(shop.releases()) == 1


def test_a_rollback_serves_the_former_version_as_a_new_release(shop):
    shop.deploy(environment={'COLOUR': 'grey'})
    shop.deploy(environment={'COLOUR': 'green'})
    shop.cli('rollback')
    assert shop.serving() == 'v3'
    newest = shop.releases()[0]
    assert (newest['release'], newest['rollback_of']) == ('v3', 'v1')
    pid = shop.server.census().slots()['shop/web.1@v3'][0]
    assert environment_of(pid)['COLOUR'] == 'grey'


def test_a_rollback_to_a_number_that_is_not_there_is_exit_3(shop):
    shop.deploy()
    shop.cli('rollback', 'v9', code=3)


def test_a_report_counts_what_was_served(shop):
    shop.deploy()
    shop.deploy(environment={'TURN': '2'})
    report = shop.json('releases', 'show', 'v2')['release']['report']
    assert report['requests']['failed'] == 0
    assert ['planned', 'start', 'switch', 'drain', 'watch', 'stop'] == [phase['name'] for phase in report['phases']]


def test_a_version_that_crashes_at_once_fails_and_says_how(shop):
    shop.deploy()
    done = shop.deploy(code=1, environment={'MODE': 'crash'})
    said = done.stdout + done.stderr
    assert 'exited with code 3' in said
    assert 'about to fall over' in said, 'its last lines are shown'
    assert shop.serving() == 'v1'
    assert sorted(shop.server.census().slots()) == ['shop/web.1@v1', 'shop/web.2@v1']


def test_a_version_that_never_becomes_ready_fails_at_its_start_timeout(shop):
    shop.deploy()
    done = shop.deploy(code=1, environment={'MODE': 'unready'}, holdall='      start_timeout: 1s')
    assert 'GET /up answered 500, expected 200-399' in done.stdout + done.stderr
    assert shop.serving() == 'v1'


def test_a_version_that_never_listens_fails_at_its_start_timeout(shop):
    shop.deploy()
    done = shop.deploy(code=1, environment={'MODE': 'deaf'}, holdall='      start_timeout: 1s')
    assert 'web.' in done.stdout + done.stderr
    assert shop.serving() == 'v1'


def test_a_wrong_listener_is_named_long_before_the_timeout(shop):
    shop.deploy()
    done = shop.deploy(code=1, environment={'MODE': 'wrong-port'})
    said = done.stdout + done.stderr
    assert 'listens on 127.0.0.1:' in said and 'expected 0.0.0.0:' in said and '($PORT)' in said
    assert shop.serving() == 'v1'


def test_a_first_release_that_fails_leaves_nothing(shop):
    shop.deploy(code=1, environment={'MODE': 'crash'})
    until('its processes to be gone', lambda: not shop.server.census().instances)
    assert shop.releases()[0]['step'] == 'failed'


def test_one_that_turns_unhealthy_after_the_switch_is_replaced_within_100_ms(shop):
    shop.deploy()
    shop.version(environment={'TURN': '2'}, monitor='30s')
    deploy = subprocess.Popen([shop.server.binary, 'deploy'], cwd=shop.directory, env=shop.server.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until('v2 to serve', lambda: shop.serving() == 'v2')
    shop.post('/sick')
    until('v1 to serve again', lambda: shop.serving() == 'v1', every=0)
    back = time.time_ns()
    said = deploy.communicate(timeout=60)[0]
    assert deploy.returncode == 1, said
    assert 'GET /up answered 500' in said
    assert shop.serving() == 'v1'
    unwell = [int(words[3]) for words in map(str.split, shop.said()) if 'unwell' in words]
    assert (back - min(unwell)) / 1e6 < 100, 'ms after the probe that found it unwell'


def test_a_second_deploy_meanwhile_is_a_conflict_that_names_the_first(shop):
    shop.deploy()
    shop.version(environment={'TURN': '2'}, monitor='30s')
    first = subprocess.Popen([shop.server.binary, 'deploy'], cwd=shop.directory, env=shop.server.environment,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until('v2 to serve', lambda: shop.serving() == 'v2')
    shop.version(environment={'TURN': '3'})
    done = shop.cli('deploy', code=4)
    assert 'v2' in done.stderr
    first.send_signal(signal.SIGINT)  # after the switch: it detaches, and the release goes on
    first.communicate(timeout=60)
    assert shop.serving() == 'v2'
    finish_watch(shop)


def finish_watch(shop):
    """Ends a long watch: an instance is asked to be sick, so that the release reverts."""
    shop.post('/sick')
    until('the release to end', lambda: shop.releases()[0]['step'] in ('live', 'failed'))


def test_ctrl_c_before_the_switch_cancels(shop):
    shop.deploy()
    shop.version(environment={'MODE': 'unready'})
    deploy = subprocess.Popen([shop.server.binary, 'deploy'], cwd=shop.directory, env=shop.server.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until('v2 to start', lambda: 'shop/web.1@v2' in shop.server.census().slots())
    deploy.send_signal(signal.SIGINT)
    said = deploy.communicate(timeout=60)[0]
    assert deploy.returncode != 0, said
    until('v2 to be gone', lambda: sorted(shop.server.census().slots()) == ['shop/web.1@v1', 'shop/web.2@v1'])
    assert shop.serving() == 'v1'
    assert shop.releases()[0]['step'] == 'failed'


def test_a_request_that_runs_at_the_switch_ends_on_the_old_version(shop):
    shop.deploy()
    answers = []
    asking = threading.Thread(target=lambda: answers.append(shop.get('/slow?seconds=1')))
    asking.start()
    shop.deploy(environment={'TURN': '2'})
    asking.join()
    assert answers[0][0] == 200 and answers[0][1]['X-Release'] == 'v1'
    assert shop.serving() == 'v2'


def test_a_crashed_instance_is_started_again(shop):
    shop.deploy(replicas=1)
    pid = shop.server.census().slots()['shop/web.1@v1'][0]
    os.kill(pid, signal.SIGKILL)
    until('another process', lambda: shop.server.census().slots()['shop/web.1@v1'] not in ([], [pid]))
    until('it to answer', lambda: shop.get()[0] == 200)


def test_one_that_ignores_sigterm_is_killed_after_its_grace(shop):
    shop.deploy(environment={'MODE': 'stubborn'})
    shop.deploy(environment={'TURN': '2'})
    assert sorted(shop.server.census().slots()) == ['shop/web.1@v2', 'shop/web.2@v2']


def test_stopping_serve_leaves_instances_which_the_next_adopts(shop):
    shop.deploy()
    before = shop.server.census().slots()
    shop.server.stop()
    assert shop.server.census().slots() == before
    shop.server.start()
    assert shop.serving() == 'v1'
    assert shop.server.census().slots() == before


def test_a_killed_control_costs_no_request_and_adopts_every_instance(shop):
    shop.deploy()
    before = shop.server.census()
    os.kill(before.control[0].pid, signal.SIGKILL)
    assert shop.serving() == 'v1'
    until('another control', lambda: [p.pid for p in shop.server.census().control] not in ([], [before.control[0].pid]))
    shop.server.wait_ready()
    assert shop.server.census().slots() == before.slots()
    shop.deploy(environment={'TURN': '2'})
    assert shop.serving() == 'v2'


def test_two_apps_live_side_by_side_and_may_not_share_a_host(shop):
    shop.deploy()
    shop.deploy(name='other')
    assert (shop.serving(), shop.serving('other')) == ('v1', 'v1')
    shop.version(name='thief')
    compose = shop.directory / 'compose.yaml'
    compose.write_text(compose.read_text().replace('thief.localhost', 'shop.localhost'))
    done = shop.cli('deploy', code=4)
    assert 'shop.localhost' in done.stderr and "'shop'" in done.stderr


def test_a_destroyed_app_is_gone(shop):
    shop.deploy()
    shop.cli('apps', 'destroy', 'shop', '-y')
    assert not shop.server.census().instances
    assert shop.get()[0] == 404
    assert shop.json('apps')['apps'] == []


def test_a_deploy_with_an_unset_variable_is_refused_with_its_place(shop):
    shop.version(environment={'TOKEN': '${TOKEN}'})
    done = shop.cli('deploy', code=2)
    assert 'compose.yaml:' in done.stderr and 'TOKEN' in done.stderr


@pytest.mark.parametrize('key, words', [('    privileged: true', 'privileged'), ('    network_mode: host', 'network_mode')])
def test_what_the_engine_cannot_honour_is_refused_with_its_place(shop, key, words):
    shop.version(service=key)
    done = shop.cli('deploy', code=2)
    assert 'compose.yaml:' in done.stderr and words in done.stderr


def test_status_and_ps_name_what_runs(shop):
    shop.deploy()
    assert 'v1' in shop.cli('status').stdout
    assert {row['service'] for row in shop.json('ps', '-H', shop.server.url())['instances']} == {'web'}


def test_logs_have_every_line_of_every_instance(shop):
    shop.deploy()
    for number in range(10):
        shop.get('/', load_id=f'req-{number}')
    said = until('all answers in the log', lambda: (lambda text: text if text.count('answered req-') == 10 else None)(
        shop.cli('logs', '-H', shop.server.url()).stdout))
    assert 'web' in said
