"""A server as the package's unit runs it: started from an installed binary by a service manager that keeps descriptors."""
import os
import shutil
import socket
import subprocess
import threading

from harness import BINARY, Server


class Manager:
    """The service manager's end of sd_notify: what serve has said, and what it has given to be kept."""

    def __init__(self, path):
        self.path, self.said, self.kept, self.ended = str(path), [], {}, False
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        while not self.ended:
            text, fds, _, _ = socket.recv_fds(self.socket, 4096, 4)
            lines = dict(line.split('=', 1) for line in text.decode().splitlines())
            if 'FDSTORE' in lines:
                self.kept.setdefault(lines['FDNAME'], []).extend(fds)
            elif 'FDSTOREREMOVE' in lines:
                for fd in self.kept.pop(lines['FDNAME'], []):
                    os.close(fd)
            elif lines:
                self.said.append(lines)

    def ready(self):
        return sum('READY' in lines for lines in self.said)

    def close(self):
        self.ended = True
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b'', self.path)
        self.thread.join()
        self.socket.close()
        for fds in self.kept.values():
            for fd in fds:
                os.close(fd)


class Unit(Server):
    """A server that is started as systemd starts holdall.service, from an installed binary."""

    def __init__(self, **options):
        super().__init__(**options)
        self.installed = self.place / 'bin/holdall'
        self.installed.parent.mkdir()
        self.install(BINARY)
        self.binary = str(self.installed)
        self.manager = Manager(self.place / 'notify')

    def install(self, binary):
        """As dpkg does: the new file takes the name, whoever runs the old one keeps it."""
        shutil.copy2(binary, f'{self.installed}.new')
        os.rename(f'{self.installed}.new', self.installed)

    def start(self, ready=True):
        kept = [(name, fd) for name, fds in self.manager.kept.items() for fd in fds]
        variables = {'NOTIFY_SOCKET': self.manager.path}
        if kept:
            variables |= {'LISTEN_FDS': str(len(kept)), 'LISTEN_FDNAMES': ':'.join(name for name, _ in kept)}

        sources = [os.dup(fd) for _, fd in kept]
        # From above, so that no number is a source still to be read and a place already.
        high = [os.dup2(fd, 200 + i) for i, fd in enumerate(sources)]

        def place():
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)

        # LISTEN_PID is the process's own, so a shell of one line says it.
        argv = ['/bin/sh', '-c', 'LISTEN_PID=$$ exec "$0" "$@"', self.binary, 'serve', *self.flags]
        with open(self.log_path, 'ab') as log:
            self.serve = subprocess.Popen(argv, env={**self.daemon_environment, **variables}, stdout=log, stderr=log,
                                          stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=place,
                                          pass_fds=range(3, 3 + len(kept)))
        for fd in sources + high:
            os.close(fd)
        if ready:
            self.wait_ready()

    def remove(self):
        self.manager.close()
        super().remove()

    def reload(self, code=0):
        return self.cli('reload', code=code)

    def replaced(self):
        return [p.pid for p in self.census().control + self.census().router]
