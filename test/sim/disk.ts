import { dirname } from "node:path";
import { createDeferred } from "../../src/lib/deferred.ts";
import {
  DirectoryLocked,
  type FileStat,
  type Fs,
  type FsFile,
  type FsLock,
  type OpenOptions,
} from "../../src/lib/fs.ts";
import { createPrng, type Prng } from "../../src/lib/prng.ts";

const SECTOR_BYTES = 512;

/**
 * What happens at a crash to what no sync has made durable: "clean" keeps it as it is (the process was killed: what
 * it wrote is there, but a later power loss may still take it), "dropped" loses all of it, "torn" keeps some sectors or a first part of each write and some of the newest names.
 */
export type CrashMode = "clean" | "dropped" | "torn";

export interface SimFsOptions {
  readonly seed: number;
  /** The operation, counted from 1, that begins and never ends; nothing after it has any effect. */
  readonly crashAt?: number;
  /** The operation that fails. */
  readonly failAt?: { readonly operation: number; readonly code: string };
  /** How long an operation takes; without it each is done within the turn. */
  readonly delay?: (operation: string) => Promise<void>;
}

/** An error as the system reports it. */
export class SimFsError extends Error {
  override readonly name = "SimFsError";
  readonly code: string;

  constructor(code: string, operation: string, path: string) {
    super(`${code}: ${operation} ${path}`);
    this.code = code;
  }
}

interface FileNode {
  readonly kind: "file";
  /** What processes see. */
  content: Buffer;
  /** What a power loss leaves. */
  durable: Buffer;
  pending: Change[];
  mode: number;
}

interface DirectoryNode {
  readonly kind: "directory";
  readonly entries: Map<string, Node>;
  readonly durable: Map<string, Node>;
  pending: NameChange[];
  mode: number;
}

type Node = FileNode | DirectoryNode;
type Change = { readonly at: number; readonly bytes: Buffer } | { readonly sizeBytes: number };
type NameChange = readonly (readonly [string, Node | undefined])[];

/** A file system in memory that forgets like a disk; the same seed and calls give the same course. */
export class SimFs implements Fs {
  /** Operations that change something, so far. */
  operations = 0;
  readonly #options: SimFsOptions;
  readonly #prng: Prng;
  readonly #root: DirectoryNode;
  readonly #locks = new Set<string>();
  readonly #crash = createDeferred<void>();
  #isCrashed = false;
  #failNext: string | undefined;

  constructor(options: SimFsOptions, root = directoryNode()) {
    this.#options = options;
    this.#prng = createPrng(options.seed);
    this.#root = root;
  }

  /** Resolves at the crash. */
  get crashed(): Promise<void> {
    return this.#crash.promise;
  }

  get isCrashed(): boolean {
    return this.#isCrashed;
  }

  crash(): void {
    this.#isCrashed = true;
    this.#crash.resolve();
  }

  /** The next operation that changes something fails with `code`. */
  failNext(code: string): void {
    this.#failNext = code;
  }

  /** The disk after a crash (now, unless there was one), as the next process finds it. */
  reboot(mode: CrashMode, options: SimFsOptions): SimFs {
    this.crash();
    if (mode === "clean") return new SimFs(options, copyOf(this.#root, new Map()) as DirectoryNode);
    return new SimFs(options, survivingDirectory(this.#root, mode, this.#prng));
  }

  /** The content of a file, for tests that damage it. */
  contentOf(path: string): Buffer {
    return Buffer.from(this.#fileAt(path, "read").content);
  }

  /** Puts a durable file in place. */
  place(path: string, content: Uint8Array): void {
    const node = fileNode(Buffer.from(content));
    const { parent, name } = this.#locate(path, "place");
    parent.entries.set(name, node);
    parent.durable.set(name, node);
  }

  async open(path: string, options: OpenOptions): Promise<FsFile> {
    if (options.access === "create") {
      await this.#begin("open", path, () => this.#create(path));
    }
    const node = this.#fileAt(path, "open");
    return new SimFile(this, node, path, options.access !== "read", options.durable === true);
  }

  async stat(path: string): Promise<FileStat | undefined> {
    const node = this.#find(path);
    if (node === undefined) return undefined;
    return { kind: node.kind, sizeBytes: node.kind === "file" ? node.content.length : 0, mode: node.mode };
  }

  async readDirectory(path: string): Promise<string[]> {
    return [...this.#directoryAt(path, "readdir").entries.keys()].sort();
  }

  async createDirectory(path: string): Promise<void> {
    const existing = this.#find(path);
    if (existing?.kind === "file") throw new SimFsError("EEXIST", "mkdir", path);
    if (existing !== undefined) return;
    await this.createDirectory(dirname(path));
    await this.#begin("mkdir", path, () => {
      const { parent, name } = this.#locate(path, "mkdir");
      change(parent, [[name, directoryNode()]]);
    });
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#begin("rename", from, () => {
      const source = this.#locate(from, "rename");
      const target = this.#locate(to, "rename");
      const node = source.parent.entries.get(source.name);
      if (node === undefined) throw new SimFsError("ENOENT", "rename", from);
      if (source.parent !== target.parent) throw new SimFsError("EXDEV", "rename", from);
      change(source.parent, [
        [source.name, undefined],
        [target.name, node],
      ]);
    });
  }

  async unlink(path: string): Promise<void> {
    await this.#begin("unlink", path, () => {
      const { parent, name } = this.#locate(path, "unlink");
      if (parent.entries.get(name)?.kind !== "file") throw new SimFsError("ENOENT", "unlink", path);
      change(parent, [[name, undefined]]);
    });
  }

  async removeTree(path: string): Promise<void> {
    if (this.#find(path) === undefined) return;
    await this.#begin("rm", path, () => {
      const { parent, name } = this.#locate(path, "rm");
      change(parent, [[name, undefined]]);
    });
  }

  async restrictMode(path: string): Promise<void> {
    const node = this.#find(path);
    if (node === undefined) throw new SimFsError("ENOENT", "chmod", path);
    await this.#begin("chmod", path, () => {
      node.mode &= 0o700;
    });
  }

  async syncDirectory(path: string): Promise<void> {
    const node = this.#directoryAt(path, "fsync");
    const pending = node.pending;
    await this.#begin("fsync", path, () => undefined);
    node.pending = node.pending.filter((entry) => !pending.includes(entry));
    for (const names of pending) applyNames(node.durable, names);
  }

  async lock(path: string): Promise<FsLock> {
    if (this.#locks.has(path)) throw new DirectoryLocked(path, process.pid);
    this.#locks.add(path);
    return {
      release: async () => {
        this.#locks.delete(path);
      },
    };
  }

  /** Counts an operation, starts it by `effect`, and ends it later, or fails or crashes as told. */
  async #begin(operation: string, path: string, effect: () => void): Promise<void> {
    await this.perform(operation, path, effect, undefined);
  }

  /** For SimFile. `spoil` is what a failing operation does instead of `effect`. */
  perform(
    operation: string,
    path: string,
    effect: () => void,
    spoil: ((prng: Prng) => void) | undefined,
  ): Promise<void> {
    if (this.#isCrashed) return new Promise(() => undefined);
    this.operations++;
    const { failAt, delay } = this.#options;
    const code = failAt?.operation === this.operations ? failAt.code : this.#failNext;
    if (code !== undefined) {
      this.#failNext = undefined;
      spoil?.(this.#prng);
      return Promise.reject(new SimFsError(code, operation, path));
    }
    try {
      effect();
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#options.crashAt !== this.operations) {
      const done = delay?.(operation) ?? Promise.resolve();
      return done.then(() => (this.#isCrashed ? new Promise<void>(() => undefined) : undefined));
    }
    this.crash();
    return new Promise(() => undefined);
  }

  #create(path: string): void {
    const { parent, name } = this.#locate(path, "open");
    if (parent.entries.has(name)) throw new SimFsError("EEXIST", "open", path);
    change(parent, [[name, fileNode(Buffer.alloc(0))]]);
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const name of path.split("/").filter((part) => part !== "")) {
      if (node?.kind !== "directory") return undefined;
      node = node.entries.get(name);
    }
    return node;
  }

  #locate(path: string, operation: string): { parent: DirectoryNode; name: string } {
    const names = path.split("/").filter((part) => part !== "");
    const parent = this.#find(names.slice(0, -1).join("/"));
    if (parent?.kind !== "directory") throw new SimFsError("ENOENT", operation, path);
    return { parent, name: names.at(-1)! };
  }

  #fileAt(path: string, operation: string): FileNode {
    const node = this.#find(path);
    if (node?.kind !== "file") throw new SimFsError(node ? "EISDIR" : "ENOENT", operation, path);
    return node;
  }

  #directoryAt(path: string, operation: string): DirectoryNode {
    const node = this.#find(path);
    if (node?.kind !== "directory") throw new SimFsError(node ? "ENOTDIR" : "ENOENT", operation, path);
    return node;
  }
}

class SimFile implements FsFile {
  readonly #fs: SimFs;
  readonly #node: FileNode;
  readonly #path: string;
  readonly #isWritable: boolean;
  readonly #isDurable: boolean;
  #isClosed = false;

  constructor(fs: SimFs, node: FileNode, path: string, isWritable: boolean, isDurable: boolean) {
    this.#fs = fs;
    this.#node = node;
    this.#path = path;
    this.#isWritable = isWritable;
    this.#isDurable = isDurable;
  }

  write(buffers: readonly Uint8Array[], position: number, done: (error: Error | undefined) => void): void {
    const bytes = Buffer.concat(buffers);
    const written = { at: position, bytes };
    const put = (change: Change): void => {
      this.#check(this.#isWritable, "write");
      this.#node.content = applied(this.#node.content, change);
      this.#node.pending.push(change);
    };
    // A failed write may have written a first part.
    const spoil = (prng: Prng): void =>
      put({ at: position, bytes: bytes.subarray(0, prng.below(bytes.length + 1)) });
    const finished = this.#fs.perform("write", this.#path, () => put(written), spoil);
    finished.then(
      () => {
        if (this.#isDurable) this.#settleThrough(written);
        done(undefined);
      },
      (error: Error) => done(error),
    );
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    this.#check(true, "read");
    const source = this.#node.content.subarray(position, position + target.length);
    target.set(source);
    return source.length;
  }

  async size(): Promise<number> {
    this.#check(true, "fstat");
    return this.#node.content.length;
  }

  async truncate(sizeBytes: number): Promise<void> {
    await this.#fs.perform(
      "ftruncate",
      this.#path,
      () => {
        this.#check(this.#isWritable, "ftruncate");
        const change: Change = { sizeBytes };
        this.#node.content = applied(this.#node.content, change);
        this.#node.pending.push(change);
      },
      undefined,
    );
  }

  async sync(): Promise<void> {
    const pending = [...this.#node.pending];
    // After a failed sync the kernel counts the pages as clean: no later sync writes them.
    const spoil = (prng: Prng): void => {
      this.#settle(pending.filter(() => prng.below(2) === 0));
      this.#node.pending = [];
    };
    await this.#fs.perform("fdatasync", this.#path, () => this.#check(true, "fdatasync"), spoil);
    this.#settle(pending);
  }

  async close(): Promise<void> {
    this.#check(true, "close");
    this.#isClosed = true;
  }

  /** Older writes to the same bytes become durable with it: the disk gets what the cache holds. */
  #settleThrough(written: Extract<Change, { at: number }>): void {
    const { pending } = this.#node;
    const older = pending.slice(0, pending.indexOf(written));
    const isOverwritten = (change: Change): boolean =>
      "sizeBytes" in change ||
      (change.at < written.at + written.bytes.length && written.at < change.at + change.bytes.length);
    this.#settle([...older.filter(isOverwritten), written]);
  }

  #settle(changes: readonly Change[]): void {
    for (const change of changes) this.#node.durable = applied(this.#node.durable, change);
    this.#node.pending = this.#node.pending.filter((change) => !changes.includes(change));
  }

  #check(isAllowed: boolean, operation: string): void {
    if (!isAllowed || this.#isClosed) throw new SimFsError("EBADF", operation, this.#path);
  }
}

function fileNode(content: Buffer): FileNode {
  return { kind: "file", content, durable: Buffer.from(content), pending: [], mode: 0o600 };
}

function directoryNode(): DirectoryNode {
  return { kind: "directory", entries: new Map(), durable: new Map(), pending: [], mode: 0o700 };
}

function change(node: DirectoryNode, names: NameChange): void {
  applyNames(node.entries, names);
  node.pending.push(names);
}

function applyNames(entries: Map<string, Node>, names: NameChange): void {
  for (const [name, node] of names) {
    if (node === undefined) entries.delete(name);
    else entries.set(name, node);
  }
}

/** In place where the size allows it. */
function applied(content: Buffer, change: Change): Buffer {
  if ("sizeBytes" in change) {
    const resized = Buffer.alloc(change.sizeBytes);
    content.copy(resized);
    return resized;
  }
  const end = change.at + change.bytes.length;
  let target = content;
  if (end > content.length) {
    target = Buffer.alloc(end);
    content.copy(target);
  }
  change.bytes.copy(target, change.at);
  return target;
}

/** The whole tree with what is durable of it and what is not; `copies` keeps one node under several names one. */
function copyOf(node: Node, copies: Map<Node, Node>): Node {
  const known = copies.get(node);
  if (known !== undefined) return known;
  if (node.kind === "file") {
    const file: FileNode = {
      ...node,
      content: Buffer.from(node.content),
      durable: Buffer.from(node.durable),
    };
    file.pending = [...node.pending];
    copies.set(node, file);
    return file;
  }
  const directory = directoryNode();
  copies.set(node, directory);
  const namesOf = (names: Iterable<readonly [string, Node | undefined]>): [string, Node | undefined][] =>
    [...names].map(([name, child]) => [name, child && copyOf(child, copies)]);
  applyNames(directory.entries, namesOf(node.entries));
  applyNames(directory.durable, namesOf(node.durable));
  directory.pending = node.pending.map(namesOf);
  directory.mode = node.mode;
  return directory;
}

function survivingDirectory(node: DirectoryNode, mode: "dropped" | "torn", prng: Prng): DirectoryNode {
  const names = new Map(node.durable);
  const kept = mode === "torn" ? prng.below(node.pending.length + 1) : 0;
  for (const pending of node.pending.slice(0, kept)) applyNames(names, pending);
  const survivor = directoryNode();
  survivor.mode = node.mode;
  for (const [name, child] of names) {
    const copy =
      child.kind === "file" ? survivingFile(child, mode, prng) : survivingDirectory(child, mode, prng);
    survivor.entries.set(name, copy);
    survivor.durable.set(name, copy);
  }
  return survivor;
}

function survivingFile(node: FileNode, mode: "dropped" | "torn", prng: Prng): FileNode {
  let content: Buffer = Buffer.from(node.durable);
  if (mode === "torn") {
    for (const pending of node.pending) content = tornChange(content, pending, prng);
  }
  return fileNode(content);
}

function tornChange(content: Buffer, change: Change, prng: Prng): Buffer {
  const choice = prng.below(4);
  if (choice === 0) return content;
  if (choice === 1 || "sizeBytes" in change) return applied(content, change);
  if (choice === 2) {
    return applied(content, {
      at: change.at,
      bytes: change.bytes.subarray(0, prng.below(change.bytes.length)),
    });
  }
  const end = change.at + change.bytes.length;
  for (let at = change.at; at < end; ) {
    const next = Math.min(end, at - (at % SECTOR_BYTES) + SECTOR_BYTES);
    if (prng.below(2) === 0) {
      content = applied(content, { at, bytes: change.bytes.subarray(at - change.at, next - change.at) });
    }
    at = next;
  }
  return content;
}
