"""Answer questions about servers from Nova's database; runs inside as long as the tests do.

usage: database.py HOST PASSWORD. Reads a line of JSON per question, ``[method, argument...]``, and
answers with one: ``{"ok": ...}`` or ``{"error": text}``. Methods are the functions below that take
a cursor.
"""

import json
import sys

import pymysql

_RECORD = (
    "SELECT `key`, value FROM instance_system_metadata "
    "WHERE instance_uuid = %s AND deleted = 0 AND `key` LIKE 'xloud%%'"
)
_COUNTED = "SELECT vcpus, memory_mb FROM instances WHERE uuid = %s"
_STATE = "SELECT vm_state, task_state, host FROM instances WHERE uuid = %s"
_EVENTS = (
    "SELECT COUNT(*), COUNT(finish_time) FROM instance_actions_events WHERE action_id IN "
    "(SELECT id FROM instance_actions WHERE instance_uuid = %s AND request_id = %s)"
)


def record(cursor, server):
    """Return a server's record, {key: value}, and what its project's quota counts for it."""
    cursor.execute(_RECORD, server)
    recorded = dict(cursor.fetchall())
    cursor.execute(_COUNTED, server)
    return {**recorded, "counted": cursor.fetchone()}


def state(cursor, server):
    """Return a server's state, its task state and its host."""
    cursor.execute(_STATE, server)
    return cursor.fetchone()


def ended(cursor, server, request):
    """Say whether a request's action has ended, and nobody works on the server any more."""
    cursor.execute(_EVENTS, (server, request))
    begun, finished = cursor.fetchone()
    return begun == finished > 0 and state(cursor, server)[1] is None


METHODS = {each.__name__: each for each in (record, state, ended)}


def main():
    """Answer until standard input ends."""
    host, password = sys.argv[1:]
    connection = pymysql.connect(
        host=host, user="nova", password=password, database="nova", autocommit=True
    )
    for line in sys.stdin:
        try:
            method, *arguments = json.loads(line)
            # it may have been restarted
            connection.ping(reconnect=True)
            with connection.cursor() as cursor:
                answer = {"ok": METHODS[method](cursor, *arguments)}
        except pymysql.MySQLError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


main()
