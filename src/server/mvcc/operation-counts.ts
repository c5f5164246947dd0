import type { PutRequest } from "../../codec/index.ts";
import type { ByteString } from "../../lib/bytes.ts";
import type { ChosenTxn } from "./txn.ts";

/**
 * Operations that a store has executed since it was made, reads and writes, for metrics (etcd http.md section 5):
 * what is refused is not counted, a delete that finds nothing is. Reading what a put or delete is to answer is a
 * range, and so is each compare that was looked at. `txns` counts the requests that were more than one operation.
 */
export class OperationCounts {
  ranges = 0;
  puts = 0;
  deletes = 0;
  txns = 0;
  /** Bytes of the keys and values of all puts, as they were requested. */
  putBytes = 0;

  put(request: PutRequest): void {
    this.#addPut(request);
    if (readsBefore(request)) this.txns++;
  }

  deleteRange(request: { readonly prevKv: boolean }): void {
    this.#addDelete(request);
    if (request.prevKv) this.txns++;
  }

  /** Keys deleted one by one, in one transaction. */
  deleteKeys(keys: readonly ByteString[]): void {
    this.deletes += keys.length;
    if (keys.length > 1) this.txns++;
  }

  txn(chosen: ChosenTxn): void {
    const before = this.#total;
    this.#addChosen(chosen);
    if (this.#total > before + 1) this.txns++;
  }

  get #total(): number {
    return this.ranges + this.puts + this.deletes;
  }

  #addChosen(chosen: ChosenTxn): void {
    this.ranges += chosen.comparesDone;
    for (const operation of chosen.operations) {
      if (operation.case === "range") this.ranges++;
      else if (operation.case === "put") this.#addPut(operation.request);
      else if (operation.case === "deleteRange") this.#addDelete(operation.request);
      else this.#addChosen(operation.chosen);
    }
  }

  #addPut(request: PutRequest): void {
    this.puts++;
    this.putBytes += request.key.length + request.value.length;
    if (readsBefore(request)) this.ranges++;
  }

  #addDelete({ prevKv }: { readonly prevKv: boolean }): void {
    this.deletes++;
    if (prevKv) this.ranges++;
  }
}

function readsBefore({ prevKv, ignoreValue, ignoreLease }: PutRequest): boolean {
  return prevKv || ignoreValue || ignoreLease;
}
