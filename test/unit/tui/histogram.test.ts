import assert from "node:assert/strict";
import fc from "fast-check";
import { observedSince, quantileOf } from "../../../src/tui/histogram.ts";
import { parseMetrics } from "../../../src/tui/metrics-text.ts";
import { histogram } from "./samples.ts";

describe("A histogram", () => {
  it("tells a quantile by interpolation inside the bucket", () => {
    assert.equal(quantileOf(histogram(0, 100, 0, 0), 0.5)?.toFixed(6), "0.005500");
    assert.equal(quantileOf(histogram(100, 0, 0, 0), 0.99), 0.00099);
  });

  it("tells the last finite bound for what lies beyond it, and nothing without observations", () => {
    assert.equal(quantileOf(histogram(0, 0, 0, 5), 0.99), 0.1);
    assert.equal(quantileOf(histogram(0, 0, 0, 0), 0.99), undefined);
    assert.equal(quantileOf({ bounds: [], counts: [] }, 0.5), undefined);
  });

  it("tells what was observed since an earlier look, or all of it after a restart", () => {
    assert.deepEqual(observedSince(histogram(5, 5, 0, 0), histogram(5, 1, 0, 0)), histogram(0, 4, 0, 0));
    assert.deepEqual(observedSince(histogram(1, 0, 0, 0), histogram(5, 5, 0, 0)), histogram(1, 0, 0, 0));
  });

  it("has quantiles that grow with the share asked for", () => {
    const count = fc.nat(1_000);
    fc.assert(
      fc.property(
        count,
        count,
        count,
        count,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (a, b, c, d, share) => {
          fc.pre(a + b + c + d > 0);
          const whole = histogram(a, b, c, d);
          const [lower, upper] = [quantileOf(whole, share / 2)!, quantileOf(whole, share)!];
          assert.ok(lower <= upper + 1e-12);
          assert.ok(upper >= 0 && upper <= 0.1);
        },
      ),
    );
  });
});

describe("The text of /metrics", () => {
  const text = `# HELP etcd_mvcc_put_total Total number of puts seen by this member.
# TYPE etcd_mvcc_put_total counter
etcd_mvcc_put_total 42
etcd_debugging_mvcc_put_total 41
etcd_debugging_mvcc_keys_total 7
etcd_server_quota_backend_bytes 2.147483648e+09
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 5
etcd_disk_wal_fsync_duration_seconds_bucket{le="+Inf"} 6
etcd_disk_wal_fsync_duration_seconds_sum 0.2
etcd_network_peer_round_trip_time_seconds_bucket{To="a",le="0.1"} 1
etcd_network_peer_round_trip_time_seconds_bucket{To="a",le="+Inf"} 1
etcd_network_peer_round_trip_time_seconds_bucket{To="b",le="0.1"} 2
etcd_network_peer_round_trip_time_seconds_bucket{To="b",le="+Inf"} 3
etcd_mvcc_range_total NaN
go_goroutines 99
`;

  it("gives the numbers of the screen, the newer name of a family before the older", () => {
    const parsed = parseMetrics(text);
    assert.deepEqual(
      [parsed.puts, parsed.keys, parsed.quotaBytes, parsed.ranges, parsed.watchers],
      [42, 7, 2_147_483_648, undefined, undefined],
    );
    assert.deepEqual(parsed.fsync, { bounds: [0.001, Number.POSITIVE_INFINITY], counts: [5, 6] });
  });

  it("adds up the series of a family", () => {
    assert.deepEqual(parseMetrics(text).peerRoundTrip?.counts, [3, 4]);
  });

  it("falls back to the older name, and is nothing where there is nothing", () => {
    assert.equal(parseMetrics("etcd_debugging_mvcc_put_total 41").puts, 41);
    assert.equal(parseMetrics("<html>not found</html>").puts, undefined);
  });

  it("survives any text", () => {
    fc.assert(fc.property(fc.string(), (junk) => void parseMetrics(`etcd_${junk}\n${text}`)));
  });
});
