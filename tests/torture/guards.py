"""What must hold after every kill. Each guard is a function that returns the sentences it has to complain about; each is
seen to fail once on purpose by `torture.py --selftest`."""
import collections
import json
from pathlib import Path

from harness import environment_of

APP = 'torture'
COLOUR = 'grey'  # of a release in which nobody set another

HEARD = {}  # what release commands said, by segment: of dead instances only the last are kept


def serving(server, replicas):
    """(number of instances, COLOUR) of the release that serves, as its row says; the file says `replicas`."""
    (request,), = server.rows('select r.request from apps a join releases r on r.app_id = a.id and r.number = a.serving')
    asked = json.loads(request)
    return asked['scale'].get('web', replicas), asked['variables'].get('COLOUR', {'value': COLOUR})['value']


def slots(server, replicas):
    return [f'{APP}/web.{n}' for n in range(1, serving(server, replicas)[0] + 1)]


def colours(server, colour):
    """Every instance has the COLOUR of the release that serves."""
    found = {slot: environment_of(pid).get('COLOUR') for slot, pids in server.census().slots().items() for pid in pids}
    return [f'{slot} has COLOUR={its}, its release {colour}' for slot, its in found.items() if its != colour]


def census(server, expected):
    """One instance a slot: the serving release's slots and nothing else, one live process each, each under a shim."""
    now = server.census()
    found = now.slots()
    complaints = []
    for slot, pids in found.items():
        if len(pids) != 1:
            complaints.append(f'{slot} runs {len(pids)} times: {pids}')
    names = sorted(slot.split('@')[0] for slot in found)
    if names != sorted(expected):
        complaints.append(f'slots are {names}, expected {sorted(expected)}')
    shims = {p.pid for p in now.shims}
    for process in now.instances:
        if process.parent not in shims:
            complaints.append(f'process {process.pid} {process.argv} belongs to no shim')
    if len(now.shims) != len(expected):
        complaints.append(f'{len(now.shims)} shims for {len(expected)} slots')
    for kind in ('serve', 'control', 'router'):
        if len(getattr(now, kind)) != 1:
            complaints.append(f'{len(getattr(now, kind))} {kind} processes')
    return complaints


def rows(server):
    """Every release is final, at most one serves, and what is wanted is what serves."""
    complaints = []
    for app, number, step in server.rows('select app_id, number, step from releases'):
        if step not in ('live', 'failed'):
            complaints.append(f'release v{number} of {app} stands in step {step}')
    wanted = {row[0] for row in server.rows('select id from groups where wanted')}
    unwanted = [row[0] for row in server.rows('select id from groups where not wanted')]
    if unwanted:
        complaints.append(f'groups that should be gone are not: {unwanted}')
    serving = server.rows('select r.groups from apps a join releases r on r.app_id = a.id and r.number = a.serving')
    should = {group for (groups,) in serving for group in json.loads(groups).values()}
    if wanted != should:
        complaints.append(f'wanted groups are {sorted(wanted)}, serving ones {sorted(should)}')
    return complaints


def commands(server):
    """The release command of every release ran once; of one that failed, at most once; of one without commands, never."""
    complaints = []
    for segment in (server.state / 'logs' / APP).glob('web.release.1/*/stdout*'):
        if is_segment(segment):
            HEARD[segment] = segment.read_text()
    runs = collections.Counter(line for (segment, text) in HEARD.items() for line in text.splitlines()
                               if segment.is_relative_to(server.state))
    for number, step, request in server.rows('select number, step, request from releases'):
        count = runs[f'ran v{number}']
        most = 1 if json.loads(request)['release_commands'] else 0
        least = most if step == 'live' else 0
        if not least <= count <= most:
            complaints.append(f'the release command of v{number} ({step}) ran {count} times')
    return complaints


def lines(server):
    """What each instance ever said is 0, 1, 2, ... without a hole; only the very last line may be cut."""
    complaints = []
    for directory in sorted((server.state / 'logs' / APP).glob('*/*')):
        if directory.parent.name == 'web.release.1':
            continue
        said = b''.join(segment.read_bytes() for segment in sorted(directory.glob('stdout*')) if is_segment(segment))
        whole, _, _ = said.rpartition(b'\n')
        numbers = [line for line in whole.split(b'\n') if line]
        if numbers == [b'about to fall over']:
            continue
        for expected, line in enumerate(numbers):
            if line != str(expected).encode():
                complaints.append(f'{directory.relative_to(server.state)}: line {expected} is {line[:40]!r}')
                break
    return complaints


def is_segment(path: Path):
    """Raw segments, not the side files of (offset, time) marks."""
    return path.suffix not in ('.marks', '.idx', '.times', '.dropped')


def requests(load, excused):
    """No request failed but inside a span in which something other than control was down."""
    complaints = []
    for begin, end, what in load.failures():
        if not any(begin < stop and end > start for start, stop in excused):
            complaints.append(f'a request failed that no kill excuses: {what}')
    return complaints[:5]
