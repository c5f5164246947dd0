import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { UsageError } from "../lib/errors.ts";
import { readWhole } from "../lib/file-operations.ts";
import type { Fs } from "../lib/fs.ts";
import type { TransportTls } from "./api/index.ts";
import type { TlsFiles } from "./config.ts";
import type { PeerTlsFiles } from "./config-peers.ts";

const pemHint = "Name PEM files of a certificate and of its own key, without a passphrase.";

/**
 * Reads the PEM files of --cert-file, --key-file and --trusted-ca-file. Throws UsageError, naming the flag, when one
 * cannot be read, holds something else, or the key is not the certificate's: before anything listens.
 */
export function readTlsFiles(fs: Fs, files: TlsFiles): Promise<TransportTls> {
  return readPemFiles(fs, files, "--");
}

/** The same of --peer-cert-file, --peer-key-file and --peer-trusted-ca-file: `clientCa` is the members' authority. */
export function readPeerTlsFiles(fs: Fs, files: PeerTlsFiles): Promise<TransportTls> {
  return readPemFiles(fs, files, "--peer-");
}

async function readPemFiles(fs: Fs, files: TlsFiles, prefix: "--" | "--peer-"): Promise<TransportTls> {
  const cert = await readPem(fs, `${prefix}cert-file`, files.certFile);
  refuseUnusable({ cert }, `${prefix}cert-file: ${files.certFile} holds no certificate`);
  const key = await readPem(fs, `${prefix}key-file`, files.keyFile);
  refuseUnusable({ key }, `${prefix}key-file: ${files.keyFile} holds no private key`);
  // OpenSSL itself takes a pair of different kinds, and fails at the first handshake.
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
    throw new UsageError(`${prefix}key-file: ${files.keyFile} is not the key of ${files.certFile}`, pemHint);
  }
  if (files.trustedCaFile === undefined) return { cert, key, clientCa: undefined };
  const clientCa = await readPem(fs, `${prefix}trusted-ca-file`, files.trustedCaFile);
  // An authority that cannot be parsed would be passed over in silence, and every client refused.
  refuseUnusable({ cert: clientCa }, `${prefix}trusted-ca-file: ${files.trustedCaFile} holds no certificate`);
  return { cert, key, clientCa };
}

async function readPem(fs: Fs, flag: string, path: string): Promise<Buffer> {
  try {
    return await readWhole(fs, path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${flag}: ${reason}`, "Name a PEM file that this user may read.");
  }
}

function refuseUnusable(options: SecureContextOptions, message: string): void {
  try {
    createSecureContext(options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${message} (${reason})`, pemHint);
  }
}
