"""Ask a URL at a fixed rate until standard input ends; print one JSON line for each request.

Runs inside a container, with nothing but Python. The rate does not drop when answers are slow:
each request has a thread of its own.

usage: poller.py URL REQUESTS_PER_SECOND [TOKEN]
"""

import json
import sys
import threading
import time
import urllib.error
import urllib.request


def ask(request: urllib.request.Request, lock: threading.Lock) -> None:
    """Send one request and print when it was sent, its status or error, and its seconds."""
    sent = time.time()
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            result = answer.status
    except urllib.error.HTTPError as error:
        result = error.code
    except OSError as error:
        result = repr(error)
    with lock:
        print(json.dumps([sent, result, time.time() - sent]), flush=True)


def main() -> None:
    """Poll until the caller closes standard input."""
    url, rate, *token = sys.argv[1:]
    headers = {"X-Auth-Token": token[0]} if token else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    lock = threading.Lock()
    threads = []
    while not ended.wait(1 / float(rate)):
        threads.append(threading.Thread(target=ask, args=(request, lock)))
        threads[-1].start()
    for thread in threads:
        thread.join()


main()
