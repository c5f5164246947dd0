use crate::pb::{self, request_op, response_op};
use crate::{
    BIG_VALUES, Clients, Door, MEBIBYTE, Outcome, Watch, all, check_big, ensure, expect_status, filled,
    prefix_end, proto::mvccpb::KeyValue,
};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::{sync::mpsc, time::sleep, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{AsciiMetadataKey, MetadataValue};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

pub const NAMES: [&str; 19] = [
    "unary",
    "errors",
    "metadata",
    "value-1mib",
    "request-too-large",
    "answer-24mib",
    "answer-over-client-limit",
    "snapshot",
    "range-stream",
    "watch",
    "watch-100-streams",
    "lease-keep-alive",
    "small-window",
    "slow-watch",
    "cancel-unary",
    "cancel-streams",
    "deadline",
    "calls-1000",
    "same-connection",
];

pub async fn run(name: &str, door: &mut Door) -> Outcome {
    match name {
        "unary" => unary(door).await,
        "errors" => errors(door).await,
        "metadata" => metadata(door).await,
        "value-1mib" => value_1mib(door).await,
        "request-too-large" => request_too_large(door).await,
        "answer-24mib" => answer_24mib(door).await,
        "answer-over-client-limit" => answer_over_client_limit(door).await,
        "snapshot" => snapshot(door).await,
        "range-stream" => range_stream(door).await,
        "watch" => watch(door).await,
        "watch-100-streams" => watch_100_streams(door).await,
        "lease-keep-alive" => lease_keep_alive(door).await,
        "small-window" => small_window(door).await,
        "slow-watch" => slow_watch(door).await,
        "cancel-unary" => cancel_unary(door).await,
        "cancel-streams" => cancel_streams(door).await,
        "deadline" => deadline(door).await,
        "calls-1000" => calls_1000(door).await,
        "same-connection" => same_connection(door).await,
        _ => Err("there is no such case".into()),
    }
}

const LIMIT: Duration = Duration::from_secs(90);

async fn unary(door: &mut Door) -> Outcome {
    let mut kv = door.shared.kv.clone();
    let put = |value: &str| pb::PutRequest {
        prev_kv: true,
        ..door.put_request("unary/a", value.into())
    };
    let first = kv.put(put("1")).await?.into_inner();
    let second = kv.put(put("2")).await?.into_inner();
    let ports = door.connected_ports()?;
    let revision = |answer: &pb::PutResponse| answer.header.as_ref().map_or(0, |header| header.revision);
    let previous = second.prev_kv.as_ref().map(|kv| kv.value.as_slice());
    ensure(
        first.prev_kv.is_none() && previous == Some(b"1") && revision(&second) == revision(&first) + 1,
        || format!("puts answered {first:?}, {second:?}"),
    )?;
    for name in ["b", "c"] {
        door.put(&format!("unary/{name}"), name.into()).await?;
    }
    let prefix = door.key("unary/");
    let request = pb::RangeRequest {
        range_end: prefix_end(&prefix),
        key: prefix,
        limit: 2,
        ..Default::default()
    };
    let found = kv.range(request).await?.into_inner();
    ensure(
        found.count == 3
            && found.more
            && found.kvs.len() == 2
            && found.kvs[0].value == b"2"
            && found.kvs[0].version == 2,
        || format!("range answered {found:?}"),
    )?;
    let op = |request| pb::RequestOp {
        request: Some(request),
    };
    let key = door.key("unary/a");
    let read = pb::RangeRequest {
        key: key.clone(),
        ..Default::default()
    };
    let delete = pb::DeleteRangeRequest {
        key: key.clone(),
        ..Default::default()
    };
    let txn = pb::TxnRequest {
        compare: vec![pb::Compare {
            target: pb::compare::CompareTarget::Version as i32,
            key: key.clone(),
            target_union: Some(pb::compare::TargetUnion::Version(2)),
            ..Default::default()
        }],
        success: vec![
            op(request_op::Request::RequestPut(
                door.put_request("unary/a", "3".into()),
            )),
            op(request_op::Request::RequestRange(read)),
        ],
        failure: vec![op(request_op::Request::RequestDeleteRange(delete))],
    };
    let then = kv.txn(txn.clone()).await?.into_inner();
    let is_right = match then.responses.as_slice() {
        [
            _,
            pb::ResponseOp {
                response: Some(response_op::Response::ResponseRange(range)),
            },
        ] => range.kvs.len() == 1 && range.kvs[0].value == b"3",
        _ => false,
    };
    ensure(then.succeeded && is_right, || format!("txn answered {then:?}"))?;
    let otherwise = kv.txn(txn).await?.into_inner();
    let is_right = match otherwise.responses.as_slice() {
        [
            pb::ResponseOp {
                response: Some(response_op::Response::ResponseDeleteRange(range)),
            },
        ] => range.deleted == 1,
        _ => false,
    };
    ensure(!otherwise.succeeded && is_right, || {
        format!("second txn answered {otherwise:?}")
    })?;
    door.ports = ports;
    Ok(())
}

async fn errors(door: &Door) -> Outcome {
    let mut kv = door.shared.kv.clone();
    let no_lease = pb::PutRequest {
        lease: 987_654_321,
        ..door.put_request("errors", Vec::new())
    };
    let future = pb::RangeRequest {
        key: door.key("errors"),
        revision: 1 << 40,
        ..Default::default()
    };
    expect_status(
        kv.put(no_lease).await,
        Code::NotFound,
        "etcdserver: requested lease not found",
    )?;
    let no_key = kv.range(pb::RangeRequest::default()).await;
    expect_status(no_key, Code::InvalidArgument, "etcdserver: key is not provided")?;
    let text = "etcdserver: mvcc: required revision is a future revision";
    expect_status(kv.range(future).await, Code::OutOfRange, text)?;
    let mut any = tonic::client::Grpc::new(door.shared.channel.clone());
    any.ready().await?;
    let codec: ProstCodec<pb::RangeRequest, pb::RangeResponse> = ProstCodec::default();
    let path = PathAndQuery::from_static("/etcdserverpb.KV/Nope");
    let nope = any
        .unary(Request::new(pb::RangeRequest::default()), path, codec)
        .await;
    expect_status(
        nope,
        Code::Unimplemented,
        "unknown method Nope for service etcdserverpb.KV",
    )
}

async fn metadata(door: &Door) -> Outcome {
    door.put("metadata", b"there".to_vec()).await?;
    let request = || {
        Request::new(pb::RangeRequest {
            key: door.key("metadata"),
            ..Default::default()
        })
    };
    let read = async |request: Request<pb::RangeRequest>| -> Outcome {
        let found = door.shared.kv.clone().range(request).await?.into_inner();
        ensure(found.kvs.len() == 1 && found.kvs[0].value == b"there", || {
            format!("answered {found:?}")
        })
    };
    for i in 0..200 {
        let mut request = request();
        let pairs = request.metadata_mut();
        pairs.insert(
            AsciiMetadataKey::from_bytes(format!("x-name-{i}").as_bytes())?,
            format!("value {}", i * i).parse()?,
        );
        pairs.append("x-changing", i.to_string().parse()?);
        pairs.append("x-changing", "again".parse()?);
        pairs.insert_bin("x-bytes-bin", MetadataValue::from_bytes(&filled(i, i)));
        read(request).await?;
    }
    // More than one frame holds: HEADERS and CONTINUATION.
    let mut long = request();
    long.metadata_mut()
        .insert("x-long", "long".repeat(5_000).parse()?);
    read(long).await?;
    read(request()).await
}

async fn value_1mib(door: &Door) -> Outcome {
    let value = filled(MEBIBYTE, 1);
    door.put("value", value.clone()).await?;
    let found = door.get("value").await?;
    ensure(found.kvs.len() == 1 && found.kvs[0].value == value, || {
        "the value came back changed".into()
    })
}

async fn request_too_large(door: &Door) -> Outcome {
    let above = door.put("too-large", vec![0; 1_600_000]).await;
    expect_status(above, Code::InvalidArgument, "etcdserver: request is too large")?;
    let far_above = door.put("too-large", vec![0; 8 * MEBIBYTE]).await;
    expect_status(far_above, Code::ResourceExhausted, "larger than max")?;
    door.put("too-large", b"small".to_vec()).await?;
    Ok(())
}

async fn answer_24mib(door: &Door) -> Outcome {
    for i in 0..BIG_VALUES {
        door.put(&format!("big/{i:02}"), filled(MEBIBYTE, i)).await?;
    }
    door.read_big(BIG_VALUES, &door.shared).await
}

async fn answer_over_client_limit(door: &Door) -> Outcome {
    let limited = door.dial(|endpoint| endpoint, 4 * MEBIBYTE).await?;
    for _ in 0..3 {
        // tonic says OUT_OF_RANGE where other stacks say RESOURCE_EXHAUSTED.
        let refused = limited.kv.clone().range(door.big_request(BIG_VALUES)).await;
        expect_status(refused, Code::OutOfRange, "message length too large")?;
        door.read_big(2, &limited).await?;
    }
    Ok(())
}

async fn snapshot(door: &Door) -> Outcome {
    let mut stream = door
        .shared
        .maintenance
        .clone()
        .snapshot(pb::SnapshotRequest {})
        .await?
        .into_inner();
    let mut whole = Vec::new();
    let mut remaining = 1;
    while let Some(part) = stream.message().await? {
        whole.extend_from_slice(&part.blob);
        remaining = part.remaining_bytes;
    }
    ensure(whole.len() > BIG_VALUES * MEBIBYTE && remaining == 0, || {
        format!("{} bytes, {remaining} remaining", whole.len())
    })?;
    let (content, digest) = whole.split_at(whole.len() - 32);
    ensure(Sha256::digest(content).as_slice() == digest, || {
        "the digest at its end is not that of the bytes before it".into()
    })
}

async fn range_stream(door: &Door) -> Outcome {
    let mut stream = door
        .shared
        .kv
        .clone()
        .range_stream(door.big_request(0))
        .await?
        .into_inner();
    let mut kvs = Vec::new();
    let mut chunks = 0;
    while let Some(part) = stream.message().await? {
        kvs.extend(part.range_response.unwrap_or_default().kvs);
        chunks += 1;
    }
    ensure(chunks > 1, || format!("{chunks} chunks"))?;
    check_big(&kvs, BIG_VALUES)
}

/// Takes events until there are so many: all different keys, in the order of their revisions.
async fn read_events(
    watch: &mut Watch,
    count: usize,
    mut see: impl FnMut(usize, &KeyValue) -> bool,
) -> Outcome {
    let mut seen = HashSet::new();
    let mut last = 0;
    while seen.len() < count {
        let answer = watch
            .answers
            .message()
            .await?
            .ok_or_else(|| format!("the stream ended after {}", seen.len()))?;
        for event in answer.events {
            let kv = event.kv.unwrap_or_default();
            let is_next = !seen.contains(&kv.key) && kv.mod_revision > last;
            ensure(is_next && see(seen.len(), &kv), || {
                let key = String::from_utf8_lossy(&kv.key);
                format!(
                    "event {}: {key}, revision {} after {last}, or its value changed",
                    seen.len(),
                    kv.mod_revision
                )
            })?;
            last = kv.mod_revision;
            seen.insert(kv.key);
        }
    }
    Ok(())
}

async fn watch(door: &Door) -> Outcome {
    let mut watch = door.shared.start_watch(door.key("watch/"), LIMIT).await?;
    let puts = all(20, |worker| {
        let door = door.clone();
        async move {
            for i in 0..100 {
                let name = format!("watch/{worker}-{i}");
                door.put(&name, door.key(&name)).await?;
            }
            Ok(())
        }
    });
    let (put, read) = tokio::join!(puts, read_events(&mut watch, 2_000, |_, kv| kv.key == kv.value));
    put.and(read)?;
    let cancel = pb::WatchCancelRequest { watch_id: watch.id };
    let request_union = Some(pb::watch_request::RequestUnion::CancelRequest(cancel));
    watch.requests.send(pb::WatchRequest { request_union }).await?;
    let canceled = watch.answers.message().await?.unwrap_or_default();
    ensure(canceled.canceled && canceled.watch_id == watch.id, || {
        format!("cancel answered {canceled:?}")
    })
}

async fn watch_100_streams(door: &Door) -> Outcome {
    let mut watches = Vec::new();
    for _ in 0..100 {
        watches.push(door.shared.start_watch(door.key("together/"), LIMIT).await?);
    }
    door.put("together/x", b"seen".to_vec()).await?;
    for watch in &mut watches {
        read_events(watch, 1, |_, kv| kv.value == b"seen").await?;
    }
    Ok(())
}

async fn lease_keep_alive(door: &Door) -> Outcome {
    let request = pb::LeaseGrantRequest { ttl: 60, id: 0 };
    let id = door
        .shared
        .lease
        .clone()
        .lease_grant(request)
        .await?
        .into_inner()
        .id;
    let (requests, rest) = mpsc::channel(16);
    let mut lease = door.shared.lease.clone();
    // The server answers the head of the stream only once it has something to say.
    requests.send(pb::LeaseKeepAliveRequest { id }).await?;
    let mut answers = lease
        .lease_keep_alive(ReceiverStream::new(rest))
        .await?
        .into_inner();
    for asked in 1..=11 {
        let (wanted, ttl) = if asked == 11 { (987_654_321, 0) } else { (id, 60) };
        if asked > 1 {
            requests.send(pb::LeaseKeepAliveRequest { id: wanted }).await?;
        }
        let answer = answers.message().await?.unwrap_or_default();
        ensure(answer.id == wanted && answer.ttl == ttl, || {
            format!("answered {answer:?}")
        })?;
    }
    drop(requests);
    let end = answers.message().await?;
    ensure(end.is_none(), || format!("after its end came {end:?}"))
}

async fn put_beside(door: &Door, clients: &Clients) -> Result<(), Status> {
    clients
        .kv
        .clone()
        .put(door.put_request("beside", Vec::new()))
        .await
        .map(|_| ())
}

async fn small_window(door: &Door) -> Outcome {
    let narrow = door.narrow().await?;
    let running = Arc::new(AtomicUsize::new(16));
    let reads = all(16, |_| {
        let (door, narrow, running) = (door.clone(), narrow.clone(), running.clone());
        async move {
            let result = door.read_big(8, &narrow).await;
            running.fetch_sub(1, Ordering::Relaxed);
            result
        }
    });
    let puts = async {
        let mut beside = 0;
        while running.load(Ordering::Relaxed) > 0 {
            put_beside(door, &narrow).await?;
            beside += 1;
        }
        Ok::<usize, Status>(beside)
    };
    let (read, beside) = tokio::join!(reads, puts);
    read?;
    let beside = beside?;
    ensure(beside >= 2, || {
        format!("only {beside} small calls came through beside the large ones")
    })
}

async fn slow_watch(door: &Door) -> Outcome {
    let narrow = door.narrow().await?;
    let mut watch = narrow.start_watch(door.key("slow/"), LIMIT).await?;
    for i in 0..256 {
        door.put(&format!("slow/{i:03}"), filled(65_536, i)).await?;
    }
    // The connection has a watch on it that nobody reads, and serves others all the same.
    put_beside(door, &narrow).await?;
    read_events(&mut watch, 256, |i, kv| {
        kv.key == door.key(&format!("slow/{i:03}")) && kv.value == filled(65_536, i)
    })
    .await
}

/// To cancel is to drop the call here: there is no status.
async fn cancel_unary(door: &Door) -> Outcome {
    let mut canceled = 0;
    for round in 0..40 {
        let mut kv = door.shared.kv.clone();
        let call = kv.range(door.big_request(BIG_VALUES));
        match timeout(Duration::from_micros(round * 500), call).await {
            Err(_) => canceled += 1,
            Ok(answer) => drop(answer?),
        }
    }
    ensure(canceled >= 20, || {
        format!("only {canceled} of 40 were canceled before they were answered")
    })?;
    door.still_serves().await
}

async fn cancel_streams(door: &Door) -> Outcome {
    for _ in 0..40 {
        let mut parts = door
            .shared
            .maintenance
            .clone()
            .snapshot(pb::SnapshotRequest {})
            .await?
            .into_inner();
        ensure(parts.message().await?.is_some(), || {
            "the snapshot was empty".into()
        })?;
        let watch = door.shared.start_watch(door.key("canceled/"), LIMIT).await?;
        drop(parts);
        drop(watch);
    }
    door.still_serves().await
}

async fn deadline(door: &Door) -> Outcome {
    // tonic ends a stream that has begun by no clock of its own: this one the server must end.
    let started = Instant::now();
    let mut watch = door
        .shared
        .start_watch(door.key("deadline/"), Duration::from_secs(2))
        .await?;
    let end = watch.answers.message().await;
    let took = started.elapsed();
    ensure(
        took > Duration::from_millis(1_900) && took < Duration::from_secs(10),
        || format!("a watch with a deadline of 2 s ended after {took:?}"),
    )?;
    expect_status(end, Code::DeadlineExceeded, "")?;
    for round in 0..20 {
        let mut request = Request::new(door.big_request(BIG_VALUES));
        request.set_timeout(Duration::from_millis(1 + round / 2));
        // tonic's own clock says CANCELLED "Timeout expired", the server's DEADLINE_EXCEEDED: one of them is first.
        let ended = door.shared.kv.clone().range(request).await;
        match &ended {
            Err(status) if status.code() == Code::Cancelled => {
                expect_status(ended, Code::Cancelled, "Timeout expired")?
            }
            _ => expect_status(ended, Code::DeadlineExceeded, "")?,
        }
    }
    door.still_serves().await
}

async fn calls_1000(door: &Door) -> Outcome {
    all(1_000, |i| {
        let door = door.clone();
        async move {
            door.put(&format!("load/{i}"), filled(100, i)).await?;
            Ok(())
        }
    })
    .await?;
    all(1_000, |i| {
        let door = door.clone();
        async move {
            let found = door.get(&format!("load/{i}")).await?;
            let is_right = found.kvs.len() == 1 && found.kvs[0].value == filled(100, i);
            ensure(is_right, || format!("key {i} answered {found:?}"))
        }
    })
    .await
}

async fn same_connection(door: &Door) -> Outcome {
    let mut now = Vec::new();
    // The connections of other cases need a moment to go.
    for _ in 0..50 {
        now = door.connected_ports()?;
        if door.ports.len() == 1 && now == door.ports {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    Err(format!("connected from {:?} at first, from {now:?} at last", door.ports).into())
}
