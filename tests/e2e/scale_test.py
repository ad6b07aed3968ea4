"""More and fewer instances, new ones, stopped ones: under requests, where no request may be lost."""
import os
import subprocess
import threading

from harness import environment_of, until
from up_test import Project, project  # noqa: F401


class Asking:
    """Asks again and again, on several connections' worth of threads, until it is left."""

    def __init__(self, shop, threads=4):
        self.shop, self.stop, self.answers, self.failed = shop, threading.Event(), 0, []
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def run(self):
        while not self.stop.is_set():
            try:
                status, _, body = self.shop.get()
                self.answers += 1
                if status != 200:
                    self.failed.append((status, body))
            except Exception as problem:
                self.failed.append(problem)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        until('answers', lambda: self.answers > 20)
        return self

    def __exit__(self, *_):
        before = self.answers
        until('more answers', lambda: self.answers > before + 20 or self.failed)
        self.stop.set()
        for thread in self.threads:
            thread.join()


def webs(shop):
    return {slot: pids for slot, pids in shop.server.census().slots().items() if '/web.' in slot}


def test_up_down_and_reset_under_requests_lose_none_and_keep_what_runs(shop):
    shop.deploy(replicas=1)
    first = webs(shop)
    with Asking(shop) as asking:
        said = shop.cli('scale', 'web=4').stdout
        assert 'web.4' in said and 'replicas  1 -> 4' in said
        assert len(webs(shop)) == 4 and first.items() <= webs(shop).items()
        shop.cli('scale', 'web=2')
        until('two instances', lambda: len(webs(shop)) == 2)
        assert first.items() <= webs(shop).items()
        assert 'web x2, the file says 1' in shop.cli('status').stdout
        shop.cli('scale', '--reset', 'web')
        until('one instance', lambda: webs(shop) == first)
        shop.cli('restart', '-H', shop.server.url(), 'web')
        assert list(webs(shop)) == ['shop/web.1@v5']
    assert not asking.failed, asking.failed[:3]
    for release in shop.releases()[:-1]:
        assert release['report']['requests']['failed'] == 0


def test_it_outlives_a_deploy_until_the_file_says_another_number(shop):
    shop.deploy(replicas=1)
    shop.cli('scale', 'web=3')
    shop.deploy(replicas=1, environment={'TURN': '2'})
    assert len(webs(shop)) == 3
    shop.version(replicas=2, environment={'TURN': '2'})
    assert 'web x2 by the file, no longer 3' in shop.cli('plan').stdout
    shop.cli('deploy')
    until('two instances', lambda: len(webs(shop)) == 2)


def test_words_that_are_none_and_services_that_are_not_there(shop):
    shop.deploy(replicas=1)
    assert 'write web=3' in shop.cli('scale', 'web', code=2).stderr
    assert "no service 'wbe'" in shop.cli('scale', 'wbe=2', code=3).stderr
    assert 'nothing changed' in shop.cli('scale', 'web=1').stdout


def test_an_added_instance_that_fails_takes_the_scale_back(shop, tmp_path):
    shop.deploy(replicas=1)
    before = webs(shop)
    # The second instance finds no file to execute: the first still has the one it was started from.
    program = next((shop.server.state / 'artefacts').glob('*/test_app'))
    os.chmod(program, 0o444)
    try:
        assert 'web.2' in shop.cli('scale', 'web=2', code=1).stdout
    finally:
        os.chmod(program, 0o555)
    assert webs(shop) == before


def test_stop_start_restart_and_kill_of_what_up_runs(project):
    project.run('up', '-d')
    until('both to be ready', lambda: project.run('ps').stdout.count('ready') == 2)
    def pids():
        return {environment_of(p.pid).get('HOLDALL_INSTANCE'): p.pid for p in project.alive()
                if 'HOLDALL_INSTANCE' in environment_of(p.pid) and p.argv[0].endswith('test_app')}
    before = pids()
    assert sorted(before) == ['base.1', 'web.1']
    project.run('stop', 'web')
    assert sorted(pids()) == ['base.1']
    control = [p for p in project.alive() if 'control' in p.argv]
    os.kill(control[0].pid, 9)
    until('another control', lambda: [p for p in project.alive() if 'control' in p.argv and p.pid != control[0].pid])
    project.run('ps')
    assert sorted(pids()) == ['base.1'], 'what was stopped stays so'
    project.run('start', 'web')
    until('web to run', lambda: 'web.1' in pids())
    assert pids()['base.1'] == before['base.1']
    project.run('restart', '-t', '5', 'base')
    until('base to run', lambda: pids().get('base.1', before['base.1']) != before['base.1'])
    assert 'SIGKILL to web.1' in project.run('kill', 'web').stdout
    until('web to be gone', lambda: 'web.1' not in pids())
    project.run('stop', '-H', 'unix:///nowhere', code=2)
    project.run('down')
