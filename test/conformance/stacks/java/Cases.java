import static io.grpc.Status.Code.CANCELLED;
import static io.grpc.Status.Code.DEADLINE_EXCEEDED;
import static io.grpc.Status.Code.INVALID_ARGUMENT;
import static io.grpc.Status.Code.NOT_FOUND;
import static io.grpc.Status.Code.OUT_OF_RANGE;
import static io.grpc.Status.Code.RESOURCE_EXHAUSTED;
import static io.grpc.Status.Code.UNIMPLEMENTED;

import com.google.common.util.concurrent.ListenableFuture;
import com.google.protobuf.ByteString;
import etcdserverpb.Rpc.*;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import java.io.ByteArrayOutputStream;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import mvccpb.Kv.Event;
import mvccpb.Kv.KeyValue;

/** The cases of the stacks, by grpc-java. See ../README.md for what each case promises. */
final class Cases {
  static final Map<String, Client.Case> ALL = new LinkedHashMap<>();

  static {
    ALL.put("unary", Cases::unary);
    ALL.put("errors", Cases::errors);
    ALL.put("metadata", Cases::metadata);
    ALL.put("value-1mib", Cases::value1MiB);
    ALL.put("request-too-large", Cases::requestTooLarge);
    ALL.put("answer-24mib", Cases::answer24MiB);
    ALL.put("answer-over-client-limit", Cases::answerOverClientLimit);
    ALL.put("snapshot", Cases::snapshot);
    ALL.put("range-stream", Cases::rangeStream);
    ALL.put("watch", Cases::watch);
    ALL.put("watch-100-streams", Cases::watch100Streams);
    ALL.put("lease-keep-alive", Cases::leaseKeepAlive);
    ALL.put("small-window", Cases::smallWindow);
    ALL.put("slow-watch", Cases::slowWatch);
    ALL.put("cancel-unary", Cases::cancelUnary);
    ALL.put("cancel-streams", Cases::cancelStreams);
    ALL.put("deadline", Cases::deadline);
    ALL.put("calls-1000", Cases::calls1000);
    ALL.put("same-connection", Cases::sameConnection);
  }

  /** The version in the name of the library's file. */
  static String version() {
    String path = ManagedChannel.class.getProtectionDomain().getCodeSource().getLocation().getPath();
    return path.substring(path.lastIndexOf("grpc-api-") + 9, path.length() - 4);
  }

  private static ByteString bytes(String text) {
    return ByteString.copyFromUtf8(text);
  }

  static void unary(Client.Door door) throws Exception {
    PutRequest request = PutRequest.newBuilder().setKey(door.key("unary/a")).setPrevKv(true).build();
    PutResponse first = door.put(door.shared, request.toBuilder().setValue(bytes("1")).build());
    door.ports = door.connectedPorts();
    PutResponse second = door.put(door.shared, request.toBuilder().setValue(bytes("2")).build());
    Client.check(!first.hasPrevKv() && second.getPrevKv().getValue().equals(bytes("1")), first, second);
    Client.check(second.getHeader().getRevision() == first.getHeader().getRevision() + 1, first, second);
    door.put("unary/b", bytes("b"));
    door.put("unary/c", bytes("c"));
    ByteString prefix = door.key("unary/");
    RangeResponse found = ClientCalls.blockingUnaryCall(door.shared, Client.RANGE, Client.options(),
        RangeRequest.newBuilder().setKey(prefix).setRangeEnd(Client.prefixEnd(prefix)).setLimit(2).build());
    Client.check(found.getCount() == 3 && found.getMore() && found.getKvsCount() == 2, found);
    Client.check(found.getKvs(0).getValue().equals(bytes("2")) && found.getKvs(0).getVersion() == 2, found);
    ByteString key = door.key("unary/a");
    TxnRequest txn = TxnRequest.newBuilder()
        .addCompare(Compare.newBuilder().setTarget(Compare.CompareTarget.VERSION).setKey(key).setVersion(2))
        .addSuccess(RequestOp.newBuilder().setRequestPut(PutRequest.newBuilder().setKey(key).setValue(bytes("3"))))
        .addSuccess(RequestOp.newBuilder().setRequestRange(RangeRequest.newBuilder().setKey(key)))
        .addFailure(RequestOp.newBuilder().setRequestDeleteRange(DeleteRangeRequest.newBuilder().setKey(key)))
        .build();
    TxnResponse then = ClientCalls.blockingUnaryCall(door.shared, Client.TXN, Client.options(), txn);
    Client.check(then.getSucceeded() && then.getResponsesCount() == 2, then);
    Client.check(then.getResponses(1).getResponseRange().getKvs(0).getValue().equals(bytes("3")), then);
    TxnResponse otherwise = ClientCalls.blockingUnaryCall(door.shared, Client.TXN, Client.options(), txn);
    Client.check(!otherwise.getSucceeded() && otherwise.getResponsesCount() == 1, otherwise);
    Client.check(otherwise.getResponses(0).getResponseDeleteRange().getDeleted() == 1, otherwise);
  }

  static void errors(Client.Door door) throws Exception {
    PutRequest noLease = PutRequest.newBuilder().setKey(door.key("errors")).setLease(987654321).build();
    Client.expectStatus(NOT_FOUND, "etcdserver: requested lease not found", () -> door.put(door.shared, noLease));
    RangeRequest noKey = RangeRequest.getDefaultInstance();
    Client.expectStatus(INVALID_ARGUMENT, "etcdserver: key is not provided",
        () -> ClientCalls.blockingUnaryCall(door.shared, Client.RANGE, Client.options(), noKey));
    RangeRequest future = RangeRequest.newBuilder().setKey(door.key("errors")).setRevision(1L << 40).build();
    Client.expectStatus(OUT_OF_RANGE, "etcdserver: mvcc: required revision is a future revision",
        () -> ClientCalls.blockingUnaryCall(door.shared, Client.RANGE, Client.options(), future));
    Client.expectStatus(UNIMPLEMENTED, "unknown method Nope for service etcdserverpb.KV",
        () -> ClientCalls.blockingUnaryCall(door.shared, Client.NOPE, Client.options(), noKey));
  }

  static void metadata(Client.Door door) throws Exception {
    door.put("metadata", bytes("there"));
    RangeRequest request = RangeRequest.newBuilder().setKey(door.key("metadata")).build();
    for (int i = 0; i <= 201; i++) {
      Metadata pairs = new Metadata();
      if (i < 200) {
        pairs.put(ascii("x-name-" + i), "value " + i * i);
        pairs.put(ascii("x-changing"), String.valueOf(i));
        pairs.put(ascii("x-changing"), "again");
        pairs.put(Metadata.Key.of("x-bytes-bin", Metadata.BINARY_BYTE_MARSHALLER), Client.filled(i, i).toByteArray());
      } else if (i == 200) {
        // More than one frame holds: HEADERS and CONTINUATION.
        pairs.put(ascii("x-long"), "long".repeat(5_000));
      }
      Channel channel = ClientInterceptors.intercept(door.shared, MetadataUtils.newAttachHeadersInterceptor(pairs));
      RangeResponse found = ClientCalls.blockingUnaryCall(channel, Client.RANGE, Client.options(), request);
      Client.check(found.getKvsCount() == 1 && found.getKvs(0).getValue().equals(bytes("there")), i, found);
    }
  }

  private static Metadata.Key<String> ascii(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  static void value1MiB(Client.Door door) {
    ByteString value = Client.filled(Client.MEBIBYTE, 1);
    door.put("value", value);
    Client.check(door.get("value").getKvs(0).getValue().equals(value), "the value came back changed");
  }

  static void requestTooLarge(Client.Door door) throws Exception {
    Client.expectStatus(INVALID_ARGUMENT, "etcdserver: request is too large",
        () -> door.put("too-large", Client.filled(1_600_000, 0)));
    Client.expectStatus(RESOURCE_EXHAUSTED, "larger than max",
        () -> door.put("too-large", Client.filled(8 * Client.MEBIBYTE, 0)));
    door.put("too-large", bytes("small"));
  }

  static void answer24MiB(Client.Door door) {
    for (int i = 0; i < Client.BIG_VALUES; i++) {
      door.put(String.format("big/%02d", i), Client.filled(Client.MEBIBYTE, i));
    }
    door.readBig(door.shared, Client.BIG_VALUES);
  }

  static void answerOverClientLimit(Client.Door door) throws Exception {
    ManagedChannel limited = door.dial(0);
    try {
      CallOptions options = Client.options().withMaxInboundMessageSize(4 * Client.MEBIBYTE);
      for (int round = 0; round < 3; round++) {
        Client.expectStatus(RESOURCE_EXHAUSTED, "", () -> ClientCalls.blockingUnaryCall(limited, Client.RANGE,
            options, door.bigRequest(Client.BIG_VALUES)));
        door.readBig(limited, 2);
      }
    } finally {
      limited.shutdownNow();
    }
  }

  static void snapshot(Client.Door door) throws Exception {
    ByteArrayOutputStream whole = new ByteArrayOutputStream();
    long remaining = 1;
    var parts = ClientCalls.blockingServerStreamingCall(door.shared, Client.SNAPSHOT, Client.options(),
        SnapshotRequest.getDefaultInstance());
    while (parts.hasNext()) {
      SnapshotResponse part = parts.next();
      part.getBlob().writeTo(whole);
      remaining = part.getRemainingBytes();
    }
    Client.check(whole.size() > Client.BIG_VALUES * Client.MEBIBYTE && remaining == 0, whole.size(), remaining);
    ByteString all = ByteString.copyFrom(whole.toByteArray());
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    digest.update(all.substring(0, all.size() - 32).asReadOnlyByteBuffer());
    Client.check(all.substring(all.size() - 32).equals(ByteString.copyFrom(digest.digest())),
        "the digest at its end is not that of the bytes before it");
  }

  static void rangeStream(Client.Door door) {
    List<KeyValue> kvs = new ArrayList<>();
    int chunks = 0;
    var parts = ClientCalls.blockingServerStreamingCall(door.shared, Client.RANGE_STREAM, Client.options(),
        door.bigRequest(0));
    while (parts.hasNext()) {
      kvs.addAll(parts.next().getRangeResponse().getKvsList());
      chunks++;
    }
    Client.check(chunks > 1, chunks, "chunks");
    Client.checkBig(kvs, Client.BIG_VALUES);
  }

  /** A stream with one watcher that is created, and the watcher's id. */
  private record Watch(Client.Stream<WatchRequest, WatchResponse> stream, long id) {
    static Watch start(ManagedChannel channel, ByteString prefix, CallOptions options) throws Exception {
      Client.Stream<WatchRequest, WatchResponse> stream = new Client.Stream<>(channel, Client.WATCH, options);
      stream.send(WatchRequest.newBuilder()
          .setCreateRequest(WatchCreateRequest.newBuilder().setKey(prefix).setRangeEnd(Client.prefixEnd(prefix)))
          .build());
      WatchResponse created = stream.next();
      Client.check(created.getCreated(), created);
      return new Watch(stream, created.getWatchId());
    }

    /** Takes events until there are so many: all different keys, in the order of their revisions. */
    void read(int count, See see) throws Exception {
      Set<ByteString> seen = new HashSet<>();
      long last = 0;
      while (seen.size() < count) {
        WatchResponse answer = stream.next();
        Client.check(answer != null, "the stream ended after", seen.size());
        for (Event event : answer.getEventsList()) {
          KeyValue kv = event.getKv();
          boolean isNext = !seen.contains(kv.getKey()) && kv.getModRevision() > last;
          Client.check(isNext && see.isRight(seen.size(), kv), "event", seen.size(), kv.getKey(), last);
          seen.add(kv.getKey());
          last = kv.getModRevision();
        }
      }
    }

    void cancel() throws Exception {
      stream.cancel();
      Client.expectStatus(CANCELLED, "", () -> {
        while (stream.next() != null) {}
        return null;
      });
    }
  }

  private interface See {
    boolean isRight(int i, KeyValue kv);
  }

  static void watch(Client.Door door) throws Exception {
    Watch watch = Watch.start(door.shared, door.key("watch/"), Client.options());
    Future<?> puts = Client.THREADS.submit(() -> {
      Client.all(20, worker -> {
        for (int i = 0; i < 100; i++) door.put("watch/" + worker + "-" + i, door.key("watch/" + worker + "-" + i));
      });
      return null;
    });
    watch.read(2_000, (i, kv) -> kv.getKey().equals(kv.getValue()));
    puts.get();
    watch.stream.send(WatchRequest.newBuilder()
        .setCancelRequest(WatchCancelRequest.newBuilder().setWatchId(watch.id))
        .build());
    WatchResponse canceled = watch.stream.next();
    Client.check(canceled.getCanceled() && canceled.getWatchId() == watch.id, canceled);
    watch.cancel();
  }

  static void watch100Streams(Client.Door door) throws Exception {
    List<Watch> watches = new ArrayList<>();
    for (int i = 0; i < 100; i++) watches.add(Watch.start(door.shared, door.key("together/"), Client.options()));
    door.put("together/x", bytes("seen"));
    for (Watch watch : watches) {
      watch.read(1, (i, kv) -> kv.getValue().equals(bytes("seen")));
      watch.cancel();
    }
  }

  static void leaseKeepAlive(Client.Door door) throws Exception {
    long id = ClientCalls.blockingUnaryCall(door.shared, Client.LEASE_GRANT, Client.options(),
        LeaseGrantRequest.newBuilder().setTTL(60).build()).getID();
    var stream = new Client.Stream<>(door.shared, Client.LEASE_KEEP_ALIVE, Client.options());
    for (int i = 0; i <= 10; i++) {
      long asked = i < 10 ? id : 987654321;
      stream.send(LeaseKeepAliveRequest.newBuilder().setID(asked).build());
      LeaseKeepAliveResponse answer = stream.next();
      Client.check(answer.getID() == asked && answer.getTTL() == (i < 10 ? 60 : 0), answer);
    }
    stream.finish();
    Client.check(stream.next() == null, "an answer after the end");
  }

  static void smallWindow(Client.Door door) throws Exception {
    ManagedChannel narrow = door.dial(65_535);
    try {
      AtomicInteger running = new AtomicInteger(16);
      Future<Integer> beside = Client.THREADS.submit(() -> {
        int count = 0;
        for (; running.get() > 0; count++) {
          door.put(narrow, PutRequest.newBuilder().setKey(door.key("beside")).build());
        }
        return count;
      });
      Client.all(16, i -> {
        try {
          door.readBig(narrow, 8);
        } finally {
          running.decrementAndGet();
        }
      });
      Client.check(beside.get() >= 2, "only", beside.get(), "small calls came through beside the large ones");
    } finally {
      narrow.shutdownNow();
    }
  }

  static void slowWatch(Client.Door door) throws Exception {
    ManagedChannel narrow = door.dial(65_535);
    try {
      Watch watch = Watch.start(narrow, door.key("slow/"), Client.options());
      for (int i = 0; i < 256; i++) door.put(String.format("slow/%03d", i), Client.filled(65_536, i));
      // The connection has a watch on it that nobody reads, and serves others all the same.
      door.put(narrow, PutRequest.newBuilder().setKey(door.key("beside")).build());
      watch.read(256, (i, kv) -> kv.getKey().equals(door.key(String.format("slow/%03d", i)))
          && kv.getValue().equals(Client.filled(65_536, i)));
      watch.cancel();
    } finally {
      narrow.shutdownNow();
    }
  }

  static void cancelUnary(Client.Door door) throws Exception {
    int canceled = 0;
    for (int round = 0; round < 40; round++) {
      ListenableFuture<RangeResponse> answer = ClientCalls.futureUnaryCall(
          door.shared.newCall(Client.RANGE, Client.options()), door.bigRequest(Client.BIG_VALUES));
      TimeUnit.MICROSECONDS.sleep(round * 500);
      answer.cancel(true);
      try {
        answer.get();
      } catch (CancellationException error) {
        canceled++;
      }
    }
    Client.check(canceled >= 20, "only", canceled, "of 40 were canceled before they were answered");
    door.stillServes();
  }

  static void cancelStreams(Client.Door door) throws Exception {
    for (int round = 0; round < 40; round++) {
      var parts = new Client.Stream<>(door.shared, Client.SNAPSHOT, Client.options());
      parts.send(SnapshotRequest.getDefaultInstance());
      parts.finish();
      Client.check(parts.next() != null, "the snapshot was empty");
      Watch watch = Watch.start(door.shared, door.key("canceled/"), Client.options());
      parts.cancel();
      Client.expectStatus(CANCELLED, "", () -> {
        while (parts.next() != null) {}
        return null;
      });
      watch.cancel();
    }
    door.stillServes();
  }

  static void deadline(Client.Door door) throws Exception {
    long started = System.nanoTime();
    Watch watch = Watch.start(door.shared, door.key("deadline/"),
        CallOptions.DEFAULT.withDeadlineAfter(2, TimeUnit.SECONDS));
    Client.expectStatus(DEADLINE_EXCEEDED, "", watch.stream::next);
    long took = (System.nanoTime() - started) / 1_000_000;
    Client.check(took > 1_900 && took < 10_000, "a watch with a deadline of 2 s ended after", took, "ms");
    for (int round = 0; round < 20; round++) {
      CallOptions options = Client.options().withDeadlineAfter(1 + round / 2, TimeUnit.MILLISECONDS);
      Client.expectStatus(DEADLINE_EXCEEDED, "", () -> ClientCalls.blockingUnaryCall(door.shared, Client.RANGE,
          options, door.bigRequest(Client.BIG_VALUES)));
    }
    door.stillServes();
  }

  static void calls1000(Client.Door door) throws Exception {
    List<ListenableFuture<PutResponse>> puts = new ArrayList<>();
    for (int i = 0; i < 1_000; i++) {
      PutRequest request = PutRequest.newBuilder().setKey(door.key("load/" + i)).setValue(Client.filled(100, i)).build();
      puts.add(ClientCalls.futureUnaryCall(door.shared.newCall(Client.PUT, Client.options()), request));
    }
    for (ListenableFuture<PutResponse> put : puts) put.get();
    List<ListenableFuture<RangeResponse>> reads = new ArrayList<>();
    for (int i = 0; i < 1_000; i++) {
      RangeRequest request = RangeRequest.newBuilder().setKey(door.key("load/" + i)).build();
      reads.add(ClientCalls.futureUnaryCall(door.shared.newCall(Client.RANGE, Client.options()), request));
    }
    for (int i = 0; i < 1_000; i++) {
      List<KeyValue> kvs = reads.get(i).get().getKvsList();
      Client.check(kvs.size() == 1 && kvs.get(0).getValue().equals(Client.filled(100, i)), "key", i);
    }
  }

  static void sameConnection(Client.Door door) throws Exception {
    List<Integer> now = List.of();
    // The connections of other cases need a moment to go.
    for (int i = 0; i < 50; i++) {
      now = door.connectedPorts();
      if (door.ports.size() == 1 && now.equals(door.ports)) return;
      TimeUnit.MILLISECONDS.sleep(100);
    }
    throw new AssertionError("connected from " + door.ports + " at first, from " + now + " at last");
  }
}
