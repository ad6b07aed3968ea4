"""What was ready and fails its probes is replaced while requests go on: by another instance beside it, and only then is it stopped."""
import os
import signal
import threading

from harness import until


def only(shop):
    found = shop.json('ps', '-H', shop.server.url())['instances']
    assert len(found) == 1, found
    return found[0]


def mains(shop):
    return shop.server.census().slots().get('shop/web.1@v1', [])


def test_an_instance_that_turns_sick_is_replaced_without_a_failed_request(server, shop):
    shop.deploy(replicas=1, monitor='20ms')
    first = mains(shop)
    wrong, most, done = [], [0], threading.Event()

    def ask():
        while not done.is_set():
            status = shop.get()[0]
            if status != 200:
                wrong.append(status)
            done.wait(0.005)

    def count():
        while not done.is_set():
            most[0] = max(most[0], len(mains(shop)))
            done.wait(0.01)
    threads = [threading.Thread(target=work) for work in (ask, count)]
    for thread in threads:
        thread.start()
    try:
        assert shop.post('/sick')[0] == 200
        until('it to be replaced', lambda: (lambda i: i['restarts'] == 1 and i['health'] == 'ready')(only(shop)), every=0.02)
        until('the old one to go', lambda: mains(shop) and not set(first) & set(mains(shop)))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not wrong, wrong[:3]
    assert most[0] <= 2, 'never a third'
    assert only(shop)['restarts'] == 1


def test_a_killed_control_goes_on_with_a_replacement(server, shop):
    shop.deploy(replicas=1, monitor='20ms')
    first = mains(shop)
    assert shop.post('/sick')[0] == 200
    until('it to be missed', lambda: only(shop)['health'] != 'ready' or only(shop)['restarts'], every=0.005)
    for process in server.census().control:
        os.kill(process.pid, signal.SIGKILL)
    until('control to be back', lambda: server.api('GET', '/__lbheartbeat__', timeout=2)[0] == 200)
    until('it to be replaced', lambda: (lambda i: i['restarts'] >= 1 and i['health'] == 'ready')(only(shop)), every=0.02)
    until('the old one to go', lambda: len(mains(shop)) == 1 and mains(shop) != first)
    assert shop.get()[0] == 200
