"""A web app that shows what a release does: it names the release and the instance that answer, takes its time when asked to, and
gives a checksum with everything, so that a lost or mangled byte shows.

    GET  /                  who answers
    GET  /slow?seconds=2    the same, later
    POST /echo              the SHA-256 of what arrived
    GET  /stream?n=20       n pieces, one each 10 ms, and their SHA-256 at the end
    GET  /up                200 while it is fit to serve, or what UP_STATUS says

Nothing but Python 3 is needed. Every line on stdout is numbered: a line that a log lost would be a gap.
"""
import asyncio
import hashlib
import json
import os
import signal
from itertools import count
from urllib.parse import parse_qs, urlsplit

PORT = int(os.environ.get('PORT', '8080'))
RELEASE = os.environ.get('HOLDALL_RELEASE', 'v0')
INSTANCE = os.environ.get('HOLDALL_INSTANCE', 'web.1')
COLOUR = os.environ.get('COLOUR', 'grey')
UP_STATUS = int(os.environ.get('UP_STATUS', '200'))

numbers = count()
stopping = asyncio.Event()
answering = set()  # the answers on their way: a stop waits for them


def say(text):
    print(next(numbers), text, flush=True)


async def read_request(reader):
    """(method, target, headers, body), or None when the client has gone."""
    try:
        head = await reader.readuntil(b'\r\n\r\n')
        request_line, *lines = head.decode('latin-1').split('\r\n')[:-2]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(':') for line in lines)}
        body = await reader.readexactly(int(headers.get('content-length', 0)))
        return *request_line.split(' ')[:2], headers, body
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def head(status, length=None):
    framing = 'Transfer-Encoding: chunked' if length is None else f'Content-Length: {length}'
    closing = 'Connection: close\r\n' if stopping.is_set() else ''
    return (f'HTTP/1.1 {status} {"OK" if status == 200 else "Not OK"}\r\nContent-Type: application/json\r\n'
            f'X-Release: {RELEASE}\r\nX-Instance: {INSTANCE}\r\n{closing}{framing}\r\n')


def answer(writer, status, value):
    body = json.dumps(value).encode() + b'\n'
    writer.write(f'{head(status, len(body))}X-Checksum: {hashlib.sha256(body).hexdigest()}\r\n\r\n'.encode() + body)


async def stream(writer, pieces):
    checksum = hashlib.sha256()
    writer.write(f'{head(200)}\r\n'.encode())
    for number in range(pieces):
        piece = f'piece {number} of {RELEASE}\n'.encode() * 32
        checksum.update(piece)
        writer.write(b'%x\r\n%b\r\n' % (len(piece), piece))
        await writer.drain()
        await asyncio.sleep(0.01)
    last = f'sha256 {checksum.hexdigest()}\n'.encode()
    writer.write(b'%x\r\n%b\r\n0\r\n\r\n' % (len(last), last))


async def respond(writer, method, target, headers, body):
    name = headers.get('x-load-id')  # only requests that bear a name are written down
    if name:
        say(f'accepted {name}')
    url = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    me = {'app': 'hello', 'release': RELEASE, 'instance': INSTANCE, 'colour': COLOUR}
    match method, url.path:
        case 'GET', '/':
            answer(writer, 200, me)
        case 'GET', '/slow':
            await asyncio.sleep(float(query.get('seconds', '2')))
            answer(writer, 200, me)
        case 'POST', '/echo':
            answer(writer, 200, me | {'bytes': len(body), 'sha256': hashlib.sha256(body).hexdigest()})
        case 'GET', '/stream':
            await stream(writer, int(query.get('n', '20')))
        case 'GET', '/up':
            answer(writer, UP_STATUS, me)
        case _:
            answer(writer, 404, me | {'error': f'no {method} {url.path} here'})
    await writer.drain()
    if name:
        say(f'answered {name}')


async def serve(reader, writer):
    try:
        while request := await read_request(reader):
            response = asyncio.create_task(respond(writer, *request))
            answering.add(response)
            response.add_done_callback(answering.discard)
            await response
            if stopping.is_set() or request[2].get('connection', '').lower() == 'close':
                break
    except ConnectionError:
        pass  # the client left in the middle
    finally:
        writer.close()


async def main():
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    loop.add_signal_handler(signal.SIGINT, stopping.set)
    server = await asyncio.start_server(serve, '0.0.0.0', PORT, backlog=1024)
    say(f'{INSTANCE} of {RELEASE} listens on port {PORT}')
    await stopping.wait()  # Holdall sends SIGTERM once the router sends nothing more here
    server.close()
    await asyncio.gather(*answering, return_exceptions=True)
    say('goodbye')


if __name__ == '__main__':
    asyncio.run(main())
