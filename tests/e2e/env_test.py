"""Variables set on the server: in the file, in the instances, in later deploys."""
from harness import environment_of

COLOUR = {'COLOUR': '${COLOUR:-grey}', 'PRICE': '$$5'}


def seen(shop, name='COLOUR'):
    slot = next(slot for slot in sorted(shop.server.census().slots()) if '/web.1@' in slot)
    return environment_of(shop.server.census().slots()[slot][0])[name]


def test_a_set_is_a_release_that_later_deploys_keep_and_an_unset_undoes(shop):
    shop.deploy(environment=COLOUR)
    assert seen(shop) == 'grey'
    said = shop.cli('env', 'set', 'COLOUR=green').stdout
    assert 'environment.COLOUR  grey -> green' in said
    assert (seen(shop), seen(shop, 'PRICE')) == ('green', '$5')
    assert shop.serving() == 'v2'
    assert 'nothing changed' in shop.cli('deploy').stdout
    shop.deploy(environment={**COLOUR, 'TURN': '2'})
    assert seen(shop) == 'green'
    assert 'COLOUR set by' in shop.cli('env').stdout
    listed = shop.json('env')
    assert [one['value'] for one in listed['services']['web'] if one['name'] == 'COLOUR'] == ['green']
    assert [(one['name'], one['value']) for one in listed['set']] == [('COLOUR', 'green')]
    shop.cli('env', 'unset', 'COLOUR')
    assert seen(shop) == 'grey'
    shop.cli('rollback')
    assert seen(shop) == 'green', 'a rollback brings back what was set'


def test_what_is_set_first_is_there_for_the_first_release(shop):
    shop.version(environment={'COLOUR': '${COLOUR}'})
    assert 'COLOUR is not set' in shop.cli('deploy', code=2).stderr
    assert 'kept for its first release' in shop.cli('env', 'set', 'COLOUR=red').stdout
    shop.cli('deploy')
    assert seen(shop) == 'red'
    assert 'no value, and no default' in shop.cli('env', 'unset', 'COLOUR', code=2).stderr
    assert seen(shop) == 'red'


def test_one_that_is_used_elsewhere_is_refused_with_its_place_and_one_that_nobody_uses_is_said(shop):
    shop.deploy(environment=COLOUR, service='    stop_signal: ${SIGNAL:-SIGTERM}')
    refused = shop.cli('env', 'set', 'SIGNAL=SIGINT', code=2).stderr
    assert 'compose.yaml:' in refused and 'deploy' in refused
    assert 'no value of environment refers to it' in shop.cli('env', 'set', 'LATER=1').stderr
    assert list(shop.server.census().slots()) and seen(shop) == 'grey'
    assert 'not set' in shop.cli('env', 'unset', 'OTHER', code=3).stderr
    shop.cli('env', 'set', 'COLOUR', code=2)
    shop.cli('env', 'sit', code=2)
