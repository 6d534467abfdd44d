"""The script's words about nova-api are true; a policy means the same as to invoke-rc.d."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.packages.cloud import Cloud

INI = "/etc/nova/nova-api-uwsgi.ini"
UWSGI = f"/usr/bin/uwsgi_python3 --ini {INI}"
SOCKET = "--socket /var/lib/nova/api.sock"
TLS = "--https-socket [::]:8774,/etc/nova/test.crt,/etc/nova/test.key"
RESTART = "/usr/share/nova-xloud/restart-services 2>&1"
POLICY = "usr/sbin/policy-rc.d"
CURL = "curl -sS -o /dev/null --max-time 60 --retry 60 --retry-delay 1 --retry-connrefused"


@pytest.fixture(scope="module")
def ours(cloud: Cloud) -> Cloud:
    """A cloud that runs our library; its uwsgi logs to the journal."""
    cloud.sh(f"sed -i '/^logto/d' {INI}; systemctl restart nova-api")
    cloud.sh(
        "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=test -days 2 "
        "-keyout /etc/nova/test.key -out /etc/nova/test.crt 2>/dev/null; "
        "chown nova /etc/nova/test.key"
    )
    cloud.swap_in()
    return cloud


@pytest.fixture
def only_the_api(ours: Cloud) -> Iterator[Cloud]:
    """The same cloud, where only nova-api may be restarted; its unit is put right at the end."""
    yield from under_policy(ours, "case $1 in nova-api) exit 104 ;; *) exit 101 ;; esac")
    ours.sh("rm -rf /etc/systemd/system/nova-api.service.d; systemctl daemon-reload")
    ours.sh("systemctl restart nova-api")


def under_policy(cloud: Cloud, script: str) -> Iterator[Cloud]:
    """Give a cloud a policy-rc.d for a test."""
    policy = cloud.container.root / POLICY
    policy.write_text(f"#!/bin/sh\n{script}\n")
    policy.chmod(0o755)
    yield cloud
    policy.unlink()


def restart(cloud: Cloud) -> str:
    """Make the library newer than all services, restart the stale ones; return the output."""
    return cloud.sh(f"touch {cloud.library}/version.py; sleep 0.2; {RESTART}")


def serve(cloud: Cloud, options: str) -> None:
    """Have uwsgi listen in another way."""
    cloud.override("nova-api", f"ExecStart=\nExecStart={UWSGI} {options}")
    cloud.sh("systemctl restart nova-api; sleep 1; systemctl is-active nova-api")


@pytest.mark.parametrize(
    "options",
    [
        TLS,
        pytest.param(SOCKET, marks=pytest.mark.slow),
        pytest.param("--http-socket :8774", marks=pytest.mark.slow),
        pytest.param("--http-socket :8774 --logto2 /var/lib/nova/2.log", marks=pytest.mark.slow),
        pytest.param("--uwsgi-socket 127.0.0.1:8790", marks=pytest.mark.slow),
        pytest.param("--socket :8774 --protocol=http", marks=pytest.mark.slow),
        pytest.param("--http-socket :8774 --stats 127.0.0.1:9191", marks=pytest.mark.slow),
    ],
)
def test_the_api_is_asked_on_the_socket_that_it_has(only_the_api: Cloud, options: str) -> None:
    """The quick proof is the socket that asks for most: IPv6 and TLS. The next test has HTTP."""
    cloud = only_the_api
    serve(cloud, options)
    before = workers(cloud)
    said = restart(cloud)
    assert "nova-xloud: nova-api reloaded" in said
    after = workers(cloud)
    assert after
    assert not before & after


@pytest.mark.parametrize(
    "options", ["--http-socket :8774", pytest.param(SOCKET, marks=pytest.mark.slow)]
)
def test_no_success_is_said_while_the_api_answers_500(only_the_api: Cloud, options: str) -> None:
    cloud = only_the_api
    serve(cloud, options)
    paste = cloud.container.root / "etc/nova/api-paste.ini"
    right = paste.read_text()
    paste.write_text(right.replace("nova.api.compute_req_id:", "nova.api.none:"))
    said = restart(cloud)
    paste.write_text(right)
    assert "nova-api runs, but was not seen to serve the new code: it answers 500 on" in said
    assert "reloaded" not in said
    assert "nova-xloud: nova-api reloaded" in restart(cloud)


def workers(cloud: Cloud) -> set[str]:
    """Return the processes below uwsgi's main one."""
    main = cloud.sh("systemctl show -P MainPID nova-api").strip()
    return set(cloud.sh(f"cat /proc/{main}/task/{main}/children").split())


@pytest.mark.parametrize(
    "code",
    [
        *(101, 106),
        *(pytest.param(code, marks=pytest.mark.slow) for code in (0, 1, 7, 100, *range(102, 106))),
    ],
)
def test_a_policy_means_what_invoke_rc_d_takes_it_for(ours: Cloud, code: int) -> None:
    unit = "nova-scheduler"
    # without a fallback that 106 tells, nothing would be done; the first of these two fails
    policy = f"case $1 in {unit}) echo reload restart; exit {code} ;; *) exit 101 ;; esac"
    for cloud in under_policy(ours, policy):
        pids = [main_process(cloud, unit)]
        said = restart(cloud)
        pids.append(main_process(cloud, unit))
        cloud.container.run("invoke-rc.d", unit, "restart", check=False)
        pids.append(main_process(cloud, unit))
        assert (pids[0] != pids[1]) == (pids[1] != pids[2]), said
    assert f"{unit} " in said or f"{unit}:" in said


def main_process(cloud: Cloud, unit: str) -> str:
    """Return the main process of a unit."""
    return cloud.sh(f"systemctl show -P MainPID {unit}").strip()


def test_servers_of_other_units_are_named(ours: Cloud) -> None:
    """A uwsgi of another unit, and Apache with mod_wsgi: once each, until they are reloaded."""
    options = "--master --http-socket 127.0.0.1:8799 --plugins python3"
    ours.sh(
        "systemd-run -q --unit=site-api --uid=nova uwsgi_python3 "
        f"{options} --wsgi-file /usr/bin/nova-api-wsgi"
    )
    site = ours.container.root / "etc/apache2/sites-enabled/nova.conf"
    site.write_text("Listen 8798\nWSGIScriptAlias / /usr/bin/nova-api-wsgi\n")
    # A worker that is forked after the library has changed loads the new library: both servers must
    # have answered before.
    ours.sh("systemctl restart apache2; systemctl is-active apache2 site-api")
    for port in (8798, 8799):
        ours.sh(f"{CURL} 127.0.0.1:{port}; sleep 1")
    for _ in under_policy(ours, "exit 101"):
        said = restart(ours)
        apache = "nova-api runs under apache2, which nova-xloud does not reload: "
        assert f"nova-xloud: {apache}systemctl reload apache2\n" in said
        assert said.count("in site-api.service, which nova-xloud does not restart") == 1
        # the commands of the message, exactly
        ours.sh("systemctl reload apache2; systemctl stop site-api")
        # Apache ends its old workers one after another.
        ours.sh(f"while {RESTART} | grep -q 'nova-xloud does not'; do sleep 1; done")
