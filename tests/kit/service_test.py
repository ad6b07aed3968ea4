"""A service as its operator and its clients meet it: settings, subcommands, the end, requests, static files."""
import os
import signal
import subprocess
import threading

import pytest

from harness import PATIENCE, until
from running import SERVICE, Client, Running, environment, get

SECRET = 'canary-9d1c'


def run(*arguments, stdin=None, **variables):
    return subprocess.run([SERVICE, *arguments], env=environment(**variables), capture_output=True, text=True, timeout=PATIENCE)


def test_without_a_command_or_with_an_unknown_one_the_list_is_told():
    for arguments, says in [((), 'no command is given'), (('wbe',), "no command 'wbe'")]:
        told = run(*arguments)
        assert told.returncode == 2 and says in told.stderr
        assert all(name in told.stderr for name in ('web', 'robot', 'fetch', 'needs'))
    assert run('--help').returncode == 0 and 'robot' in run('--help').stdout


def test_help_of_a_command_lists_its_settings_and_no_value():
    told = run('needs', '--help', KEY=SECRET)
    assert told.returncode == 0
    assert all(word in told.stdout for word in ('NAME', 'whom to greet', 'required', 'KEY', 'secret', 'PORT', '8000'))
    assert SECRET not in told.stdout + told.stderr


def test_all_that_is_wrong_with_the_settings_is_told_at_once_and_no_secret():
    told = run('needs', KEY='', COUNT='many', LOUD=SECRET[:0] + 'maybe', URL='ftp://x', PORT='99999', LOG_LEVEL='loud', STOP_TIMEOUT='soon')
    assert told.returncode == 2
    for name in ('NAME', 'KEY', 'COUNT', 'LOUD', 'URL', 'PORT', 'LOG_LEVEL', 'STOP_TIMEOUT'):
        assert name in told.stderr, name
    assert '/run/secrets/KEY' in told.stderr
    told = run('needs', KEY=SECRET, NAME='ada', URL='http://user:' + SECRET + '@x/')
    assert told.returncode == 2 and SECRET not in told.stderr


def test_settings_and_arguments_reach_the_command():
    told = run('needs', '--dry-run', 'x', KEY=SECRET, NAME='ada', URL='https://api.example.com/1', LOUD='true')
    assert told.stdout == f'ada {len(SECRET)} 3 true https://api.example.com/1 --dry-run|x\n'


@pytest.mark.parametrize('how', [signal.SIGTERM, signal.SIGINT])
def test_a_robot_stops_at_once(how):
    with Running('robot') as service:
        until('two rounds', lambda: len(service.log('robot.round')) >= 2)
        assert service.stop(how) == 0
        assert service.log()[-1]['Type'] == 'service.stopping'


def test_what_does_not_stop_is_ended():
    with Running('hang', STOP_TIMEOUT='50ms') as service:
        until('its start', lambda: signals_blocked(service.process.pid))
        assert service.stop() == 1
        assert service.log('service.stuck')


def signals_blocked(pid):
    with open(f'/proc/{pid}/status') as status:
        blocked = next(int(line.split()[1], 16) for line in status if line.startswith('SigBlk'))
    return blocked >> (signal.SIGTERM - 1) & 1


def test_sigterm_lets_running_requests_finish_and_takes_no_more():
    with Running('web') as service:
        port = service.port()
        waiting = [Client(port) for _ in range(3)]
        for client in waiting:
            client.send('GET', '/wait')
        idle = Client(port)
        assert idle.ask('GET', '/hello')[0] == 200
        # A request whose body is still on its way has begun as well.
        late = Client(port)
        late.send('POST', '/json', [('Content-Length', '2')])
        opener = Client(port)
        opener.send('POST', '/open', [('Content-Length', '1')])
        service.process.terminate()
        until('the stop', lambda: service.log('service.stopping'))
        assert idle.file.read() == b''
        until('a closed port', lambda: refused(port))
        opener.socket.sendall(b'x')
        assert opener.answer()[0] == 200
        for client in waiting:
            status, headers, body = client.answer()
            assert (status, headers['connection'], body) == (200, 'close', b'gone through')
        late.socket.sendall(b'{}')
        assert late.answer()[0] == 200
        assert service.process.wait(PATIENCE) == 0
        assert not [line for line in service.log() if line['Severity'] < 6]


def refused(port):
    try:
        Client(port).close()
    except ConnectionRefusedError:
        return True


def test_a_request_that_does_not_end_is_cut_off_at_the_deadline_and_told():
    with Running('web', STOP_TIMEOUT='100ms') as service:
        port = service.port()
        client = Client(port)
        client.send('GET', '/wait')
        until('the request', lambda: get(port, '/hello')[0] == 200)
        assert service.stop() == 1
        assert [line['Fields']['count'] for line in service.log('http.stop')] == [1]
        cut = [line for line in service.log('request.summary') if line['Fields']['path'] == '/wait']
        assert len(cut) == 1 and 'code' not in cut[0]['Fields'] and cut[0]['Fields']['errno'] == 499


def test_forms_are_decoded_and_shown_escaped():
    form = [('Content-Type', 'application/x-www-form-urlencoded; charset=utf-8')]
    with Running('web') as service:
        port = service.port()
        status, headers, body = get(port, '/form', form, 'POST', b'other=1&text=%3Cscript%3E%22it%27s%22+%26+more')
        assert status == 200 and body == b'<p>&lt;script&gt;&quot;it&#39;s&quot; &amp; more</p>'
        assert headers['content-type'] == 'text/html; charset=utf-8'
        assert get(port, '/form', form, 'POST', b'other=1')[0] == 400
        assert get(port, '/form', form, 'POST', b'text=%zz')[0] == 400
        assert get(port, '/form', [], 'POST', b'text=x')[0] == 400
        assert get(port, '/away')[0] == 303 and get(port, '/away')[1]['location'] == '/hello'


def test_a_handler_cannot_be_made_to_split_its_answer():
    with Running('web') as service:
        status, headers, _ = get(service.port(), '/split')
        assert status == 500 and 'set-cookie' not in headers


@pytest.fixture
def files(tmp_path):
    root = tmp_path / 'public'
    (root / 'a').mkdir(parents=True)
    (root / 'index.html').write_text('<h1>home</h1>')
    (root / 'a/b.css').write_text('body {}')
    (root / 'a/big.bin').write_bytes(bytes(range(256)) * 8192)
    (root / 'empty.txt').write_text('')
    (root / '.env').write_text('secret')
    (tmp_path / 'outside.txt').write_text('secret')
    (root / 'link.txt').symlink_to(tmp_path / 'outside.txt')
    (root / 'up').symlink_to(tmp_path)
    os.mkfifo(root / 'pipe')
    with Running('web', FILES=root) as service:
        service.root = root
        yield service


def test_static_files_have_their_type_and_validators(files):
    port = files.port()
    status, headers, body = get(port, '/files/a/b.css')
    assert (status, headers['content-type'], body) == (200, 'text/css; charset=utf-8', b'body {}')
    assert get(port, '/files/')[2] == b'<h1>home</h1>'
    assert get(port, '/files/empty.txt')[0] == 200
    status, head, _ = get(port, '/files/a/b.css', method='HEAD')
    assert (status, head['content-length'], head['etag']) == (200, '7', headers['etag'])
    assert get(port, '/files/a/b.css', [('If-None-Match', f'"other", {headers["etag"]}')])[0] == 304
    assert get(port, '/files/a/b.css', [('If-None-Match', '"other"'), ('If-Modified-Since', headers['last-modified'])])[0] == 200
    assert get(port, '/files/a/b.css', [('If-Modified-Since', headers['last-modified'])])[0] == 304
    # The same size and time, another content: another tag.
    stamp = (files.root / 'a/b.css').stat()
    (files.root / 'a/b.css').write_text('BODY {}')
    os.utime(files.root / 'a/b.css', ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert get(port, '/files/a/b.css', [('If-None-Match', headers['etag'])])[2] == b'BODY {}'


def test_a_large_static_file_arrives_whole_and_in_parts(files):
    port, whole = files.port(), (files.root / 'a/big.bin').read_bytes()
    status, headers, body = get(port, '/files/a/big.bin')
    assert status == 200 and body == whole and headers['content-length'] == str(len(whole))
    assert get(port, '/files/a/big.bin', method='HEAD')[1]['content-length'] == str(len(whole))
    for wanted, part in [('bytes=0-0', whole[:1]), ('bytes=1000-', whole[1000:]), ('bytes=-5', whole[-5:]), ('bytes=5-99999999', whole[5:])]:
        status, headers, body = get(port, '/files/a/big.bin', [('Range', wanted)])
        assert status == 206 and body == part, wanted
        assert headers['content-range'].endswith(f'/{len(whole)}')
    assert get(port, '/files/a/big.bin', [('Range', f'bytes={len(whole)}-')])[0] == 416
    assert get(port, '/files/a/big.bin', [('Range', 'bytes=0-1,3-4')])[0] == 200
    assert get(port, '/files/a/big.bin', [('Range', 'bytes=0-1'), ('If-Range', '"old"')])[0] == 200
    with Client(port) as client:  # and the connection goes on
        assert client.ask('GET', '/files/a/big.bin')[2] == whole
        assert client.ask('GET', '/hello')[2] == b'hello'


@pytest.mark.parametrize('path', [
    '/files/../outside.txt', '/files/%2e%2e/outside.txt', '/files/a/..%2f..%2foutside.txt', '/files/..', '/files/link.txt',
    '/files/up/outside.txt', '/files/.env', '/files//etc/passwd', '/files/%2fetc/passwd', '/files/pipe', '/files/a', '/files/a/',
    '/files/a/b.css/', '/files/a%00', '/files/nothing', '/files'])
def test_nothing_but_plain_files_of_the_directory_is_served(files, path):
    status, _, body = get(files.port(), path)
    assert status in (400, 404) and b'secret' not in body and b'root:' not in body


def test_many_clients_at_once_each_get_their_own_answer(files):
    port, wrong = files.port(), []

    def ask(number):
        with Client(port) as client:
            for step in range(20):
                status, headers, body = client.ask('GET', f'/items/{number}-{step}', [('X-Request-ID', f'{number}.{step}')])
                if status != 503 and (body != f'{{"item":"{number}-{step}"}}'.encode() or headers['x-request-id'] != f'{number}.{step}'):
                    wrong.append((number, step, body))
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not wrong
