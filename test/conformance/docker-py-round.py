"""What a Python program does with docker-py. Each test is a function; results go to stdout as one JSON object per line.

Usage: docker-py-round.py SOCKET
"""

import io
import json
import socket
import sys
import tarfile
import time
import traceback

import docker
from docker import errors
from docker.types import Healthcheck, LogConfig, Mount, Ulimit

LABEL = "berth.test=docker-py"
FOREVER = ["sh", "-c", 'trap "exit 0" TERM; echo ready; while :; do sleep 0.05; done']

client = docker.DockerClient(base_url="unix://" + sys.argv[1], version="auto", timeout=20)
api = client.api
tests = []


def test(function):
    tests.append(function)
    return function


def create(command, **more):
    return client.containers.create("busybox", command, labels={"berth.test": "docker-py"}, **more)


def started(command, **more):
    container = create(command, **more)
    container.start()
    return container


def running(**more):
    container = started(FOREVER, **more)
    for _ in container.logs(stream=True, follow=True):
        break
    container.reload()
    return container


def refused(status, text, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except errors.APIError as error:
        assert error.response.status_code == status, (error.response.status_code, error.explanation)
        assert text in error.explanation, error.explanation
        return error
    raise AssertionError("not refused")


def equal(actual, expected):
    assert actual == expected, f"{actual!r} is not {expected!r}"


def tar_of(**files):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return data.getvalue()


def all_of(stream):
    """A raw socket's bytes, to the end."""
    raw = getattr(stream, "_sock", stream)
    raw.settimeout(10)
    data = b""
    while True:
        chunk = raw.recv(65536)
        if not chunk:
            return data
        data += chunk


@test
def system():
    assert client.ping()
    assert client.version()["ApiVersion"].startswith("1.")
    equal(client.info()["OSType"], "linux")
    container = running()
    found = [c for c in client.df()["Containers"] if c["Id"] == container.id]
    equal(found[0]["State"], "running")


@test
def run_returns_the_output():
    equal(client.containers.run("busybox", "echo hello", remove=True), b"hello\n")
    both = client.containers.run("busybox", ["sh", "-c", "echo out; echo err >&2"], remove=True, stderr=True)
    equal(sorted(both.split()), [b"err", b"out"])
    lines = client.containers.run("busybox", "echo a", remove=True, stream=True)
    equal(b"".join(lines), b"a\n")
    equal(client.containers.run("busybox", "tty", tty=True, remove=True), b"/dev/pts/0\r\n")


@test
def run_fails_as_the_program_did():
    try:
        client.containers.run("busybox", ["sh", "-c", "echo why >&2; exit 3"], remove=True)
    except errors.ContainerError as error:
        equal((error.exit_status, error.stderr), (3, b"why\n"))
    else:
        raise AssertionError("not failed")
    refused(400, "no such file", client.containers.run, "busybox", "/no/such", labels={"berth.test": "docker-py"})


@test
def an_image_that_is_nowhere():
    try:
        client.containers.create("nope:1")
    except errors.ImageNotFound as error:
        assert "No such image: nope:1" in error.explanation, error.explanation
    try:
        client.images.get("nope")
    except errors.ImageNotFound:
        return
    raise AssertionError("found")


@test
def the_life_of_a_container():
    container = running(name="py-life", hostname="box", environment={"A": "b"}, ports={"80/tcp": None})
    equal(container.status, "running")
    equal(container.name, "py-life")
    equal(container.labels, {"berth.test": "docker-py"})
    assert container.short_id and container.image.tags == ["busybox:latest"]
    assert int(container.ports["80/tcp"][0]["HostPort"]) > 0
    assert container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    container.pause()
    container.reload()
    equal(container.status, "paused")
    container.unpause()
    container.rename("py-renamed")
    equal(client.containers.get("py-renamed").id, container.id)
    container.restart(timeout=3)
    container.update(mem_limit="64m", memswap_limit="128m", restart_policy={"Name": "no"})
    container.stop(timeout=3)
    equal(container.wait()["StatusCode"], 0)
    container.start()
    container.kill("SIGKILL")
    container.reload()
    equal(container.attrs["State"]["ExitCode"], 137)
    container.remove()
    try:
        client.containers.get("py-renamed")
    except errors.NotFound as error:
        assert "No such container: py-renamed" in str(error), error
    else:
        raise AssertionError("found")


@test
def lists_by_filters():
    container = running(name="py-list")
    for filters in ({"label": LABEL}, {"name": "py-list"}, {"status": ["running"], "label": [LABEL]}, {"id": container.id}):
        equal([c.id for c in client.containers.list(filters=filters)], [container.id])
    equal(client.containers.list(filters={"label": "nope"}), [])
    equal([c.id for c in client.containers.list(all=True, limit=1, filters={"label": LABEL})], [container.id])
    assert client.containers.list(sparse=True, filters={"label": LABEL})[0].status == "running"


@test
def creates_with_everything():
    container = create(
        ["sh", "-c", "id -u; pwd; hostname; ulimit -n; cat /proc/sys/net/core/somaxconn; cat /v/f; df -P /t | tail -n1"],
        user="33",
        working_dir="/etc",
        hostname="named",
        mem_limit="64m",
        cpu_quota=50000,
        cpu_period=100000,
        cap_add=["NET_ADMIN"],
        cap_drop=["MKNOD"],
        ulimits=[Ulimit(name="nofile", soft=512, hard=1024)],
        tmpfs={"/t": "size=1m"},
        mounts=[Mount("/m", "py-mount", type="volume", labels={"x": "y"})],
        volumes={"py-volume": {"bind": "/v", "mode": "rw"}},
        healthcheck=Healthcheck(test=["CMD", "true"], interval=1000000000),
        log_config=LogConfig(type=LogConfig.types.JSON, config={"max-size": "1m"}),
        restart_policy={"Name": "on-failure", "MaximumRetryCount": 1},
        dns=["10.0.0.1"],
        extra_hosts={"db": "10.0.0.9"},
        sysctls={"net.core.somaxconn": "77"},
        shm_size="1m",
        read_only=True,
        security_opt=["no-new-privileges"],
        stop_signal="SIGUSR1",
        group_add=["29"],
        init=True,
        pids_limit=50,
        oom_score_adj=100,
        devices=["/dev/null:/dev/nowhere:rwm"],
        auto_remove=False,
    )
    container.put_archive("/v", tar_of(f=b"content\n"))
    container.start()
    equal(container.wait()["StatusCode"], 0)
    output = container.logs().decode().splitlines()
    equal(output[:6], ["33", "/etc", "named", "512", "77", "content"])
    assert output[6].startswith("tmpfs"), output
    host = client.containers.get(container.id).attrs["HostConfig"]
    equal(host["Memory"], 64 << 20)
    equal(host["LogConfig"]["Config"]["max-size"], "1m")
    equal(host["ExtraHosts"], ["db:10.0.0.9"])
    equal(host["Ulimits"], [{"Name": "nofile", "Soft": 512, "Hard": 1024}])
    container.remove()
    client.volumes.get("py-volume").remove()
    volume = client.volumes.get("py-mount")
    equal(volume.attrs["Labels"], {"x": "y"})
    volume.remove()


@test
def attaches():
    container = create(["sh", "-c", "echo out; echo err >&2"])
    stream = container.attach(stream=True, stdout=True, stderr=True, logs=False)
    container.start()
    equal(sorted(b"".join(stream).split()), [b"err", b"out"])
    demuxed = create(["sh", "-c", "echo out; echo err >&2"])
    pairs = demuxed.attach(stream=True, demux=True)
    demuxed.start()
    pairs = list(pairs)
    equal(b"".join(out for out, _ in pairs if out), b"out\n")
    equal(b"".join(err for _, err in pairs if err), b"err\n")


@test
def attaches_a_socket_for_stdin():
    container = create("cat", stdin_open=True, tty=False)
    stream = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
    container.start()
    raw = getattr(stream, "_sock", stream)
    raw.sendall(b"typed\n")
    raw.settimeout(10)
    equal(raw.recv(100), b"\x01\0\0\0\0\0\0\x06typed\n")
    raw.shutdown(socket.SHUT_WR)
    stream.close()


@test
def half_closes_stdin():
    container = client.containers.get(
        api.create_container(
            "busybox",
            ["wc", "-c"],
            stdin_open=True,
            labels={"berth.test": "docker-py"},
            host_config=api.create_host_config(),
        )["Id"]
    )
    stream = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    container.start()
    raw = getattr(stream, "_sock", stream)
    raw.sendall(b"x" * 200000)
    raw.shutdown(socket.SHUT_WR)
    assert b"200000\n" in all_of(stream)


@test
def executes():
    container = running()
    code, output = container.exec_run(["sh", "-c", "pwd; echo $X; id -u; exit 5"], workdir="/etc", environment={"X": "y"}, user="33")
    equal((code, output), (5, b"/etc\ny\n33\n"))
    code, (out, err) = container.exec_run(["sh", "-c", "echo out; echo err >&2"], demux=True)
    equal((code, out, err), (0, b"out\n", b"err\n"))
    equal(container.exec_run("tty", tty=True), (0, b"/dev/pts/0\r\n"))
    equal(b"".join(container.exec_run(["sh", "-c", "echo 1; echo 2"], stream=True).output), b"1\n2\n")
    equal(container.exec_run("/no/such").exit_code, 127)
    assert not container.exec_run("true", detach=True).output
    refused(404, "No such exec instance", api.exec_inspect, "nope")
    stopped = create("true")
    refused(409, "is not running", stopped.exec_run, "true")


@test
def executes_over_a_socket():
    container = running()
    created = api.exec_create(container.id, "cat", stdin=True)
    stream = api.exec_start(created["Id"], socket=True)
    raw = getattr(stream, "_sock", stream)
    raw.sendall(b"typed")
    raw.shutdown(socket.SHUT_WR)
    equal(all_of(stream), b"\x01\0\0\0\0\0\0\x05typed")
    deadline = time.time() + 10
    while api.exec_inspect(created["Id"])["Running"] and time.time() < deadline:
        time.sleep(0.02)
    equal(api.exec_inspect(created["Id"])["ExitCode"], 0)
    tty = api.exec_create(container.id, ["sh", "-c", "read x; stty size"], stdin=True, tty=True)
    stream = api.exec_start(tty["Id"], tty=True, socket=True)
    api.exec_resize(tty["Id"], height=30, width=90)
    getattr(stream, "_sock", stream).sendall(b"\n")
    assert b"30 90" in all_of(stream)


@test
def reads_logs():
    container = started(["sh", "-c", "for i in 1 2 3; do echo $i; done; sleep 0.1; echo err >&2"])
    container.wait()
    equal(container.logs(), b"1\n2\n3\nerr\n")
    equal(container.logs(stderr=False), b"1\n2\n3\n")
    equal(container.logs(tail=1), b"err\n")
    equal(container.logs(since=int(time.time()) + 100), b"")
    equal(b"".join(container.logs(stream=True, follow=True)), b"1\n2\n3\nerr\n")
    assert container.logs(tail=1, timestamps=True).endswith(b"Z err\n")
    terminal = started("echo raw", tty=True)
    terminal.wait()
    equal(terminal.logs(), b"raw\r\n")


@test
def samples():
    container = running()
    one = container.stats(stream=False)
    equal(one["name"], "/" + container.name)
    stream = container.stats(decode=True)
    equal(next(stream)["id"], container.id)
    stream.close()
    assert any("trap" in " ".join(row) for row in container.top()["Processes"])
    assert container.top(ps_args="aux")["Titles"][0] == "USER"


@test
def moves_files():
    container = running()
    assert container.put_archive("/tmp", tar_of(moved=b"content"))
    bits, stat = container.get_archive("/tmp/moved")
    equal((stat["name"], stat["size"]), ("moved", 7))
    with tarfile.open(fileobj=io.BytesIO(b"".join(bits))) as tar:
        equal(tar.extractfile("moved").read(), b"content")
    refused(404, "Could not find the file /absent in container", container.get_archive, "/absent")
    equal([c for c in container.diff() if c["Path"] == "/tmp/moved"], [{"Path": "/tmp/moved", "Kind": 1}])
    with tarfile.open(fileobj=io.BytesIO(b"".join(container.export()))) as tar:
        equal(tar.extractfile("tmp/moved").read(), b"content")


@test
def makes_images():
    container = started(["sh", "-c", "echo made > /made"])
    container.wait()
    image = container.commit("py-commit", "v1", message="why", author="who", changes=['CMD ["cat","/made"]'], conf={"Env": ["X=y"]})
    equal(image.tags, ["py-commit:v1"])
    equal(client.images.get("py-commit:v1").attrs["Config"]["Cmd"], ["cat", "/made"])
    equal(client.containers.run("py-commit:v1", remove=True), b"made\n")
    assert image.tag("registry.test:5000/py", tag="v2")
    image.reload()
    equal(sorted(image.tags), ["py-commit:v1", "registry.test:5000/py:v2"])
    equal(len(image.history()), 2)
    saved = b"".join(image.save(named=True))
    client.images.remove("registry.test:5000/py:v2")
    client.images.remove("py-commit:v1")
    loaded = client.images.load(saved)
    equal(loaded[0].id, image.id)
    client.images.remove(image.id, force=True)


@test
def imports_and_prunes_images():
    message = api.import_image_from_data(tar_of(hello=b"world"), repository="py-import", tag="v1")
    assert "sha256:" in message, message
    [image] = client.images.list("py-import")
    equal(image.tags, ["py-import:v1"])
    equal([i.id for i in client.images.list(filters={"reference": "py-imp*"})], [image.id])
    client.images.remove("py-import:v1", noprune=False)
    equal(client.images.list("py-import"), [])
    equal(client.images.prune({"label": "nope"})["SpaceReclaimed"], 0)


@test
def volumes():
    volume = client.volumes.create("py-vol", driver="local", labels={"berth.test": "docker-py"})
    equal(volume.name, "py-vol")
    equal([v.name for v in client.volumes.list(filters={"name": "py-vol"})], ["py-vol"])
    user = create("true", volumes=["py-vol:/v"])
    refused(409, "volume is in use", volume.remove)
    user.remove()
    volume.remove()
    try:
        client.volumes.get("py-vol")
    except errors.NotFound:
        pass
    else:
        raise AssertionError("found")
    assert client.volumes.prune({"label": "nope"})["SpaceReclaimed"] == 0


@test
def networks():
    names = sorted(n.name for n in client.networks.list())
    assert {"bridge", "host", "none"} <= set(names), names
    container = running()
    [bridge] = client.networks.list(names=["bridge"])
    bridge.reload()
    assert container.id in [c.id for c in bridge.containers], bridge.attrs
    equal([n.name for n in client.networks.list(filters={"driver": "host"})], ["host"])
    [greedy] = client.networks.list(names=["bridge"], greedy=True)
    assert container.id in greedy.attrs["Containers"]
    try:
        client.networks.get("nope")
    except errors.NotFound as error:
        assert "network nope not found" in str(error), error
    else:
        raise AssertionError("found")


@test
def events():
    since = time.time()
    container = started(["sh", "-c", "exit 2"], name="py-events")
    container.wait()
    seen = list(client.events(since=int(since), until=int(time.time()) + 1, filters={"container": container.id, "type": "container"}, decode=True))
    equal([e["Action"] for e in seen], ["create", "start", "die"])
    equal(seen[2]["Actor"]["Attributes"]["exitCode"], "2")
    live = client.events(filters={"event": "create", "label": LABEL}, decode=True)
    create("true", name="py-events-live")
    equal(next(live)["Actor"]["Attributes"]["name"], "py-events-live")
    live.close()


@test
def waits():
    container = create(["sh", "-c", "exit 4"])
    container.start()
    equal(container.wait(condition="not-running", timeout=10)["StatusCode"], 4)
    busy = running()
    try:
        busy.wait(timeout=0.3)
    except Exception as error:
        assert "timed out" in str(error).lower(), error
    else:
        raise AssertionError("waited")


@test
def prunes_containers():
    stopped = started("true")
    stopped.wait()
    busy = running()
    equal(client.containers.prune({"label": LABEL})["ContainersDeleted"], [stopped.id])
    busy.reload()
    equal(busy.status, "running")


@test
def names_errors():
    create("true", name="py-taken")
    error = refused(409, 'Conflict. The container name "/py-taken" is already in use by container', create, "true", name="py-taken")
    assert error.is_client_error()
    refused(400, "Invalid container name", create, "true", name="a b")
    busy = running()
    refused(409, "container is running", busy.remove)
    refused(404, "No such container: nope", api.start, "nope")


@test
def builds_images():
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w:gz") as archive:
        for name, text in (("Dockerfile", "FROM busybox\nARG WHO\nCOPY file /file\nRUN echo for $WHO\n"), ("file", "content\n")):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    context.seek(0)
    image, logs = client.images.build(
        fileobj=context, custom_context=True, encoding="gzip", tag="py-built:1", buildargs={"WHO": "py"}, labels={"l": "v"}, nocache=True
    )
    text = "".join(line.get("stream", "") for line in logs)
    assert "for py\n" in text, text
    equal(image.tags, ["py-built:1"])
    equal(image.labels, {"l": "v"})
    equal(client.containers.run("py-built:1", ["cat", "/file"], remove=True), b"content\n")
    client.images.remove("py-built:1")


@test
def is_told_why_a_build_failed():
    try:
        client.images.build(fileobj=io.BytesIO(b"FROM busybox\nRUN exit 5\n"))
    except errors.BuildError as error:
        equal(error.msg, "The command '/bin/sh -c exit 5' returned a non-zero code: 5")
        assert any("Step 2/2" in line.get("stream", "") for line in error.build_log)
        return
    raise AssertionError("not refused")


def cleaned():
    for container in client.containers.list(all=True, filters={"label": LABEL}):
        container.remove(force=True, v=True)


def main():
    for function in tests:
        started_at = time.time()
        problem = None
        try:
            function()
        except Exception:
            problem = traceback.format_exc()
        try:
            cleaned()
        except Exception:
            problem = (problem or "") + traceback.format_exc()
        print(json.dumps({"name": function.__name__.replace("_", " "), "problem": problem, "seconds": time.time() - started_at}), flush=True)


main()
