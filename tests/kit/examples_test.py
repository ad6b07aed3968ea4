"""examples/boredbot builds as a user would build it: from its own directory, against the installed kit."""
import os
import subprocess

from harness import ROOT
from running import BUILD

KIT_BUILD = os.environ.get('HOLDALL_KIT_BUILD', BUILD)


def run(*words):
    done = subprocess.run(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def test_boredbot_builds_against_the_installed_kit(tmp_path):
    prefix, build = tmp_path / 'prefix', tmp_path / 'build'
    for step in (['cmake', '--install', KIT_BUILD, '--component', 'kit', '--prefix', prefix],
                 ['cmake', '-S', ROOT / 'examples/boredbot', '-B', build, f'-DCMAKE_PREFIX_PATH={prefix}', '-DBUILD_TESTING=ON'],
                 ['cmake', '--build', build], [build / 'test_boredbot']):
        code, said = run(*step)
        assert code == 0, said
    code, said = run(build / 'boredbot', 'web')
    assert code == 2 and 'STATE_REST_API_KEY' in said
