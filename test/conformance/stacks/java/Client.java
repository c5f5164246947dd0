import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import etcdserverpb.Rpc.*;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.ClientCalls;
import java.io.File;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.IntStream;

/** What the cases of the stacks need of grpc-java; the cases themselves are in Cases.java. */
public final class Client {
  static final int MEBIBYTE = 1 << 20;
  static final int BIG_VALUES = 24;
  /** How long one case may take. */
  static final long CASE_LIMIT_SECONDS = 90;

  /** grpc-java tells of every frame that comes in after it has canceled a call. */
  private static final Logger LOGGER = Logger.getLogger("io.grpc");

  static final ExecutorService THREADS = Executors.newCachedThreadPool();

  /** The methods, described by hand: protoc alone makes the messages, and no plugin of grpc-java is needed. */
  static final MethodDescriptor<RangeRequest, RangeResponse> RANGE =
      method("KV/Range", MethodType.UNARY, RangeRequest.getDefaultInstance(), RangeResponse.getDefaultInstance());
  static final MethodDescriptor<RangeRequest, RangeResponse> NOPE =
      method("KV/Nope", MethodType.UNARY, RangeRequest.getDefaultInstance(), RangeResponse.getDefaultInstance());
  static final MethodDescriptor<RangeRequest, RangeStreamResponse> RANGE_STREAM =
      method("KV/RangeStream", MethodType.SERVER_STREAMING, RangeRequest.getDefaultInstance(),
          RangeStreamResponse.getDefaultInstance());
  static final MethodDescriptor<PutRequest, PutResponse> PUT =
      method("KV/Put", MethodType.UNARY, PutRequest.getDefaultInstance(), PutResponse.getDefaultInstance());
  static final MethodDescriptor<TxnRequest, TxnResponse> TXN =
      method("KV/Txn", MethodType.UNARY, TxnRequest.getDefaultInstance(), TxnResponse.getDefaultInstance());
  static final MethodDescriptor<WatchRequest, WatchResponse> WATCH =
      method("Watch/Watch", MethodType.BIDI_STREAMING, WatchRequest.getDefaultInstance(),
          WatchResponse.getDefaultInstance());
  static final MethodDescriptor<LeaseGrantRequest, LeaseGrantResponse> LEASE_GRANT =
      method("Lease/LeaseGrant", MethodType.UNARY, LeaseGrantRequest.getDefaultInstance(),
          LeaseGrantResponse.getDefaultInstance());
  static final MethodDescriptor<LeaseKeepAliveRequest, LeaseKeepAliveResponse> LEASE_KEEP_ALIVE =
      method("Lease/LeaseKeepAlive", MethodType.BIDI_STREAMING, LeaseKeepAliveRequest.getDefaultInstance(),
          LeaseKeepAliveResponse.getDefaultInstance());
  static final MethodDescriptor<SnapshotRequest, SnapshotResponse> SNAPSHOT =
      method("Maintenance/Snapshot", MethodType.SERVER_STREAMING, SnapshotRequest.getDefaultInstance(),
          SnapshotResponse.getDefaultInstance());

  private static <Q extends Message, A extends Message> MethodDescriptor<Q, A> method(
      String name, MethodType type, Q request, A answer) {
    return MethodDescriptor.<Q, A>newBuilder()
        .setType(type)
        .setFullMethodName("etcdserverpb." + name)
        .setRequestMarshaller(ProtoUtils.marshaller(request))
        .setResponseMarshaller(ProtoUtils.marshaller(answer))
        .build();
  }

  interface Case {
    void run(Door door) throws Exception;
  }

  /** One way to the server, with the connection that the cases share. */
  static final class Door {
    final String name;
    final String endpoint;
    final File authority;
    final ManagedChannel shared;
    /** Local ports of the connections to the server, once the first call was answered. */
    List<Integer> ports = List.of();

    Door(String name, String endpoint, File authority) throws Exception {
      this.name = name;
      this.endpoint = endpoint;
      this.authority = authority;
      this.shared = dial(0);
    }

    /** Another connection; a window of 0 is that of grpc-java itself, which grows as it sees fit. */
    ManagedChannel dial(int window) throws Exception {
      int port = Integer.parseInt(endpoint.substring(endpoint.lastIndexOf(':') + 1));
      InetSocketAddress address = new InetSocketAddress(endpoint.substring(0, endpoint.lastIndexOf(':')), port);
      NettyChannelBuilder builder = NettyChannelBuilder.forAddress(address);
      if (window > 0) builder.flowControlWindow(window);
      if (authority == null) builder.usePlaintext();
      else builder.sslContext(GrpcSslContexts.forClient().trustManager(authority).build()).overrideAuthority("localhost");
      return builder.build();
    }

    ByteString key(String rest) {
      return ByteString.copyFromUtf8("java/" + name + "/" + rest);
    }

    PutResponse put(String rest, ByteString value) {
      return put(shared, PutRequest.newBuilder().setKey(key(rest)).setValue(value).build());
    }

    PutResponse put(ManagedChannel channel, PutRequest request) {
      return ClientCalls.blockingUnaryCall(channel, PUT, options(), request);
    }

    RangeResponse get(String rest) {
      RangeRequest request = RangeRequest.newBuilder().setKey(key(rest)).build();
      return ClientCalls.blockingUnaryCall(shared, RANGE, options(), request);
    }

    RangeRequest bigRequest(int values) {
      ByteString key = key("big/");
      return RangeRequest.newBuilder().setKey(key).setRangeEnd(prefixEnd(key)).setLimit(values).build();
    }

    void readBig(ManagedChannel channel, int values) {
      checkBig(ClientCalls.blockingUnaryCall(channel, RANGE, options(), bigRequest(values)).getKvsList(), values);
    }

    /** A small and a large call on the shared connection. */
    void stillServes() {
      put("after", ByteString.EMPTY);
      readBig(shared, BIG_VALUES);
    }

    /** Local ports of all established connections to the server (Linux alone tells). */
    List<Integer> connectedPorts() throws Exception {
      int server = Integer.parseInt(endpoint.substring(endpoint.lastIndexOf(':') + 1));
      List<Integer> found = new ArrayList<>();
      for (String table : List.of("/proc/net/tcp", "/proc/net/tcp6")) {
        List<String> lines = Files.readAllLines(Path.of(table));
        for (String line : lines.subList(1, lines.size())) {
          String[] fields = line.trim().split("\\s+");
          if (fields[3].equals("01") && portOf(fields[2]) == server) found.add(portOf(fields[1]));
        }
      }
      found.sort(null);
      return found;
    }
  }

  private static int portOf(String address) {
    return Integer.parseInt(address.substring(address.lastIndexOf(':') + 1), 16);
  }

  /** A stream whose answers come only when they are asked for, so that a reader can be slow. */
  static final class Stream<Q, A> extends ClientCall.Listener<A> {
    private final ClientCall<Q, A> call;
    private final BlockingQueue<Object> arrived = new LinkedBlockingQueue<>();

    Stream(ManagedChannel channel, MethodDescriptor<Q, A> method, CallOptions options) {
      call = channel.newCall(method, options.withMaxInboundMessageSize(Integer.MAX_VALUE));
      call.start(this, new Metadata());
    }

    void send(Q request) {
      call.sendMessage(request);
    }

    void finish() {
      call.halfClose();
    }

    void cancel() {
      call.cancel("the case cancels it", null);
    }

    /** The next answer, or null at an end with OK; any other end is thrown. */
    @SuppressWarnings("unchecked")
    A next() throws Exception {
      call.request(1);
      Object one = arrived.poll(CASE_LIMIT_SECONDS, TimeUnit.SECONDS);
      if (one instanceof Status status) {
        if (status.isOk()) return null;
        throw status.asRuntimeException();
      }
      check(one != null, "nothing arrived");
      return (A) one;
    }

    @Override
    public void onMessage(A answer) {
      arrived.add(answer);
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      arrived.add(status);
    }
  }

  static CallOptions options() {
    return CallOptions.DEFAULT
        .withMaxInboundMessageSize(Integer.MAX_VALUE)
        .withDeadlineAfter(CASE_LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  static void check(boolean holds, Object... told) {
    if (!holds) throw new AssertionError(Arrays.toString(told));
  }

  interface Call {
    Object run() throws Exception;
  }

  /** The call must end with this code and a text that holds this one. */
  static void expectStatus(Status.Code code, String text, Call call) throws Exception {
    try {
      call.run();
    } catch (StatusRuntimeException error) {
      String description = error.getStatus().getDescription();
      boolean isRight = error.getStatus().getCode() == code && (description == null ? "" : description).contains(text);
      check(isRight, "wanted", code, text, "got", error.getStatus());
      return;
    }
    throw new AssertionError("wanted " + code + " " + text + ", got OK");
  }

  /** A value that differs all over and with every seed. */
  static ByteString filled(int size, int seed) {
    byte[] value = new byte[size];
    int state = seed * 0x9E3779B1 + 1;
    for (int i = 0; i < size; i++) {
      state = state * 1664525 + 1013904223;
      value[i] = (byte) (state >>> 24);
    }
    return ByteString.copyFrom(value);
  }

  static ByteString prefixEnd(ByteString prefix) {
    byte[] end = prefix.toByteArray();
    end[end.length - 1]++;
    return ByteString.copyFrom(end);
  }

  static void checkBig(List<mvccpb.Kv.KeyValue> kvs, int values) {
    check(kvs.size() == values, kvs.size(), "values of", values);
    for (int i = 0; i < values; i++) {
      check(kvs.get(i).getValue().equals(filled(MEBIBYTE, i)), "value", i, "came back changed");
    }
  }

  interface Part {
    void run(int i) throws Exception;
  }

  /** Runs so many at once and throws what the first to fail has thrown. */
  static void all(int count, Part part) throws Exception {
    List<Future<?>> parts = IntStream.range(0, count).<Future<?>>mapToObj(i -> THREADS.submit(() -> {
      part.run(i);
      return null;
    })).toList();
    for (Future<?> one : parts) one.get();
  }

  public static void main(String[] arguments) throws Exception {
    LOGGER.setLevel(Level.WARNING);
    File authority = new File(System.getenv("METASTORE_AUTHORITY"));
    int passed = 0;
    int failed = 0;
    for (String name : List.of("plain", "tls")) {
      String endpoint = System.getenv("METASTORE_" + name.toUpperCase());
      if (endpoint == null || endpoint.isEmpty()) continue;
      Door door = new Door(name, endpoint, name.equals("tls") ? authority : null);
      for (var entry : Cases.ALL.entrySet()) {
        Future<?> running = THREADS.submit(() -> {
          entry.getValue().run(door);
          return null;
        });
        try {
          running.get(CASE_LIMIT_SECONDS, TimeUnit.SECONDS);
          passed++;
          System.out.println("ok " + name + ": " + entry.getKey());
        } catch (Exception error) {
          failed++;
          String text = String.valueOf(error.getCause() == null ? error : error.getCause()).replaceAll("\\s+", " ");
          System.out.println("not ok " + name + ": " + entry.getKey() + ": " + text.substring(0, Math.min(1_000, text.length())));
        }
      }
      door.shared.shutdownNow();
    }
    System.out.println("grpc-stack: grpc-java " + Cases.version());
    System.out.println(passed + " passed, " + failed + " failed");
    System.exit(failed == 0 && passed > 0 ? 0 : 1);
  }
}
