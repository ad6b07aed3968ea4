"""Why a file is rejected, in the reference's words and in ours, and where we differ from it on purpose."""
import re

# One rule a row: its name, how the reference words it, how we do. A group <what> of the reference's words must stand in
# ours too. The first row that fits the reference's words is the rule it applied; a file keeps it if one of our problems,
# which are all that the file has, fits.
RULES = [
    ('duplicate key', r'mapping key "(?P<what>.+)" already defined', r'(twice|already|again|duplicate)'),
    ('unknown alias', r"unknown anchor '(?P<what>.+)' referenced", r'(alias|anchor|\*)'),
    ('alias cycle', r'cycle detected: node at', r'(inside itself|contains itself|cycle|within itself|holds itself)'),
    ('merge key', r'map merge requires', r'(<<|merge)'),
    ('key that is no string', r'non-string key', r'(name|key).*(string|text|number|integer)|quot'),
    ('YAML', r'(^| )yaml: ', r':\d+:\d+: '),
    ('empty file', r'empty compose file', r'empty'),
    ('required variable', r'required variable (?P<what>\S+) is missing a value', r'(required|missing|not set|empty|must)'),
    ('interpolation', r'invalid interpolation format', r'(\$|interpolat|variable)'),
    ('template in an env file', r'Invalid template', r'(\$|variable|brace)'),
    ('env file', r'failed to read \S+\.env', r'\.env'),
    ('env file that is missing', r'env file (?P<what>\S+) not found', r'(no file|not found|missing|there is no)'),
    ('cast', r'failed to cast to expected type', r'(true or false|boolean|number|integer|a size|a duration|must be|is no)'),
    ('unknown key', r"additional properties '(?P<what>[^']+)'", r'(is no name|unknown|no key|not a key|not allowed|not known|no such key)'),
    ('required key', r"missing property '(?P<what>.+)'", r'(has no|missing|needs|must have|required|without)'),
    ('one of several words', r'value must be one of', r'(one of|it is|must be|is no)'),
    ('pattern', r'does not match pattern', r'(match|may only|pattern|characters|is no|letters|empty)'),
    ('equal items', r'items at \d+ and \d+ are equal', r'(twice|equal|again|duplicate|same)'),
    ('type', r'(validating .* |^\S+ )(must be an? |invalid jsonType)', r'(must be|is a|takes|expected|not a|is no|is empty|has no)'),
    ('range', r'(minimum|maximum)', r'(at least|at most|between|range|large|small|minimum|maximum)'),
    ('command line', r'invalid command line string', r'(quot|command|paren|word)'),
    ('duration', r'time: (missing unit|unknown unit|invalid duration)', r'(duration|unit)'),
    ('size', r"invalid (suffix|size)|ParseFloat", r'(size|bytes|memory|number)'),
    ('environment name', r'declared with a trailing space', r'(space|blank)'),
    ('healthcheck', r'healthcheck.test must start', r'(CMD|NONE)'),
    ('port', r'(Invalid (hostPort|containerPort|ip address|proto|range)|No port specified|missing a target port|invalid.* port)',
     r'(port|address|protocol|target)'),
    ('volume', r'(empty section between colons|invalid spec|too many colons|invalid mount config|field Source)',
     r'(volume|source|mount|empty|colon)'),
    ('undefined', r'refers to undefined (network|volume|secret|config|model) (?P<what>[^\s:]+)',
     r'(undefined|not declared|no such|not defined|is no|there is no|no network|no volume|no secret|no config)'),
    ('undefined service', r'(depends on|refers to) undefined service "?(?P<what>[^":]+)', r'(undefined|no service|no such|not|inactive|profile)'),
    ('no image', r'neither an image nor a build', r'(image|build)'),
    ('replicas', r'distinct values', r'(scale|replicas|equal|differ|same)'),
    ('container name', r'container.name', r'container_name'),
    ('platform', r'service.platform', r'platform'),
    ('secret source', r'one of [a-z|]+ must be set|must be set|: (file|environment|content)[a-z|]* .*mutually exclusive', r'(file|environment|content|external)'),
    ('dependency cycle', r'dependency cycle detected', r'(cycle|->|depends on itself)'),
    ('include cycle', r'include cycle detected', r'(cycle|include)'),
    ('extends cycle', r'Circular reference', r'(cycle|extends|->)'),
    ('included twice', r'conflicts with imported resource', r'(include|import)'),
    ('merge of types', r'cannot override', r'(override|merge|replace|and .* is)'),
    ('missing file', r'(no such file or directory|not found)', r'(no file|no such file|not found|there is no|missing)'),
    ('project name', r'(invalid project name|project name must not be empty)', r'(name)'),
    ('external', r'(external|invalid type)', r'(external|type|must|is no)'),
    ('list or mapping', r'must be a (mapping|list|array|string)', r'(must be|is a|takes|expected|not a|is no|is empty|has no)'),
    ('two that exclude each other', r'mutually exclusive .?network_mode', r'both'),
    ('ssh key', r'SSHKey', r'ssh'),
    ('extra host', r'bad host name', r'(host|address)'),
    ('extended service', r'(cannot extend|service .* not found)', r'(extend|no service)'),
]


def last(text):
    """What was said in the end, on one line, without the reference's warnings."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith('level=warning')]
    return ' / '.join(lines)[:300]


def rule(reference):
    """(name, pattern of our words, what is meant) of the rule that the reference applied; None: no row knows it."""
    said = last(reference)
    for name, theirs, ours in RULES:
        found = re.search(theirs, said)
        if found:
            return name, ours, found.groupdict().get('what', '')
    return None


def problems(said):
    """Our problems, one a line."""
    return [line for line in said.splitlines() if not line.startswith('warning:')]


def same(reference, here):
    """Whether one of our problems is of the rule that the reference applied."""
    found = rule(reference)
    if not found:
        return False
    _, ours, what = found
    name = what.split('/')[-1]
    return any(name in line and re.search(ours, line, re.IGNORECASE) for line in problems(here))


# ---- on purpose; docs/compose.md says the same

def rejected_on_purpose(here):
    """What the reference accepts and we do not: the reason, if all of our problems have one."""
    lines = [line for line in problems(here) if re.match(r'(error: |  +)?\S+:\d+:\d+: ', line)]
    if lines and all(re.search(r'\.restart\b.* is no policy', line) for line in lines):
        return 'the reference takes any word for a restart policy'
    return ''


def accepted_on_purpose(reference, here):
    """What the reference rejects and we do not."""
    said = last(reference)
    if "additional properties 'pre_start' not allowed" in said:
        return 'pre_start is of the specification, and younger than the reference'
    if "this is a file of Fig's" in here:
        return 'files of version 1 are read, with a warning that shows what to write today'
    if 'error calling MarshalJSON' in said:
        return 'the reference loads the file, and fails to print it as JSON'
    return ''


def without_extensions(services):
    """Models as the reference's JSON has them: of a service, x- keys are in its YAML only."""
    if isinstance(services, dict):
        return {name: {key: value for key, value in service.items() if not key.startswith('x-')}
                if isinstance(service, dict) else service for name, service in services.items()}
    return services


def without_secret_values(model):
    """A model without what the reference keeps beside a secret or config that an included file takes from a variable."""
    def plain(resources):
        return {name: {key: value for key, value in resource.items() if key != 'x-#value'} if isinstance(resource, dict) else resource
                for name, resource in resources.items()}
    return {key: plain(value) if key in ('secrets', 'configs') and isinstance(value, dict) else value
            for key, value in model.items()}


def different_on_purpose(expected, got):
    """Why two models differ, if that is on purpose."""
    if isinstance(expected, dict) and isinstance(got, dict) and 'services' in got:
        if expected == {**got, 'services': without_extensions(got['services'])}:
            return "the reference's JSON leaves out x- keys of services, which its YAML keeps"
        if without_secret_values(expected) == got:
            return 'the reference prints the value of a secret that comes from a variable'
    return ''
