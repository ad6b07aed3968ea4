import signal
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / 'lib'), str(HERE / 'parse')]
from harness import Server  # noqa: E402
from shop import Shop  # noqa: E402

# A shell that runs a command in the background has it ignore Ctrl-C, and so whatever that starts; tests press Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def server():
    """A server of the test's own. At the test's end its apps are destroyed and it is stopped in order: then nothing of it runs."""
    with Server() as server:
        yield server
        if server.serve.poll() is not None:
            server.start()
        for app in server.json('apps')['apps']:
            server.cli('apps', 'destroy', app['name'], '-y')
        server.stop()
        left = server.census().everything()
        assert not left, f'left behind: {left}'


@pytest.fixture
def shop(server):
    return Shop(server)
