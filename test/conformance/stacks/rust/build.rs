//! Types and clients from the .proto files of the repository, made anew by every build.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let protos = "../../../../proto";
    println!("cargo::rerun-if-changed={protos}");
    let descriptors = protox::compile(["rpc.proto"], [protos])?;
    tonic_prost_build::configure()
        .build_server(false)
        .compile_fds(descriptors)?;
    Ok(())
}
