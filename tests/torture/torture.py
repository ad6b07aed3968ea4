#!/usr/bin/python3
"""Kills Holdall's processes at every point of a release or an upgrade and looks whether anything was lost.

usage: torture.py --each [--short] [--in OPERATION]     every failpoint, each victim, once
       torture.py --random [--kills 200] [--seed N]
       torture.py --selftest                  plants each fault and sees its guard complain
       torture.py --pair POINT VICTIM [--in OPERATION] [--times N]     one pair of `each` again and again
       torture.py --short                     what CI runs: a bit of all three

Victims: control, router, serve, a shim, and the whole tree (all of them at once; instances die with their shims). A dead
serve is started again, as systemd would; `--random` also tells serve at any instant to upgrade, which excuses no failed
request. After each kill the release in progress must reach its end, and the guards of guards.py must hold; then the next
deploy must work. Needs a binary with failpoints (preset dev or asan) and root.
"""
import argparse
import collections
import dataclasses
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
import guards
from harness import ROOT, Failed, Failpoints, Server, until
from load import Load

VICTIMS = ('control', 'router', 'serve', 'shim', 'tree')
STEPS = ('planned', 'command', 'start', 'switch', 'drain', 'watch', 'stop', 'revert')  # as the database has them
DEPLOYS = ('good', 'crash', 'deaf', 'sick', 'refused')
OPERATIONS = (*DEPLOYS, 'rollback', 'grow', 'shrink', 'env', 'upgrade')
REPLICAS = 2
LEAST, MOST = 1, 4  # that `shrink` and `grow` make of them


@dataclasses.dataclass
class Asked:
    """What an operation is to bring about, and what there was before it."""
    operation: str
    replicas: int
    colour: str
    slots: dict
    done: bool = False  # the command said so


class World:
    """One server, the app on it, the load, and the record of what was killed."""

    def __init__(self, workdir):
        self.app_binary = workdir / 'app'
        subprocess.run(['g++', '-O1', '-static', '-s', '-o', self.app_binary, ROOT / 'tests/torture/app.cc'], check=True)
        self.failpoint = None  # what the next arrival should meet
        self.arriving = threading.Lock()
        self.points = Failpoints(workdir / 'failpoints', self.arrive)
        self.server = Server(failpoints=workdir / 'failpoints')
        self.server.start()
        self.turn = 0
        self.replicas, self.colour = REPLICAS, guards.COLOUR  # what the last release that went live promised
        self.asked = None  # what the operation in progress is to make of them
        self.kills = collections.Counter()
        self.kills_in = collections.Counter()
        self.reloads = 0
        self.struck = set()  # victims in the operation in progress
        self.excused = []
        self.open_excuse = None
        self.deploy('good')
        self.load = Load(self.server.http, f'{guards.APP}.localhost')

    def close(self):
        self.load.close()
        self.server.remove()
        self.points.close()

    # ---- operations

    def project(self, mode):
        self.turn += 1
        variables = {'TURN': str(self.turn), 'COLOUR': '${COLOUR:-%s}' % guards.COLOUR}
        if mode != 'good':
            variables.update(MODE=mode, SICK_AFTER_MS='250')
        lines = '\n'.join(f'      {name}: "{value}"' for name, value in variables.items())
        return self.server.app(guards.APP, f'''
name: {guards.APP}
services:
  web:
    build: .
    command: ["./app"]
    environment:
{lines}
    stop_grace_period: 1s
    deploy: {{replicas: {REPLICAS}, update_config: {{monitor: 600ms}}}}
    x-holdall: {{release_command: [./app, ran], route: {guards.APP}.localhost, ready: {{path: /up, interval: 50ms}}, start_timeout: 1s, drain_timeout: 1s}}
''', {'app': self.app_binary})

    def prepare(self, operation):
        """So that the operation has something to do."""
        if (operation, self.replicas) in (('grow', MOST), ('shrink', LEAST)):
            self.server.cli('scale', '--reset', 'web', cwd=self.directory)
            self.replicas = REPLICAS
            self.settle()

    def begin(self, operation):
        """The command, running."""
        self.asked = Asked(operation, self.replicas, self.colour, self.server.census().slots())
        self.struck = set()
        if operation in DEPLOYS:
            self.directory = self.project(operation)
            words = ['deploy']
        elif operation in ('grow', 'shrink'):
            self.asked.replicas += 1 if operation == 'grow' else -1
            words = ['scale', f'web={self.asked.replicas}']
        elif operation == 'env':
            self.turn += 1
            self.asked.colour = f'c{self.turn}'
            words = ['env', 'set', f'COLOUR={self.asked.colour}']
        else:
            words = {'rollback': ['rollback'], 'upgrade': ['reload']}[operation]
        return subprocess.Popen([self.server.binary, *words], cwd=self.directory, env=self.server.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def deploy(self, mode):
        """A whole deploy that must end as its mode says."""
        command = self.begin(mode)
        said = command.communicate(timeout=60)[0]
        if (command.returncode == 0) != (mode == 'good'):
            raise Failed(f'deploy of a {mode} version: exit {command.returncode}\n{said}')

    # ---- kills

    def step(self):
        """The step of the release in progress, or None."""
        try:
            moving = self.server.rows("select step from releases where step not in ('live', 'failed')")
        except Exception:
            return None
        return moving[0][0] if moving else None

    def kill(self, victim):
        """SIGKILL. Returns the pids that died."""
        now, serve = self.server.census(), self.server.serve  # `settle` puts another in its place once it is dead
        chosen = {
            'control': now.control, 'router': now.router, 'serve': now.serve,
            'shim': random.sample(now.shims, min(1, len(now.shims))),
            'tree': now.serve + now.control + now.router + now.shims,
        }[victim]
        if not chosen:
            return []
        self.struck.add(victim)
        step = self.step()
        if victim != 'control' and self.open_excuse is None:
            self.open_excuse = time.monotonic()
        for process in chosen:
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            self.kills[victim] += 1
            self.kills_in[step] += 1
        if victim in ('serve', 'tree'):
            serve.wait()
        return [p.pid for p in chosen]

    def reload(self):
        """Tells serve to upgrade, once it listens to signals."""
        self.server.wait_ready()
        self.server.serve.send_signal(signal.SIGHUP)
        self.reloads += 1

    def arrive(self, name, pid):
        with self.arriving:
            want = self.failpoint
            if want and want['name'] == name and not want['done']:
                self.kill(want['victim'])
                want['done'] = True  # whoever waits for it may rely on the victim being dead

    # ---- after

    def settle(self):
        """Starts serve again if it is dead, waits for the end of the release in progress and for every slot."""
        self.failpoint = None
        def final():
            # A kill may still be under way at a point behind the command's end, so this is looked at each time.
            if self.server.serve.poll() is not None:
                self.server.start(ready=False)
            complaints = guards.rows(self.server) or guards.census(self.server, guards.slots(self.server, REPLICAS))
            self.complaints = complaints
            return not complaints
        try:
            until('the release to end and every slot to be filled once', final, seconds=40, every=0.02)
        except Failed:
            raise Failed('; '.join(self.complaints))
        self.server.wait_ready()
        def serves():
            status, _, body = self.server.get('/', host=f'{guards.APP}.localhost', timeout=5)
            return status == 200
        until('the app to answer', serves)
        if self.open_excuse is not None:
            self.excused.append((self.open_excuse, time.monotonic()))
            self.open_excuse = None
        if self.asked is not None:
            self.compare(self.asked)
            self.asked = None

    def compare(self, asked):
        """What serves is what the operation was to bring about; if it failed, what there was before."""
        replicas, colour = guards.serving(self.server, REPLICAS)
        complaints = guards.colours(self.server, colour)
        if replicas not in ({asked.replicas} if asked.done else {asked.replicas, self.replicas}):
            complaints.append(f'{asked.operation} left {replicas} replicas, asked were {asked.replicas}, before it {self.replicas}')
        if asked.operation != 'rollback' and colour not in ({asked.colour} if asked.done else {asked.colour, self.colour}):
            complaints.append(f'{asked.operation} left COLOUR={colour}, asked was {asked.colour}, before it {self.colour}')
        if asked.operation == 'upgrade' and not self.struck & {'shim', 'tree'} and self.server.census().slots() != asked.slots:
            complaints.append('an upgrade restarted instances')
        if complaints:
            raise Failed('; '.join(complaints))
        self.replicas, self.colour = replicas, colour

    def check(self):
        complaints = guards.lines(self.server) + guards.commands(self.server) + guards.requests(self.load, self.excused)
        if complaints:
            raise Failed('; '.join(complaints))

    def finish(self, command):
        """What the command said; meanwhile a killed serve is started again."""
        def over():
            if self.server.serve.poll() is not None:
                self.server.start(ready=False)
            return command.poll() is not None
        try:
            until('the command to end', over, seconds=90, every=0.01)
        except Failed:
            command.kill()
            raise Failed(f'the command hangs: {command.communicate()[0]}')
        self.asked.done = command.returncode == 0
        said = command.communicate()[0]
        if self.asked.done and self.asked.operation in DEPLOYS[1:]:
            raise Failed(f'a {self.asked.operation} version went live: {said}')
        return said


def dry_run(world):
    """The names of the failpoints that each operation passes, in order of first arrival."""
    passed = {}
    for operation in OPERATIONS:
        world.prepare(operation)
        before = len(world.points.names())
        world.finish(world.begin(operation))
        world.settle()
        world.check()
        passed[operation] = list(dict.fromkeys(world.points.names()[before:]))
    return passed


def each(world, short, chooser, only=None):
    """Every failpoint of every operation, or of `only` one, with every victim; in the short form some of them."""
    passed = dry_run(world)
    tried = set()
    runs = []
    for operation, names in passed.items():
        for name in names:
            for victim in VICTIMS:
                if (name, victim) not in tried:
                    tried.add((name, victim))
                    if operation == (only or operation):
                        runs.append((operation, name, victim))
    print(f'{len({name for _, name, _ in runs})} failpoints, {len(runs)} pairs of point and victim')
    if short:
        control = [run for run in runs if run[2] == 'control']
        others = chooser.sample([run for run in runs if run[2] != 'control'], 20)
        runs = chooser.sample(control, min(len(control), 30)) + others
    met = run_pairs(world, runs)
    world.deploy('good')
    world.settle()
    world.check()
    print(f'each: {len(runs)} runs, {met} met their point, kills {dict(world.kills)}')


def run_pairs(world, runs):
    """Each (operation, failpoint, victim) in turn; how many met their point."""
    met = 0
    for number, (operation, name, victim) in enumerate(runs, 1):
        context = f'{operation}: {victim} killed at {name}'
        world.prepare(operation)
        world.failpoint = {'name': name, 'victim': victim, 'done': False}
        try:
            command = world.begin(operation)
            world.finish(command)
            met += world.failpoint['done'] if world.failpoint else 0
            world.settle()
            world.check()
        except Failed as problem:
            raise Failed(f'{context}: {problem}')
        if number % 25 == 0:
            print(f'  {number}/{len(runs)}  {sum(world.kills.values())} kills', flush=True)
            world.deploy('good')
    return met


def at_random(world, kills, chooser, least_in_step):
    """Operations in random order, one to three kills in each: at a random point, or at a random instant."""
    passed = dry_run(world)
    while (sum(world.kills.values()) < kills or in_release(world) < kills // 2 or
           any(world.kills_in[step] < least_in_step for step in STEPS)):
        operation = chooser.choice(list(passed))
        lacking = [step for step in STEPS if world.kills_in[step] < least_in_step]
        if lacking:
            operation = 'sick' if lacking == ['revert'] else chooser.choice(['good', 'sick', operation])
        plan = []
        for _ in range(chooser.randint(1, 3)):
            victim = chooser.choice(VICTIMS)
            points = passed[operation]
            if lacking and chooser.random() < 0.5:
                points = [name for name in points if any(f'release.{step}.' in name for step in lacking)] or points
            plan.append((victim, chooser.choice(points) if chooser.random() < 0.7 else chooser.uniform(0, 1.5)))
        if chooser.random() < 0.3:
            plan.insert(chooser.randint(0, len(plan)), ('upgrade', chooser.uniform(0, 1.5)))
        world.prepare(operation)
        try:
            command = world.begin(operation)
            for victim, moment in plan:
                if isinstance(moment, str):
                    world.failpoint = {'name': moment, 'victim': victim, 'done': False}
                    arrived = lambda: world.failpoint is None or world.failpoint['done'] or command.poll() is not None
                    until('the failpoint, or the end', arrived, seconds=60)
                else:
                    begin = time.monotonic()
                    while time.monotonic() - begin < moment and command.poll() is None:
                        time.sleep(0.005)
                    if victim == 'upgrade':
                        world.reload()
                    else:
                        world.kill(victim)
                if world.server.serve.poll() is not None:
                    world.server.start(ready=False)
            world.finish(command)
            world.settle()
            world.check()
        except Failed as problem:
            raise Failed(f'{operation} with {plan}: {problem}')
        print(f'  {sum(world.kills.values())} kills, {in_release(world)} in a release', flush=True)
    world.deploy('good')
    world.settle()
    world.check()
    print(f'random: kills {dict(world.kills)}, by step {dict(world.kills_in)}, '
          f'{world.reloads} upgrades beside, {world.load.count} requests')


def in_release(world):
    return sum(count for step, count in world.kills_in.items() if step is not None)


def selftest(world):
    """Plants each fault and demands that its guard complains, and that it is silent without."""
    server = world.server
    def silent(name, complaints):
        if complaints:
            raise Failed(f'{name} complains without cause: {complaints}')
    def complains(name, complaints):
        if not complaints:
            raise Failed(f'{name} does not see the fault planted for it')
        print(f'  {name}: {complaints[0][:110]}')
    world.settle()

    silent('census', guards.census(server, guards.slots(server, REPLICAS)))
    instance = server.census().instances[0]
    extra = subprocess.Popen(['./app'], cwd=instance.cwd, env={'MODE': 'deaf'}, stdout=subprocess.DEVNULL)
    complains('census', guards.census(server, guards.slots(server, REPLICAS)))
    extra.kill()
    extra.wait()

    silent('lines', guards.lines(server))
    segment = next(s for s in sorted((server.state / 'logs' / guards.APP).glob('*/*/stdout*'))
                   if guards.is_segment(s) and s.stat().st_size > 100)
    whole = segment.read_bytes()
    segment.write_bytes(whole[:20] + whole[40:])
    complains('lines', guards.lines(server))

    silent('commands', guards.commands(server))
    segment = next(s for s in (server.state / 'logs' / guards.APP).glob('web.release.1/*/stdout*') if guards.is_segment(s))
    segment.write_bytes(2 * segment.read_bytes())
    complains('commands', guards.commands(server))
    guards.HEARD.clear()

    silent('colours', guards.colours(server, world.colour))
    complains('colours', guards.colours(server, 'pink'))
    for asked in (Asked('grow', REPLICAS + 1, world.colour, {}, done=True), Asked('env', REPLICAS, 'pink', {}, done=True),
                  Asked('upgrade', REPLICAS, world.colour, {})):
        world.struck.clear()
        try:
            world.compare(asked)
        except Failed as problem:
            print(f'  {asked.operation}: {str(problem)[:110]}')
        else:
            raise Failed(f'an operation {asked.operation} that brought about nothing is not seen')

    silent('requests', guards.requests(world.load, world.excused))
    os.kill(server.census().router[0].pid, signal.SIGKILL)
    os.kill(server.census().instances[0].pid, signal.SIGSTOP)  # not killed: its kept connections must not matter here
    until('a request to fail', lambda: world.load.failures())
    complains('requests', guards.requests(world.load, world.excused))
    for process in server.census().instances:
        os.kill(process.pid, signal.SIGCONT)

    silent('rows', guards.rows(server))
    world.failpoint = None
    command = world.begin('good')
    until('a release in progress', world.step)
    complains('rows', guards.rows(server))
    world.finish(command)

    world.server.stop()
    try:
        world.deploy('good')
    except Failed as problem:
        print(f'  next deploy: {str(problem).splitlines()[0][:110]}')
    else:
        raise Failed('a deploy without a server did not fail')
    print('selftest: every guard was seen to fail')


def print_stacks(server):
    """Where serve and control stand, if there is a debugger."""
    now = server.census()
    for process in now.serve + now.control if shutil.which('gdb') else []:
        stacks = subprocess.run(['gdb', '-q', '-batch', '-p', str(process.pid), '-ex', 'thread apply all backtrace 12'],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        print('\n'.join(line for line in stacks.stdout.splitlines() if line.startswith(('Thread', '#'))))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--each', action='store_true')
    parser.add_argument('--random', action='store_true')
    parser.add_argument('--selftest', action='store_true')
    parser.add_argument('--short', action='store_true')
    parser.add_argument('--pair', nargs=2, metavar=('POINT', 'VICTIM'))
    parser.add_argument('--in', dest='operation', choices=OPERATIONS)
    parser.add_argument('--times', type=int, default=50)
    parser.add_argument('--kills', type=int, default=200)
    parser.add_argument('--seed', type=int, default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else int(time.time())
    chooser = random.Random(seed)
    random.seed(seed)
    print(f'seed {seed}')

    everything = not (options.each or options.random or options.selftest or options.pair)
    forms = []
    if options.selftest or everything:
        forms.append(('selftest', selftest))
    if options.pair:
        runs = [(options.operation or 'good', *options.pair)] * options.times
        forms.append(('pair', lambda world: print(f'{run_pairs(world, runs)} of {len(runs)} met their point')))
    if options.each or everything:
        forms.append(('each', lambda world: each(world, options.short, chooser, options.operation)))
    if options.random or everything:
        kills, least = (40, 1) if options.short else (options.kills, 5)
        forms.append(('random', lambda world: at_random(world, kills, chooser, least)))
    for name, form in forms:
        with tempfile.TemporaryDirectory(prefix='holdall-torture-') as place:
            begin = time.monotonic()
            world = World(Path(place))
            try:
                form(world)
            except Failed as problem:
                print(f'{name} failed (seed {seed}): {problem}')
                print('--- what runs, the table on the disk, the last lines of serve.log')
                print(vars(world.server.census()))
                print(world.server.rows('select version, body from route_tables'))
                print_stacks(world.server)
                print('\n'.join(world.server.log_path.read_text(errors='replace').splitlines()[-120:]))
                sys.exit(1)
            finally:
                world.close()
            print(f'{name}: {time.monotonic() - begin:.0f} s')


if __name__ == '__main__':
    main()
