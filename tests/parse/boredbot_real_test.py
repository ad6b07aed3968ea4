"""examples/boredbot against the real Parse Server: the same tests as against the small API."""
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / 'e2e'))
from boredbot import mood_account, robot_account  # noqa: E402
from boredbot_test import *  # noqa: E402, F403
from parse_server import Parse  # noqa: E402


@pytest.fixture(scope='module')
def service():
    robot, mood = robot_account(), mood_account()
    with Parse([robot, mood]) as real:
        yield real, robot, mood
