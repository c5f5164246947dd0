//! The cases of the stacks, by tonic. See ../README.md for what each case promises.

mod cases;

/// What build.rs made of the .proto files.
pub mod proto {
    pub mod authpb {
        tonic::include_proto!("authpb");
    }
    pub mod mvccpb {
        tonic::include_proto!("mvccpb");
    }
    pub mod etcdserverpb {
        tonic::include_proto!("etcdserverpb");
    }
}

use proto::etcdserverpb as pb;
use std::{env, error::Error, fs, future::Future, process, time::Duration};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status, Streaming};

pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

pub const MEBIBYTE: usize = 1 << 20;
pub const BIG_VALUES: usize = 24;
/// How long one case may take.
const CASE_LIMIT: Duration = Duration::from_secs(90);

/// One way to the server, with the connection that the cases share.
#[derive(Clone)]
pub struct Door {
    name: &'static str,
    address: String,
    authority: Option<Certificate>,
    pub shared: Clients,
    /// Local ports of the connections to the server, once the first call was answered.
    pub ports: Vec<u16>,
}

/// The services on one connection.
#[derive(Clone)]
pub struct Clients {
    pub channel: Channel,
    pub kv: pb::kv_client::KvClient<Channel>,
    pub watch: pb::watch_client::WatchClient<Channel>,
    pub lease: pb::lease_client::LeaseClient<Channel>,
    pub maintenance: pb::maintenance_client::MaintenanceClient<Channel>,
}

/// A stream with one watcher, and what sends on it.
pub struct Watch {
    pub requests: mpsc::Sender<pb::WatchRequest>,
    pub answers: Streaming<pb::WatchResponse>,
    pub id: i64,
}

impl Clients {
    fn new(channel: Channel, answer_max: usize) -> Self {
        Self {
            kv: pb::kv_client::KvClient::new(channel.clone()).max_decoding_message_size(answer_max),
            watch: pb::watch_client::WatchClient::new(channel.clone()).max_decoding_message_size(answer_max),
            lease: pb::lease_client::LeaseClient::new(channel.clone()),
            maintenance: pb::maintenance_client::MaintenanceClient::new(channel.clone())
                .max_decoding_message_size(answer_max),
            channel,
        }
    }

    /// Opens a stream and waits until its watcher is created.
    pub async fn start_watch(&self, prefix: Vec<u8>, limit: Duration) -> Outcome<Watch> {
        let (requests, rest) = mpsc::channel(16);
        let create = pb::WatchCreateRequest {
            range_end: prefix_end(&prefix),
            key: prefix,
            ..Default::default()
        };
        requests
            .send(pb::WatchRequest {
                request_union: Some(pb::watch_request::RequestUnion::CreateRequest(create)),
            })
            .await?;
        let mut request = tonic::Request::new(ReceiverStream::new(rest));
        request.set_timeout(limit);
        let mut answers = self.watch.clone().watch(request).await?.into_inner();
        let created = answers.message().await?.ok_or("the stream ended")?;
        ensure(created.created, || format!("created answered {created:?}"))?;
        Ok(Watch {
            requests,
            answers,
            id: created.watch_id,
        })
    }
}

impl Door {
    async fn open(name: &'static str, address: String, authority: Option<Certificate>) -> Outcome<Self> {
        let channel = connect(&address, &authority, |endpoint| endpoint).await?;
        Ok(Self {
            name,
            address,
            authority,
            shared: Clients::new(channel, usize::MAX),
            ports: Vec::new(),
        })
    }

    /// Another connection, and the largest answer that its calls take.
    pub async fn dial(&self, change: fn(Endpoint) -> Endpoint, answer_max: usize) -> Outcome<Clients> {
        let channel = connect(&self.address, &self.authority, change).await?;
        Ok(Clients::new(channel, answer_max))
    }

    /// A connection with windows of 64 KiB.
    pub async fn narrow(&self) -> Outcome<Clients> {
        let change = |endpoint: Endpoint| {
            endpoint
                .initial_stream_window_size(65_535)
                .initial_connection_window_size(65_535)
        };
        self.dial(change, usize::MAX).await
    }

    pub fn key(&self, rest: &str) -> Vec<u8> {
        format!("rust/{}/{rest}", self.name).into_bytes()
    }

    pub fn put_request(&self, rest: &str, value: Vec<u8>) -> pb::PutRequest {
        pb::PutRequest {
            key: self.key(rest),
            value,
            ..Default::default()
        }
    }

    pub async fn put(&self, rest: &str, value: Vec<u8>) -> Result<pb::PutResponse, Status> {
        let request = self.put_request(rest, value);
        Ok(self.shared.kv.clone().put(request).await?.into_inner())
    }

    pub async fn get(&self, rest: &str) -> Result<pb::RangeResponse, Status> {
        let request = pb::RangeRequest {
            key: self.key(rest),
            ..Default::default()
        };
        Ok(self.shared.kv.clone().range(request).await?.into_inner())
    }

    pub fn big_request(&self, values: usize) -> pb::RangeRequest {
        let key = self.key("big/");
        pb::RangeRequest {
            range_end: prefix_end(&key),
            key,
            limit: values as i64,
            ..Default::default()
        }
    }

    pub async fn read_big(&self, values: usize, clients: &Clients) -> Outcome {
        let found = clients.kv.clone().range(self.big_request(values)).await?;
        check_big(&found.into_inner().kvs, values)
    }

    /// A small and a large call on the shared connection.
    pub async fn still_serves(&self) -> Outcome {
        self.put("after", Vec::new()).await?;
        self.read_big(BIG_VALUES, &self.shared).await
    }

    /// Local ports of all established connections to the server (Linux alone tells).
    pub fn connected_ports(&self) -> Outcome<Vec<u16>> {
        let server: u16 = self.address.rsplit(':').next().unwrap_or("").parse()?;
        let port_of = |address: &str| u16::from_str_radix(address.rsplit(':').next().unwrap_or(""), 16);
        let mut ports = Vec::new();
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            for line in fs::read_to_string(table)?.lines().skip(1) {
                let fields: Vec<&str> = line.split_whitespace().collect();
                if fields[3] == "01" && port_of(fields[2])? == server {
                    ports.push(port_of(fields[1])?);
                }
            }
        }
        ports.sort();
        Ok(ports)
    }
}

async fn connect(
    address: &str,
    authority: &Option<Certificate>,
    change: fn(Endpoint) -> Endpoint,
) -> Outcome<Channel> {
    let scheme = if authority.is_some() { "https" } else { "http" };
    let mut endpoint = change(Endpoint::from_shared(format!("{scheme}://{address}"))?);
    if let Some(certificate) = authority {
        let tls = ClientTlsConfig::new().ca_certificate(certificate.clone());
        endpoint = endpoint.tls_config(tls.domain_name("localhost"))?;
    }
    Ok(endpoint.connect().await?)
}

pub fn ensure(holds: bool, told: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(told().into()) }
}

/// The call must have ended with this code and a text that holds this one.
pub fn expect_status<T>(result: Result<T, Status>, code: Code, text: &str) -> Outcome {
    match result {
        Ok(_) => Err(format!("wanted {code:?} {text:?}, got OK").into()),
        Err(status) => ensure(status.code() == code && status.message().contains(text), || {
            format!("wanted {code:?} {text:?}, got {status:?}")
        }),
    }
}

/// A value that differs all over and with every seed.
pub fn filled(size: usize, seed: usize) -> Vec<u8> {
    let mut state = (seed as u32).wrapping_mul(2_654_435_761).wrapping_add(1);
    (0..size)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

pub fn check_big(kvs: &[proto::mvccpb::KeyValue], values: usize) -> Outcome {
    ensure(kvs.len() == values, || {
        format!("{} values of {values}", kvs.len())
    })?;
    for (i, kv) in kvs.iter().enumerate() {
        ensure(kv.value == filled(MEBIBYTE, i), || {
            format!("value {i} came back changed")
        })?;
    }
    Ok(())
}

pub fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

/// Runs so many at once and answers the first error.
pub async fn all<F>(count: usize, make: impl Fn(usize) -> F) -> Outcome
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for i in 0..count {
        tasks.spawn(make(i));
    }
    let mut result = Ok(());
    while let Some(ended) = tasks.join_next().await {
        result = result.and(ended?);
    }
    result
}

#[tokio::main]
async fn main() -> Outcome {
    let given = |name: &str| env::var(name).unwrap_or_default();
    let authority = Certificate::from_pem(fs::read(given("METASTORE_AUTHORITY"))?);
    let doors = [
        ("plain", given("METASTORE_PLAIN"), None),
        ("tls", given("METASTORE_TLS"), Some(authority)),
    ];
    let (mut passed, mut failed) = (0, 0);
    for (name, address, authority) in doors {
        if address.is_empty() {
            continue;
        }
        let mut door = Door::open(name, address, authority).await?;
        for title in cases::NAMES {
            let ended = timeout(CASE_LIMIT, cases::run(title, &mut door)).await;
            match ended.unwrap_or_else(|_| Err("came to no end".into())) {
                Ok(()) => {
                    passed += 1;
                    println!("ok {name}: {title}");
                }
                Err(error) => {
                    failed += 1;
                    println!("not ok {name}: {title}: {}", error.to_string().replace('\n', " "));
                }
            }
        }
    }
    println!("grpc-stack: tonic {}", env!("TONIC_VERSION"));
    println!("{passed} passed, {failed} failed");
    process::exit(if failed == 0 && passed > 0 { 0 } else { 1 });
}
