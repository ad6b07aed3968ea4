"""mozlog's strict schema (docs/formats/log.md): what is wrong with a line."""
import json

# name -> type, of the envelope; the first four have to be there, and Fields where there is any.
ENVELOPE = {'Timestamp': int, 'Type': str, 'Logger': str, 'Hostname': str, 'EnvVersion': str, 'Severity': int, 'Pid': int, 'Fields': dict}
SUMMARY = {'errno': int, 'agent': str, 'lang': str, 'method': str, 'path': str, 'uid': str, 'rid': str, 't': int}
SUMMARY_OPTIONAL = {'code': int, 'msg': str, 'error': str, 'context': str, 'service': str, 'remoteAddressChain': list}
INT32 = range(-2**31, 2**31)


def no_duplicates(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), f'duplicate names: {names}'
    return dict(pairs)


def kind(value):
    """What an array may hold one of; None: nothing that a field may be."""
    if isinstance(value, bool):
        return bool
    if isinstance(value, (int, float)):
        return float if value == value and abs(value) != float('inf') else None
    return str if isinstance(value, str) else None


def field_is_good(value):
    if isinstance(value, list):
        return bool(value) and len({kind(item) for item in value}) == 1 and kind(value[0]) is not None
    if isinstance(value, dict):
        return set(value) <= {'value', 'representation'} and 'value' in value and field_is_good(value['value'])
    return kind(value) is not None


def check(line):
    """The parsed line; raises AssertionError with what is wrong."""
    raw = json.loads(line.decode('utf-8', errors='strict'), object_pairs_hook=no_duplicates,
                     parse_constant=lambda word: (_ for _ in ()).throw(AssertionError(word)))
    assert isinstance(raw, dict) and set(raw) <= set(ENVELOPE), raw
    for name in ('Timestamp', 'Type', 'Logger', 'Hostname', 'EnvVersion', 'Severity', 'Pid'):
        assert type(raw.get(name)) is ENVELOPE[name], f'{name} in {line!r}'
    assert f'"Timestamp":{raw["Timestamp"]}'.encode() in line, 'not an exact integer'
    assert raw['EnvVersion'] == '2.0' and raw['Severity'] in range(8) and raw['Pid'] in INT32
    fields = raw.get('Fields', {'': ''})
    assert type(fields) is dict and fields, f'Fields may be left out, not empty: {line!r}'
    for name, value in fields.items():
        assert field_is_good(value), f'{name} of {line!r}'
    if raw['Type'] == 'request.summary':
        check_summary(fields)
    return raw


def check_summary(fields):
    assert set(SUMMARY) <= set(fields), f'missing: {set(SUMMARY) - set(fields)}'
    for name, value in fields.items():
        wanted = SUMMARY.get(name) or SUMMARY_OPTIONAL.get(name)
        assert type(value) is wanted, f'{name}: {value!r}'
        assert wanted is not int or value in INT32
    assert fields['errno'] >= 0 and fields['t'] >= 0
