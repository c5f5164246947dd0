//! Types and clients from the .proto files of the repository, made anew by every build.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let protos = "../../../../proto";
    println!("cargo::rerun-if-changed={protos}");
    let descriptors = protox::compile(["rpc.proto"], [protos])?;
    tonic_prost_build::configure()
        .build_server(false)
        .compile_fds(descriptors)?;
    // The version for the closing lines, from the lockfile: a crate cannot ask what it depends on.
    let lock = std::fs::read_to_string("Cargo.lock")?;
    let after = lock
        .split("name = \"tonic\"\nversion = \"")
        .nth(1)
        .ok_or("no tonic in Cargo.lock")?;
    let version = after.split('"').next().unwrap_or("");
    println!("cargo::rustc-env=TONIC_VERSION={version}");
    Ok(())
}
