"""A case of tests/compose/differential: its files as text, and smaller cases of it.

A file is text, or a tree of dicts and lists whose leaves are JSON values or Raw (YAML as it is to be written). Trees are
written as flow collections, one key or item of the upper levels a line.
"""
import json
from dataclasses import dataclass, field


class Raw(str):
    """YAML, written as it is."""


@dataclass
class Case:
    files: dict
    args: list = field(default_factory=list)
    config: list = field(default_factory=lambda: ['--format', 'json'])
    env: dict = field(default_factory=dict)
    stdin: object = None
    name: str = 'case'


def flow(value):
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return '{' + ', '.join(f'{json.dumps(str(k), ensure_ascii=False) if not isinstance(k, Raw) else k}: {flow(v)}'
                               for k, v in value.items()) + '}'
    if isinstance(value, Multi):
        return '{' + ', '.join(f'{k}: {flow(v)}' for k, v in value.members) + '}'
    if isinstance(value, list):
        return '[' + ', '.join(map(flow, value)) + ']'
    return json.dumps(value, ensure_ascii=False)


class Multi:
    """A mapping that has keys twice."""
    def __init__(self, members):
        self.members = members


def text_of(content):
    return content if isinstance(content, str) and not isinstance(content, Raw) else flow(content) + '\n'


# ---- smaller cases

def smaller_trees(tree):
    """Trees with one member or item less, the upper ones first; then with one replaced by what it holds."""
    if isinstance(tree, dict):
        if len(tree) > 3:
            for key in tree:
                yield {key: tree[key]}
        for key in tree:
            yield {k: v for k, v in tree.items() if k != key}
        for key, value in tree.items():
            for less in smaller_trees(value):
                yield {k: less if k == key else v for k, v in tree.items()}
    elif isinstance(tree, list):
        for i in range(len(tree)):
            yield tree[:i] + tree[i + 1:]
        for i, value in enumerate(tree):
            for less in smaller_trees(value):
                yield tree[:i] + [less] + tree[i + 1:]
    elif isinstance(tree, Raw):
        return
    elif isinstance(tree, str) and len(tree) > 1:
        yield from smaller_texts(tree)


def smaller_texts(text):
    lines = text.splitlines(keepends=True)
    step = len(lines) // 2
    while len(lines) > 1 and step >= 1:
        for i in range(0, len(lines), step):
            yield ''.join(lines[:i] + lines[i + step:])
        step //= 2
    if len(text) <= 80:
        for i in range(len(text)):
            yield text[:i] + text[i + 1:]


def smaller(case):
    trees = {k: v for k, v in case.files.items() if k == 'compose.yaml'}
    if 0 < len(trees) < len(case.files):
        yield changed(case, files=trees)
    for name in case.files:
        if len(case.files) > 1:
            yield changed(case, files={k: v for k, v in case.files.items() if k != name})
    for i in range(len(case.args)):
        yield changed(case, args=case.args[:i] + case.args[i + 1:])
        yield changed(case, args=case.args[:i] + case.args[i + 2:])
    for key in case.env:
        yield changed(case, env={k: v for k, v in case.env.items() if k != key})
    for i, word in enumerate(case.config):
        if word not in ('--format', 'json', 'yaml'):
            yield changed(case, config=case.config[:i] + case.config[i + 1:])
    for name, content in case.files.items():
        less_of = smaller_texts if isinstance(content, str) else smaller_trees
        for less in less_of(content):
            yield changed(case, files={**case.files, name: less})


def changed(case, **what):
    return Case(**{**case.__dict__, **what})
