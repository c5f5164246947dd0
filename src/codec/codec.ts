import { Reader } from "./wire-reader.ts";
import { Writer } from "./wire-writer.ts";

const writer = new Writer();

/** Makes the function that encodes one message; what it returns is the caller's to keep. */
export function encoder<T>(write: (writer: Writer, message: T) => void): (message: T) => Buffer {
  return (message) => {
    writer.begin();
    write(writer, message);
    return writer.finish();
  };
}

/** Makes the function that decodes one message; it throws DecodeError when the bytes are malformed. */
export function decoder<T>(read: (reader: Reader) => T): (bytes: Uint8Array) => T {
  return (bytes) => read(new Reader(bytes));
}
