"""What is shown in the machine that tests/vm/run boots: real systemd, control groups of version 2 alone, the package.

Each check is a function, in the order in which an operator would come to it; one line for each goes to the serial console,
`ok NAME: FIGURES` or `not ok NAME: WHY`, and `end` after the last.
"""
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

from harness import Failed, UnixConnection, environment_of, processes, until

API = '/run/holdall/api.sock'
HERE = Path(__file__).resolve().parent
GROUPS = Path('/sys/fs/cgroup/system.slice/holdall')
DROP_IN = Path('/run/systemd/system/holdall.service.d/gap.conf')
# Processors without hardware behind them: a minute here is some seconds of a real machine.
PATIENCE = 120

SHOP = '''
    command: ["./test_app"]
    mem_limit: 64m
    x-holdall: {route: shop.localhost, ready: /up}
'''
BOMB = '''
import os, time
while True:
    try:
        if os.fork() == 0: time.sleep(1000)
    except OSError:
        time.sleep(0.1)
'''


def run(*words, code=0):
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, cwd='/')
    if code is not None and done.returncode != code:
        raise Failed(f'{" ".join(words)}: exit {done.returncode}, expected {code}: {done.stdout}{done.stderr}')
    return done.stdout


def wait(what, condition):
    return until(what, condition, seconds=PATIENCE, every=0.05)


def answer(path, timeout=PATIENCE):
    connection = UnixConnection(API, timeout)
    try:
        connection.request('GET', path)
        return json.loads(connection.getresponse().read() or '{}')
    finally:
        connection.close()


def server():
    return answer('/v1/server')


def unit(name):
    return run('systemctl', 'show', '--value', '--property', name, 'holdall.service').strip()


def get(path='/', host='shop.localhost'):
    connection = http.client.HTTPConnection('127.0.0.1', 80, timeout=PATIENCE)
    try:
        connection.request('GET', path, headers={'Host': host})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def listed(app):
    words = ['ps', '-H', f'unix://{API}', '-f', f'/root/{app}/compose.yaml', '--json']
    found = json.loads(run('holdall', *words))['instances']
    assert found, f'no instance of {app}'
    return found


def only(app):
    found = listed(app)
    assert len(found) == 1, found
    return found[0]


def running(app):
    """Its processes by pid: 'it.1'."""
    return {p.pid: environment_of(p.pid).get('HOLDALL_INSTANCE') for p in processes()
            if p.state != 'Z' and environment_of(p.pid).get('HOLDALL_APP') == app}


def shop():
    """Who runs and by which id. Whatever happens to serve, this stays as it is."""
    return running('shop'), sorted(each['id'] for each in listed('shop'))


def group_of(app):
    return GROUPS / only(app)['id']


def value(app, file):
    return (group_of(app) / file).read_text().strip()


def deploy(name, service):
    directory = Path('/root', name)
    directory.mkdir(exist_ok=True)
    (directory / 'test_app').write_bytes((HERE / 'test_app').read_bytes())
    (directory / 'test_app').chmod(0o755)
    (directory / 'compose.yaml').write_text(f'name: {name}\nservices:\n  it:\n    build: .\n    stop_grace_period: 1s\n'
                                            f'    deploy: {{update_config: {{monitor: 50ms}}}}\n{service}')
    done = subprocess.run(['holdall', 'deploy'], cwd=directory, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'is not enforced' not in done.stdout, done.stdout
    return done.stdout


class Asked:
    """Asks again and again, on a new connection each time, until the end of the block; each answer is a 200."""

    def __enter__(self):
        self.spans, self.wrong, self.done = [], [], threading.Event()
        self.thread = threading.Thread(target=self._ask)
        self.thread.start()
        return self

    def _ask(self):
        while not self.done.is_set():
            began = time.monotonic()
            try:
                status = get()
            except OSError as problem:
                status = repr(problem)
            self.spans.append(time.monotonic() - began)
            if status != 200:
                self.wrong.append(status)
            self.done.wait(0.02)

    def __exit__(self, *error):
        self.done.set()
        self.thread.join()

    def figures(self):
        assert not self.wrong and self.spans, f'{len(self.wrong)} of {len(self.spans)} requests failed: {self.wrong[:3]}'
        return f'{len(self.spans)} requests answered, the longest in {max(self.spans):.1f} s'


class Gap:
    """Between the end of serve and its next start there is time for a connection to be made."""

    def __enter__(self):
        DROP_IN.parent.mkdir(parents=True, exist_ok=True)
        DROP_IN.write_text('[Service]\nExecStartPre=/bin/sleep 3\n')
        run('systemctl', 'daemon-reload')

    def __exit__(self, *error):
        DROP_IN.unlink()
        run('systemctl', 'daemon-reload')


def in_the_gap():
    """A request on a connection made while no serve lives."""
    wait('nobody to serve', lambda: not [p for p in processes() if p.argv[:2] == ('/usr/bin/holdall', 'serve') and p.state != 'Z'])
    began = time.monotonic()
    with socket.create_connection(('127.0.0.1', 80), timeout=PATIENCE) as connection:
        connected = time.monotonic() - began
        connection.sendall(b'GET / HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n')
        said = connection.recv(4096)
    assert said.startswith(b'HTTP/1.1 200'), said
    return f'connected after {connected * 1000:.0f} ms, answered after {time.monotonic() - began:.1f} s'


def adopted(before):
    wait('the API', lambda: server())
    wait('all to be ready', lambda: all(each['health'] == 'ready' for each in listed('shop')))
    assert shop() == before, f'{shop()} after {before}'
    assert wait('an answer', lambda: get() == 200)


# ---- the checks


def the_kernel_has_control_groups_of_version_2_alone():
    lines = [line.split() for line in Path('/proc/mounts').read_text().splitlines()]
    kinds = [(line[1], line[2]) for line in lines if line[2].startswith('cgroup')]
    assert kinds == [('/sys/fs/cgroup', 'cgroup2')], kinds
    return run('uname', '-r').strip() + ', ' + run('systemctl', '--version').splitlines()[0]


def the_package_starts_the_service_which_says_when_it_is_ready():
    run('dpkg', '-i', str(HERE / 'holdall.deb'))
    assert unit('ActiveState') == 'active' and unit('Type') == 'notify' and unit('NRestarts') == '0'
    assert unit('UnitFileState') == 'enabled' and unit('StatusText'), unit('StatusText')
    assert server()['serve']['pid'] == int(unit('MainPID'))
    return unit('StatusText')


def setup_here_completes_the_server_and_a_second_time_changes_nothing():
    run('holdall', 'setup', '--here')
    again = run('holdall', 'setup', '--here')
    assert 'nothing was changed' in again, again
    assert unit('FragmentPath').endswith('/lib/systemd/system/holdall.service')
    assert unit('NRestarts') == '0'


def an_app_is_deployed():
    deploy('shop', SHOP)
    assert get() == 200
    groups = {Path(f'/proc/{pid}/cgroup').read_text().strip() for pid in running('shop')}
    assert groups == {f'0::/system.slice/holdall/{each["id"]}' for each in listed('shop')}, groups
    assert value('shop', 'memory.max') == str(64 << 20)


def a_reload_upgrades_and_restarts_no_instance():
    before, pid, old = shop(), unit('MainPID'), server()
    with Asked() as asked:
        run('systemctl', 'reload', 'holdall')
    now = server()
    assert now['upgrade']['result'] == 'done', now
    assert unit('MainPID') == pid and now['control']['pid'] != old['control']['pid'] and now['router']['pid'] != old['router']['pid']
    adopted(before)
    return asked.figures()


def another_package_reloads_and_restarts_no_instance():
    before, pid, old = shop(), unit('MainPID'), server()
    with Asked() as asked:
        run('dpkg', '-i', str(HERE / 'holdall.deb'))
    assert unit('MainPID') == pid and server()['control']['pid'] != old['control']['pid']
    adopted(before)
    return asked.figures()


def a_binary_that_does_not_execute_leaves_everything_as_it_was():
    before, pid = shop(), unit('MainPID')
    os.rename('/usr/bin/holdall', '/usr/bin/holdall.good')
    try:
        Path('/usr/bin/holdall').write_text('no program\n')
        Path('/usr/bin/holdall').chmod(0o755)
        # ExecReload= is the very binary that is broken, so the signal itself.
        os.kill(int(pid), signal.SIGHUP)
        wait('the upgrade to have failed', lambda: server()['upgrade'].get('result') not in (None, 'done'))
        reason = server()['upgrade'].get('reason', '')
    finally:
        os.rename('/usr/bin/holdall.good', '/usr/bin/holdall')
    assert unit('ActiveState') == 'active' and unit('MainPID') == pid
    adopted(before)
    return reason


def a_restart_loses_no_request_and_instances_are_adopted():
    before, pid = shop(), unit('MainPID')
    with Asked() as asked:
        run('systemctl', 'restart', 'holdall')
    assert unit('MainPID') != pid and unit('ActiveState') == 'active'
    adopted(before)
    return asked.figures()


def a_connection_made_while_the_unit_restarts_is_answered():
    before = shop()
    with Gap():
        restart = threading.Thread(target=run, args=('systemctl', 'restart', 'holdall'))
        restart.start()
        figures = in_the_gap()
        restart.join()
    adopted(before)
    return figures


def serve_killed_is_started_again_and_a_connection_made_meanwhile_is_answered():
    before, pid = shop(), int(unit('MainPID'))
    with Gap():
        os.kill(pid, signal.SIGKILL)
        figures = in_the_gap()
        wait('the unit to be active', lambda: unit('ActiveState') == 'active')
    assert unit('MainPID') != str(pid) and unit('NRestarts') == '1'
    adopted(before)
    return figures


def control_and_router_killed_are_started_again_by_serve():
    before, pid, old = shop(), unit('MainPID'), server()
    for process in ('control', 'router'):
        os.kill(old[process]['pid'], signal.SIGKILL)
    wait('others', lambda: (lambda now: all(now[p]['pid'] not in (0, old[p]['pid']) for p in ('control', 'router')))(server()))
    assert unit('MainPID') == pid
    adopted(before)


def a_stopped_unit_leaves_instances_running_and_a_started_one_adopts_them():
    before = shop()
    run('systemctl', 'stop', 'holdall')
    assert running('shop') == before[0]
    wait('no serve, control, router', lambda: not [p for p in processes() if p.exe == '/usr/bin/holdall'])
    run('systemctl', 'start', 'holdall')
    adopted(before)


def a_memory_kill_is_recognised_and_ends_that_instance_alone():
    before, pid = shop(), unit('MainPID')
    deploy('hungry', '    command: ["/bin/sh", "-c", "sleep 5; exec tail /dev/zero"]\n    mem_limit: 48m\n    restart: always\n')
    assert value('hungry', 'memory.max') == str(48 << 20) and value('hungry', 'memory.swap.max') == str(48 << 20)
    seen = wait('a restart', lambda: (lambda i: i if i['restarts'] and i['reason'] else None)(only('hungry')))
    assert seen['reason'].startswith('killed by the kernel: over its 48 MiB limit, '), seen
    assert unit('MainPID') == pid and unit('ActiveState') == 'active'
    assert shop() == before
    run('holdall', 'apps', 'destroy', 'hungry', '-y')
    return seen['reason']


def a_fork_bomb_meets_its_limit():
    deploy('bomb', f'    command: ["/usr/bin/python3", "-c", {json.dumps(BOMB)}]\n    pids_limit: 20\n')
    assert value('bomb', 'pids.max') == '20'
    wait('it to be full', lambda: int(value('bomb', 'pids.current')) == 20 and int(value('bomb', 'pids.events').split()[1]) > 0)
    assert len(running('bomb')) <= 20
    run('holdall', 'apps', 'destroy', 'bomb', '-y')
    assert not running('bomb')


def a_share_of_a_processor_holds_and_systemd_takes_no_limit_away():
    deploy('busy', '    command: ["/bin/sh", "-c", "while :; do :; done"]\n    cpus: 0.3\n    mem_limit: 64m\n    pids_limit: 30\n')
    held = lambda: [value('busy', file) for file in ('cpu.max', 'memory.max', 'pids.max')]
    assert held() == ['30000 100000', str(64 << 20), '30'], held()

    def spent(what):
        return int(dict(line.split() for line in value('busy', 'cpu.stat').splitlines())[what])
    used, periods, began = spent('usage_usec'), spent('nr_periods'), time.monotonic()
    # What has systemd write down anew which controllers the slice has.
    run('systemctl', 'daemon-reload')
    wait('twenty periods of its limit', lambda: spent('nr_periods') >= periods + 20)
    share = (spent('usage_usec') - used) / 1e6 / (time.monotonic() - began)
    assert held() == ['30000 100000', str(64 << 20), '30'], held()
    assert 0 < share < 0.4, share
    run('holdall', 'apps', 'destroy', 'busy', '-y')
    return f'it used {share:.2f} of a processor'


def control_groups_are_gone_with_their_apps():
    left = sorted(path.name for path in GROUPS.iterdir() if path.is_dir())
    assert left == sorted(each['id'] for each in listed('shop')), left
    run('holdall', 'apps', 'destroy', 'shop', '-y')
    assert not GROUPS.exists()


def a_removed_package_leaves_instances_running_and_purge_ends_them():
    deploy('shop', SHOP)
    before = running('shop')
    run('dpkg', '-r', 'holdall')
    assert running('shop') == before and not Path('/usr/bin/holdall').exists()
    run('dpkg', '-i', str(HERE / 'holdall.deb'))
    wait('the API', lambda: server())
    wait('an answer', lambda: get() == 200)
    assert running('shop') == before
    run('dpkg', '-P', 'holdall')
    wait('nobody to be left', lambda: not running('shop'))
    assert not Path('/var/lib/holdall').exists() and not Path('/etc/holdall').exists()
    assert run('systemctl', 'is-active', 'holdall', code=None).strip() == 'inactive'


CHECKS = [
    the_kernel_has_control_groups_of_version_2_alone,
    the_package_starts_the_service_which_says_when_it_is_ready,
    setup_here_completes_the_server_and_a_second_time_changes_nothing,
    an_app_is_deployed,
    a_reload_upgrades_and_restarts_no_instance,
    another_package_reloads_and_restarts_no_instance,
    a_binary_that_does_not_execute_leaves_everything_as_it_was,
    a_restart_loses_no_request_and_instances_are_adopted,
    a_connection_made_while_the_unit_restarts_is_answered,
    serve_killed_is_started_again_and_a_connection_made_meanwhile_is_answered,
    control_and_router_killed_are_started_again_by_serve,
    a_stopped_unit_leaves_instances_running_and_a_started_one_adopts_them,
    a_memory_kill_is_recognised_and_ends_that_instance_alone,
    a_fork_bomb_meets_its_limit,
    a_share_of_a_processor_holds_and_systemd_takes_no_limit_away,
    control_groups_are_gone_with_their_apps,
    a_removed_package_leaves_instances_running_and_purge_ends_them,
]


def main():
    with open('/dev/ttyS0', 'w') as console:
        def say(line):
            console.write(' '.join(line.split()) + '\n')
            console.flush()
        say('begin')
        for check in CHECKS:
            name = check.__name__.replace('_', ' ')
            try:
                figures = check()
                say(f'ok {name}: {figures}' if figures else f'ok {name}')
            except Exception as problem:
                last = traceback.extract_tb(sys.exc_info()[2])
                lines = ', '.join(str(frame.lineno) for frame in last if frame.filename == __file__)
                say(f'not ok {name}: {type(problem).__name__} at line {lines}: {problem}')
                said = run('journalctl', '-u', 'holdall', '-n', '60', '-o', 'cat', '--no-pager', code=None).splitlines()
                for line in [line for line in said if 'request.summary' not in line][-8:]:
                    say(f'| {line}')
        say('end')


main()
