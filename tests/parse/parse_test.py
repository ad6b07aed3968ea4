"""The small API answers what the real Parse Server answers: the same requests to both, and the answers compared.

What is made anew for each row (its id, its instants, the port in its Location) is compared by its shape.
"""
import json
import re
import urllib.error
import urllib.request

import pytest
from parse_api import Account, Api
from parse_server import Parse

FIELDS = {'lines': {'status': 'String'}, 'current': {'feeling': 'String'}}


def accounts():
    return [Account('boredbot', 'robot-key', {'lines': FIELDS['lines']}), Account('mood', 'mood-key', {'current': FIELDS['current']})]


@pytest.fixture(scope='module')
def both():
    with Parse(accounts()) as real, Api(accounts()) as small:
        yield real, {account.application: account for account in small.accounts.values()}


def shape(text):
    text = re.sub(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z', '(instant)', text)
    text = re.sub(r'127\.0\.0\.1:\d+', '(address)', text)
    return re.sub(r'(?<=[/"])[A-Za-z0-9]{10}(?=")|(?<=/)[A-Za-z0-9]{10}$', '(id)', text)


def ask(account, path, body=None, headers=None, without=()):
    """(status, type, location, body), what differs from row to row taken out."""
    sent = {**account.headers(), **(headers or {})}
    request = urllib.request.Request(account.url + path, data=body, headers={k: v for k, v in sent.items() if k not in without})
    try:
        answer = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as refusal:
        answer = refusal
    with answer:
        text = answer.read().decode()
        return answer.status, shape(answer.headers.get('Location', '')), shape(text)


def same(both, application, *words, **options):
    real, small = both
    of = {account.application: account for account in real.accounts}
    one, other = ask(of[application], *words, **options), ask(small[application], *words, **options)
    assert other == one
    return one


def row(**fields):
    return json.dumps(fields).encode()


def test_a_class_is_empty_at_first(both):
    assert same(both, 'mood', '/classes/current') == (200, '', '{"results":[]}')


def test_a_row_is_made_and_found(both):
    status, location, body = same(both, 'boredbot', '/classes/lines', row(status="I'm bored"))
    assert (status, location) == (201, 'http://(address)/1/classes/lines/(id)')
    assert body == '{"objectId":"(id)","createdAt":"(instant)"}'
    assert same(both, 'boredbot', '/classes/lines')[2] == (
        '{"results":[{"objectId":"(id)","createdAt":"(instant)","updatedAt":"(instant)","status":"I\'m bored"}]}')


def test_the_newest_come_first_where_asked_for(both):
    for text in ('one', 'two', 'three'):
        same(both, 'boredbot', '/classes/lines', row(status=text))
    newest = same(both, 'boredbot', '/classes/lines?order=-createdAt&limit=2')[2]
    assert newest.index('three') < newest.index('two') and 'one' not in newest
    assert 'two' in same(both, 'boredbot', '/classes/lines?order=-createdAt&limit=1&skip=1')[2]


@pytest.mark.parametrize('headers, without', [
    ({'X-Parse-REST-API-Key': 'wrong'}, ()), ({}, ('X-Parse-REST-API-Key',)), ({'X-Parse-Application-Id': 'nobody'}, ()),
    ({}, ('X-Parse-Application-Id',)), ({'X-Parse-Application-Id': 'mood'}, ())])
def test_a_key_that_is_not_of_the_application_is_refused(both, headers, without):
    real, small = both
    assert same(both, 'boredbot', '/classes/lines', headers=headers, without=without) == (403, '', '{"error":"unauthorized"}')


def test_a_class_that_is_not_there_is_refused(both):
    assert same(both, 'boredbot', '/classes/current')[0] == 400


def test_a_query_it_does_not_know_is_refused(both):
    assert same(both, 'boredbot', '/classes/lines?bogus=1')[0] == 400


@pytest.mark.parametrize('value', [5, True, ['x']])
def test_a_field_of_another_type_is_refused(both, value):
    assert same(both, 'boredbot', '/classes/lines', row(status=value))[0] == 400


@pytest.mark.parametrize('body', [row(status=None), b'{}', b'[]'])
def test_a_row_may_have_no_fields(both, body):
    assert same(both, 'boredbot', '/classes/lines', body)[0] == 201


@pytest.mark.parametrize('kind, read', [('text/plain', True), ('', False)])
def test_a_body_is_read_if_it_says_what_it_is(both, kind, read):
    same(both, 'boredbot', '/classes/lines', row(status='typed'), headers={'Content-Type': kind})
    assert ('typed' in same(both, 'boredbot', '/classes/lines?order=-createdAt&limit=1')[2]) == read


@pytest.mark.parametrize('body', [b'{"status":', b'nope', b'5'])
def test_a_body_that_is_not_json_is_refused(both, body):
    real, small = both
    for account in (real.accounts[0], small['boredbot']):  # the words are their parsers' own
        status, _, text = ask(account, '/classes/lines', body)
        assert status == 400 and list(json.loads(text)) == ['error']
