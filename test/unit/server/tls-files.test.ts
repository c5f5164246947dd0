import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import type { TlsFiles } from "../../../src/server/config.ts";
import { readTlsFiles } from "../../../src/server/tls-files.ts";
import { SimFs } from "../../sim/disk.ts";
import { saying } from "./config-world.ts";
import { tlsFile } from "./server-world.ts";

describe("The files of TLS", () => {
  const cert = readFileSync(tlsFile("cert"));
  const key = readFileSync(tlsFile("key"));
  const fs = new SimFs({ seed: 1 });
  fs.place("/cert", cert);
  fs.place("/key", key);
  const pem = { type: "pkcs8", format: "pem" } as const;
  const others = {
    "/same-kind": generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey.export(pem),
    "/other-kind": generateKeyPairSync("ed25519").privateKey.export(pem),
    "/locked": generateKeyPairSync("ed25519").privateKey.export({
      ...pem,
      cipher: "aes-256-cbc",
      passphrase: "x",
    }),
  };
  for (const [path, other] of Object.entries(others)) fs.place(path, Buffer.from(other));
  fs.place("/text", Buffer.from("no PEM at all"));

  const read = (files: Partial<TlsFiles> = {}) =>
    readTlsFiles(fs, { certFile: "/cert", keyFile: "/key", trustedCaFile: undefined, ...files });

  it("are read as they are", async () => {
    assert.deepEqual(await read(), { cert, key, clientCa: undefined });
    assert.deepEqual(await read({ trustedCaFile: "/cert" }), { cert, key, clientCa: cert });
  });

  it("are named, by flag and path, when they cannot be read", async () => {
    await assert.rejects(read({ certFile: "/none" }), saying(/^--cert-file: .*\/none/));
    await assert.rejects(read({ keyFile: "/none" }), saying(/^--key-file: .*\/none/));
    await assert.rejects(read({ trustedCaFile: "/none" }), saying(/^--trusted-ca-file: .*\/none/));
  });

  it("are named when they hold something else", async () => {
    await assert.rejects(read({ certFile: "/text" }), saying(/^--cert-file: \/text holds no certificate/));
    await assert.rejects(read({ certFile: "/key" }), saying(/^--cert-file: \/key holds no certificate/));
    await assert.rejects(read({ keyFile: "/cert" }), saying(/^--key-file: \/cert holds no private key/));
    await assert.rejects(read({ trustedCaFile: "/text" }), saying(/^--trusted-ca-file: \/text holds no/));
  });

  it("are refused when the key is another certificate's", async () => {
    for (const keyFile of ["/same-kind", "/other-kind"]) {
      await assert.rejects(read({ keyFile }), saying(/^--key-file: .* is not the key of \/cert$/));
    }
  });

  it("are refused when the key is locked by a passphrase, since none could be given", async () => {
    await assert.rejects(read({ keyFile: "/locked" }), saying(/^--key-file: \/locked/));
  });
});
