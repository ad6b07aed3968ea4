"""Requests at a steady pace while things are killed: half on kept connections, half on fresh ones, no retry."""
import http.client
import threading
import time


class Load:
    """`workers` threads, each a request every `period` seconds. Every failure is kept with its span of time."""

    def __init__(self, port, host, workers=4, period=0.02):
        self.port, self.host, self.period = port, host, period
        self.lock = threading.Lock()
        self.failed, self.count = [], 0
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(i % 2 == 0,), daemon=True) for i in range(workers)]
        for thread in self.threads:
            thread.start()

    def _run(self, keep):
        connection = None
        while not self.stopping.wait(self.period):
            begin = time.monotonic()
            try:
                if connection is None:
                    connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=40)
                connection.request('GET', '/', headers={'Host': self.host})
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200 or not body.startswith(b'v'):
                    raise http.client.HTTPException(f'status {answer.status}: {body[:80]!r}')
            except (OSError, http.client.HTTPException) as problem:
                with self.lock:
                    self.failed.append((begin, time.monotonic(), f'{type(problem).__name__}: {problem}'))
                connection = None
            with self.lock:
                self.count += 1
            if connection is not None and not keep:
                connection.close()
                connection = None

    def failures(self):
        with self.lock:
            return list(self.failed)

    def forget(self):
        """Starts a new account; what is in flight belongs to it."""
        with self.lock:
            self.failed.clear()

    def close(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
