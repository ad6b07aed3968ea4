"""Release commands from outside: what they see, when they run, and how often."""
import os
import signal
import subprocess

from harness import environment_of, until

# Says what it sees, and waits for a file where WAIT names one.
SCRIPT = ["sh", "-c", "echo migrating $HOLDALL_SERVICE $HOLDALL_RELEASE $COLOUR; "
          "while [ -n \"$WAIT\" ] && [ ! -e \"$WAIT\" ]; do sleep 0.02; done; echo migrated; exit ${STATUS:-0}"]


def command(more=''):
    words = ', '.join("'" + word.replace('$', '$$') + "'" for word in SCRIPT)
    return f'      release_command: [{words}]\n{more}'


def runs(shop):
    return [line for line in shop.said() if line.startswith('migrating')]


def test_it_runs_once_a_release_before_anything_starts_and_its_output_is_shown(shop):
    done = shop.deploy(environment={'COLOUR': 'grey'}, holdall=command())
    said = done.stdout
    assert 'migrating web v1 grey' in said and '| migrated' in said
    assert said.index('migrated') < said.index('web.1')
    assert runs(shop) == ['migrating web v1 grey']
    assert 'migrating web v1 grey' in shop.cli('logs', '-H', shop.server.url(), 'web.release', '-n', '5').stdout
    shop.deploy(environment={'COLOUR': 'green'}, holdall=command())
    assert runs(shop) == ['migrating web v1 grey', 'migrating web v2 green']
    assert sorted(shop.server.census().slots()) == ['shop/web.1@v2', 'shop/web.2@v2']


def test_one_that_fails_stops_the_release_with_its_last_lines_and_nothing_was_started(shop):
    shop.deploy(holdall=command())
    before = shop.server.census().slots()
    done = shop.deploy(code=1, environment={'STATUS': '3'}, holdall=command())
    said = done.stdout + done.stderr
    assert 'the release command of web exited with code 3' in said and '| migrated' in said
    assert 'v1 serves' in said
    assert shop.server.census().slots() == before
    assert shop.serving() == 'v1'


def test_a_killed_control_finds_it_running_and_it_runs_no_second_time(shop, tmp_path):
    os.chmod(tmp_path, 0o755)
    for place in tmp_path.parents:
        if str(place).startswith('/tmp/'):
            os.chmod(place, 0o755)
    go = tmp_path / 'go'
    shop.version(environment={'WAIT': str(go)}, holdall=command())
    deploy = subprocess.Popen([shop.server.binary, 'deploy'], cwd=shop.directory, env=shop.server.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until('the command to run', lambda: runs(shop))
    process = shop.server.census().slots()['shop/web.release.1@v1'][0]
    assert environment_of(process).get('PORT') is None
    control = shop.server.census().control[0].pid
    os.kill(control, signal.SIGKILL)
    until('another control', lambda: [p for p in shop.server.census().control if p.pid != control])
    shop.server.wait_ready()
    assert shop.server.census().slots()['shop/web.release.1@v1'] == [process]
    go.touch()
    said = deploy.communicate(timeout=60)[0]
    assert deploy.returncode == 0, said
    assert runs(shop) == ['migrating web v1']
    assert said.count('| migrating') == 1 and said.count('| migrated') == 1, said


def test_one_that_does_not_end_in_its_time_is_stopped_with_its_whole_tree(shop):
    done = shop.deploy(code=1, environment={'WAIT': '/nowhere'}, holdall=command('      release_timeout: 1s'),
                       service='    stop_signal: SIGKILL')
    assert 'the release command of web did not end within 1.0 s' in done.stdout + done.stderr
    until('its processes to be gone', lambda: not shop.server.census().instances)


def test_ctrl_c_while_it_runs_cancels(shop):
    shop.deploy(holdall=command())
    shop.version(environment={'WAIT': '/nowhere'}, holdall=command(), service='    stop_signal: SIGKILL')
    deploy = subprocess.Popen([shop.server.binary, 'deploy'], cwd=shop.directory, env=shop.server.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until('the command to run', lambda: len(runs(shop)) == 2)
    deploy.send_signal(signal.SIGINT)
    said = deploy.communicate(timeout=60)[0]
    assert deploy.returncode != 0 and 'cancelled' in said
    assert shop.serving() == 'v1'


def test_a_rollback_runs_none_and_names_what_it_does_not_undo(shop):
    shop.deploy(holdall=command())
    shop.deploy(environment={'TURN': '2'}, holdall=command())
    said = shop.cli('rollback').stdout
    assert 'not undone' in said and 'v2 web: sh -c' in said
    assert len(runs(shop)) == 2
