"""The cases of the stacks, by Python's grpcio. See ../README.md for what each case promises."""

import hashlib
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from queue import Queue

sys.path.insert(0, os.getcwd())  # where the build has put the generated code

import grpc
import rpc_pb2 as pb
import rpc_pb2_grpc as services

MEBIBYTE = 1 << 20
BIG_VALUES = 24
LIMIT_S = 90  # of one call


def filled(size, seed):
    """A value that differs all over and with every seed, and costs Python little to make."""
    block = hashlib.shake_128(str(seed).encode()).digest(min(size, 65_536) or 1)
    return (block * (size // len(block) + 1))[:size]


def prefix_end(prefix):
    return prefix[:-1] + bytes([prefix[-1] + 1])


def check(holds, *told):
    if not holds:
        raise AssertionError(" ".join(str(each)[:300] for each in told))


def expect_status(code, text, call):
    """The call must end with this code and a text that holds this one."""
    try:
        answer = call()
    except grpc.RpcError as error:
        check(error.code() == code and text in (error.details() or ""), "wanted", code, text, "got", error)
        return
    raise AssertionError(f"wanted {code} {text}, got OK and {str(answer)[:100]}")


class Requests:
    """The sending side of a stream: an iterator that ends when it is closed."""

    def __init__(self):
        self.queue = Queue()

    def send(self, message):
        self.queue.put(message)

    def close(self):
        self.queue.put(None)

    def __iter__(self):
        return iter(self.queue.get, None)


class Clients:
    """The services on one connection."""

    def __init__(self, door, **options):
        settings = {"grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1, **options}
        # Channels to the same address share a connection otherwise.
        settings["grpc.use_local_subchannel_pool"] = 1
        pairs = list(settings.items())
        if door.authority is None:
            self.channel = grpc.insecure_channel(door.endpoint, pairs)
        else:
            self.channel = grpc.secure_channel(door.endpoint, grpc.ssl_channel_credentials(door.authority), pairs)
        self.kv = services.KVStub(self.channel)
        self.watch = services.WatchStub(self.channel)
        self.lease = services.LeaseStub(self.channel)
        self.maintenance = services.MaintenanceStub(self.channel)

    def start_watch(self, prefix, timeout=LIMIT_S):
        """A stream with one watcher that is created."""
        requests = Requests()
        requests.send(pb.WatchRequest(create_request=pb.WatchCreateRequest(key=prefix, range_end=prefix_end(prefix))))
        stream = self.watch.Watch(iter(requests), timeout=timeout)
        created = next(stream)
        check(created.created, "created answered", created)
        return requests, stream, created.watch_id

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()


def read_events(stream, count, see):
    """Takes events until there are so many: all different keys, in the order of their revisions."""
    seen = set()
    last = 0
    while len(seen) < count:
        for event in next(stream).events:
            check(event.kv.key not in seen and event.kv.mod_revision > last, "event", len(seen), event.kv.key)
            see(len(seen), event.kv)
            seen.add(event.kv.key)
            last = event.kv.mod_revision


def narrow(door):
    """A connection whose streams have a window of 64 KiB that does not grow."""
    return Clients(door, **{"grpc.http2.lookahead_bytes": 65_535, "grpc.http2.bdp_probe": 0})


class Door:
    """One way to the server, with the connection that the cases share."""

    def __init__(self, name, endpoint, authority):
        self.name, self.endpoint, self.authority = name, endpoint, authority
        self.shared = Clients(self)
        self.ports = []

    def key(self, rest):
        return f"python/{self.name}/{rest}".encode()

    def put(self, rest, value=b"", clients=None, **more):
        return (clients or self.shared).kv.Put(
            pb.PutRequest(key=self.key(rest), value=value, **more), timeout=LIMIT_S
        )

    def get(self, rest, clients=None, **more):
        return (clients or self.shared).kv.Range(pb.RangeRequest(key=self.key(rest)), timeout=LIMIT_S, **more)

    def big_request(self, values):
        key = self.key("big/")
        return pb.RangeRequest(key=key, range_end=prefix_end(key), limit=values)

    def read_big(self, values, clients=None):
        found = (clients or self.shared).kv.Range(self.big_request(values), timeout=LIMIT_S)
        self.check_big(found.kvs, values)

    def check_big(self, kvs, values):
        check(len(kvs) == values, len(kvs), "values of", values)
        for i, kv in enumerate(kvs):
            check(kv.value == filled(MEBIBYTE, i), "value", i, "came back changed")

    def still_serves(self):
        self.put("after")
        self.read_big(BIG_VALUES)

    def connected_ports(self):
        """Local ports of all established connections to the server (Linux alone tells)."""
        server = int(self.endpoint.rsplit(":", 1)[1])
        ports = []
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            with open(table, encoding="ascii") as lines:
                for fields in [line.split() for line in lines][1:]:
                    local, remote = [int(address.rsplit(":", 1)[1], 16) for address in fields[1:3]]
                    if fields[3] == "01" and remote == server:
                        ports.append(local)
        return sorted(ports)


def unary(door):
    first = door.put("unary/a", b"1", prev_kv=True)
    door.ports = door.connected_ports()
    second = door.put("unary/a", b"2", prev_kv=True)
    check(not first.HasField("prev_kv") and second.prev_kv.value == b"1", "puts answered", first, second)
    check(second.header.revision == first.header.revision + 1, "revisions", first.header, second.header)
    door.put("unary/b", b"b")
    door.put("unary/c", b"c")
    prefix = door.key("unary/")
    found = door.shared.kv.Range(pb.RangeRequest(key=prefix, range_end=prefix_end(prefix), limit=2), timeout=LIMIT_S)
    check(found.count == 3 and found.more and len(found.kvs) == 2, "range answered", found)
    check(found.kvs[0].value == b"2" and found.kvs[0].version == 2, "range answered", found)
    key = door.key("unary/a")
    txn = pb.TxnRequest(
        compare=[pb.Compare(target=pb.Compare.VERSION, key=key, version=2)],
        success=[
            pb.RequestOp(request_put=pb.PutRequest(key=key, value=b"3")),
            pb.RequestOp(request_range=pb.RangeRequest(key=key)),
        ],
        failure=[pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=key))],
    )
    then = door.shared.kv.Txn(txn, timeout=LIMIT_S)
    check(then.succeeded and len(then.responses) == 2, "txn answered", then)
    check(then.responses[1].response_range.kvs[0].value == b"3", "txn answered", then)
    otherwise = door.shared.kv.Txn(txn, timeout=LIMIT_S)
    check(not otherwise.succeeded and len(otherwise.responses) == 1, "second txn answered", otherwise)
    check(otherwise.responses[0].response_delete_range.deleted == 1, "second txn answered", otherwise)


def errors(door):
    kv = door.shared.kv
    expect_status(
        grpc.StatusCode.NOT_FOUND,
        "etcdserver: requested lease not found",
        lambda: door.put("errors", lease=987654321),
    )
    expect_status(
        grpc.StatusCode.INVALID_ARGUMENT, "etcdserver: key is not provided", lambda: kv.Range(pb.RangeRequest())
    )
    expect_status(
        grpc.StatusCode.OUT_OF_RANGE,
        "etcdserver: mvcc: required revision is a future revision",
        lambda: kv.Range(pb.RangeRequest(key=b"x", revision=1 << 40)),
    )
    nope = door.shared.channel.unary_unary("/etcdserverpb.KV/Nope")
    expect_status(
        grpc.StatusCode.UNIMPLEMENTED, "unknown method Nope for service etcdserverpb.KV", lambda: nope(b"")
    )


def metadata(door):
    door.put("metadata", b"there")

    def read(*pairs):
        found = door.get("metadata", metadata=pairs)
        check(len(found.kvs) == 1 and found.kvs[0].value == b"there", "answered", found)

    for i in range(200):
        read(
            (f"x-name-{i}", f"value {i * i}"),
            ("x-changing", str(i)),
            ("x-changing", "again"),
            ("x-bytes-bin", filled(i, i)),
        )
    # More than one frame holds: HEADERS and CONTINUATION.
    read(("x-long", "long" * 5_000))
    read()


def value_1mib(door):
    value = filled(MEBIBYTE, 1)
    door.put("value", value)
    check(door.get("value").kvs[0].value == value, "the value came back changed")


def request_too_large(door):
    expect_status(
        grpc.StatusCode.INVALID_ARGUMENT,
        "etcdserver: request is too large",
        lambda: door.put("too-large", bytes(1_600_000)),
    )
    expect_status(
        grpc.StatusCode.RESOURCE_EXHAUSTED, "larger than max", lambda: door.put("too-large", bytes(8 * MEBIBYTE))
    )
    door.put("too-large", b"small")


def answer_24mib(door):
    for i in range(BIG_VALUES):
        door.put(f"big/{i:02}", filled(MEBIBYTE, i))
    door.read_big(BIG_VALUES)


def answer_over_client_limit(door):
    with Clients(door, **{"grpc.max_receive_message_length": 4 * MEBIBYTE}) as limited:
        for _ in range(3):
            expect_status(grpc.StatusCode.RESOURCE_EXHAUSTED, "", lambda: door.read_big(BIG_VALUES, limited))
            door.read_big(2, limited)


def snapshot(door):
    parts = list(door.shared.maintenance.Snapshot(pb.SnapshotRequest(), timeout=LIMIT_S))
    whole = b"".join(part.blob for part in parts)
    check(len(whole) > BIG_VALUES * MEBIBYTE and parts[-1].remaining_bytes == 0, len(whole), "bytes")
    digest = hashlib.sha256(whole[:-32]).digest()
    check(digest == whole[-32:], "the digest at its end is not that of the bytes before it")


def range_stream(door):
    parts = list(door.shared.kv.RangeStream(door.big_request(0), timeout=LIMIT_S))
    check(len(parts) > 1, len(parts), "chunks")
    door.check_big([kv for part in parts for kv in part.range_response.kvs], BIG_VALUES)


def watch(door):
    requests, stream, watch_id = door.shared.start_watch(door.key("watch/"))
    with ThreadPoolExecutor(20) as pool:
        names = [f"watch/{i}" for i in range(2_000)]
        puts = [pool.submit(door.put, name, door.key(name)) for name in names]
        read_events(stream, 2_000, lambda _, kv: check(kv.key == kv.value, kv))
        for put in puts:
            put.result()
    requests.send(pb.WatchRequest(cancel_request=pb.WatchCancelRequest(watch_id=watch_id)))
    canceled = next(stream)
    check(canceled.canceled and canceled.watch_id == watch_id, "cancel answered", canceled)
    stream.cancel()
    requests.close()


def watch_100_streams(door):
    prefix = door.key("together/")
    opened = [door.shared.start_watch(prefix) for _ in range(100)]
    door.put("together/x", b"seen")
    for requests, stream, _ in opened:
        read_events(stream, 1, lambda _, kv: check(kv.value == b"seen", kv))
        stream.cancel()
        requests.close()


def lease_keep_alive(door):
    lease = door.shared.lease.LeaseGrant(pb.LeaseGrantRequest(TTL=60), timeout=LIMIT_S)
    requests = Requests()
    stream = door.shared.lease.LeaseKeepAlive(iter(requests), timeout=LIMIT_S)

    def ask(lease_id, ttl):
        requests.send(pb.LeaseKeepAliveRequest(ID=lease_id))
        answer = next(stream)
        check(answer.ID == lease_id and answer.TTL == ttl, "answered", answer)

    for _ in range(10):
        ask(lease.ID, 60)
    ask(987654321, 0)
    requests.close()
    check(next(stream, None) is None and stream.code() == grpc.StatusCode.OK, "the stream ended with", stream.code())


def small_window(door):
    with narrow(door) as clients, ThreadPoolExecutor(16) as pool:
        reads = [pool.submit(door.read_big, 8, clients) for _ in range(16)]
        beside = 0
        while not all(read.done() for read in reads):
            door.put("beside", clients=clients)
            beside += 1
        for read in reads:
            read.result()
    check(beside >= 2, "only", beside, "small calls came through beside the large ones")


def slow_watch(door):
    with narrow(door) as clients:
        requests, stream, _ = clients.start_watch(door.key("slow/"))
        for i in range(256):
            door.put(f"slow/{i:03}", filled(65_536, i))
        # The connection has a watch on it that nobody reads, and serves others all the same.
        door.put("beside", clients=clients)

        def see(i, kv):
            check(kv.key == door.key(f"slow/{i:03}") and kv.value == filled(65_536, i), "event", i, "is", kv.key)

        read_events(stream, 256, see)
        stream.cancel()
        requests.close()


def cancel_unary(door):
    canceled = 0
    for turn in range(40):
        call = door.shared.kv.Range.future(door.big_request(BIG_VALUES), timeout=LIMIT_S)
        time.sleep(turn * 0.0005)
        call.cancel()
        try:
            call.result()
        except grpc.FutureCancelledError:
            check(call.code() == grpc.StatusCode.CANCELLED, call.code())
            canceled += 1
    check(canceled >= 20, "only", canceled, "of 40 were canceled before they were answered")
    door.still_serves()


def cancel_streams(door):
    for _ in range(40):
        parts = door.shared.maintenance.Snapshot(pb.SnapshotRequest(), timeout=LIMIT_S)
        next(parts)
        requests, stream, _ = door.shared.start_watch(door.key("canceled/"))
        parts.cancel()
        stream.cancel()
        requests.close()
        expect_status(grpc.StatusCode.CANCELLED, "", lambda: list(parts))
        expect_status(grpc.StatusCode.CANCELLED, "", lambda: list(stream))
    door.still_serves()


def deadline(door):
    started = time.monotonic()
    requests, stream, _ = door.shared.start_watch(door.key("deadline/"), timeout=2)
    expect_status(grpc.StatusCode.DEADLINE_EXCEEDED, "", lambda: next(stream))
    took = time.monotonic() - started
    requests.close()
    check(1.9 < took < 10, "a watch with a deadline of 2 s ended after", took)
    for turn in range(20):
        seconds = (1 + turn // 2) / 1_000
        expect_status(
            grpc.StatusCode.DEADLINE_EXCEEDED,
            "",
            lambda: door.shared.kv.Range(door.big_request(BIG_VALUES), timeout=seconds),
        )
    door.still_serves()


def calls_1000(door):
    def key(i):
        return door.key(f"load/{i}")

    kv = door.shared.kv
    puts = [kv.Put.future(pb.PutRequest(key=key(i), value=filled(100, i)), timeout=LIMIT_S) for i in range(1_000)]
    for put in puts:
        put.result()
    reads = [kv.Range.future(pb.RangeRequest(key=key(i)), timeout=LIMIT_S) for i in range(1_000)]
    for i, read in enumerate(reads):
        found = read.result()
        check(len(found.kvs) == 1 and found.kvs[0].value == filled(100, i), "key", i, "answered", found)


def same_connection(door):
    for _ in range(50):
        now = door.connected_ports()
        if len(door.ports) == 1 and now == door.ports:
            return
        time.sleep(0.1)  # the connections of other cases need a moment to go
    raise AssertionError(f"connected from {door.ports} at first, from {now} at last")


CASES = {
    "unary": unary,
    "errors": errors,
    "metadata": metadata,
    "value-1mib": value_1mib,
    "request-too-large": request_too_large,
    "answer-24mib": answer_24mib,
    "answer-over-client-limit": answer_over_client_limit,
    "snapshot": snapshot,
    "range-stream": range_stream,
    "watch": watch,
    "watch-100-streams": watch_100_streams,
    "lease-keep-alive": lease_keep_alive,
    "small-window": small_window,
    "slow-watch": slow_watch,
    "cancel-unary": cancel_unary,
    "cancel-streams": cancel_streams,
    "deadline": deadline,
    "calls-1000": calls_1000,
    "same-connection": same_connection,
}


def main():
    with open(os.environ["METASTORE_AUTHORITY"], "rb") as file:
        authority = file.read()
    passed = failed = 0
    for name, endpoint, root in (
        ("plain", os.environ.get("METASTORE_PLAIN"), None),
        ("tls", os.environ.get("METASTORE_TLS"), authority),
    ):
        if not endpoint:
            continue
        door = Door(name, endpoint, root)
        for title, run in CASES.items():
            try:
                run(door)
                passed += 1
                print(f"ok {name}: {title}")
            except Exception as error:  # whatever it is, the next case is tried
                failed += 1
                text = " ".join(f"{type(error).__name__}: {error}".split())
                print(f"not ok {name}: {title}: {text[:1000]}")
        door.shared.channel.close()
    print(f"grpc-stack: grpcio {grpc.__version__}")
    print(f"{passed} passed, {failed} failed", flush=True)
    # Threads that wait for a stream of a failed case must not keep the process.
    os._exit(0 if failed == 0 and passed > 0 else 1)


main()
