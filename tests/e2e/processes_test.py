"""No shell string anywhere: every place where Holdall starts a process is named in src/PROCESSES with its reason.

What the list is held to are the object files, so that no macro, alias or header hides a call, and the sources for the
words of a shell.
"""
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / 'lib'))
from harness import BINARY, ROOT

STARTS = re.compile(r'(system|popen|posix_spawnp?|wordexp|exec[lv]p?e?|execve|execveat|fexecve|v?fork|clone3?|daemon|syscall)')
OURS = {'holdall::spawn(': 'spawn', 'holdall::run(holdall::Command': 'run'}
# syscall(2) is how what glibc has no function for is said; which numbers, the sources tell.
NUMBERS = re.compile(r'\bSYS_(clone3?|v?fork|execve(?:at)?)\b')
SHELL = re.compile(r'"/(?:usr/)?bin/(?:ba|da|z)?sh"|"sh"|"-l?c"')
STRING_OR_COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/', re.S)


def listed(text):
    """{file: {what}}; a line without a reason is no line."""
    table = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith('#'):
            continue
        head, colon, reason = line.partition(': ')
        assert colon and len(reason) > 10, f'PROCESSES: no reason: {line}'
        name, *words = head.split()
        table.setdefault(name, set()).update(words)
    return table


def objects(build):
    """Every object file of the binary and of the shim inside it, as (file below src, lines of nm)."""
    files = [*build.glob('libholdall_*.a'), *build.glob('CMakeFiles/holdall.dir/**/*.o'), *build.glob('CMakeFiles/holdall-shim.dir/**/*.o')]
    assert len(files) > 10, f'no object files in {build}'
    said = subprocess.run(['nm', '-AC', '--undefined-only', *map(str, files)], capture_output=True, text=True, check=True).stdout
    for line in said.splitlines():
        where, mark, symbol = line.partition(' U ')
        if not mark:
            continue
        parts = where.split(':')
        library, member = Path(parts[0]), parts[1].strip()
        if library.suffix == '.a':
            yield f'{library.stem.removeprefix("libholdall_")}/{member.removesuffix(".o")}', symbol
        else:
            yield str(library).split('/src/', 1)[-1].removesuffix('.o'), symbol


def started(build):
    found = {}
    for file, symbol in objects(build):
        plain = re.sub(r'^_+(interceptor_+)?', '', symbol.split('@')[0])
        if STARTS.fullmatch(plain) and plain != 'syscall':
            found.setdefault(file, set()).add(plain)
        for call, word in OURS.items():
            if symbol.startswith(call):
                found.setdefault(file, set()).add(word)
    return found


def said(root):
    """What only the sources show: numbers of system calls, and the words of a shell."""
    found = {}
    for path in sorted((root / 'src').rglob('*')):
        if path.suffix not in ('.cc', '.h') or path.name.endswith(('_test.cc', '_test.h', '_fuzz.cc')):
            continue
        text = STRING_OR_COMMENT.sub('', path.read_text())
        words = {number.replace('SYS_', '') for number in NUMBERS.findall(text)} | ({'shell'} if SHELL.search(text) else set())
        if words:
            found[str(path.relative_to(root / 'src'))] = words
    return found


def merged(*tables):
    out = {}
    for table in tables:
        for name, words in table.items():
            out.setdefault(name, set()).update(words)
    return out


def test_every_place_that_starts_a_process_is_listed_with_its_reason():
    assert merged(started(BINARY.parent), said(ROOT)) == listed((ROOT / 'src/PROCESSES').read_text())


def test_the_binary_itself_can_only_clone_and_execute():
    """Whatever a library that is linked in might call: there is no system(), no popen()."""
    words = subprocess.run(['nm', '-D', '--undefined-only', BINARY], capture_output=True, text=True, check=True).stdout.split()
    plain = {word.split('@')[0] for word in words}
    sanitized = any('asan' in word or 'tsan' in word for word in plain) or b'__asan_init' in BINARY.read_bytes()
    if not sanitized:  # a sanitizer brings its own, to start its symbolizer
        assert {word for word in plain if STARTS.fullmatch(word)} - {'syscall'} == {'clone', 'execve'}


def test_a_call_that_is_not_listed_is_found(tmp_path):
    source = tmp_path / 'CMakeFiles/holdall.dir/src/sly.cc'
    source.parent.mkdir(parents=True)
    source.write_text('#include <cstdlib>\nint sly(const char* text) { return (std::system)(text); }\n')
    subprocess.run(['g++', '-c', source, '-o', f'{source}.o'], check=True)
    for number in range(10):  # as many as a build has at least
        (tmp_path / f'libholdall_{number}.a').write_bytes(b'!<arch>\n')
    assert started(tmp_path) == {'sly.cc': {'system'}}
