"""Say when notifications arrive on the message bus; runs inside, with kombu.

usage: bus.py URL EVENT. Says ``listening``, then, for each notification of that event, the time in
seconds since 1970. Reads the queue that oslo.messaging makes for those who listen.
"""

import json
import sys
import time

import kombu


def main():
    """Listen until somebody ends it."""
    url, event = sys.argv[1:]

    def hear(body, message):
        message.ack()
        if json.loads(body["oslo.message"])["event_type"] == event:
            print(time.time(), flush=True)

    # Nova calls the transport rabbit, kombu calls it amqp
    with kombu.Connection(url.replace("rabbit://", "amqp://", 1)) as connection:
        queue = kombu.Queue("notifications.info", no_declare=True)
        # it may have notifications of earlier adjusts
        queue.bind(connection.default_channel).purge()
        with kombu.Consumer(connection, queue, callbacks=[hear], accept=["json"]):
            print("listening", flush=True)
            while True:
                connection.drain_events()


main()
