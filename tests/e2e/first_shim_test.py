"""An instance of the first released shim is adopted, observed and stopped by the control of today."""
import json
import os
import signal

import first_shim
import pytest
from harness import until


@pytest.mark.skipif(os.geteuid() != 0, reason='only root makes the namespace of a shim')
def test_an_instance_of_the_first_shim_is_adopted_observed_and_stopped(shop):
    server = shop.server
    shop.deploy(replicas=1)
    assert server.stop() == 0
    census = server.census()
    os.kill(census.shims[0].pid, signal.SIGKILL)
    until('the instance to be gone', lambda: not server.census().shims and not server.census().instances)
    directory = next((server.run_dir / 'i').iterdir())
    meta = json.loads((directory / 'meta').read_text())
    program = server.state / 'bin/shim-of-the-first-release'
    shim = first_shim.start(directory, meta['logs'], program)
    until('the program to run', lambda: server.census().instances)
    instance = server.census().slots()
    assert list(instance) == ['shop/web.1@v1']

    server.start()
    until('requests to be answered', lambda: shop.serving() == 'v1')
    row = server.json('status', cwd=shop.directory)['instances'][0]
    assert row['health'] == 'ready' and meta['id'] in json.dumps(row), row
    assert server.census().slots() == instance, 'it was started again'
    assert [p.exe for p in server.census().shims] == [str(program)]
    shop.get('/', load_id='seen-by-the-first-shim')
    until('its output to be read', lambda: any('seen-by-the-first-shim' in line for line in shop.said()))

    shop.cli('apps', 'destroy', 'shop', '-y')
    until('it to be stopped', lambda: not server.census().instances and not server.census().shims)
    assert shim.wait(10) == 0
    assert not directory.exists()
