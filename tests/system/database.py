"""Say what Nova's database holds of servers; runs inside as long as the tests do.

usage: database.py HOST PASSWORD. Reads a line of JSON per question, ``["record", server]``, and
answers with one: ``{"ok": ...}`` or ``{"error": text}``.
"""

import json
import sys

import pymysql

_RECORD = (
    "SELECT `key`, value FROM instance_system_metadata "
    "WHERE instance_uuid = %s AND deleted = 0 AND `key` LIKE 'xloud%%'"
)
_COUNTED = "SELECT vcpus, memory_mb FROM instances WHERE uuid = %s"


def record(cursor, server):
    """Return a server's record, {key: value}, and what its project's quota counts for it."""
    cursor.execute(_RECORD, server)
    recorded = dict(cursor.fetchall())
    cursor.execute(_COUNTED, server)
    return {**recorded, "counted": cursor.fetchone()}


def main():
    """Answer until standard input ends."""
    host, password = sys.argv[1:]
    connection = pymysql.connect(
        host=host, user="nova", password=password, database="nova", autocommit=True
    )
    for line in sys.stdin:
        try:
            _, server = json.loads(line)
            # it may have been restarted
            connection.ping(reconnect=True)
            with connection.cursor() as cursor:
                answer = {"ok": record(cursor, server)}
        except pymysql.MySQLError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


main()
