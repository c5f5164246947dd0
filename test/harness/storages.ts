/** The engines of a cluster's members: all alike, or every other one's on disk. */
export const storages = ["memory", "rocksdb", "mixed"] as const;
export type Storage = (typeof storages)[number];

/** Throws Error for what is none. */
export function storageOf(text: string): Storage {
  const storage = storages.find((each) => each === text);
  if (storage === undefined) throw new Error(`--storage is ${storages.join(", ")}, not ${text}`);
  return storage;
}
