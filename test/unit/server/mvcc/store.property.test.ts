import { MemoryEngine } from "../../../../src/server/storage/index.ts";
import { storeSuite } from "../../../suites/store-suite.ts";
import { createLoadingEngine } from "./loading-engine.ts";

/** Set to run longer: `STORE_PROPERTY_RUNS=20000 npx mocha test/unit/server/mvcc/store.property.test.ts`. */
const numRuns = Number(process.env["STORE_PROPERTY_RUNS"] ?? 1_000);

storeSuite("MemoryEngine", () => ({ engine: new MemoryEngine() }), numRuns);
storeSuite("LoadingEngine", createLoadingEngine, Math.ceil(numRuns / 4));
