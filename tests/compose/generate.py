"""Compose files at random, for tests/compose/differential: from the schema, from other files, from grammars."""
import copy
import json
from pathlib import Path

import yaml
from small_case import Case, Raw, flow

SCHEMA = 'schema/compose-go.2020-12.json'  # in the corpus


# ---- values

ODD = [None, True, False, 0, 1, -1, 3, 1.5, '', ' ', 'x', '1', '0', 'true', 'yes', 'no', 'on', '1.0', '-1', '10s', '1m', '64m', [], {},
       [None], ['a'], ['a', 'a'], ['a=b', 'c'], {'a': 'b'}, {'a': None}, {'a': 1}, {'x-y': 1}, [1], [{}], [[]], {'': 'x'},
       Raw('~'), Raw('0o17'), Raw('017'), Raw('0x1F'), Raw('1e3'), Raw('1_000'), Raw('.inf'), Raw('.nan'), Raw('2024-01-02'), Raw('yes'),
       Raw('NO'), Raw('22:22'), Raw('!!str 5'), Raw('!!int "5"'), Raw('!reset null'), Raw('!override [a]'), Raw('!override x'),
       Raw('-0'), Raw('+5'), Raw('1.'), Raw('.5'), Raw('3.0'), Raw('0b11'), Raw('99999999999999999999'), Raw('True'), Raw('Null'),
       '$$', '${V}', '${UNSET}', '${UNSET:-d}', '$N', '${V:-a}b', '${B}', '${S}', '${D}', '${L}']

DURATIONS = ['10s', '1m30s', '1h', '0', '0s', '1.5s', '100ms', '5us', '5µs', '3d', '1w', '1d12h', '10', '', '-5s', '1y', ' 5s', '5 s', '5S', '.5s', '1h1h', '1ns', '1s1ms', '1.s', '10s ', '+5s', '99999999h']
SIZES = ['64m', '1g', '1gb', '1GB', '1 gb', '1Gi', '1GiB', '0', '-1', '1.5g', '10', '512k', '512K', '10b', '1p', '1t', '', 'x', '1e3', '.5m', '64mb ', ' 64m', '64 m', '1  m', '-5m', '0.5', '1.b', '1kib', '1bb', '1_0m', '0x10', 5, 5.5, -1, 0, 1 << 40]
PORTS = ['80', '80:80', '127.0.0.1:80:80', '[::1]:80:80', '::1:80:80', '80/udp', '80/UDP', '80/sctp', '80/xxx', '80:80/tcp', '8000-8002', '8000-8002:80', '8000-8002:9000-9002', '8000-8002:9000-9001', '127.0.0.1::80', ':80', '80:', '', '0', '0:80', '80:0', '65535', '65536', '70000:80', '80:80:80:80', 'a', 'a:80', 'localhost:80:80', '127.0.0.1:80', '080:80', ' 80', '80 ', '80 :80', '-1', '80-79', '80-', '-80', '80/', '80/tcp/udp', '[::]:80:80', '[::1]::80', '0.0.0.0:80-82:90-92', '80-80:80', '8000-9000:80', '8000:80-82', '::80', '1.2.3:80:80', '[1.2.3.4]:80:80', '1:2:3', 80, 80.0, 80.5, '3000-3001/udp', '+80', '0x50', '${PORT}:80', '[::1:80:80', '::1]:80:80', 'fe80::1%eth0:80:80', '[fe80::1%eth0]:80:80', True, None, 0, -1, 65536]
VOLUMES = ['data:/data', './a:/a', '../a:/a', '~/a:/a', '~:/a', '/a:/b', '/a', 'a', './a', '/a:/b:ro', '/a:/b:rw', '/a:/b:z', '/a:/b:Z,ro', '/a:/b:ro,rw', '/a:/b:nocopy', '/a:/b:rshared', '/a:/b:private', '/a:/b:cached', '/a:/b:xyz', '/a:/b:', '/a::ro', ':/a', '/a:', '', ':', '::', '/a:/b:c:d', 'C:\\a:/b', 'C:\\a:/b:ro', 'c:/a:/b', '\\\\x\\y:/b', 'data:/a/../b', 'data:/a/', 'data:b', 'data:./b', '/a/../b:/c', './:/a', '.:/a', '..:/a', './a/../../b:/a', 'data:/data:nocopy', 'data:/data:ro,nocopy', 'data:/d:volume-nocopy', ' data:/data', 'data :/data', 'data: /data', '~user/a:/b', 'd:/d', 'undefined:/x', 'data:/data:bind', '/a:/b:delegated,ro', '/a:/b:RO', '/a:/b:ro ', '.a:/b', '...:/b', '$HOME/a:/b', '/var/run/docker.sock:/var/run/docker.sock', 'data:/d:selinux', '/a:/b:slave', '/a:/b:rprivate,z', 'd.a_t-a:/x', '/', '//a:/b', '/a://b', '/a:/b,/c', 'data:C:\\x', 'c:\\a:d:\\b', 'c:\\a:d:\\b:ro', '/a:/b/', 'npipe:////./pipe/x:/b', '\\\\.\\pipe\\x:\\\\.\\pipe\\x', 5, None]
DEVICES = ['/dev/a', '/dev/a:/dev/b', '/dev/a:/dev/b:rwm', '/dev/a:/dev/b:x', '/dev/a:rw', 'a:b:c:d', '', ':', '/dev/a:', ':/dev/a', 'vendor.com/class=name', '/dev/a::r', 5]
HOSTS = ['a:1.2.3.4', 'a=1.2.3.4', 'a:::1', 'a=::1', 'a:[::1]', 'a=[::1]', 'a', 'a=', 'a:', '=1.2.3.4', ':1.2.3.4', 'a:b', 'a:host-gateway', 'a=host-gateway', '', 'a b:1.2.3.4', 'a:1.2.3.4:5', 'a= 1.2.3.4', 'a : 1.2.3.4', 'a:1.2.3.4,2.3.4.5', 'a@b:1.2.3.4', 'a=b=c', 'a:[::1', 'a:::1]']
ENVIRONMENT = ['A=1', 'A', 'A=', '=1', '', 'A =1', ' A=1', 'A= 1', 'A=b=c', 'V', 'V=', 'UNSET', 'A=$V', 'A=${V}', 'A=$$V', 'A="q"', "A='q'", 'A.B=1', 'A-B=1', '1A=1', 'A\t=1', 'A=\\n', 'é=1', 'A\n=1', 'A=1\n', 'A=${UNSET-}', 5, True, None, 1.5]
COMMANDS = ['a b', "a 'b c'", 'a "b c"', 'a \\" b', 'a && b', 'a; b', 'a | b', 'a > b', "a 'b", 'a "b', 'a `b c`', 'a $$(b c)', 'a (b)', '', ' ', 'a\\ b', 'a\nb', 'a #b', "a''b", 'a""', "''", 'a\\', 'a $$V', 'sh -c "x && y"', 'a & b', 'a < b', '2>&1 a', 'a=b c', '"a\\nb"', "'a\\nb'", 'a\tb', 'a\\\nb', '"a\\$$b"', 'a $$', '"`a b`"', '"$$(a b)"', '$$(a "b)")', 'é ü', 'a\\\\b', '"a\\\\b"', "'a'\"b\"c", '{a,b}', '*', '~', '!a', 'a$$((1+2))b', '`a', '$$(a', '(a)', ')', '"a(b)"', 'a(', '"\\a"', "\"\\'\"", 'a|b', 'a;', ';a', [], ['a'], ['a', 'b c'], ['a', 1], ['a', True], ['a', None], [''], ['a', 1.5], None, 5, True, ['$V', '$$V'], [['a']]]
TESTS = ['a b', 'NONE', 'CMD a', '', [], ['CMD', 'a'], ['CMD-SHELL', 'a b'], ['CMD-SHELL', 'a', 'b'], ['NONE'], ['NONE', 'a'], ['CMD'], ['a'], ['cmd', 'a'], [''], None, ['CMD', 1], ['CMD-SHELL'], 5, 'a && b', 'CMD-SHELL a']
ENV_FILES = ['a.env', './a.env', ['a.env', 'b.env'], ['b.env', 'a.env'], [{'path': 'a.env'}], [{'path': 'none.env', 'required': False}], [{'path': 'a.env', 'format': 'raw'}], [{'path': 'a.env', 'format': 'x'}], 'none.env', [], '', [''], ['a.env', 'a.env'], [{'path': 'a.env', 'required': 'false'}], [{'path': 'a.env', 'required': True}], [{'required': False}], [{'path': 'none.env', 'required': '${F}'}], ['a.env', {'path': 'b.env', 'required': True}], {'path': 'a.env'}, None, '../a.env', '/none/a.env', [{'path': 'a.env', 'format': ''}], '${A_ENV:-a.env}', [{}], [None], 'sub']
IMAGES = ['x', 'x:1', 'x@sha256:' + 'a' * 64, 'X', 'x:1@sha256:' + 'a' * 64, 'localhost:5000/x', '', ' ', 'x y', 'x::', 'a/b/c:d', '${V}', None, 5]
IPAM = [{'config': [{'subnet': '10.0.0.0/24'}]}, {'driver': 'x'}, {'config': []}, {'config': [{'subnet': '10.0.0.0/24', 'gateway': '10.0.0.1', 'ip_range': '10.0.0.0/25', 'aux_addresses': {'a': '10.0.0.2'}}]}, {'options': {'a': 'b'}}, {'options': {'a': 1}}, {'config': [{'subnet': 'x'}]}, {'config': [{'subnet': '10.0.0.0/24', 'x': 1}]}, {}, None, {'config': [{}]}, {'config': [{'aux_addresses': {'a': 1}}]}, {'config': [{'x-a': 1}]}, {'x-a': 1}]
NAMES = {'ports': PORTS, 'volumes': VOLUMES, 'tmpfs': ['/run', '/tmp:size=1m', '/tmp:mode=755,size=5m', 'x', ''], 'devices': DEVICES, 'extra_hosts': HOSTS,
         'environment': ENVIRONMENT, 'args': ENVIRONMENT, 'labels': ['a=b', 'a', 'a=', '=b', '', 'a.b.c=d', 'a=b=c', 'a=$V', 'a =b', ' a=b', 'a= b', 'A=1', 5, True, None],
         'command': COMMANDS, 'entrypoint': COMMANDS, 'test': TESTS, 'env_file': ENV_FILES, 'image': IMAGES, 'ipam': IPAM,
         'expose': ['80', 80, '80-82', '80/tcp', 'x', '', 80.5, '80:80', '65536', '80/xxx', '82-80', '0', -1, '80 '], 'links': ['alt', 'alt:x', 'dep', 'alt:', ':x', 'none', 'alt:x:y', ''],
         'depends_on': ['alt', 'dep', 'none', '', 'svc', 5], 'volumes_from': ['alt', 'alt:ro', 'container:x', 'none', 'alt:xx', 'container:x:ro', '', 'dep:rw'],
         'network_mode': ['host', 'none', 'bridge', 'service:alt', 'service:none', 'container:x', 'default', '', 'x', 'service:', 'service:svc'],
         'pid': ['host', 'service:alt', 'service:none', 'container:x', 'x', ''], 'ipc': ['host', 'shareable', 'service:alt', 'service:none', 'service:svc', 'x', 'private'], 'uts': ['host', 'x', 'service:alt'], 'cgroup': ['host', 'private', 'x'], 'userns_mode': ['host', 'x'],
         'restart': ['no', 'always', 'on-failure', 'on-failure:3', 'unless-stopped'], 'stop_signal': ['SIGTERM', '9', 9, 'x'], 'user': ['1000', '1000:1000', 'a', 1000, ''],
         'mode': [0o440, '0440', Raw('0440'), Raw('0o440'), 'x', '440', 1.5, 'ingress', 'host', ''], 'container_name': ['a', 'ab', '_a', 'a b', 'a-b', ''], 'condition': ['service_started', 'service_healthy', 'service_completed_successfully', 'x', None, ''],
         'pull_policy': ['always', 'never', 'missing', 'if_not_present', 'build', 'daily', 'weekly', 'every_12h', 'every_x', 'x', '', 'refresh', 'every_1h30m'], 'platform': ['linux/amd64', 'linux', 'x/y/z', '', 'linux/arm64/v8', 'a/b/c/d', 'linux/'], 'platforms': ['linux/amd64', 'linux/arm64', 'linux'], 'network': ['host', 'none', 'net', 'x'],
         'context': ['.', './a', '../a', '/a', 'https://github.com/a/b.git', 'git@github.com:a/b.git', 'github.com/a/b', 'https://x/y.tar', 'a', '', '~/a', 'docker-image://x', 'oci-layout://x', 'service:alt', 'target:x', 'git://x/y', 'ssh://x/y', 'http://a', 'C:\\x', 'a#b', '-'],
         'dockerfile': ['Dockerfile', 'a/D', '../D', '/D', '', 'https://x/y'], 'dockerfile_inline': ['FROM x\n', ''], 'count': [1, 'all', '1', 'x', -1, 0, 'ALL', None, 1.0], 'capabilities': [['gpu'], ['gpu', 'x'], [], ['gpu', 'gpu'], 'gpu'],
         'cpuset': ['0', '0-1', '0,1', 'x'], 'size': SIZES, 'mac_address': ['02:42:ac:11:65:43', 'x', ''], 'gpus': ['all', 'x', [], [{'driver': 'x'}], [{'count': 1}], [{'count': 'all', 'capabilities': ['a']}], None, 'ALL', [{'device_ids': ['1'], 'count': 1}], [{}]],
         'ulimits': [{'nofile': 5}, {'nofile': {'soft': 1, 'hard': 2}}, {'nofile': {'soft': 1}}, {'nofile': '5'}, {'nofile': {'soft': '1', 'hard': '2'}}, {'nofile': -1}, {'A': 1}, {'nofile': {'soft': 1, 'hard': 2, 'x-a': 1}}, {'nofile': 1.5}, {}, {'nofile': None}, {'nofile': '${N}'}, {'nofile': {'soft': '${N}', 'hard': '${N}'}}, {'nofile': '${L}'}],
         'context_size': [1, '1', 1.5, -1], 'external': [True, False, 'true', 'yes', 'no', {'name': 'x'}, {}, None, '1', 1, {'name': 5}, {'x': 1}, '${B}', '${UNSET}', ''], 'additional_contexts': [{'a': './x'}, {'a': 'https://x'}, ['a=./x'], ['a'], {'a': 'service:alt'}, {'a': 'service:none'}, {'a': 'docker-image://x'}, {'a': None}, {'a': 5}, {'a': '../x'}, {'a': 'oci-layout:///x'}],
         'ssh': ['default', 'a=b', ['default'], ['default=x'], ['a=b', 'default'], ['a'], {'default': None}, {'a': 'b'}, {'a': None}, [], {}, ['default', 'default'], ['default='], {'default': ''}], 'secrets': ['sec', 'none', {'source': 'sec'}, {'source': 'sec', 'target': 'x'}, {'source': 'sec', 'target': '/x', 'mode': 0o440, 'uid': '1', 'gid': '1'}, {'target': 'x'}, {}, {'source': 'none'}, {'source': 'sec', 'mode': '0440'}, {'source': 'sec', 'uid': 1}, ''],
         'configs': ['cfg', 'none', {'source': 'cfg'}, {'source': 'cfg', 'target': 'x'}, {'source': 'cfg', 'target': '/x', 'mode': 0o440}, {'target': '/x'}, {}, ''], 'networks': [['net'], {'net': None}, {'net': {}}, {'net': {'aliases': ['a', 'a']}}, {'net': {'aliases': ['a'], 'ipv4_address': '10.0.0.5'}}, ['none'], ['default'], {'default': None}, ['net', 'net'], [], {}, {'net': {'priority': 1}}, {'net': {'priority': 'x'}}, {'net': {'driver_opts': {'a': 1}}}, {'net': {'x-a': 1}}, {'net': {'x': 1}}, {'net': {'gw_priority': 5}}, {'net': {'interface_name': 'eth5'}}, {'net': {'link_local_ips': ['1.2.3.4']}}, {'net': {'mac_address': 'x'}}, {'net': {'ipv6_address': '::1'}}, {'net': {'aliases': 'a'}}, {'net': {'aliases': []}}, ['net', 'default'], {'net': {'priority': '${N}'}}, {'net': {'priority': 1.5}}, {'net': {'gw_priority': '5'}}],
         'runtime_flags': ['--a', 'b'], 'dns': ['1.1.1.1', ['1.1.1.1'], [], '', ['', '1.1.1.1'], ['1.1.1.1', '1.1.1.1'], None, 5], 'dns_search': ['a', ['a'], '.', [], ['a', 'a'], '', ['']], 'options': [{'a': 'b'}, {'a': 1}, {'a': 1.5}, {'a': True}, {'a': None}, {}, ['a=b']], 'sysctls': [{'a': 1}, {'a': '1'}, ['a=1'], ['a'], {'a': None}, {'a': True}, [], {}, {'a': 1.5}, ['a=1', 'a=2']],
         'driver_opts': [{'a': 'b'}, {'a': 1}, {'a': 1.0}, {'a': True}, {'a': None}, {}, None, {'type': 'none', 'o': 'bind', 'device': './x'}, {'type': 'none', 'o': 'bind', 'device': '/x'}, {'o': 'bind', 'device': '~/x'}], 'type': ['bind', 'volume', 'tmpfs', 'npipe', 'cluster', 'image', 'x', '', 'awesome'], 'source': ['data', './a', '/a', '~/a', '', 'sec', 'cfg', 'none', '../a', 'C:\\a'], 'target': ['/a', 'a', '', '/a/../b', 'C:\\a', 80, '80', '80-82', 0, 65536, '${PORT}', 80.0], 'published': [80, '80', '80-82', '', 0, '0', 'x', -1, None, '65536', '80-', 80.0, '${PORT}'], 'protocol': ['tcp', 'udp', 'TCP', 'x', ''], 'host_ip': ['127.0.0.1', 'x', '', '::1', '[::1]'], 'app_protocol': ['http', 'x'],
         'file': ['./a', 'a', '/a', '../a', '~/a', '', 'C:\\a', '${UNSET}'], 'content': ['x', '$V', '${UNSET}', ''], 'path': ['./a', 'a', '/dev/a', ''], 'extends': [{'service': 'alt'}, 'alt', {'service': 'none'}, {'service': 'alt', 'file': 'other.yaml'}, {'file': 'other.yaml', 'service': 'o1'}, {'file': 'none.yaml', 'service': 'x'}, {'file': 'compose.yaml', 'service': 'alt'}, {'service': 'svc'}, {}, None, {'service': 'o2', 'file': './other.yaml'}, {'file': 'other.yaml'}, {'service': 'dep'}, [], 5],
         'provider': [{'type': 'x'}, {}, {'type': 'x', 'options': {'a': 'b'}}, {'type': 'x', 'options': {'a': ['b', 'c']}}, {'type': 'x', 'options': {'a': 1}}, {'type': 'x', 'options': {'a': True}}, {'type': 'x', 'options': {'a': None}}, {'type': 'x', 'x-a': 1}, {'type': ''}, {'type': 'x', 'options': {'a': [1]}}, {'type': 5}], 'models': [['mod'], ['none'], {'mod': None}, {'mod': {'endpoint_var': 'A'}}, {'mod': {'model_var': 'B'}}, {'mod': {}}, [], {'mod': {'x': 1}}, ['mod', 'mod'], {'none': {}}, {'mod': {'x-a': 1}}, 'mod'],
         'label_file': ['l.env', ['l.env'], ['l.env', 'a.env'], 'none', [], ''], 'credential_spec': [{'file': 'x'}, {'registry': 'x'}, {'config': 'cfg'}, {'config': 'none'}, {'file': 'x', 'registry': 'y'}, {}, {'x-a': 1}, {'file': './x'}], 'profiles': [['a'], ['a', 'b'], [], ['a', 'a'], [''], ['a b'], 'a', ['*'], ['-a'], [1]], 'group_add': [['a'], [1], ['1', 1], ['a', 'a'], [1.5], [True], [], 'a'], 'storage_opt': [{'size': '1g'}, {'size': 1}, {}, None], 'oom_score_adj': [5, '5', -1001, 1000, 1001, 'x', 5.5, '${N}'], 'mem_swappiness': [5, '5', '5m', 101, -1, 'x', 60.0], 'scale': [0, 1, 2, '2', -1, 1.5, 'x', '${N}'], 'replicas': [0, 1, 2, '2', -1, 1.5, '${N}', None],
         'cpus': ['0.5', 1, 0.5, '1', 'x', '', -1, 0, '1.50', '.5', '1e-3', Raw('1e-3')], 'pids': [1, '1', -1, 0, 'x', 1.5], 'pids_limit': [1, '1', -1, 0, 'x', 1.5], 'memory': SIZES, 'value': [1, '1', 1.5, 'x'], 'retries': [3, '3', 3.0, -1, 1.5, 'x', '${N}', 0], 'initial_sync': [True, 'true', False], 'action': ['rebuild', 'sync', 'restart', 'sync+restart', 'sync+exec', 'x', ''], 'order': ['start-first', 'stop-first', 'x'], 'name': ['a', 'A', 'a_b', 'a b', '', '${V}', 'my-app', 5, None, '-a', '_a', 'a.b'],
         'exec': [{'command': 'a b'}, {'command': ['a']}, {}, {'command': 'a', 'user': 'x', 'environment': ['A=1']}], 'post_start': [[{'command': 'a b'}], [{'command': ['a'], 'user': 'x', 'privileged': True, 'working_dir': '/x', 'environment': ['A=1', 'V', 'UNSET']}], [{}], [], [{'command': 'a', 'environment': {'A': 1, 'UNSET': None, 'V': None}}], [{'command': None}], [{'command': 'a', 'privileged': '${B}'}], [{'command': 'a', 'x-a': 1}], {'command': 'a'}], 'domainname': ['x', ''], 'logging': [{'driver': 'x'}, {'options': {'a': 'b'}}, {'driver': 'x', 'options': {'a': 1}}, {'options': {'a': None}}, {}, {'driver': 'x', 'options': {'a': True}}, {'options': None}, {'driver': None}, {'x-a': 1}, {'driver': ''}]}
DURATION_KEYS = {'interval', 'timeout', 'start_period', 'start_interval', 'stop_grace_period', 'delay', 'monitor', 'window', 'pull_refresh_after'}
SIZE_KEYS = {'mem_limit', 'mem_reservation', 'memswap_limit', 'shm_size', 'rate', 'memory'}
NAMES['pre_stop'] = NAMES['post_start']
for key in DURATION_KEYS:
    NAMES[key] = DURATIONS + [5, 0, None, '${S}', '${UNSET}']
for key in SIZE_KEYS:
    NAMES[key] = SIZES + ['${L}', '${N}']

BASE = {
    'services': {'alt': {'image': 'alt', 'ports': ['90:90'], 'environment': {'FROM_ALT': '1'}, 'labels': ['alt=1']}, 'dep': {'image': 'dep', 'profiles': ['p']}},
    'volumes': {'data': None}, 'networks': {'net': None}, 'secrets': {'sec': {'file': './sec'}}, 'configs': {'cfg': {'content': 'c'}},
    'models': {'mod': {'model': 'ai/x'}},
}
OTHER = {'services': {'o1': {'image': 'o1', 'build': './o', 'env_file': ['o.env'], 'volumes': ['./v:/v'], 'ports': ['1:1']}, 'o2': {'extends': 'o1', 'command': 'x y', 'environment': ['O=2', 'V']}}}
BESIDE = {'.env': 'V=value\nPORT=8080\nN=5\nB=true\nS=10s\nL=64m\nF=false\nD=.\n', 'a.env': 'A1=a\nV=from-a\nC=$V-$A1\n', 'b.env': 'A1=b\nexport E="x y" # c\nF\n', 'l.env': 'l.a=1\nl.b=x\n', 'other.yaml': OTHER, 'o.env': 'OO=1\n', 'sub/x': ''}


class Seeds:
    """What other files and keys there are to begin with."""

    def __init__(self, cases, corpus, rng):
        self.schema = json.loads(Path(corpus, SCHEMA).read_text())
        self.cases = json.loads(Path(cases).read_text())
        self.rng = rng
        self.corpus = [p for pattern in ('*.yml', '*.yaml') for p in sorted(Path(corpus, 'corpus').rglob(pattern)) if p.stat().st_size < 8000]


def from_schema(rng, node, root, key, depth=0, odd=0.08):
    """A value for a key, mostly of its type."""
    if rng.random() < odd:
        return rng.choice(ODD)
    if key in NAMES and rng.random() < 0.8:
        value = rng.choice(NAMES[key])
        kinds = json.dumps(node)
        if not isinstance(value, (list, dict)) and '"array"' in kinds and '"string"' not in str(node.get('type')) and rng.random() < 0.93:
            return [value] + ([rng.choice(NAMES[key])] if rng.random() < 0.3 else [])
        if not isinstance(value, (list, dict)) and ('list_or_dict' in kinds or 'extra_hosts' == key) and rng.random() < 0.95:
            if rng.random() < 0.5:
                return [value] + ([rng.choice(NAMES[key])] if rng.random() < 0.3 else [])
            return {str(value).split('=')[0]: rng.choice([*NAMES[key], *ODD])}
        return value
    while '$ref' in node:
        node = root['$defs' if '$defs' in root else 'definitions'][node['$ref'].split('/')[-1]]
    if 'oneOf' in node:
        return from_schema(rng, rng.choice(node['oneOf']), root, key, depth, odd)
    kind = node.get('type')
    if isinstance(kind, list):
        kind = rng.choice(kind)
    if 'enum' in node:
        return rng.choice(node['enum'])
    if kind == 'object' or 'properties' in node:
        result = {}
        properties = node.get('properties', {})
        for name in properties:
            if name in node.get('required', []) and rng.random() < 0.95 or rng.random() < (0.35 if depth else 0.06):
                result[name] = from_schema(rng, properties[name], root, name, depth + 1, odd)
        if not properties:
            inner = next(iter(node.get('patternProperties', {}).values()), node.get('additionalProperties') or {})
            inner = inner if isinstance(inner, dict) else {}
            for name in rng.sample(['a', 'B', 'a.b', 'net', 'x-z', 'V', '1'], rng.randrange(3)):
                result[name] = from_schema(rng, inner, root, key, depth + 1, odd)
        if rng.random() < 0.06:
            result[rng.choice(['x-a', 'x-', 'unknown', '', 'X-a'])] = rng.choice(ODD)
        return result
    if kind == 'array':
        return [from_schema(rng, node.get('items', {}), root, key, depth + 1, odd) for _ in range(rng.choice([0, 1, 1, 1, 2, 3]))]
    if kind == 'boolean':
        return rng.choice([True, False, True, False, 'true', 'false', 'yes', 'no', 'on', 'off', 'y', 'n', '1', '0', 'TRUE', 'True', 'Yes', 't', '', '${B}', '${F}', '${UNSET}', Raw('yes'), Raw('off')])
    if kind in ('integer', 'number'):
        return rng.choice([0, 1, 5, 100, -1, 1.5, 3.0, '5', '1.5', 'x', '', '${N}', '${UNSET}', Raw('0x1F'), Raw('017'), Raw('1e3'), 1 << 33, 1 << 62, Raw('+5'), '+5', '0x1F', ' 5', '5 ', '1_000', Raw('1_000'), '1e3'])
    if kind == 'null':
        return None
    return rng.choice(['a', 'b', 'ab', '', 'A b', '${V}', '$$x', './a', '/a', 'x:y', 'a=b', '5', 'true', 'é', '${UNSET}', 'a\nb', ' a '])


def definitions(seeds):
    return seeds.schema.get('$defs') or seeds.schema['definitions']


def some_service(rng, seeds, keys=(1, 1, 1, 2, 3)):
    properties = definitions(seeds)['service']['properties']
    result = {} if rng.random() < 0.02 else {'image': 'img'}
    for key in rng.sample(sorted(properties), rng.choice(keys)):
        result[key] = from_schema(rng, properties[key], seeds.schema, key)
    return result


def base(rng):
    tree = copy.deepcopy(BASE)
    if rng.random() < 0.5:
        tree['services'].pop('dep')
    return tree


def by_schema(rng, seeds):
    tree = base(rng)
    if rng.random() < 0.75:
        tree['services'] = {'svc': some_service(rng, seeds), **tree['services']}
    else:
        kind = rng.choice(['network', 'volume', 'secret', 'config', 'model'])
        value = from_schema(rng, {**definitions(seeds)[kind]}, seeds.schema, kind, 1)
        name = {'network': 'net', 'volume': 'data', 'secret': 'sec', 'config': 'cfg', 'model': 'mod'}[kind]
        if rng.random() < 0.1:
            name = rng.choice(['a b', '', 'default', 'A.b', 'x-a', '-a', 'é'])
        tree[kind + 's'][name] = value
        tree['services']['svc'] = {'image': 'x', 'networks': ['net'], 'volumes': ['data:/d'], 'secrets': ['sec'], 'configs': ['cfg'], 'models': ['mod']}
    if rng.random() < 0.04:
        tree[rng.choice(['name', 'version', 'x-a', 'unknown', 'include', 'services'])] = rng.choice(ODD)
    return Case(files={'compose.yaml': tree, **BESIDE}, config=flags(rng))


def flags(rng):
    result = ['--format', 'json']
    if rng.random() < 0.15:
        result += rng.sample(['--no-interpolate', '--no-normalize', '--no-path-resolution', '--no-consistency', '--no-env-resolution'], rng.choice([1, 1, 2]))
    return result


def merges(rng, seeds):
    """Two or three files whose services have the same keys, or one that extends another."""
    properties = definitions(seeds)['service']['properties']
    keys = rng.sample(sorted(properties), rng.choice([1, 1, 2]))
    if rng.random() < 0.5:
        keys = [rng.choice(['ports', 'volumes', 'environment', 'labels', 'command', 'build', 'networks', 'depends_on', 'healthcheck', 'deploy', 'logging', 'ulimits', 'extra_hosts', 'env_file', 'secrets', 'configs', 'devices', 'dns', 'tmpfs', 'sysctls', 'links', 'expose', 'profiles', 'models', 'gpus', 'annotations', 'volumes_from', 'post_start', 'develop', 'blkio_config', 'group_add', 'cap_add', 'security_opt', 'provider', 'label_file', 'storage_opt'])]

    def one(odd):
        made = {'image': 'img'} if rng.random() < 0.8 else {}
        for key in keys:
            value = from_schema(rng, properties[key], seeds.schema, key, 0, odd)
            chance = rng.random()
            if chance < 0.06:
                value = Raw('!reset ' + flow(value)) if rng.random() < 0.5 else Raw('!reset null')
            elif chance < 0.14:
                value = Raw('!override ' + flow(value))
            elif chance < 0.2 and isinstance(value, dict) and value:
                name = rng.choice(list(value))
                value[name] = Raw(rng.choice(['!reset null', '!override ' + flow(value[name])]))
            made[key] = value
        return made

    first, second = base(rng), {}
    first['services']['svc'] = one(0.02)
    other = one(0.04)
    how = rng.random()
    files = {'compose.yaml': first, **BESIDE}
    args = []
    if how < 0.55:
        second['services'] = {'svc': other}
        if rng.random() < 0.15:
            second[rng.choice(['volumes', 'networks', 'secrets', 'configs'])] = {'data': rng.choice([None, {'name': 'n'}, {'external': True}, {'labels': ['a=b']}])}
        files['second.yaml'] = second
        args = ['-f', 'compose.yaml', '-f', 'second.yaml']
    elif how < 0.75:
        other['extends'] = rng.choice([{'service': 'svc'}, 'svc'])
        first['services']['ext'] = other
    elif how < 0.9:
        files['sub/more.yaml'] = {'services': {'svc': first['services'].pop('svc')}}
        other['extends'] = {'file': 'sub/more.yaml', 'service': 'svc'}
        first['services']['ext'] = other
    else:
        files['sub/more.yaml'] = {'services': {'inc': first['services'].pop('svc')}, **{k: first[k] for k in ('volumes', 'networks', 'secrets', 'configs', 'models')}}
        if rng.random() < 0.5:
            files['sub/.env'] = 'V=sub\nSUB=1\nPORT=9\n'
        first['include'] = rng.choice([['sub/more.yaml'], [{'path': 'sub/more.yaml'}], [{'path': 'sub/more.yaml', 'env_file': 'a.env'}], [{'path': 'sub/more.yaml', 'project_directory': '.'}], [{'path': ['sub/more.yaml', 'sub/second.yaml']}]])
        for k in ('volumes', 'networks', 'secrets', 'configs', 'models'):
            if rng.random() < 0.8:
                first.pop(k)
        files['sub/second.yaml'] = {'services': {'inc': other}}
        files['sub/a.env'] = 'V=sub-a\n'
    return Case(files=files, args=args, config=flags(rng))


NAME = ['V', 'UNSET', 'EMPTY', 'N', '_a', 'a1', '1a', '', ' V', 'V ', 'é', 'V.x', 'V-', 'COMPOSE_PROJECT_NAME']


def template(rng, depth=0):
    def piece():
        chance = rng.random()
        if chance < 0.25:
            return rng.choice(['a', ' ', '-', ':', '}', '{', '"', "'", '\\', '#', 'é', '\n', '/', '?', '+', '{}', '{{x}}', '0', '\t', '('])
        if chance < 0.4:
            return rng.choice(['$', '$$', '$$$', '$$$$', '$V', '$UNSET', '$1', '$-', '$(x)', '$é', '$$V', '$$$V', '$_', '$V_', '$V1', '$$${V}', '$ V', '${', '$}', '$${V}', '$$$${V}'])
        operator = rng.choice(['', '', '', ':-', '-', ':?', '?', ':+', '+', ':=', '=', '^^', '/a/b', ':', ': -', '--', '-:', '::-', ':0:1', '#', '!'])
        return '${' + rng.choice(NAME[:6] if rng.random() < 0.8 else NAME) + operator + (template(rng, depth + 1) if operator and depth < 3 else '') + ('}' if rng.random() < 0.97 else '')
    return ''.join(piece() for _ in range(rng.choice([1, 1, 1, 2, 3])))


def interpolation(rng, seeds):
    value = template(rng)
    where = rng.random()
    tree = {'services': {'svc': {'image': 'x'}}}
    service = tree['services']['svc']
    if where < 0.5:
        service['environment'] = {'A': value}
    elif where < 0.6:
        service['environment'] = ['A=' + value, 'B']
    elif where < 0.7:
        service['command'] = value
    elif where < 0.75:
        tree['x-a'] = {'b': [value]}
    elif where < 0.8:
        service['labels'] = {value: 'a'}
    elif where < 0.85:
        tree['name'] = value
    elif where < 0.9:
        service['ports'] = [value + ':80']
    elif where < 0.95:
        service['volumes'] = [value + ':/x']
    else:
        tree['configs'] = {'c': {'content': value}}
        service['configs'] = ['c']
    config = flags(rng)
    if rng.random() < 0.05:
        config = ['--variables', '--format', 'json']
    return Case(files={'compose.yaml': tree, '.env': 'V=value\nEMPTY=\nN=5\n'}, config=config, env=rng.choice([{}, {}, {'V': 'shell'}, {'V': ''}, {'V': 'a$b'}]))


def dotenv_value(rng):
    quote = rng.choice(['', '', '', '"', '"', "'", '`'])
    body = ''.join(rng.choice(['a', 'b c', '$V', '${V}', '${UNSET:-d}', '#', ' # c', '#c', '\\n', '\\t', '\\"', "\\'", '\\$', '\\\\', '$$', '"', "'", '=', ':', ' ', '\t', 'é', '\\x', '\\0101', '{', '}', '\r', '\n', '${V:?e}', '$', '\\', '$A', '${A}', '${A-x}', '${E:+y}', '%', '!', '\\u0041', '\\a', '\\r', '\\f', '`', ',', '$1', '${V', '\ufeff', '\u00a0', '\u2028', '\\x41', '\\07', '\\$V', '$$V', '\\${V}']) for _ in range(rng.choice([0, 1, 1, 2, 3])))
    closing = quote if rng.random() < 0.96 else ''
    return quote + body + closing + rng.choice(['', '', '', '', ' ', ' # c', '#c', ' x', 'x', ' "y"', '\t', ' B=2'])


def dotenv(rng):
    lines = []
    for _ in range(rng.choice([1, 1, 2, 3])):
        key = rng.choice(['A', 'B', 'C', 'E', 'A.b', 'A-b', 'A[0]', '_', '1', 'A B', '', 'é', 'V', 'a/b', 'A*', '"A"', "'A'", '$V', 'export', 'A,b', 'A\\b', 'A@', 'A+', 'A%'] if rng.random() < 0.3 else ['A', 'B', 'C', 'V'])
        line = rng.choice(['', '', '', 'export ', ' ', '\t', 'export\t', 'export  ', ' export ', 'exportx ', 'EXPORT ']) + key
        line += rng.choice(['=', '=', '=', '=', '=', ' = ', ': ', ':', ' =', '= ', '', '==', ' : ', '+=', '\t=\t', '=\n', ' '])
        lines.append(line + dotenv_value(rng))
        if rng.random() < 0.15:
            lines.append(rng.choice(['# c', '', '  ', '  # c', '#', '\t', 'X', '=', ':', '"', '\ufeff', ';', 'export', 'export ']))
    text = rng.choice(['\n', '\n', '\n', '\n', '\r\n', '\n\n', '\r']).join(lines) + rng.choice(['', '\n', '\n', '\r\n'])
    return rng.choice(['', '', '', '', '\ufeff', '\n']) + text


def environment_files(rng, seeds):
    text = dotenv(rng)
    service = {'image': 'x', 'environment': rng.choice([{}, {'W': '${A}|${B}|${C}'}, ['A', 'V'], {'V': 'own', 'W': 'x'}, {'A': None}])}
    files = {'.env': 'V=value\nEMPTY=\n'}
    args = []
    how = rng.random()
    if how < 0.35:
        files['.env'] = text
        service['environment'] = {'W': '${A}|${B}|${C}|${V}', 'A': None, 'B': None, 'C': None}
    elif how < 0.6:
        service['env_file'] = 'x.env'
        files['x.env'] = text
    elif how < 0.75:
        service['env_file'] = [{'path': 'x.env', 'format': 'raw'}]
        files['x.env'] = text
    elif how < 0.9:
        service['env_file'] = ['x.env', rng.choice(['y.env', {'path': 'y.env', 'format': 'raw'}, {'path': 'y.env', 'required': False}])]
        files['x.env'], files['y.env'] = text, dotenv(rng)
    elif how < 0.95:
        service['label_file'] = 'x.env'
        files['x.env'] = text
    else:
        args = ['--env-file', 'x.env', '--env-file', 'y.env']
        files['x.env'], files['y.env'] = text, dotenv(rng)
        service['environment'] = {'W': '${A}|${B}|${C}|${V}'}
    config = flags(rng) if rng.random() < 0.95 else ['--environment']
    return Case(files={'compose.yaml': {'services': {'svc': service}}, **files}, args=args, config=config, env=rng.choice([{}, {}, {'V': 'shell'}, {'A': 'sa'}]))


SCALARS = ['1', '0', '-1', '+1', '1.0', '1.', '.5', '1e3', '1E3', '1e+3', '1.5e-3', '0x1F', '0X1f', '0o17', '0O17', '017', '018', '0b11', '0B11', '-0x1F', '-017', '+0x1F', '1_000', '1__0', '_1', '1_', '0x_1', '.inf', '-.inf', '+.inf', '.Inf', '.INF', 'inf', '.nan', '.NaN', 'nan', '~', 'null', 'Null', 'NULL', 'nUll', '', 'true', 'True', 'TRUE', 'tRue', 'yes', 'Yes', 'no', 'on', 'off', 'y', 'n', '2024-01-02', '2024-1-2', '2024-01-02T03:04:05Z', '2024-01-02 03:04:05', '2024-01-02t03:04:05+01:00', '2001-12-14t21:59:43.10-05:00', '22:22', '1:2:3', '12:30:45', '1.2.3', '123456789012345678901', '9223372036854775807', '9223372036854775808', '18446744073709551615', '18446744073709551616', '-9223372036854775808', '-9223372036854775809', '0.1', '1.10', '100000000000000000000.5', '1e400', '1e21', '1e20', '123456789.0', '1e-7', '0.000001', '1e-5', '12e03', '-0', '-0.0', '0.0', '+.5', '-.5', '=', '<<', '!!str 1', '!!int 1', '!!int "0x1F"', '!!float 1', '!!float 3', '!!bool yes', '!!bool "true"', '!!null ""', '!!null x', '!!binary aGVsbG8=', '!!binary "aGVsbG8="', '!!timestamp 2024-01-02', '!!str', '! 5', '!x 5', '!<tag:yaml.org,2002:str> 5', '!!set {a}', '!!omap [a: 1]', '!!seq [a]', '!!map {a: 1}', '!!float .5', '!!str null', '!!str true', '!!str 2024-01-02', "''", '""', "'1'", '"1"', '"\\x41\\u00e9\\n\\0"', "'a''b'", '"a\\\n  b"', "'a\n\n  b'", 'a\n    b', '|\n    a\n    b', '|-\n    a\n', '|+\n    a\n\n', '>\n    a\n    b\n\n    c', '>-\n    a\n', '|2\n      a', '>+\n    a\n     b\n    c\n\n', '|\n\n    a', '|1\n    a', '|0\n    a', '|-2\n      a', '|  # c\n    a', '"\\a\\b\\e\\f\\v\\t\\r\\N\\_\\L\\P"', '"\\/"', '"\\z"', '"\\U0001F600"', '"\\ud83d"', '@a', '`a', '%a', '&a', '*a', '&a b', 'a: b', 'a:b', 'a #b', 'a#b', '- a', '-', '?', '? a', ':', ':a', '[a', '{a: 1', '{a}', '[a, b]', '[a,]', '[,]', '{a: , b}', '{"a":1}', '{a:1}', '[a: b]', '[? a : b]', '"a" b', "'a' b", '"a', "'a", 'é', '\u00a0', 'a\tb', '\ta', 'a\t', '\u2028', '\x07', '\ufeff', '1 ', '0x', '0b', '0o', '0b12', '0o8', '00', '08', '09', '1e', 'e1', '1e1e1', '- 1', '1,000', '0.', '.', '..', '._', '1._5', '1_.5', '+', '0x1G', '1d', '5m', '1.5.', '0777', '0_7', '+017', '0xFFFFFFFFFFFFFFFFF', '2024-13-45', '2024-01-02T', '2024-01-02T03:04', '190:20:30', '-1:30', '|\n\ta', '!!int 1.0', '!!int x', '!!float x', '!!bool 1', '!reset 1', '!override 1', '!reset {a: 1}', '!override {a: 1}', '!reset', '!override', '!!merge <<', '1.5e3', '6.02e23', '1e6', '12345678', '1234567890123456', '0.1e1', '1.0e+2', '123456.789e3']

DOCUMENTS = [
    '{0}\n---\n{1}', '---\n{0}', '---\n{0}\n...\n', '---\n{0}\n...\n---\n{1}', '%YAML 1.1\n---\n{0}', '%YAML 1.2\n---\n{0}', '%YAML 2.0\n---\n{0}', '%YAML 1.3\n---\n{0}', '%FOO x\n---\n{0}', '%TAG ! tag:x,2000:\n---\n{0}', '%TAG !e! tag:yaml.org,2002:\n---\n{0}', '# c\n{0}\n# c', '{0}\n---\n', '---\n---\n{0}', '{0}\n...\n{1}', '{0}\n---\nnull\n', '{0}\n--- {{}}\n', '\ufeff{0}', '{0}\n---\n{1}\n---\n{1}', '%YAML 1.1\n%YAML 1.1\n---\n{0}', '{0}\n---\n[]', '{0}\n---\nx', '---\n# only\n', '', ' ', '\n---\n', 'null', '[]', '{{}}', '--- |\n a\n', '{0}\n--- !reset\n', '!!map\n{0}', '&a\n{0}', '{0}\n\t', '{0}\nx-y: *a', '\r\n{0}\r\n', '{0}\n\x00', '{0}\nservices: {{}}', '{0}\nx-a:\n- b\n c: d', '{0}\n  x-a: b', '{0}\nx-a: [a,\n b]', '{0}\nx-a: [a,\nb]', '{0}\nx-a: {{a: b\n}}', '{0}\n? x-a\n: b', '{0}\n? [x]\n: b', '{0}\n1: b', '{0}\nnull: b', '{0}\ntrue: b', '{0}\n"x-a": b\n', '{0}\nx-a : b', '{0}\nx-a:b', '{0}\nx-a:\n  - a\n  -b', '{0}\nx-a:\n- a\n- - b\n  - c', '{0}\nx-a:\t b', '{0}\nx-a: \tb', '{0}\n\tx-a: b', '{0}\nx-a: b\t# c', '{0}\nx-a: "b"# c', '{0}\nx-a: [a]# c', '{0}\nx-\u00e9: b', '{0}\n!!str x-a: b', '{0}\n&k x-a: *k', '{0}\n"x-\\x61": b',
]

MERGES = [
    'x-a: &a {{K: {0}, L: l}}\nservices:\n  svc:\n    image: x\n    environment:\n      <<: *a\n      L: m\n',
    'x-a: &a {{K: {0}}}\nx-b: &b {{K: b, M: m}}\nservices:\n  svc:\n    image: x\n    environment:\n      <<: [*a, *b]\n',
    'x-a: &a\n  environment: {{K: {0}}}\nservices:\n  svc:\n    <<: *a\n    image: x\n',
    'x-a: &a\n  <<: {{environment: {{K: {0}}}}}\n  image: y\nservices:\n  svc:\n    image: x\n    <<: *a\n',
    'x-a: &a {{K: 1}}\nservices:\n  svc:\n    image: x\n    environment:\n      <<: *a\n      <<: {{M: {0}}}\n',
    'services:\n  svc: &s\n    image: x\n    environment:\n      <<: {0}\n',
    'services:\n  svc: &s\n    image: x\n    labels: &l\n      A: &v {0}\n      B: *v\n  two:\n    <<: *s\n    annotations: *l\n',
    'services:\n  svc: &s\n    image: x\n  two: *s\n  three:\n    <<: [*s, {{image: y, labels: {{a: {0}}}}}]\n',
    'x-l: &l [a=1]\nservices:\n  svc:\n    image: x\n    environment: *l\n    labels:\n      "<<": {0}\n',
    'x-a: &a a\nx-b: &a b\nservices:\n  svc:\n    image: *a\n    labels: {{k: {0}}}\n',
    'services:\n  svc:\n    image: x\n    labels: &l\n      a: {0}\n      b: *l\n',
    'services:\n  svc:\n    image: x\n    labels:\n      a: *u\n      u: &u {0}\n',
    'services:\n  svc:\n    image: x\n    environment:\n      ? A\n      : {0}\n      B:\n',
    'services:\n  svc:\n    image: x\n    environment:\n      {0}: a\n',
    'services:\n  svc:\n    image: x\n    environment:\n      - {0}\n',
    'services:\n  svc:\n    image: x\n    command: [a, {0}]\n', 'services:\n  svc:\n    image: {0}\n', 'services:\n  svc:\n    image: x\nx-a: {0}\n', 'services:\n  svc:\n    image: x\nx-a: [{0}]\nname: {0}\n', 'services:\n  {0}:\n    image: x\n', 'services:\n  svc:\n    image: x\n    mem_limit: {0}\n    cpus: {0}\n', 'services:\n  svc:\n    image: x\n    privileged: {0}\n', 'services:\n  svc:\n    image: x\n    stop_grace_period: {0}\n', 'services:\n  svc:\n    image: x\n    ports: [{0}]\n', 'services:\n  svc:\n    image: x\n    x-a: {0}\n', 'services:\n  svc:\n    image: x\n    cpu_shares: {0}\n    oom_score_adj: {0}\n', 'services:\n  svc:\n    image: x\n    labels: {{a: {0}}}\n', 'services:\n  svc:\n    image: x\n    logging: {{options: {{a: {0}}}}}\n', 'services:\n  svc:\n    image: x\n    build: {{context: ., args: {{a: {0}}}}}\n', 'services:\n  svc:\n    image: x\n    sysctls: {{a: {0}}}\n    user: {0}\n', 'services:\n  svc:\n    image: x\n    extra_hosts: {{a: {0}}}\n', 'services:\n  svc:\n    image: x\n    healthcheck: {{test: {0}, retries: {0}}}\n', 'services:\n  svc:\n    image: x\n    restart: {0}\n',
]
TWO = 'services:\n  svc:\n    image: y\n    environment: [E=2]\n'
ONE = 'services:\n  svc:\n    image: x\n    environment: {E: 1}'


def yaml_forms(rng, seeds):
    if rng.random() < 0.3:
        text = rng.choice(DOCUMENTS).format(ONE, TWO)
    else:
        text = rng.choice(['services:\n  svc:\n    image: x\n    environment:\n      K: {0}\n'] * 12 + MERGES).format(rng.choice(SCALARS))
    if rng.random() < 0.06:
        text = text.replace('\n', '\r\n')
    return Case(files={'compose.yaml': text}, config=flags(rng))


def plain_tree(node, depth=0):
    """A composed YAML document as a tree."""
    tag = node.tag if not node.tag.startswith('tag:') else ''
    if depth > 30:
        return None
    if isinstance(node, yaml.MappingNode):
        made = {Raw('<<') if k.value == '<<' else str(k.value): plain_tree(v, depth + 1) for k, v in node.value}
        if Raw('<<') in made and isinstance(made['<<'], dict) and not tag:
            return {**made.pop('<<'), **made}
        made.pop('<<', None)
        return Raw(f'{tag} {flow(made)}') if tag else made
    if isinstance(node, yaml.SequenceNode):
        made = [plain_tree(v, depth + 1) for v in node.value]
        return Raw(f'{tag} {flow(made)}') if tag else made
    if tag:
        return Raw(f'{tag} {json.dumps(node.value)}')
    return node.value if node.tag.endswith(':str') else Raw(node.value or 'null')


def places(tree, path=()):
    yield path
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from places(value, (*path, key))
    elif isinstance(tree, list):
        for i, value in enumerate(tree):
            yield from places(value, (*path, i))


def at(tree, path):
    for step in path:
        tree = tree[step]
    return tree


def mutate(rng, seeds, tree):
    paths = [p for p in places(tree) if p]
    if not paths:
        return tree
    path = rng.choice(paths)
    holder, key = at(tree, path[:-1]), path[-1]
    how = rng.randrange(8)
    if how == 0:
        del holder[key]
    elif how == 1:
        holder[key] = rng.choice(ODD)
    elif how == 2:
        other = rng.choice(paths)
        value = copy.deepcopy(at(tree, other))
        holder[key] = value
    elif how == 3 and isinstance(holder, list):
        holder.insert(rng.randrange(len(holder) + 1), copy.deepcopy(holder[key]))
    elif how == 4:
        value = holder[key]
        holder[key] = [value] if not isinstance(value, list) else {str(i): v for i, v in enumerate(value)} if rng.random() < 0.5 else (value or [''])[0]
    elif how == 5 and isinstance(holder, dict) and len(path) > 1:
        value = holder.pop(key)
        up = at(tree, path[:-2])
        if isinstance(up, dict):
            up[key] = value
    elif how == 6 and isinstance(holder, dict):
        holder[rng.choice(['x-a', 'unknown', str(key).upper(), str(key)[:-1]])] = holder[key]
    else:
        properties = definitions(seeds)['service']['properties']
        services = tree.get('services') if isinstance(tree, dict) else None
        if isinstance(services, dict) and services:
            name = rng.choice(list(services))
            if isinstance(services[name], dict):
                added = rng.choice(sorted(properties))
                services[name][added] = from_schema(rng, properties[added], seeds.schema, added)
    return tree


def mutations(rng, seeds):
    for _ in range(20):
        if seeds.corpus and rng.random() < 0.6:
            path = rng.choice(seeds.corpus)
            files, args, env = {'compose.yaml': path.read_text(errors='replace')}, [], {}
            for near in path.parent.glob('*.env'):
                files[near.name] = near.read_text(errors='replace')
        else:
            seed = rng.choice(seeds.cases)
            files, args, env = dict(seed['files']), list(seed['args']), dict(seed['env'])
            if seed['cwd'] != '.':
                continue
        names = [name for name in files if name.endswith(('.yaml', '.yml'))]
        if not names:
            continue
        name = rng.choice(names)
        try:
            node = yaml.compose(files[name])
        except (yaml.YAMLError, ValueError):
            continue
        if node is None:
            continue
        tree = plain_tree(node)
        if isinstance(tree, (Raw, str)):
            continue
        for _ in range(rng.choice([1, 1, 2, 3])):
            tree = mutate(rng, seeds, tree)
        files[name] = tree
        config = flags(rng)
        if seeds.corpus and rng.random() < 0.3:
            config.append('--no-consistency')
        if rng.random() < 0.3:
            args = ['--profile', '*', *args]
        return Case(files=files, args=args, config=config, env=env)
    return by_schema(rng, seeds)


def command_line(rng, seeds):
    tree = base(rng)
    tree['services']['svc'] = some_service(rng, seeds, (0, 1, 1))
    tree['services']['svc']['environment'] = {'P': '$COMPOSE_PROJECT_NAME', 'V': None, 'W': '${V:-unset}'}
    tree['services']['dep']= {'image': 'd', 'profiles': rng.choice([['p'], ['q', 'p'], ['r']]), 'depends_on': rng.choice([[], ['alt']])}
    if rng.random() < 0.3:
        tree['services']['svc']['depends_on'] = rng.choice([['dep'], {'dep': {'condition': 'service_started', 'required': False}}, ['alt']])
    if rng.random() < 0.3:
        tree['name'] = rng.choice(['from-file', 'From File', '${V}', '', 'a.b'])
    files = {rng.choice(['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml']): tree, **BESIDE}
    name = next(iter(files))
    for other in ('compose.override.yaml', 'compose.override.yml', 'docker-compose.override.yml', 'sub/compose.yaml', 'third.yaml', 'compose.yml'):
        if rng.random() < 0.15:
            files[other] = {'services': {'svc': {'image': 'from-' + other.replace('/', '-')}}}
    args, env, stdin = [], {}, None
    if rng.random() < 0.2:
        args += ['-p', rng.choice(['proj', 'Proj', 'a_b', '-x', '', 'a.b', '1', 'é'])]
    if rng.random() < 0.3:
        args += ['--profile', rng.choice(['p', 'q', '*', '', 'x', 'p,q', 'r'])]
    if rng.random() < 0.2:
        args += ['--env-file', rng.choice(['a.env', 'b.env', 'none.env', '', 'sub'])]
    if rng.random() < 0.2:
        args += ['--project-directory', rng.choice(['.', 'sub', '/tmp', 'none', ''])]
    if rng.random() < 0.35:
        args += ['-f', rng.choice([name, 'sub/compose.yaml', 'third.yaml', 'none.yaml', './' + name])]
        if rng.random() < 0.3:
            args += ['-f', rng.choice(['third.yaml', name, 'sub/compose.yaml'])]
    elif rng.random() < 0.15:
        args, stdin = [*args, '-f', '-'], files.pop(name)
    dot = []
    for key, values in (('COMPOSE_PROJECT_NAME', ['envproj', 'Env', '', 'a b']), ('COMPOSE_PROFILES', ['p', 'p,q', '', '*', ' p', 'p, r']), ('COMPOSE_FILE', [name, f'{name}:third.yaml', 'sub/compose.yaml', '', f'{name},third.yaml', 'none']), ('COMPOSE_PATH_SEPARATOR', [',', ':']), ('COMPOSE_ENV_FILES', ['a.env', 'a.env,b.env', 'none', '']), ('COMPOSE_DISABLE_ENV_FILE', ['1', 'true', '0', 'x', '']), ('V', ['shell', ''])):
        if rng.random() < 0.12:
            env[key] = rng.choice(values)
        elif rng.random() < 0.08:
            dot.append(f'{key}={rng.choice(values)}\n')
    files['.env'] = files['.env'] + ''.join(dot) if rng.random() < 0.8 else ''.join(dot)
    if rng.random() < 0.3:
        files['sub/.env'] = 'V=from-sub\nCOMPOSE_PROJECT_NAME=sub-name\n'
    config = rng.choice([['--format', 'json']] * 5 + [['--services'], ['--images'], ['--volumes'], ['--profiles'], ['--networks'], ['--models'], ['--variables', '--format', 'json'], ['--environment'], ['--format', 'yaml'], ['--quiet'], ['--format', 'json', 'svc'], ['--format', 'json', 'alt'], ['--format', 'json', 'dep'], ['--format', 'json', 'none'], ['--services', '--no-interpolate'], ['--format', 'yaml', '--no-interpolate']])
    return Case(files=files, args=args, config=list(config), env=env, stdin=stdin)


KINDS = {'schema': by_schema, 'merge': merges, 'interpolation': interpolation, 'dotenv': environment_files, 'yaml': yaml_forms, 'mutate': mutations, 'flags': command_line}
